//! Listening: bind, serve, and stop in order.

use crate::ServerError;
use crate::app::{App, Policy};
use crate::desk;
use crate::routes;
use crate::state::StateDir;
use crate::store::Store;
use crate::tls::Certificate;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use countersign_core::ServiceId;
use countersign_ledger::{Signer as _, random_bytes};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

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

/// Runs the service until SIGTERM or SIGINT.
pub async fn serve(state: StateDir, listen: SocketAddr, protection: Protection) -> Result<(), ServerError> {
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
    let app = Arc::new(open(state).await?);
    let listener = bind(listen)?;
    let address = listener.local_addr().map_err(|source| ServerError::Listen { listen, source })?;

    let handle = Handle::new();
    let stop = tokio::spawn(stop_on_signal(Arc::clone(&app), handle.clone()));
    let watched = Arc::clone(&app);
    let deadlines = tokio::spawn(async move { desk::watch_deadlines(&watched).await });
    say_listening(if certificate.is_some() { "https" } else { "http" }, address)?;

    let service = routes::router(Arc::clone(&app)).into_make_service();
    let failed = |source| ServerError::Listen { listen, source };
    match certificate {
        Some(certificate) => {
            let acceptor =
                RustlsAcceptor::new(RustlsConfig::from_config(certificate.config)).acceptor(NoDelayAcceptor::new());
            let server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle).acceptor(acceptor);
            server.serve(service).await.map_err(failed)?;
        }
        None => {
            let server =
                axum_server::from_tcp(listener).map_err(failed)?.handle(handle).acceptor(NoDelayAcceptor::new());
            server.serve(service).await.map_err(failed)?;
        }
    }
    deadlines.abort();
    stop.abort();
    app.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens store, key and rules.
async fn open(state: StateDir) -> Result<App, ServerError> {
    let (store, service, signer) = open_parts(&state).await?;
    let policy = Policy::new(&store.rules().await?).map_err(ServerError::Rules)?;
    tracing::info!(%service, key = %signer.public_key(), "opened");
    Ok(App::new(store, state, service, Box::new(signer), policy))
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

fn bind(listen: SocketAddr) -> Result<TcpListener, ServerError> {
    let listener = TcpListener::bind(listen).and_then(|l| l.set_nonblocking(true).map(|()| l));
    listener.map_err(|source| ServerError::Listen { listen, source })
}

/// The one line that whoever started this waits for.
fn say_listening(scheme: &str, address: SocketAddr) -> Result<(), ServerError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}").and_then(|()| out.flush()).map_err(ServerError::Print)
}

async fn stop_on_signal(app: Arc<App>, handle: Handle<SocketAddr>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be caught; end this process with SIGKILL");
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping");
    app.stop();
    handle.graceful_shutdown(Some(GRACE));
}
