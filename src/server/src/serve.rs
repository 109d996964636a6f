//! Listening: bind, serve, and stop in order.

use crate::ServerError;
use crate::app::{App, now_ms};
use crate::connections::{Bounded, Prompt};
use crate::desk;
use crate::in_force::{InForce, NotInForce};
use crate::recording_files::{Quotas, RecordingFiles};
use crate::routes;
use crate::state::StateDir;
use crate::store::{Store, StoreError};
use crate::tls::Certificate;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use countersign_core::ServiceId;
use countersign_ledger::{Admins, Signer as _, random_bytes};
use countersign_policy::Settings as Base;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long open requests may take after a signal to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How connections are protected.
#[derive(Debug, Clone)]
pub enum Protection {
    /// TLS with the state directory's own certificate.
    OwnCertificate,
    /// TLS with this one.
    Certificate {
        /// PEM chain.
        chain: PathBuf,
        /// PEM key.
        key: PathBuf,
    },
    /// None: loopback only.
    Plain,
}

/// What `serve` is told.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How connections are protected.
    pub protection: Protection,
    /// How much of recordings is kept.
    pub quotas: Quotas,
    /// Connections at a time.
    pub connections: usize,
    /// How long the head of a request may take, idle time before it included. Longer than the 20 s after which our
    /// clients drop an idle connection, so that none of them sends into a closing one.
    pub head: Duration,
    /// Who must have signed what hosts take out of their ledgers.
    pub removal_admins: Option<Admins>,
}

/// Runs the service until SIGTERM or SIGINT.
pub async fn serve(state: StateDir, settings: Settings) -> Result<(), ServerError> {
    let Settings { listen, protection, quotas, connections, head, removal_admins } = settings;
    if matches!(protection, Protection::Plain) && !listen.ip().is_loopback() {
        return Err(ServerError::PlainBeyondLoopback { listen });
    }
    let _lock = state.lock()?;
    let certificate = match protection {
        Protection::OwnCertificate => Some(Certificate::own(&state)?),
        Protection::Certificate { chain, key } => Some(Certificate::read(&chain, &key)?),
        Protection::Plain => None,
    };
    state.set_fingerprint(certificate.as_ref().map(|c| c.fingerprint.as_str()))?;
    let base = Base::default();
    let app = Arc::new(open(state, quotas, base, removal_admins, connections).await?);
    app.recordings.drop_erased(&app.store).await?;
    let listener = bind(listen)?;
    let mut tx = app.store.write().await?;
    app.ledger.started(&mut tx).await?;
    tx.commit().await.map_err(StoreError::from)?;
    let address = listener.local_addr().map_err(|source| ServerError::Listen { listen, source })?;

    let handle = Handle::new();
    let stop = tokio::spawn(stop_on(signals()?, Arc::clone(&app), handle.clone()));
    let watched = Arc::clone(&app);
    let deadlines = tokio::spawn(async move { desk::watch_deadlines(&watched).await });
    let store = app.store.clone();
    let tidy = tokio::spawn(async move { store.tidy().await });
    say_listening(if certificate.is_some() { "https" } else { "http" }, address)?;

    let service = routes::router(Arc::clone(&app)).into_make_service();
    let bounded_by = Bounded::new(connections);
    let failed = |source| ServerError::Listen { listen, source };
    match certificate {
        Some(certificate) => {
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(certificate.config)).acceptor(bounded_by);
            let mut server =
                axum_server::from_tcp(listener).map_err(failed)?.handle(handle).acceptor(Prompt::new(acceptor, head));
            bound(server.http_builder(), head);
            server.serve(service).await.map_err(failed)?;
        }
        None => {
            let mut server =
                axum_server::from_tcp(listener).map_err(failed)?.handle(handle).acceptor(Prompt::new(bounded_by, head));
            bound(server.http_builder(), head);
            server.serve(service).await.map_err(failed)?;
        }
    }
    deadlines.abort();
    tidy.abort();
    stop.abort();
    let mut tx = app.store.write().await?;
    app.ledger.stopped(&mut tx).await?;
    tx.commit().await.map_err(StoreError::from)?;
    app.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens store, key and rules.
async fn open(
    state: StateDir,
    quotas: Quotas,
    base: Base,
    removal_admins: Option<Admins>,
    connections: usize,
) -> Result<App, ServerError> {
    let (store, service, signer) = open_parts(&state).await?;
    let mut tx = store.write().await?;
    let policy = InForce::load_and_keep(&mut tx, &base, now_ms()).await.map_err(not_loaded)?;
    tx.commit().await.map_err(StoreError::from)?;
    tracing::info!(%service, key = %signer.public_key(), "opened");
    let recordings = RecordingFiles::new(state, quotas);
    Ok(App::new(store, recordings, service, Box::new(signer), (policy, base), removal_admins, connections))
}

fn not_loaded(error: NotInForce) -> ServerError {
    match error {
        NotInForce::Store(error) => ServerError::Store(error),
        NotInForce::Policy(_) | NotInForce::Body { .. } => ServerError::Rules(error.to_string()),
    }
}

/// Opens store and key: what the admin subcommands need too.
pub async fn open_parts(
    state: &StateDir,
) -> Result<(Store, ServiceId, countersign_ledger::InProcessSigner), ServerError> {
    let signer = state.signer()?;
    let store = Store::open(&state.database()).await?;
    let fresh = ServiceId::from_random(random_bytes()?);
    let service = store.service_id(fresh, crate::app::now_ms()).await?;
    Ok((store, service, signer))
}

/// A connection that sends no whole request head in time is closed.
fn bound(http: &mut Builder<TokioExecutor>, head: Duration) {
    http.http1().timer(TokioTimer::new()).header_read_timeout(head);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(head);
}

fn bind(listen: SocketAddr) -> Result<TcpListener, ServerError> {
    let listener = TcpListener::bind(listen).and_then(|l| l.set_nonblocking(true).map(|()| l));
    listener.map_err(|source| ServerError::Listen { listen, source })
}

/// The one line that whoever started this waits for.
fn say_listening(scheme: &str, address: SocketAddr) -> Result<(), ServerError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}").and_then(|()| out.flush()).map_err(ServerError::Print)
}

/// SIGTERM and SIGINT; caught from here on.
fn signals() -> Result<[Signal; 2], ServerError> {
    let catch = |kind| signal(kind).map_err(ServerError::Runtime);
    Ok([catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?])
}

async fn stop_on([mut term, mut int]: [Signal; 2], app: Arc<App>, handle: Handle<SocketAddr>) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping");
    app.stop();
    loop {
        // Who does not listen yet misses it, so it is said until this task is ended.
        handle.graceful_shutdown(Some(GRACE));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
