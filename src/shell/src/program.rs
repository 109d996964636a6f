//! A program on standard input, read before anybody is asked: what is shown is
//! what will run.

use crate::end::Failure;
use crate::link::{Heard, Link};
use crate::login::{now_us, unavailable};
use crate::outer::{Outer, Sign};
use countersign_api::front::{CancelWhy, MAX_SENT_EXCERPT, Program, ProgramEnd};
use countersign_core::{MAX_PROGRAM_BYTES, Nonce, b64_encode};
use countersign_sys::{self as sys, Wanted};
use std::io;
use std::os::fd::AsFd;

/// How long a client may take to send its program, in seconds.
const WITHIN_S: u64 = 60;
/// Most bytes of one read.
const READ: usize = 16 * 1024;

/// What came of it.
pub enum Capture {
    /// Its bytes, as far as they were read, and how the reading ended.
    Read(Vec<u8>, ProgramEnd),
    /// The client gave up.
    Cancelled(CancelWhy),
}

/// Reads standard input to its end; `bytes` were read before. Bounded in size
/// and time, and given up when the client is.
pub fn capture(link: &mut Link, outer: &mut Outer, mut bytes: Vec<u8>, ended: bool) -> Result<Capture, Failure> {
    let failed = |e: io::Error| Failure::system("cannot read standard input", &e);
    let until_us = now_us()?.saturating_add(WITHIN_S * 1_000_000);
    let mut ended = ended;
    loop {
        if bytes.len() > MAX_PROGRAM_BYTES {
            return Ok(Capture::Read(bytes, ProgramEnd::TooLong));
        }
        if ended {
            return Ok(Capture::Read(bytes, ProgramEnd::Whole));
        }
        let left_ms = until_us.saturating_sub(now_us()?).div_ceil(1000);
        if left_ms == 0 {
            return Ok(Capture::Read(bytes, ProgramEnd::TooSlow(WITHIN_S)));
        }
        let mut wanted = link.wanted().to_vec();
        wanted.extend(outer.wanted());
        wanted.push((outer.input.as_fd(), Wanted::Read));
        let mut ready =
            sys::poll(&wanted, Some(u32::try_from(left_ms).unwrap_or(u32::MAX))).map_err(failed)?.into_iter();
        let mut next = || ready.next().unwrap_or_default();
        link.turn(next(), next());
        let client = [next(), next(), next()];
        let input = next();
        match link.hear() {
            Heard::Nothing => {}
            Heard::Lost => return Err(unavailable("countersign-hostd hung up")),
            Heard::Message(_) | Heard::Garbage => {
                return Err(unavailable("countersign-hostd answered out of turn"));
            }
        }
        for sign in outer.turn(client, true).map_err(failed)? {
            match sign {
                Sign::Hangup => return Ok(Capture::Cancelled(CancelWhy::Hangup)),
                Sign::Interrupt => return Ok(Capture::Cancelled(CancelWhy::Interrupt)),
                Sign::Resized => {}
            }
        }
        if input.readable || input.hangup {
            ended = read(outer, &mut bytes).map_err(failed)?;
        }
    }
}

/// Reads what is there; whether that was the end.
fn read(outer: &Outer, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; READ];
    // One byte over the limit is enough to know.
    let room = (MAX_PROGRAM_BYTES + 1).saturating_sub(bytes.len()).min(READ);
    match sys::descriptors::read_now(outer.input.as_fd(), buffer.get_mut(..room).unwrap_or_default()) {
        Ok(n) => {
            bytes.extend_from_slice(buffer.get(..n).unwrap_or_default());
            Ok(n == 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        // Nothing to read from, e.g. opened for writing only: an empty program.
        Err(error) if error.raw_os_error() == Some(nix::libc::EBADF) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The message that holds a program, or the beginning of one that is not whole.
pub fn message(nonce: Nonce, bytes: &[u8], end: ProgramEnd) -> Program {
    let sent = match end {
        ProgramEnd::Whole => bytes,
        ProgramEnd::TooLong | ProgramEnd::TooSlow(_) => bytes.get(..MAX_SENT_EXCERPT).unwrap_or(bytes),
    };
    Program { nonce, bytes: b64_encode(sent), total_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX), end }
}
