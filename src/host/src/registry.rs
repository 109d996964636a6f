//! Who is behind an ssh session: registered by root out of PAM, found again by
//! the audit session id of the front that says hello. The kernel sets that id
//! at login, hands it to every child, and lets nobody without
//! CAP_AUDIT_CONTROL change it.

use crate::credential;
use crate::daemon::Host;
use crate::error::HostError;
use countersign_api::context::Identity;
use countersign_api::frame::{Decoder, encode};
use countersign_sys::{self as sys, Wanted};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// Most sessions that are remembered.
const MAX_SESSIONS: usize = 4096;
/// How long root may take to say what it has to say, and we to answer.
const WITHIN: Duration = Duration::from_secs(2);
/// What stands for no audit session.
const UNSET: u32 = u32::MAX;

/// What root says of an ssh session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
enum Registration {
    /// It begins.
    Open { session: u32, account: String, source: String, auth_info: String },
    /// It is over.
    Close { session: u32 },
}

/// Sessions by audit session id.
#[derive(Default)]
pub(crate) struct Registry {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sessions: HashMap<u32, (String, Identity)>,
    order: VecDeque<u32>,
}

impl Known {
    fn keep(&mut self, session: u32, registered: (String, Identity)) {
        if self.sessions.insert(session, registered).is_none() {
            self.order.push_back(session);
        }
        while self.order.len() > MAX_SESSIONS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.sessions.remove(&oldest);
        }
    }
}

impl Registry {
    fn take(&self, registration: Registration) {
        let mut known = self.lock();
        match registration {
            Registration::Close { session } => {
                known.sessions.remove(&session);
                known.order.retain(|known| *known != session);
            }
            Registration::Open { session: UNSET, .. } => {}
            Registration::Open { session, account, source, auth_info } => {
                let Some(identity) = credential::read(&auth_info, &source) else { return };
                known.keep(session, (account, identity));
            }
        }
    }

    /// Knows the session of a front of an earlier daemon again, if that front
    /// still lives when its session has been looked up.
    pub(crate) fn restore(&self, pid: i32, lives: impl FnOnce() -> bool, registered: (String, Identity)) {
        let Some(session) = session_of(pid).filter(|_| lives()) else { return };
        let mut known = self.lock();
        if !known.sessions.contains_key(&session) {
            known.keep(session, registered);
        }
    }

    /// Who is behind a connected front, where root has said so for this account.
    pub(crate) fn identify(&self, stream: &UnixStream, account: &str) -> Option<Identity> {
        let pid = stream.peer_cred().ok()?.pid()?;
        let session = session_of(pid)?;
        // The number was the front's when it connected. The front alone holds
        // the other end, so while that is open the number is still its own.
        let states = sys::poll(&[(stream.as_fd(), Wanted::Hangup)], Some(0)).ok()?;
        if states.first().is_none_or(|state| state.hangup) {
            return None;
        }
        let known = self.lock();
        let (registered, identity) = known.sessions.get(&session)?;
        (registered == account).then(|| identity.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The audit session of a process, where it has one.
fn session_of(pid: i32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/sessionid")).ok()?;
    text.trim().parse().ok().filter(|session| *session != UNSET)
}

/// Takes every registration of a stream; returns how many sessions are known.
pub(crate) fn take_all(bytes: &[u8]) -> usize {
    let (registry, mut decoder) = (Registry::default(), Decoder::default());
    decoder.push(bytes);
    while let Ok(Some(registration)) = decoder.next_message() {
        registry.take(registration);
    }
    let known = registry.lock();
    known.order.len().max(known.sessions.len())
}

/// Where root registers: beside the socket of the fronts.
pub(crate) fn place(socket: &Path) -> PathBuf {
    socket.with_file_name("register.sock")
}

/// Binds the socket.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, HostError> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(HostError::config("replace", path, why)),
    }
    let listener = UnixListener::bind(path).map_err(|why| HostError::config("listen on", path, why))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|why| HostError::config("close to others", path, why))?;
    Ok(listener)
}

/// Takes registrations of root until the daemon stops.
pub(crate) async fn serve(host: Arc<Host>, listener: UnixListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = host.stopping() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == 0 => {
                let host = host.clone();
                tokio::spawn(async move {
                    if tokio::time::timeout(WITHIN, hear(&host.registry, stream)).await.is_err() {
                        tracing::warn!("a registration of an ssh session was not finished in time");
                    }
                });
            }
            Ok(peer) => tracing::warn!("uid {} tried to register an ssh session; only root can", peer.uid()),
            Err(why) => tracing::warn!("cannot tell who registers an ssh session: {why}"),
        }
    }
}

