//! What an sftp client is told of a session that does not begin. sshd throws away what a subsystem writes to standard
//! error, and the client would say "Connection closed" and no more. So it is said in the client's own protocol
//! (draft-ietf-secsh-filexfer-02), as the answer to its first question. Nothing is served, and nothing is looked at.

use countersign_core::legible;
use countersign_sys::{self as sys, Wanted};
use std::io;
use std::os::fd::AsFd;

/// How long the client may take for its question, in µs.
const PATIENCE_US: u64 = 3_000_000;
/// Longest packet that is read, as OpenSSH's own server has it.
const MAX_PACKET: usize = 256 * 1024;
/// Bytes of a packet's length.
const LENGTH: usize = 4;

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const OPENDIR: u8 = 11;
const MKDIR: u8 = 14;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const STATUS: u8 = 101;
/// The version that is spoken.
const SPOKEN: u32 = 3;
/// SSH_FX_PERMISSION_DENIED.
const DENIED: u32 = 3;

/// Tells the client on standard input and output why it is not served, for a few seconds at most.
pub fn tell(text: &str) {
    let until_us = sys::boottime_us().unwrap_or(0).saturating_add(PATIENCE_US);
    let mut talk =
        Talk { text: format!("countersign: {}", legible(text)), heard: Vec::new(), greeted: false, placed: false };
    let (input, output) = (io::stdin(), io::stdout());
    let mut buffer = [0; 4096];
    loop {
        let (answer, over) = talk.next();
        if !written(output.as_fd(), &answer, until_us) || over {
            return;
        }
        let left_ms = left_us(until_us).div_ceil(1000);
        let wanted = [(input.as_fd(), Wanted::Read)];
        match sys::poll(&wanted, Some(u32::try_from(left_ms).unwrap_or(u32::MAX))) {
            Ok(ready) if ready.iter().any(|ready| ready.readable) => {}
            // A signal.
            Ok(ready) if left_us(until_us) > 0 && !ready.iter().any(|ready| ready.hangup) => continue,
            Ok(_) | Err(_) => return,
        }
        match sys::descriptors::read_now(input.as_fd(), &mut buffer) {
            Ok(0) => return,
            Ok(count) => talk.heard.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn left_us(until_us: u64) -> u64 {
    sys::boottime_us().map_or(0, |now_us| until_us.saturating_sub(now_us))
}

/// Whether all of it was taken in time.
fn written(fd: std::os::fd::BorrowedFd<'_>, bytes: &[u8], until_us: u64) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        match sys::write_now(fd, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && left_us(until_us) > 0 => sys::sleep_ms(10),
            Err(_) => return false,
        }
    }
    true
}

/// The same, of what a client said, where it comes in pieces of `size` bytes:
/// all answers, and whether the last word was said.
pub fn answers(text: &str, said: &[u8], size: usize) -> (Vec<u8>, bool) {
    let mut talk = Talk { text: text.to_owned(), heard: Vec::new(), greeted: false, placed: false };
    let mut answers = Vec::new();
    for piece in said.chunks(size.max(1)) {
        talk.heard.extend_from_slice(piece);
        let (answer, over) = talk.next();
        answers.extend(answer);
        if over {
            return (answers, true);
        }
    }
    (answers, false)
}

/// What was heard, and what is to be said.
struct Talk {
    text: String,
    heard: Vec<u8>,
    greeted: bool,
    /// Whether it has asked of the place that it sends to.
    placed: bool,
}

impl Talk {
    /// The answer to the packets that are there whole, and whether that was the last word.
    fn next(&mut self) -> (Vec<u8>, bool) {
        let mut answer = Vec::new();
        loop {
            let Some((length, rest)) = self.heard.split_first_chunk::<LENGTH>() else { return (answer, false) };
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length == 0 || length > MAX_PACKET {
                return (answer, true);
            }
            let Some(packet) = rest.get(..length) else { return (answer, false) };
            match (self.greeted, packet) {
                (false, [INIT, ..]) => {
                    self.greeted = true;
                    answer.extend(packet_of(VERSION, &[&SPOKEN.to_be_bytes()]));
                }
                // `scp` asks this of the place that it sends to, shows no answer of ours, and goes on.
                (true, [STAT, a, b, c, d, ..]) if !self.placed => {
                    self.placed = true;
                    answer.extend(self.refusal([*a, *b, *c, *d]));
                }
                // LSTAT, which `scp` asks of what it fetches, gets no answer: it makes "no such file" of a refusal.
                // Told that the file is there, it would ask more and say "Permission denied" (OpenSSH 9.2), but a
                // program that asks only that would go by it.
                (true, [REALPATH | OPEN | OPENDIR | MKDIR, a, b, c, d, ..]) => {
                    answer.extend(self.refusal([*a, *b, *c, *d]));
                    return (answer, true);
                }
                _ => return (answer, true),
            }
            self.heard.drain(..LENGTH.saturating_add(length));
        }
    }

    /// The answer to the request of this number.
    fn refusal(&self, number: [u8; 4]) -> Vec<u8> {
        let text = self.text.as_bytes();
        let size = u32::try_from(text.len()).unwrap_or_default().to_be_bytes();
        let no_language = 0u32.to_be_bytes();
        packet_of(STATUS, &[&number, &DENIED.to_be_bytes(), &size, text, &no_language])
    }
}

fn packet_of(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len()).unwrap_or_default().saturating_add(1);
    [&length.to_be_bytes()[..], &[kind], &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        Talk { text: "countersign: denied".into(), heard: Vec::new(), greeted: false, placed: false }
    }

    fn init() -> Vec<u8> {
        packet_of(INIT, &[&SPOKEN.to_be_bytes()])
    }

    #[test]
    fn the_first_question_is_answered_with_the_reason_however_it_is_cut() {
        let asked = [init(), packet_of(REALPATH, &[&[0, 0, 0, 9], &[0, 0, 0, 1], b"."])].concat();
        for cut in 0..=asked.len() {
            let (mut talk, mut said) = (talk(), Vec::new());
            let mut ended = false;
            for part in [&asked[..cut], &asked[cut..]] {
                talk.heard.extend_from_slice(part);
                if !ended {
                    let (answer, over) = talk.next();
                    said.extend(answer);
                    ended = over;
                }
            }
            let status = [&[0, 0, 0, 9][..], &[0, 0, 0, 3], &[0, 0, 0, 19], b"countersign: denied", &[0; 4]].concat();
            assert_eq!(said, [packet_of(VERSION, &[&[0, 0, 0, 3]]), packet_of(STATUS, &[&status])].concat(), "{cut}");
            assert!(ended);
        }
    }

    #[test]
    fn after_a_place_to_send_to_the_next_question_is_answered_too() {
        let asked = [
            init(),
            packet_of(STAT, &[&[0, 0, 0, 1], &[0, 0, 0, 1], b"x"]),
            packet_of(OPEN, &[&[0, 0, 0, 2], &[0, 0, 0, 1], b"x", &[0; 8]]),
            packet_of(OPEN, &[&[0, 0, 0, 3], &[0, 0, 0, 1], b"x", &[0; 8]]),
        ]
        .concat();
        let refusal =
            |number| packet_of(STATUS, &[&[0, 0, 0, number], &[0, 0, 0, 3], &[0, 0, 0, 6], b"denied", &[0; 4]]);
        let said = [packet_of(VERSION, &[&[0, 0, 0, 3]]), refusal(1), refusal(2)].concat();
        assert_eq!(answers("denied", &asked, 5), (said.clone(), true));
        assert_eq!(answers("denied", &asked, asked.len()), (said, true), "and nothing after that");
    }

    #[test]
    fn nothing_else_is_answered() {
        let lstat = [init(), packet_of(7, &[&[0, 0, 0, 1], &[0, 0, 0, 1], b"x"])].concat();
        let unasked = packet_of(REALPATH, &[&[0, 0, 0, 1]]);
        for (heard, answers) in
            [(lstat, 9), (unasked, 0), (vec![0; 8], 0), (vec![0xff; 8], 0), ([init(), init()].concat(), 9)]
        {
            let mut talk = talk();
            talk.heard = heard;
            let (answer, over) = talk.next();
            assert!(over && answer.len() == answers, "{answer:?}");
        }
        let mut talk = talk();
        talk.heard = init()[..5].to_vec();
        assert_eq!(talk.next(), (Vec::new(), false), "half a packet is waited for");
    }
}
