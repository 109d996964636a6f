//! The signer: a child of the daemon, forked before there is anything else in
//! it. It alone reads the identity key, then gives up everything but one
//! socket, and signs hashes. What parses foreign bytes never holds a key.

use crate::error::HostError;
use crate::identity::{Identity, key_path};
use countersign_ledger::{EpochSigner, InProcessSigner, RemoteSigner, Signer as _, refuse_signer, serve_signer};
use countersign_sys as sys;
use nix::sys::signal::SigSet;
use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Forks the signer of this identity. The process must have one thread.
pub(crate) fn start(state: &Path, identity: &Identity) -> Result<RemoteSigner, HostError> {
    let unable = |why: std::io::Error| HostError::Unavailable(format!("cannot start the signer: {why}"));
    let (ours, theirs) = UnixStream::pair().map_err(unable)?;
    let parent = nix::unistd::getpid().as_raw();
    match sys::fork().map_err(unable)? {
        sys::Forked::Child => {
            drop(ours);
            let code = match child(theirs, parent, state, identity) {
                Ok(()) => 0,
                Err(why) => {
                    let line = format!("countersign-hostd: the signer process cannot go on: {why}\n");
                    // Standard error may be closed by then; the daemon sees that nobody answers.
                    std::io::stderr().write_all(line.as_bytes()).ok();
                    70
                }
            };
            std::process::exit(code)
        }
        sys::Forked::Parent(_) => drop(theirs),
    }
    let signer = RemoteSigner::connect(ours).map_err(|why| HostError::Config(why.to_string()))?;
    if signer.identity() != identity.key {
        return Err(HostError::Config(format!(
            "{} holds another key than the one this host was enrolled with; restore it from a backup, or enrol anew",
            key_path(state).display()
        )));
    }
    Ok(signer)
}

/// The signer's own life. It ends when the daemon does.
fn child(link: UnixStream, parent: i32, state: &Path, identity: &Identity) -> std::io::Result<()> {
    // Who stops the daemon and all its processes must not stop this one first: the last entries are yet to be signed.
    SigSet::all().thread_block()?;
    sys::parent_death_signal(parent)?;
    let loaded = InProcessSigner::load(&key_path(state));
    let host = identity.host;
    let (link, _) = sys::sandbox::lock_in(OwnedFd::from(link))?;
    // To close it is forbidden by now, and would be told to the kernel's log as an attack: it ends with the process.
    let link = ManuallyDrop::new(link);
    match loaded {
        Ok(key) => serve_signer(&*link, &mut EpochSigner::new(key, host)),
        Err(why) => refuse_signer(
            &*link,
            &format!("{why}. No new key is made silently: restore the identity key, or enrol this host anew"),
        ),
    }
}
