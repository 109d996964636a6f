//! A host daemon that lies: it takes one front's connection and releases what it is told to release. What it must
//! compute it computes by the letter of docs/LEDGER.md.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;

use countersign_api::frame::{Decoder, encode};
use countersign_api::front::{FrontMessage, HostMessage, Release, ReleasedSegment, SPOOL_AHEAD, Submit};
use countersign_core::{DecidedBy, Digest, HostId, LoginId, Nonce, Salt, SubmissionId, b64_decode};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use ring::digest::{SHA256, digest};

/// How the one submission is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// None: the control.
    None,
    /// A commitment of another command of the same length.
    OtherBytes,
    /// The right commitment, and a length that leaves a byte out.
    ShorterLength,
    /// The right commitment, and one more that is empty.
    NoSegments,
    /// Another nonce.
    OtherNonce,
    /// Another submission than the one that was announced as pending.
    OtherId,
    /// A deadline that has passed.
    Late,
    /// The same release twice; it must run once.
    Twice,
    /// The release before anything was submitted.
    Unasked,
    /// A message that is not one.
    Garbage,
    /// The end of the connection instead of an answer.
    Gone,
}

/// Listens at `socket`, serves one login with this lie, and gives back what the front said.
pub fn serve_one(socket: &Path, recording: &Path, lie: Lie) -> JoinHandle<Vec<FrontMessage>> {
    let listener = UnixListener::bind(socket).expect("socket");
    let recording = File::options().create(true).append(true).open(recording).expect("recording");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a front");
        let mut login = Login { stream, decoder: Decoder::default(), heard: Vec::new() };
        login.serve(&recording, lie);
        login.heard
    })
}

struct Login {
    stream: UnixStream,
    decoder: Decoder,
    heard: Vec<FrontMessage>,
}

impl Login {
    fn serve(&mut self, recording: &File, lie: Lie) {
        if self.next().is_none() {
            return;
        }
        let (login, host) = (LoginId::from_random([1; 16]), HostId::from_random([2; 16]));
        let welcome = HostMessage::Welcome { login, host, ahead: SPOOL_AHEAD };
        let frame = encode(&welcome).expect("frame");
        let fds = [recording.as_raw_fd()];
        sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[IoSlice::new(&frame)],
            &[ControlMessage::ScmRights(&fds)],
            MsgFlags::empty(),
            None,
        )
        .expect("welcome");
        if lie == Lie::Unasked {
            self.send(&HostMessage::Released(release(&blank_submit(), SubmissionId::from_random([3; 16]), Lie::None)));
        }
        let Some(FrontMessage::Submit(submit)) = self.next() else { return };
        let id = SubmissionId::from_random([3; 16]);
        match lie {
            Lie::Gone | Lie::Unasked => return,
            Lie::Garbage => {
                // The front may hang up while this is written.
                drop(self.stream.write_all(b"\0\0\0\x08{\"t\":\"x\""));
            }
            _ => {
                let deadline_us = boot_time_us() + 10_000_000;
                self.send(&HostMessage::Pending {
                    id,
                    nonce: submit.nonce,
                    asked: vec!["ops-lead".to_owned()],
                    deadline_us,
                });
                let other = if lie == Lie::OtherId { SubmissionId::from_random([4; 16]) } else { id };
                let released = HostMessage::Released(release(&submit, other, lie));
                self.send(&released);
                if lie == Lie::Twice {
                    self.send(&released);
                }
            }
        }
        while let Some(message) = self.next() {
            match message {
                FrontMessage::Finished(_) | FrontMessage::Close(_) | FrontMessage::Ended { .. } => {
                    self.send(&HostMessage::Kept)
                }
                FrontMessage::Spooled { bytes } => self.send(&HostMessage::Taken { bytes, ahead: SPOOL_AHEAD }),
                FrontMessage::Hello(_)
                | FrontMessage::Resume(_)
                | FrontMessage::Submit(_)
                | FrontMessage::Program(_)
                | FrontMessage::Inspected { .. }
                | FrontMessage::Cancel { .. } => {}
            }
        }
    }

    fn send(&mut self, message: &HostMessage) {
        // A front that has hung up is what some tests are about.
        drop(self.stream.write_all(&encode(message).expect("frame")));
    }

    fn next(&mut self) -> Option<FrontMessage> {
        let mut piece = [0; 4096];
        loop {
            if let Some(message) = self.decoder.next_message::<FrontMessage>().expect("a message") {
                self.heard.push(message.clone());
                return Some(message);
            }
            let count = self.stream.read(&mut piece).ok().filter(|count| *count > 0)?;
            self.decoder.push(&piece[..count]);
        }
    }
}

fn release(submit: &Submit, id: SubmissionId, lie: Lie) -> Release {
    let command = b64_decode(&submit.command).expect("base64url");
    let salt = Salt([7; 32]);
    let mut committed = command.clone();
    if lie == Lie::OtherBytes {
        committed.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let mut length = command.len() as u64;
    if lie == Lie::ShorterLength {
        length -= 1;
    }
    let segment = ReleasedSegment { length, salt, commitment: commitment("cmd/0", &salt, &committed) };
    Release {
        id,
        nonce: if lie == Lie::OtherNonce { Nonce([9; 16]) } else { submit.nonce },
        by: DecidedBy::Person("ops-lead".parse().expect("a name")),
        deadline_us: if lie == Lie::Late { boot_time_us() - 1 } else { boot_time_us() + 10_000_000 },
        program: Vec::new(),
        segments: if lie == Lie::NoSegments { Vec::new() } else { vec![segment] },
    }
}

fn blank_submit() -> Submit {
    Submit {
        nonce: Nonce([0; 16]),
        command: String::new(),
        total_bytes: 0,
        cwd: String::new(),
        environment: Vec::new(),
        inner_shell: "bash".to_owned(),
        surroundings: countersign_api::context::Surroundings::default(),
    }
}

fn commitment(path: &str, salt: &Salt, value: &[u8]) -> Digest {
    let mut bytes = b"cs.commit.v1\0".to_vec();
    bytes.extend(salt.0);
    bytes.extend(u32::try_from(path.len()).expect("short").to_be_bytes());
    bytes.extend(path.as_bytes());
    bytes.extend((value.len() as u64).to_be_bytes());
    bytes.extend(value);
    Digest(digest(&SHA256, &bytes).as_ref().try_into().expect("32 bytes"))
}

fn boot_time_us() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).expect("clock");
    u64::try_from(now.tv_sec()).expect("positive") * 1_000_000 + u64::try_from(now.tv_nsec()).expect("positive") / 1000
}
