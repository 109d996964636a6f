//! The socket that fronts connect to. Only the front's uid is let in.

use crate::daemon::{Host, MAX_LOGINS};
use crate::error::HostError;
use crate::login;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};

/// Strangers are told of in the log once in this time.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Binds the socket, taking the place of one that nobody listens on.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, HostError> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(HostError::config("listen on", path, "another daemon listens there; stop it first"));
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(HostError::config("replace", path, why)),
    }
    let listener = UnixListener::bind(path).map_err(|why| HostError::config("listen on", path, why))?;
    // Who may speak is decided by the peer's uid, not by the file's mode: the
    // front has the agent's groups.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
        .map_err(|why| HostError::config("open", path, why))?;
    Ok(listener)
}

/// Serves fronts until the daemon stops.
pub(crate) async fn serve(host: Arc<Host>, listener: UnixListener) {
    let mut strangers = Strangers::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = host.stopping() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(why) => {
                tracing::error!("cannot take a connection: {why}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if !is_front(&host, &stream, &mut strangers) {
            continue;
        }
        let Ok(place) = host.places.clone().try_acquire_owned() else {
            tracing::error!("{MAX_LOGINS} logins are open; a further one is turned away");
            continue;
        };
        let host = host.clone();
        tokio::spawn(async move {
            login::serve(host, stream).await;
            drop(place);
        });
    }
}

/// Connections that were turned away since the log last said so.
#[derive(Default)]
struct Strangers {
    count: u64,
    told: Option<Instant>,
}

impl Strangers {
    fn note(&mut self, uid: u32) {
        self.count += 1;
        if self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            tracing::warn!("connections turned away: {}, the last of uid {uid}, which is not the front's", self.count);
            (self.count, self.told) = (0, Some(Instant::now()));
        }
    }
}

fn is_front(host: &Host, stream: &UnixStream, strangers: &mut Strangers) -> bool {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == host.settings.front_uid => true,
        Ok(peer) => {
            strangers.note(peer.uid());
            false
        }
        Err(why) => {
            tracing::error!("cannot tell whose connection this is: {why}");
            false
        }
    }
}
