//! Fronts that may come back after the daemon was lost: what is kept of them
//! on the disk, which of them are waited for, and how one takes its login up
//! again.
//!
//! Three things must agree: the connection is of the process that began the
//! login (its number and the moment it started, which no other process ever
//! has), it tells a secret of the chain whose end stands in the ledger, and
//! nobody took the login up before.

use crate::ancestry::Front;
use crate::clock::boottime_us;
use crate::connection::Connection;
use crate::daemon::Host;
use crate::drafts;
use crate::login::Login;
use crate::lost::Lost;
use crate::quotas::Place;
use crate::recordings::tape::Tape;
use crate::secrets;
use crate::sent::beside_others;
use countersign_api::context::Identity;
use countersign_api::front::{
    CommandEnd, Finished, HostMessage, LoginKind, MAX_RESUME_LINES, NotReleased, PROTOCOL, Resume,
};
use countersign_core::{Digest, LoginId, SubmissionId};
use countersign_ledger::{OpenLogin, leads_to};
use countersign_sys as sys;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether a front that is waited for still lives.
const LOOK: Duration = Duration::from_millis(250);
/// Longest card that is read back; a certificate may have many long names.
const MAX_CARD: u64 = 64 * 1024;

/// A process, told from all others of this boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    pid: i32,
    /// When it started, in the kernel's ticks since boot.
    start: u64,
    boot: String,
}

impl Process {
    fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Its name, which it chooses itself, stands in brackets and may hold anything.
        let (_, after_name) = stat.rsplit_once(") ")?;
        let start = after_name.split(' ').nth(19)?.parse().ok()?;
        Some(Self { pid, start, boot: sys::boot_id().ok()? })
    }

    fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    front: Process,
    rewired: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
}

/// What stands on the disk of a front that may come back. It is worth nothing
/// after a reboot, so it need not outlive one: no fsync.
#[derive(Debug)]
pub(crate) struct Card {
    path: PathBuf,
    front: Process,
    rewired: AtomicBool,
    identity: Option<Identity>,
}

impl Card {
    /// Notes who the front is, and who is behind it; `None` where that cannot
    /// be told or kept, and then it cannot come back.
    pub(crate) fn write(state: &Path, login: LoginId, pid: i32, identity: Option<Identity>) -> Option<Self> {
        let (path, front) = (place(state, login), Process::of(pid)?);
        let card = Self { path, front, rewired: AtomicBool::new(false), identity };
        match card.save() {
            Ok(()) => Some(card),
            Err(why) => {
                tracing::warn!("login {login} will not outlive this daemon: {why}");
                None
            }
        }
    }

    fn read(state: &Path, login: LoginId) -> Option<Self> {
        let path = place(state, login);
        let text = io::Read::take(std::fs::File::open(&path).ok()?, MAX_CARD);
        let note: Note = serde_json::from_reader(text).ok()?;
        let Note { front, rewired, identity } = note;
        Some(Self { path, front, rewired: AtomicBool::new(rewired), identity })
    }

    pub(crate) fn is_rewired(&self) -> bool {
        self.rewired.load(Ordering::Acquire)
    }

    /// Notes that the login's shell may tell what it likes of itself from now
    /// on. Where that cannot be noted the front cannot come back.
    pub(crate) fn rewire(&self) -> io::Result<()> {
        if self.rewired.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.save().or_else(|_| std::fs::remove_file(&self.path))
    }

    fn save(&self) -> io::Result<()> {
        let (front, rewired, identity) = (self.front.clone(), self.is_rewired(), self.identity.clone());
        let note = Note { front, rewired, identity };
        let next = self.path.with_extension("next");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(&serde_json::to_vec(&note)?)?;
        std::fs::rename(&next, &self.path)
    }

    /// The login is closed.
    pub(crate) fn remove(&self) {
        // What stays is dropped at the next start.
        if let Err(why) = std::fs::remove_file(&self.path) {
            tracing::debug!("cannot remove {}: {why}", self.path.display());
        }
    }
}

fn place(state: &Path, login: LoginId) -> PathBuf {
    state.join("fronts").join(login.to_string())
}

