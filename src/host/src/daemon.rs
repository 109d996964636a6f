//! The daemon from start to stop.

use crate::ancestry::Fronts;
use crate::approvals::Approvals;
use crate::authority::Authorities;
use crate::book::{Book, WriteError};
use crate::checkpoints::Checkpoints;
use crate::clock::{boottime_us, wall_us};
use crate::command_line::Task;
use crate::config::Settings;
use crate::drafts;
use crate::enroll;
use crate::error::HostError;
use crate::identity::{self, Identity};
use crate::listener;
use crate::policies::Policies;
use crate::quotas::Quotas;
use crate::recordings::spool::{self, Spools};
use crate::recordings::uploads::Uploads;
use crate::recovery;
use crate::registry::{self, Registry};
use crate::removals;
use crate::returning::{self, Absents};
use crate::room::Room;
use crate::service::Service;
use crate::shipper::{Outbox, Shipper};
use crate::signer;
use countersign_core::Digest;
use countersign_ledger::{Committer, Limits, OpenLogin, RemoteSigner, SystemClock};
use countersign_sys as sys;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Most logins at one time.
pub(crate) const MAX_LOGINS: usize = 512;
/// How long logins may take to be closed at a stop.
const LAST_LOGINS: Duration = Duration::from_secs(3);
/// How long the last checkpoint may take at a stop.
const LAST_CHECKPOINT: Duration = Duration::from_secs(5);
/// How long the last lines may take to reach the service at a stop.
const LAST_SHIPMENT: Duration = Duration::from_secs(5);

/// What every login needs.
pub(crate) struct Host {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) book: Book,
    pub(crate) shipper: Shipper,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) authorities: Authorities,
    pub(crate) policies: Policies,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) room: Room,
    pub(crate) spools: Arc<Spools>,
    pub(crate) fronts: Arc<Fronts>,
    pub(crate) absents: Absents,
    pub(crate) approvals: Approvals,
    pub(crate) registry: Registry,
    pub(crate) places: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    failed: Mutex<Option<String>>,
}

impl Host {
    pub(crate) fn state(&self) -> &Path {
        &self.settings.state
    }

