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

/// A child that has answered, or has not and will not. Dropping this ends it and
/// reaps it, which takes as long as asking did: pass the answer on first.
#[derive(Debug)]
pub struct Ending(i32);

impl Drop for Ending {
    fn drop(&mut self) {
        // Ended or not, it is not waited for any longer.
        let (Ok(_) | Err(_)) = end_child(self.0, END_MS);
    }
}

/// Lets a child answer with all three user ids set to `uid`, for good. It is
/// killed when the time is over, when it says more than `limit` bytes, or when
/// `watch` has something to read or was hung up. What it says counts only when
/// it is whole. The process must have one thread.
pub fn errand(
    uid: u32,
    within_us: u64,
    limit: usize,
    watch: BorrowedFd<'_>,
    answer: impl FnOnce() -> Vec<u8>,
) -> io::Result<(Vec<u8>, Ending)> {
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
                .and_then(|tell| say(&mut File::from(tell), &answer()));
            std::process::exit(i32::from(done.is_err()))
        }
        Forked::Parent(pid) => {
            drop(tell);
            let ending = Ending(pid);
            listen(File::from(hear), within_us, limit, watch).map(|said| (said, ending))
        }
    }
}

/// An answer as it is written: its length in bytes, then it.
fn say(tell: &mut File, answer: &[u8]) -> io::Result<()> {
    let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
    tell.write_all(&[&length.to_le_bytes(), answer].concat())
}

/// The answer, where all of it has come.
fn whole(heard: &[u8], limit: usize) -> io::Result<Option<&[u8]>> {
    let Some((length, answer)) = heard.split_first_chunk() else { return Ok(None) };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(Errno::E2BIG.into());
    }
    Ok(answer.get(..length))
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
            if let Some(answer) = whole(&said, limit)? {
                return Ok(answer.to_vec());
            }
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
