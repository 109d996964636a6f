//! One login: a front's connection walked through its states. The front is
//! the weaker side; whatever the table does not list ends the connection.
//!
//! | state | may come | then |
//! |---|---|---|
//! | new | `Hello` | `session_opened` durable ([`crate::opening`]: of a login of one command with that), `Welcome` → idle |
//! | new | `Resume` of a front that is waited for ([`crate::returning`]) | `session_resumed` durable, `Resumed` → idle or running |
//! | idle | `Submit` | held ([`crate::submission`]), perhaps after `Inspect` and `Inspected` → running or idle |
//! | idle, running | `Spooled` | `recording_chunk`s, `Taken` → the same |
//! | running | `Ended` with its id | `exec_finished`, `session_closed` durable, `Kept` → over |
//! | idle | `Close` | `session_closed` durable, `Kept` → over |
//! | running | `Finished` with its id | what the spool holds and `exec_finished` durable, `Taken` and `Kept` → idle |
//! | any | end of the connection, or anything else | what is open is closed as `killed` → over |

use crate::ancestry::Front;
use crate::clock::boottime_us;
use crate::connection::Connection;
use crate::daemon::Host;
use crate::drafts;
use crate::lost::{Lost, closed, lost_word};
use crate::opening::{ALONE_AFTER, Opening};
use crate::quotas::Place;
use crate::recordings::keep::{self, KeepError};
use crate::recordings::spool::Spool;
use crate::recordings::tape::{Tape, TapeError};
use crate::returning::{self, Absent, Card};
use crate::room::{FILE_BYTES, Full, SUBMISSION_BYTES};
use crate::secrets;
use crate::sent::Sent;
use crate::submission::{self, Asking, Fate};
use countersign_api::front::{
    Close, Finished, FrontMessage, Hello, HostMessage, LoginKind, MAX_WORD, PROTOCOL, Submit,
};
use countersign_core::{Digest, Exit, LoginId, SubmissionId};
use countersign_ledger::Draft;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;

/// How long a front may take to say who it is.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// What is open in a login.
pub(crate) struct Login {
    id: LoginId,
    /// The name of its account.
    agent: String,
    place: Place,
    terminal: bool,
    transfer: bool,
    /// Its lines share one shell.
    keeps_shell: bool,
    /// A line that ran may have put code into that shell.
    rewired: bool,
    opening: Opening,
    running: Option<(SubmissionId, Digest)>,
    tape: Option<Tape>,
    /// Where it may outlive this daemon.
    card: Option<Card>,
    /// What it is closed as where the front does not close it.
    lost: &'static str,
    /// Makes what is started in this login known as nested.
    _front: Option<Front>,
}

impl Login {
    /// A login that goes on.
    pub(crate) fn resumed(
        (id, agent): (LoginId, String),
        absent: Absent,
        running: Option<(SubmissionId, Digest)>,
    ) -> Self {
        Self {
            id,
            agent,
            place: absent.place,
            terminal: absent.terminal,
            transfer: false,
            keeps_shell: true,
            rewired: absent.card.is_rewired(),
            opening: Opening::default(),
            running,
            tape: Some(absent.tape),
            card: Some(absent.card),
            lost: "killed",
            _front: Some(absent.front),
        }
    }

    /// Why nothing more of it may be recorded, if so.
    fn is_full(&self, host: &Host) -> Option<Full> {
        let recorded = self.tape.as_ref().map_or(0, Tape::recorded);
        host.room.refuses(self.place.uid(), recorded, boottime_us())
    }