    /// Why nothing new may be held, if so.
    pub(crate) fn refuses(&self) -> Option<String> {
        if self.shipper.forked() {
            return Some(
                "the approval service has shown two histories, of this host or of its own log; nothing runs until its operator has looked"
                    .to_owned(),
            );
        }
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that the ledger cannot be relied on: nothing new is held.
    pub(crate) fn ledger_failed(&self, why: &WriteError) {
        tracing::error!("the ledger cannot be written: {why}");
        if why.spares_the_journal() {
            return;
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.send_replace(true);
        *failed = Some(format!(
            "the ledger of this host cannot be written: {why}; restart countersign-hostd once that is mended"
        ));
    }

    /// Whether the daemon was told to stop, or must.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the daemon is told to stop, or must.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as self: this cannot fail before a stop.
        stop.wait_for(|stop| *stop).await.ok();
    }
}

/// Does what the command line asks for.
pub(crate) fn run(task: Task) -> Result<(), HostError> {
    sys::dumpable_off().map_err(|why| HostError::Config(format!("cannot keep this process private: {why}")))?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // A journal or a file would keep the colours as bytes between the words.
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .with_target(false)
        .init();
    // Forked while this process has one thread and has read nothing from anybody.
    let ready = match &task {
        Task::Serve(settings) | Task::Erase(settings, _) | Task::Prune(settings, _) => Some(prepare(settings)?),
        Task::Enroll(_) | Task::Register(_) => None,
    };
    let (task, ready) = match (task, ready) {
        (Task::Erase(settings, erasure), Some(ready)) => return removals::erase(&settings, &erasure, ready),
        (Task::Prune(settings, retention), Some(ready)) => return removals::prune(&settings, &retention, ready),
        other => other,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| HostError::Unavailable(format!("cannot start: {why}")))?;
    match (task, ready) {
        (Task::Serve(settings), Some((identity, signer))) => runtime.block_on(serve(settings, identity, signer)),
        (Task::Serve(_) | Task::Erase(..) | Task::Prune(..), _) => {
            Err(HostError::Unavailable("there is no signer".to_owned()))
        }
        (Task::Enroll(enrolment), _) => runtime.block_on(enroll::run(enrolment)),
        (Task::Register(socket), _) => registry::register(&socket, |name| std::env::var(name).ok()),
    }
}

/// Who this host is, and its signer.
fn prepare(settings: &Settings) -> Result<(Identity, RemoteSigner), HostError> {
    identity::prepare_state(&settings.state)?;
    let identity = Identity::load(&settings.state)?;
    if identity.trial != settings.trial {
        return Err(HostError::Config(format!(
            "{} was enrolled {} --trial; serve it the same way",
            settings.state.display(),
            if identity.trial { "with" } else { "without" }
        )));
    }
    let signer = signer::start(&settings.state, &identity)?;
    Ok((identity, signer))
}

async fn serve(settings: Settings, identity: Identity, signer: RemoteSigner) -> Result<(), HostError> {
    let (host, open, started) = start(settings, identity, signer).await?;
    recovery::close_open_logins(&host, open, started).await.map_err(unavailable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|why| HostError::Unavailable(why.to_string()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|why| HostError::Unavailable(why.to_string()))?;
    let listener = listener::bind(&host.settings.socket)?;
    // In a trial nobody but the one account could be registered.
    if !host.settings.trial {
        let root = registry::bind(&registry::place(&host.settings.socket))?;
        tokio::spawn(registry::serve(host.clone(), root));
    }
    let shipping = tokio::spawn({
        let host = host.clone();
        async move { host.shipper.run().await }
    });
    let cosigning = tokio::spawn({
        let host = host.clone();
        async move { host.checkpoints.run(&host).await }
    });
    let serving = tokio::spawn(listener::serve(host.clone(), listener));
    let beating = tokio::spawn(beat(host.clone()));
    ready();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = host.stopping() => {}
    }
    host.stop.send_replace(true);
    shipping.abort();
    beating.abort();
    let all = u32::try_from(MAX_LOGINS).unwrap_or(u32::MAX);
    let ended = async {
        serving.await.ok();
        host.places.acquire_many(all).await.map(drop)
    };
    if tokio::time::timeout(LAST_LOGINS, ended).await.is_err() {
        tracing::warn!("some logins did not end in time; the next start closes them");
    }
    // The service manager starts it anew, and that recovers what can be.
    if let Some(why) = host.failed.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        return Err(HostError::Unavailable(why));
    }
    stop(&host, cosigning).await
}