async fn hear(registry: &Registry, mut stream: UnixStream) {
    let mut decoder = Decoder::default();
    let mut buffer = [0; 4096];
    loop {
        match decoder.next_message::<Registration>() {
            Ok(Some(registration)) => {
                registry.take(registration);
                // Root waits for this; where it does not, the session is registered all the same.
                stream.write_all(b"kept\n").await.ok();
                return;
            }
            Ok(None) => {}
            Err(why) => return tracing::warn!("a registration of an ssh session cannot be read: {why}"),
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => decoder.push(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// `countersign-hostd register`: run by root out of PAM, for one ssh session.
pub(crate) fn register(socket: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<(), HostError> {
    let text = |name: &str| variable(name).unwrap_or_default();
    let path = place(socket);
    let session = std::fs::read_to_string("/proc/self/sessionid").unwrap_or_default();
    let session = session.trim().parse().unwrap_or(UNSET);
    if session == UNSET {
        return Err(HostError::Unavailable(
            "this ssh session has no audit session id, so nobody can be told from others by it; put pam_loginuid.so before this line, and use a kernel with audit".to_owned(),
        ));
    }
    let registration = match text("PAM_TYPE").as_str() {
        "open_session" => Registration::Open {
            session,
            account: text("PAM_USER"),
            source: text("PAM_RHOST"),
            auth_info: text("SSH_AUTH_INFO_0"),
        },
        "close_session" => Registration::Close { session },
        other => {
            return Err(HostError::Config(format!(
                "PAM_TYPE is {other:?}; run this from a `session` line of pam_exec.so in /etc/pam.d/sshd"
            )));
        }
    };
    let failed = |why: std::io::Error| HostError::Unavailable(format!("cannot register at {}: {why}", path.display()));
    let told = || -> std::io::Result<()> {
        let mut stream = Blocking::connect(&path)?;
        stream.set_read_timeout(Some(WITHIN))?;
        stream.set_write_timeout(Some(WITHIN))?;
        stream.write_all(&encode(&registration).map_err(std::io::Error::other)?)?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)
    };
    told().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn open(session: u32, account: &str) -> Registration {
        let (account, source) = (account.to_owned(), "192.0.2.7".to_owned());
        Registration::Open { session, account, source, auth_info: KEY.to_owned() }
    }

    fn knows(registry: &Registry, session: u32) -> bool {
        registry.lock().sessions.contains_key(&session)
    }

    #[test]
    fn sessions_are_bounded_and_end() {
        let registry = Registry::default();
        registry.take(open(7, "deploy"));
        registry.take(open(UNSET, "deploy"));
        assert!(knows(&registry, 7) && !knows(&registry, UNSET));
        registry.take(Registration::Close { session: 7 });
        assert!(!knows(&registry, 7));
        let most = u32::try_from(MAX_SESSIONS).unwrap();
        for session in 0..=most {
            registry.take(open(session, "deploy"));
        }
        assert!(!knows(&registry, 0) && knows(&registry, most));
        assert_eq!(registry.lock().order.len(), MAX_SESSIONS);
    }

    #[tokio::test]
    async fn an_account_is_known_by_the_session_of_the_process_that_connects() {
        let own: u32 = std::fs::read_to_string("/proc/self/sessionid").unwrap().trim().parse().unwrap();
        let registry = Registry::default();
        let (here, there) = UnixStream::pair().unwrap();
        registry.lock().sessions.insert(own, ("deploy".to_owned(), Identity::default()));
        assert_eq!(registry.identify(&here, "deploy").is_some(), own != UNSET);
        assert_eq!(registry.identify(&here, "other"), None);
        let (again, pid) = (Registry::default(), i32::try_from(std::process::id()).unwrap());
        let registered = || ("deploy".to_owned(), Identity::default());
        again.restore(pid, || false, registered());
        assert_eq!(again.identify(&here, "deploy"), None, "it is gone");
        again.restore(pid, || true, registered());
        assert_eq!(again.identify(&here, "deploy").is_some(), own != UNSET);
        drop(there);
        assert_eq!(registry.identify(&here, "deploy"), None, "who connected is gone");
    }
}