    /// Why a line is refused before it is looked at, if so; counted either way.
    fn may_not_submit(&self, host: &Host, submit: &Submit) -> Option<String> {
        let now_us = boottime_us();
        if !self.place.may_submit(now_us) {
            let most = host.settings.submissions_per_minute;
            return Some(format!(
                "this account has submitted {most} commands within a minute; wait, then submit it again"
            ));
        }
        if let Some(full) = self.is_full(host) {
            self.place.turn_away();
            return Some(full.to_string());
        }
        let bytes = u64::try_from(submit.command.len()).unwrap_or(u64::MAX);
        host.room.count(self.place.uid(), bytes.saturating_add(SUBMISSION_BYTES), now_us);
        None
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            login: self.id,
            agent: &self.agent,
            terminal: self.terminal,
            transfer: self.transfer,
            keeps_shell: self.keeps_shell,
            rewired: self.keeps_shell && self.rewired,
            place: &self.place,
            card: self.card.as_ref(),
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(host: Arc<Host>, stream: UnixStream) {
    let mut connection = Connection::new(stream);
    let login = match tokio::time::timeout(HELLO_WITHIN, connection.next()).await {
        Ok(Ok(Some(FrontMessage::Hello(hello)))) if fits(&hello) => begin(&host, &mut connection, &hello).await,
        Ok(Ok(Some(FrontMessage::Resume(resume)))) => returning::take_up(&host, &mut connection, &resume).await,
        Ok(_) | Err(_) => {
            connection.fatal("this front speaks another protocol; install front and daemon of one version").await;
            return;
        }
    };
    let Some(mut login) = login else { return };
    match walk(&host, &mut connection, &mut login).await {
        Ok(true) => leave(&host, connection, login).await,
        Ok(false) => abandon(&host, connection, login).await,
        Err(KeepError::Ledger(why)) => {
            host.ledger_failed(&why);
            connection.fatal(&format!("the ledger of this host cannot be written: {why}")).await;
            abandon(&host, connection, login).await;
        }
        Err(KeepError::Full(why)) => {
            tracing::warn!("login {} of {}: {why}", login.id, login.agent);
            connection.fatal(&why.to_string()).await;
            login.lost = "recording_quota";
            abandon(&host, connection, login).await;
        }
        Err(KeepError::Tape(why)) => {
            tracing::error!("login {}: {why}", login.id);
            connection.fatal(&format!("the recording cannot go on: {why}")).await;
            login.lost = lost_word(&why);
            abandon(&host, connection, login).await;
        }
    }
}

/// Lets a new login in, or says why not.
async fn begin(host: &Host, connection: &mut Connection, hello: &Hello) -> Option<Login> {
    if let Some(why) = host.refuses() {
        connection.fatal(&why).await;
        return None;
    }
    let place = match host.quotas.enter(hello.uid, boottime_us()) {
        Ok(place) => place,
        Err(crowded) => {
            connection.end(&crowded.to_string(), Exit::Refused).await;
            return None;
        }
    };
    if let Some(full) = host.room.refuses(place.uid(), 0, boottime_us()) {
        place.turn_away();
        connection.end(&full.to_string(), Exit::Refused).await;
        return None;
    }
    host.room.count(place.uid(), FILE_BYTES, boottime_us());
    match open(host, connection, hello, place).await {
        Ok(login) => Some(login),
        Err(reason) => {
            tracing::error!("cannot open a login: {reason}");
            connection.fatal(&reason).await;
            None
        }
    }
}

fn fits(hello: &Hello) -> bool {
    let short = |text: &str| text.len() <= MAX_WORD;
    hello.protocol == PROTOCOL
        && short(&hello.agent)
        && !hello.agent.is_empty()
        && hello.ssh_connection.as_deref().is_none_or(short)
        && hello.terminal.as_ref().is_none_or(|t| short(&t.term))
}

async fn open(host: &Host, connection: &mut Connection, hello: &Hello, place: Place) -> Result<Login, String> {
    let outer = match connection.pid() {
        Some(pid) => host.fronts.outer(pid).map_err(|why| why.to_string())?,
        None => None,
    };
    let identity = host.registry.identify(&connection.stream, &hello.agent);
    // Not before it is known who comes: whoever is sent away uses up none.
    let spool = host.spools.take(host.state());
    let id = match &spool {
        Ok(spool) => spool.login,
        Err(_) => drafts::random_id(LoginId::from_random).map_err(|why| why.to_string())?,
    };
    let draft = drafts::session_opened(id, hello, identity.as_ref(), place.turned_away(), outer)
        .map_err(|why| why.to_string())?;
    let mut login = Login {
        id,
        agent: hello.agent.clone(),
        place,
        terminal: hello.terminal.is_some(),
        transfer: hello.kind == LoginKind::Transfer,
        keeps_shell: matches!(hello.kind, LoginKind::Interactive | LoginKind::Stdin),
        rewired: false,
        opening: Opening::ahead(draft),
        running: None,
        tape: None,
        card: None,
        lost: "killed",
        _front: connection.pid().map(|pid| host.fronts.enter(pid, id)),
    };
    match let_in(host, connection, hello, (&mut login, spool)).await {
        Ok(()) => Ok(login),
        Err(reason) => {
            close_lost(host, login).await;
            Err(reason)
        }
    }
}

/// Hands its spool to the front. A login of one command begins in the ledger
/// with that, all others before they are welcome.
async fn let_in(
    host: &Host,
    connection: &mut Connection,
    hello: &Hello,
    (login, spool): (&mut Login, Result<Spool, TapeError>),
) -> Result<(), String> {
    let (tape, theirs) = spool
        .and_then(|spool| Tape::create(host.state(), spool, host.identity.host, hello))
        .map_err(|why| format!("the recording cannot be made on this host: {why}"))?;
    login.opening.records_in(tape.recording());
    login.tape = Some(tape);
    if !matches!(hello.kind, LoginKind::Exec | LoginKind::Transfer) {
        login.opening.settle(host).await.map_err(|why| match why {
            KeepError::Ledger(why) => format!("the ledger of this host cannot be written: {why}"),
            why @ (KeepError::Tape(_) | KeepError::Full(_)) => {
                format!("the recording cannot be made on this host: {why}")
            }
        })?;
    }
    // Before the front can begin anything.
    let lasting = connection.pid().filter(|_| hello.kind == LoginKind::Interactive && hello.resume.is_some());
    let identity = || host.registry.identify(&connection.stream, &hello.agent);
    login.card = lasting.and_then(|pid| Card::write(host.state(), login.id, pid, identity()));
    let welcome = HostMessage::Welcome { login: login.id, host: host.identity.host, ahead: host.room.ahead() };
    let sent = connection.send_with(&welcome, &theirs).await;
    let (spools, state) = (Arc::clone(&host.spools), host.state().to_owned());
    // Whether it comes in time or not: whoever finds none makes one.
    drop(tokio::task::spawn_blocking(move || spools.refill(&state)));
    sent.map_err(|why| format!("the front was gone before it was let in: {why}"))
}

/// Takes messages until the login is over. `true` where it was closed in
/// order, `false` where the front is gone or broke the table.
async fn walk(host: &Host, connection: &mut Connection, login: &mut Login) -> Result<bool, KeepError> {
    loop {
        let message = tokio::select! {
            message = connection.next() => message,
            () = tokio::time::sleep(ALONE_AFTER), if login.opening.is_ahead() => {
                login.opening.settle(host).await?;
                continue;
            }
            // What runs may go on, and a front that can comes back to the next
            // daemon; it sees that this one is gone.
            () = host.stopping() => {
                if login.running.is_some() || login.card.is_some() {
                    return Ok(false);
                }
                connection.fatal("the daemon of this host is stopping").await;
                return Ok(false);
            }
        };
        if !matches!(message, Ok(Some(FrontMessage::Submit(_)))) {
            login.opening.settle(host).await?;
        }
        match (message, login.running) {
            (Ok(Some(FrontMessage::Submit(submit))), None) => {
                if !submitted(host, connection, login, &submit).await? {
                    return Ok(false);
                }
            }
            (Ok(Some(FrontMessage::Spooled { bytes })), _) => {
                let Some(tape) = &mut login.tape else { return Ok(false) };
                let before = tape.recorded();
                let kept = keep::spooled(host, login.id, tape, bytes).await;
                let (after, taken) = (tape.recorded(), tape.taken());
                host.room.count(login.place.uid(), after - before, boottime_us());
                kept?;
                login.is_full(host).map_or(Ok(()), |full| Err(KeepError::Full(full)))?;
                // A front that is gone is noticed at the next message.
                connection.send(&HostMessage::Taken { bytes: taken, ahead: host.room.ahead() }).await.ok();
            }
            (Ok(Some(FrontMessage::Finished(finished))), Some((id, of))) if finished.id == id => {
                finish(host, connection, login, of, &finished).await?;
            }
            // The cancel crossed the answer; the answer stands.
            (Ok(Some(FrontMessage::Cancel { .. })), _) => {}
            (Ok(Some(FrontMessage::Ended { finished, close })), Some((id, of))) if finished.id == id => {
                return end(host, connection, login, Some(drafts::exec_finished(login.id, of, &finished)), &close)
                    .await;
            }
            (Ok(Some(FrontMessage::Close(close))), None) => {
                return end(host, connection, login, None, &close).await;
            }
            (Ok(None), _) => return Ok(false),
            (Ok(Some(other)), _) => {
                tracing::error!("login {}: a front sent what it may not send now: {}", login.id, word(&other));
                connection.fatal("this front said something that it may not say now; the login is ended").await;
                return Ok(false);
            }
            (Err(why), _) => {
                tracing::error!("login {}: {why}", login.id);
                connection.fatal("this front said something that cannot be read; the login is ended").await;
                return Ok(false);
            }
        }
    }
}

/// A line that comes while none runs. False where the login is over.
async fn submitted(
    host: &Host,
    connection: &mut Connection,
    login: &mut Login,
    submit: &Submit,
) -> Result<bool, KeepError> {
    if let Some(why) = host.refuses() {
        connection.fatal(&why).await;
        return Ok(false);
    }
    if let Some(reason) = login.may_not_submit(host, submit) {
        login.opening.settle(host).await?;
        match submission::turn_away(connection, submit, reason).await? {
            Fate::FrontGone => return Ok(false),
            Fate::Refused | Fate::Running { .. } => return Ok(true),
        }
    }
    let Some(sent) = Sent::read(host, login.asking(), submit).await else {
        connection.fatal("this line cannot be read; the login is ended").await;
        return Ok(false);
    };
    if let Some(tape) = &mut login.tape {
        tape.learn(&secrets::of(&sent.held));
    }
    let mut opening = std::mem::take(&mut login.opening);
    let fate = submission::run(host, connection, (login.asking(), &mut opening), submit, sent).await;
    login.opening = opening;
    match fate? {
        Fate::Running { id, of, rewires } => {
            login.running = Some((id, of));
            login.rewired |= rewires;
        }
        Fate::Refused => {}
        Fate::FrontGone => return Ok(false),
    }
    Ok(true)
}

async fn finish(
    host: &Host,
    connection: &mut Connection,
    login: &mut Login,
    of: Digest,
    finished: &Finished,
) -> Result<(), KeepError> {
    let entry = vec![drafts::exec_finished(login.id, of, finished)];
    let mut answer = Vec::new();
    match &mut login.tape {
        Some(tape) => {
            let before = tape.recorded();
            keep::all(host, login.id, tape, 0, |_| entry).await.map(drop)?;
            host.room.count(login.place.uid(), tape.recorded() - before, boottime_us());
            answer.push(HostMessage::Taken { bytes: tape.taken(), ahead: host.room.ahead() });
        }
        None => host.book.write(entry).await.map(drop)?,
    }
    login.running = None;
    answer.push(HostMessage::Kept);
    // A front that is gone is noticed at the next message.
    connection.send_all(&answer).await.ok();
    Ok(())
}

/// Ends a login, and with it what ran where that is told at the same time.
async fn end(
    host: &Host,
    connection: &mut Connection,
    login: &mut Login,
    finished: Option<Draft>,
    close: &Close,
) -> Result<bool, KeepError> {
    let Some(mut tape) = login.tape.take() else { return Ok(false) };
    let before = tape.recorded();
    let kept = async {
        let closed = |length| drafts::session_closed(login.id, close, length);
        let entries = |length| finished.into_iter().chain([closed(length)]).collect();
        keep::all(host, login.id, &mut tape, close.spool_bytes, entries).await
    };
    match kept.await {
        Ok(written) => {
            host.room.count(login.place.uid(), tape.recorded() - before, boottime_us());
            closed(host, login.id, written);
        }
        Err(why) => {
            login.tape = Some(tape);
            return Err(why);
        }
    }
    login.running = None;
    tape.close();
    if let Some(card) = login.card.take() {
        card.remove();
    }
    // The front may be gone already: the login is closed either way.
    connection.send(&HostMessage::Kept).await.ok();
    Ok(true)
}

/// A login that is closed: its front goes when what ran has left nothing behind.
/// What that still starts is a login within this one, whose place stays taken.
async fn leave(host: &Host, mut connection: Connection, login: Login) {
    tokio::select! {
        () = connection.gone() => {}
        () = host.stopping() => {}
    }
    drop(login);
}

/// Closes what a front left open. While the daemon stops, the next start does.
async fn abandon(host: &Arc<Host>, connection: Connection, login: Login) {
    drop(connection);
    tokio::select! {
        () = close_lost(host, login) => {}
        () = host.stopping() => {}
    }
}

async fn close_lost(host: &Host, mut login: Login) {
    let settled = login.opening.settle(host).await;
    let made = login.tape.take_if(|tape| tape.is_made());
    if let Some(unmade) = login.tape.take() {
        unmade.close();
    }
    login.tape = made;
    match settled {
        // There is no such login.
        Err(KeepError::Ledger(why)) => return host.ledger_failed(&why),
        Err(why) => tracing::error!("login {}: {why}", login.id),
        Ok(()) => {}
    }
    let (place, before) = (login.place, login.tape.as_ref().map_or(0, Tape::recorded));
    let open = Lost {
        login: login.id,
        running: login.running,
        tape: login.tape,
        card: login.card,
        recorded: 0,
        why: login.lost,
    };
    match open.close(host).await {
        Ok(length) => host.room.count(place.uid(), length.saturating_sub(before), boottime_us()),
        Err(why) => host.ledger_failed(&why),
    }
}

/// A message's name, for the log: what it holds may be secret.
fn word(message: &FrontMessage) -> &'static str {
    match message {
        FrontMessage::Hello(_) => "Hello",
        FrontMessage::Resume(_) => "Resume",
        FrontMessage::Submit(_) => "Submit",
        FrontMessage::Program(_) => "Program",
        FrontMessage::Inspected { .. } => "Inspected",
        FrontMessage::Cancel { .. } => "Cancel",
        FrontMessage::Spooled { .. } => "Spooled",
        FrontMessage::Finished(_) => "Finished",
        FrontMessage::Ended { .. } => "Ended",
        FrontMessage::Close(_) => "Close",
    }
}