/// Opens the ledger and writes `host_started`, whose leaf hash comes last.
async fn start(
    settings: Settings,
    identity: Identity,
    signer: RemoteSigner,
) -> Result<(Arc<Host>, Vec<OpenLogin>, Digest), HostError> {
    let clock = SystemClock::new().map_err(|why| HostError::Unavailable(format!("cannot read the boot id: {why}")))?;
    let journal = settings.state.join("journal");
    let (committer, recovered) =
        Committer::open(&journal, identity.host, Box::new(signer), Box::new(clock), Limits::default())
            .map_err(|why| HostError::Config(why.to_string()))?;
    let committer = Arc::new(committer);
    let outbox = Arc::new(Outbox::starting_at(recovered.next_seq));
    let url = settings.service.as_deref().unwrap_or(&identity.service_url);
    let service =
        Service::new(url, identity.fingerprint, Some(identity.host_token.clone())).map_err(HostError::Config)?;
    removals::drop_recordings(&settings.state, &removals::gone(&settings.state, &recovered)?)?;
    let uploads = spool::drop_others(&settings.state, &recovered.open_logins)
        .and_then(|()| returning::drop_others(&settings.state, &recovered.open_logins))
        .and_then(|()| Uploads::new(&settings.state, &recovered.open_logins))
        .map_err(|why| HostError::Config(format!("cannot list {}: {why}", settings.state.display())))?;
    let room = Room::new(settings.recording, settings.state.clone());
    room.remember(&recovered.recorded, wall_us(), boottime_us());
    let host = Arc::new(Host {
        book: Book::new(committer.clone(), outbox.clone()),
        checkpoints: Checkpoints::after(recovered.stamp, recovered.next_seq),
        shipper: Shipper::new(service, committer, outbox, uploads),
        authorities: Authorities::new(settings.authority.clone(), &settings.state)?,
        policies: Policies::default(),
        fronts: Arc::default(),
        absents: Absents::default(),
        quotas: Quotas::new(settings.logins_per_agent, settings.submissions_per_minute),
        room,
        spools: Arc::default(),
        approvals: Approvals::default(),
        registry: Registry::default(),
        places: Arc::new(Semaphore::new(MAX_LOGINS)),
        stop: watch::Sender::new(false),
        failed: Mutex::new(None),
        settings,
        identity,
    });
    if recovered.next_seq == 0 {
        // By itself: it is the one entry that the identity key signs.
        let enrolled = drafts::host_enrolled(&host.identity);
        host.book.write_one(enrolled).await.map_err(unavailable)?;
    }
    let torn = recovered.torn.map(|torn| (torn.bytes, torn.digest));
    let started = drafts::host_started(host.identity.signer_word(), torn, Some(host.settings.heartbeat_ms));
    // Together with the first start, so that no entry can come between.
    let gap = host.identity.former.filter(|_| !recovered.gap).map(drafts::gap);
    if gap.is_some() && recovered.logins {
        return Err(HostError::Config(
            "the ledger has logins and does not declare that this host took the place of one that lost its key; it cannot be gone on with: enrol anew"
                .to_owned(),
        ));
    }
    let after = usize::from(gap.is_some());
    let written = host.book.write(std::iter::once(started).chain(gap).collect()).await.map_err(unavailable)?;
    let started = written.iter().rev().nth(after).map(|entry| entry.leaf);
    let started = started.ok_or_else(|| HostError::Unavailable("the ledger has not written its start".to_owned()))?;
    // A document that cannot be used is said now, not to the first agent.
    host.authorities.in_force(&host.book).await.map_err(|why| HostError::Config(why.to_string()))?;
    Ok((host, recovered.open_logins, started))
}

/// Writes a `heartbeat` from time to time, so that silence is evidence. One
/// that cannot be written is a ledger that has failed.
async fn beat(host: Arc<Host>) {
    let every = Duration::from_millis(host.settings.heartbeat_ms);
    loop {
        tokio::time::sleep(every).await;
        if let Err(why) = host.book.write_one(drafts::heartbeat()).await {
            host.ledger_failed(&why);
        }
    }
}

/// Tells systemd, and whoever started this by hand, that fronts are served.
fn ready() {
    if let Err(why) = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]) {
        tracing::warn!("cannot tell the service manager: {why}");
    }
    let mut out = std::io::stdout();
    if let Err(why) = out.write_all(b"ready\n").and_then(|()| out.flush()) {
        tracing::debug!("nobody reads standard output: {why}");
    }
}

async fn stop(host: &Host, cosigning: JoinHandle<()>) -> Result<(), HostError> {
    match tokio::time::timeout(LAST_CHECKPOINT, host.checkpoints.last(host)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!("the last entries are not cosigned: {why}"),
        Err(_) => tracing::warn!("the last entries are not cosigned: the service is too slow"),
    }
    // Not before: what is broken off may be written, and only the next start knows of it.
    cosigning.abort();
    cosigning.await.ok();
    host.book.write_one(drafts::host_stopped()).await.map_err(unavailable)?;
    match tokio::time::timeout(LAST_SHIPMENT, host.shipper.drain()).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!("the last entries stay on this host until its next start: {why}"),
        Err(_) => tracing::warn!("the last entries stay on this host until its next start: the service is too slow"),
    }
    match std::fs::remove_file(&host.settings.socket) {
        Ok(()) => Ok(()),
        Err(why) => {
            tracing::warn!("cannot remove {}: {why}", host.settings.socket.display());
            Ok(())
        }
    }
}

fn unavailable(why: WriteError) -> HostError {
    HostError::Unavailable(why.to_string())
}