/// Drops what is kept of the fronts of closed logins.
pub(crate) fn drop_others(state: &Path, open: &[OpenLogin]) -> io::Result<()> {
    let kept: Vec<PathBuf> = open.iter().map(|login| place(state, login.id)).collect();
    for entry in std::fs::read_dir(state.join("fronts"))? {
        let path = entry?.path();
        if !kept.contains(&path) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A login whose front may come back.
pub(crate) struct Absent {
    login: LoginId,
    anchor: Digest,
    running: Option<(SubmissionId, Digest)>,
    /// L of the `host_started` that it comes back after.
    started: Digest,
    pub(crate) terminal: bool,
    pub(crate) tape: Tape,
    pub(crate) card: Card,
    pub(crate) place: Place,
    pub(crate) front: Front,
}

/// Those that are waited for.
#[derive(Default)]
pub(crate) struct Absents {
    waiting: Mutex<HashMap<LoginId, Absent>>,
}

impl Absents {
    /// Takes a login out for the front that has shown to be its own.
    fn claim(&self, resume: &Resume, peer: Option<i32>) -> Option<Absent> {
        let mut waiting = self.lock();
        let absent = waiting.get(&resume.login)?;
        let own = peer.is_some_and(|pid| pid == absent.card.front.pid) && absent.card.front.lives();
        if own && leads_to(&resume.key, &absent.anchor) { waiting.remove(&resume.login) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LoginId, Absent>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the front of an open login, where it may come back. Gives the
/// tape back where it cannot.
pub(crate) fn expect(host: &Arc<Host>, login: &OpenLogin, tape: Tape, started: Digest) -> Option<Tape> {
    let lasting = login.opened.as_ref().filter(|(_, kind, _)| kind == LoginKind::Interactive.as_str());
    let card = Card::read(host.state(), login.id).filter(|card| card.front.lives());
    let (Some((uid, _, terminal)), Some(anchor), Some(card)) = (lasting, login.resume, card) else {
        return Some(tape);
    };
    let Ok(place) = host.quotas.enter(*uid, boottime_us()) else { return Some(tape) };
    // What else is begun in its ssh session, within it or beside it, is of whoever is behind it.
    if let (Some(identity), Some(account)) = (&card.identity, account(*uid)) {
        host.registry.restore(card.front.pid, || card.front.lives(), (account, identity.clone()));
    }
    let absent = Absent {
        login: login.id,
        anchor,
        running: login.unfinished,
        started,
        terminal: *terminal,
        front: host.fronts.enter(card.front.pid, login.id),
        tape,
        card,
        place,
    };
    host.absents.lock().insert(login.id, absent);
    tokio::spawn(wait(host.clone(), login.id));
    None
}

/// Closes the login where its front does not come in time, or is gone.
async fn wait(host: Arc<Host>, login: LoginId) {
    let until = Instant::now() + Duration::from_millis(host.settings.grace_ms);
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = host.stopping() => return,
        }
        let absent = {
            let mut waiting = host.absents.lock();
            match waiting.get(&login) {
                None => return,
                Some(absent) if Instant::now() < until && absent.card.front.lives() => continue,
                Some(_) => waiting.remove(&login),
            }
        };
        let Some(absent) = absent else { return };
        tokio::select! {
            closed = absent.lost().close(&host) => if let Err(why) = closed { host.ledger_failed(&why) },
            () = host.stopping() => {}
        }
        return;
    }
}

impl Absent {
    fn lost(self) -> Lost {
        let Self { login, running, tape, card, .. } = self;
        Lost { login, running, tape: Some(tape), card: Some(card), recorded: 0, why: "recovered" }
    }
}

/// Lets a front take its login up again. `None` where the connection is over.
pub(crate) async fn take_up(host: &Host, connection: &mut Connection, resume: &Resume) -> Option<Login> {
    // The next daemon may let it.
    if host.is_stopping() {
        return None;
    }
    let lines: usize = resume.lines.iter().map(String::len).sum();
    let absent = Some(())
        .filter(|()| resume.protocol == PROTOCOL && lines <= MAX_RESUME_LINES.saturating_mul(2))
        .and_then(|()| host.absents.claim(resume, connection.pid()));
    let Some(mut absent) = absent else {
        tracing::warn!("a front came back to the login {}, which does not wait for it", resume.login);
        connection.fatal("this login is over: countersign-hostd was away for too long; log in again").await;
        return None;
    };
    let (login, running) = (absent.login, absent.running);
    // Rules of the administrators' document speak of accounts by name.
    let Some(agent) = account(absent.place.uid()) else {
        return turned_away(host, connection, absent, "the account of this login is no longer known; it is ended")
            .await;
    };
    let earlier = resume.lines.clone();
    // As long as the worst line takes: nobody else waits for it.
    let Some(known) = beside_others(lines, move || secrets::of_earlier(&earlier)).await else {
        return turned_away(host, connection, absent, "the lines of this login cannot be read; it is ended").await;
    };
    let (goes_on, unheard) = match (running, resume.running) {
        (Some((id, _)), Some(own)) if id == own => (running, None),
        (None, _) => (None, None),
        (Some(unheard), None) => (None, Some(unheard)),
        (Some((id, _)), Some(own)) => {
            tracing::error!("login {login}: its front runs {own}, and the ledger knows {id}");
            let why = "this front runs what it was not told to; the login is ended";
            return turned_away(host, connection, absent, why).await;
        }
    };
    let never = unheard.map(|(id, of)| {
        let end = CommandEnd::NotReleased(NotReleased::HostLost);
        drafts::exec_finished(login, of, &Finished { id, end, stdout_bytes: 0, stderr_bytes: 0, files: None })
    });
    let resumed = drafts::session_resumed(login, &resume.key, &absent.started, goes_on.map(|(id, _)| id));
    if let Err(why) = host.book.write(never.into_iter().chain([resumed]).collect()).await {
        host.ledger_failed(&why);
        connection.fatal(&format!("the ledger of this host cannot be written: {why}")).await;
        return None;
    }
    absent.tape.learn(&known);
    let (taken, ahead) = (absent.tape.taken(), host.room.ahead());
    let answer = HostMessage::Resumed { taken, ahead, running: goes_on.map(|(id, _)| id) };
    // A front that is gone is noticed at the next message.
    connection.send(&answer).await.ok();
    Some(Login::resumed((login, agent), absent, goes_on))
}

/// Ends a login that cannot go on.
async fn turned_away(host: &Host, connection: &mut Connection, absent: Absent, why: &str) -> Option<Login> {
    connection.fatal(why).await;
    if let Err(why) = absent.lost().close(host).await {
        host.ledger_failed(&why);
    }
    None
}

/// The name of an account, where there is one.
fn account(uid: u32) -> Option<String> {
    countersign_sys::account_by_uid(uid).ok().flatten().map(|account| account.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_gone_has_no_name() {
        assert_eq!(account(0).as_deref(), Some("root"));
        assert_eq!(account(u32::MAX - 7), None);
    }

    #[test]
    fn a_process_is_told_from_others() {
        let own = i32::try_from(std::process::id()).unwrap();
        let process = Process::of(own).unwrap();
        assert!(process.lives() && process.start > 0);
        let later = Process { start: process.start + 1, ..process.clone() };
        let other = Process { boot: "0".repeat(32), ..process.clone() };
        assert!(!later.lives() && !other.lives());
        assert_eq!(Process::of(-1), None);
    }

    #[test]
    fn a_card_is_read_back_and_nothing_else_is() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("fronts")).unwrap();
        let (login, own) = (LoginId::from_random([1; 16]), i32::try_from(std::process::id()).unwrap());
        let identity =
            Identity { user: "\u{1}".repeat(256), principals: vec!["\"".repeat(256); 16], ..Identity::default() };
        let card = Card::write(state.path(), login, own, Some(identity.clone())).unwrap();
        let again = Card::read(state.path(), login).unwrap();
        assert!(again.front == card.front && !again.is_rewired() && again.identity == Some(identity));
        card.rewire().unwrap();
        assert!(Card::read(state.path(), login).unwrap().is_rewired());
        for bad in ["", "{}", "{\"front\":{\"pid\":1,\"start\":2,\"boot\":\"x\"},\"rewired\":false,\"more\":1}"] {
            std::fs::write(&card.path, bad).unwrap();
            assert!(Card::read(state.path(), login).is_none(), "{bad}");
        }
        drop_others(state.path(), &[]).unwrap();
        assert!(!card.path.exists());
    }

    #[test]
    fn what_cannot_be_noted_cannot_come_back() {
        let state = tempfile::tempdir().unwrap();
        let (login, own) = (LoginId::from_random([1; 16]), i32::try_from(std::process::id()).unwrap());
        assert!(Card::write(state.path(), login, own, None).is_none(), "no directory");
        std::fs::create_dir(state.path().join("fronts")).unwrap();
        let card = Card::write(state.path(), login, own, None).unwrap();
        // A directory stands where the next card would be written.
        std::fs::create_dir(card.path.with_extension("next")).unwrap();
        card.rewire().unwrap();
        assert!(Card::read(state.path(), login).is_none(), "gone, rather than wrong");
        let card = Card { rewired: AtomicBool::new(false), ..card };
        assert!(card.rewire().is_err(), "neither noted nor gone");
    }
}
