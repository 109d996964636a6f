//! Questions that touch paths which somebody else chose: asked by a short-lived
//! child with that user's rights, so that a directory that never answers holds
//! up nobody else.

use crate::descriptors::{self, Ready, Wanted};
use crate::identity::{Uids, set_uids};
use crate::process::{Forked, end_child, fork, parent_death_signal};
use nix::errno::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// How long a killed child may take to end, in ms; a later `reap` finds it.
const END_MS: u64 = 100;

/// Lets a child answer with all three user ids set to `uid`, for good. It is
/// killed when the time is over, when it says more than `limit` bytes, or when
/// `watch` has something to read or was hung up. The process must have one
/// thread.
pub fn errand(
    uid: u32,
    within_us: u64,
    limit: usize,
    watch: BorrowedFd<'_>,
    answer: impl FnOnce() -> Vec<u8>,
) -> io::Result<Vec<u8>> {
    let (hear, tell) = descriptors::pipe()?;
    let parent = nix::unistd::getpid().as_raw();
    match fork()? {
        Forked::Child => {
            drop(hear);
            // It may hang for ever where it looks, beyond SIGKILL too: whoever waits for the end of what the parent has
            // open must not wait for it.
            let done = nix::unistd::dup2_stdout(tell)
                .map_err(io::Error::from)
                .and_then(|()| descriptors::close_from_3())
                .and_then(|()| set_uids(Uids { real: uid, effective: uid, saved: uid }))
                .and_then(|()| parent_death_signal(parent))
                .and_then(|()| io::stdout().as_fd().try_clone_to_owned())
                .and_then(|tell| File::from(tell).write_all(&answer()));
            std::process::exit(i32::from(done.is_err()))
        }
        Forked::Parent(pid) => {
            drop(tell);
            let said = listen(File::from(hear), within_us, limit, watch);
            // Ended or not, it is not waited for any longer.
            let (Ok(_) | Err(_)) = end_child(pid, END_MS);
            said
        }
    }
}

fn listen(mut hear: File, within_us: u64, limit: usize, watch: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let until_us = crate::boottime_us()?.saturating_add(within_us);
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left_ms = until_us.saturating_sub(crate::boottime_us()?) / 1000;
        if left_ms == 0 {
            return Err(Errno::ETIMEDOUT.into());
        }
        let wanted = [(hear.as_fd(), Wanted::Read), (watch, Wanted::Read)];
        let states = descriptors::poll(&wanted, Some(u32::try_from(left_ms).unwrap_or(u32::MAX)))?;
        let [heard, watched] = <[Ready; 2]>::try_from(states).unwrap_or_default();
        if watched.readable || watched.hangup {
            return Err(Errno::ECANCELED.into());
        }
        if heard.readable || heard.hangup {
            let n = hear.read(&mut buffer)?;
            said.extend_from_slice(buffer.get(..n).unwrap_or_default());
            match n {
                0 => return Ok(said),
                _ if said.len() > limit => return Err(Errno::E2BIG.into()),
                _ => {}
            }
        }
    }
}
