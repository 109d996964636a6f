//! A host that plays a part, and the real `countersign-sh` before it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use countersign_api::frame::{self, Decoder};
use countersign_api::front::{
    Close, Finished, FrontMessage, Hello, HostMessage, Release, ReleasedSegment, SPOOL_AHEAD, Submit,
};
use countersign_api::recording::{Encoder, Header, Origin, Recording, What, rebuild};
use countersign_api::spool;
use countersign_core::{HostId, LoginId, Nonce, Salt, SubmissionId, b64_decode};
use countersign_ledger::commitment;
use countersign_sys as sys;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign-sh");
pub const SECOND_US: u64 = 1_000_000;

/// A host that listens and plays its part once, in a thread.
pub struct Host {
    pub dir: tempfile::TempDir,
    pub socket: PathBuf,
    thread: JoinHandle<Log>,
}

/// What the front said.
#[derive(Default, Debug)]
pub struct Log {
    pub hello: Option<Hello>,
    pub submit: Option<Submit>,
    pub messages: Vec<FrontMessage>,
}

/// The host's end of a connection.
pub struct Talk {
    stream: UnixStream,
    decoder: Decoder,
    pub log: Log,
    pub dir: PathBuf,
}

impl Host {
    pub fn plays(part: impl FnOnce(&mut Talk) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let path = dir.path().to_owned();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let mut talk = Talk { stream, decoder: Decoder::default(), log: Log::default(), dir: path };
            part(&mut talk);
            talk.log
        });
        Self { dir, socket, thread }
    }

    /// Approves whatever is submitted.
    pub fn approves() -> Self {
        Self::plays(|talk| {
            talk.welcome();
            let release = talk.held();
            talk.send(&HostMessage::Released(release));
            talk.rest();
        })
    }

    pub fn shell(&self, command: &str) -> Command {
        let mut built = Command::new(PROGRAM);
        built.args(["--trial", "--socket"]).arg(&self.socket).args(["-c", command]);
        built.stdin(Stdio::null());
        built
    }

    /// What a host makes of the spool.
    pub fn recording(&self) -> Vec<u8> {
        let spool = std::fs::read(self.dir.path().join("spool")).unwrap_or_default();
        recording(&spool)
    }

    /// The part is over; what was said, after checking that the spool is whole
    /// and all of it was told of.
    pub fn over(self) -> (Log, Vec<u8>, tempfile::TempDir) {
        let recording = self.recording();
        let length = std::fs::metadata(self.dir.path().join("spool")).map_or(0, |found| found.len());
        let log = self.thread.join().unwrap();
        let mut told = 0;
        for bytes in log.spooled() {
            assert!(told < bytes && bytes <= length, "told of {bytes} after {told} of {length}");
            told = bytes;
        }
        if let Some(close) = log.close() {
            assert_eq!(close.spool_bytes, length);
        }
        (log, recording, self.dir)
    }
}

/// Whole records to a recording; anything else is a failure.
pub fn recording(spool: &[u8]) -> Vec<u8> {
    let origin = Origin {
        login: LoginId::from_random([1; 16]),
        host: HostId::from_random([2; 16]),
        agent: "agent".into(),
        tty: true,
        redaction: "none".into(),
    };
    let mut lines = Header::new(origin, 1, None, None).unwrap().to_line().unwrap();
    let (mut encoder, mut rest) = (Encoder::new(true), spool);
    while let Some((record, length)) = spool::take(rest).unwrap() {
        match record.what {
            spool::What::Output(stream, data) => {
                encoder.output(record.at_us, stream, data, &mut lines).map(drop).unwrap();
            }
            spool::What::Resize(columns, rows) => encoder.resize(record.at_us, columns, rows, &mut lines).unwrap(),
            spool::What::Marker(label) => {
                encoder.flush(record.at_us, &mut lines).unwrap();
                encoder.marker(record.at_us, label, &mut lines).unwrap();
            }
        }
        rest = &rest[length..];
    }
    assert_eq!(rest.len(), 0, "a torn record");
    encoder.flush(0, &mut lines).unwrap();
    lines
}

impl Log {
    pub fn spooled(&self) -> Vec<u64> {
        let told = |m: &FrontMessage| if let FrontMessage::Spooled { bytes } = m { Some(*bytes) } else { None };
        self.messages.iter().filter_map(told).collect()
    }

    pub fn finished(&self) -> Option<&Finished> {
        self.messages.iter().find_map(|m| {
            let (FrontMessage::Finished(finished) | FrontMessage::Ended { finished, .. }) = m else { return None };
            Some(finished)
        })
    }

    pub fn close(&self) -> Option<&Close> {
        self.messages.iter().find_map(|m| {
            let (FrontMessage::Close(close) | FrontMessage::Ended { close, .. }) = m else { return None };
            Some(close)
        })
    }
}

impl Talk {
    pub fn hear(&mut self) -> Option<FrontMessage> {
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return Some(message);
            }
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.decoder.push(&buffer[..n]),
            }
        }
    }

    pub fn send(&mut self, message: &HostMessage) {
        self.send_raw(&frame::encode(message).unwrap());
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        use std::io::Write;
        self.stream.write_all(bytes).unwrap();
    }

    pub fn hello(&mut self) {
        let Some(FrontMessage::Hello(hello)) = self.hear() else { panic!("no hello") };
        self.log.hello = Some(hello);
    }

    pub fn welcome(&mut self) {
        let path = self.dir.join("spool");
        let file = File::options().append(true).create(true).open(path).unwrap();
        self.welcome_with(&file);
    }

    pub fn welcome_with(&mut self, file: &File) {
        self.hello();
        let (login, host) = (LoginId::from_random([1; 16]), HostId::from_random([2; 16]));
        let message = HostMessage::Welcome { login, host, ahead: SPOOL_AHEAD };
        let bytes = frame::encode(&message).unwrap();
        assert_eq!(sys::send_with_fd(self.stream.as_fd(), &bytes, &[file.as_fd()]).unwrap(), bytes.len());
    }

    /// Hears a submission, says it is pending, and makes its honest release.
    pub fn held(&mut self) -> Release {
        let Some(FrontMessage::Submit(submit)) = self.hear() else { panic!("no submission") };
        let deadline_us = sys::boottime_us().unwrap() + 30 * SECOND_US;
        let id = SubmissionId::from_random([3; 16]);
        self.send(&HostMessage::Pending { id, nonce: submit.nonce, asked: vec!["ops-lead".into()], deadline_us });
        let command = b64_decode(&submit.command).unwrap();
        let nonce = submit.nonce;
        self.log.submit = Some(submit);
        release(&command, id, nonce, deadline_us)
    }

    /// Takes and keeps what is told until the front hangs up.
    pub fn rest(&mut self) {
        while let Some(message) = self.hear() {
            if let FrontMessage::Spooled { bytes } = message {
                self.send(&HostMessage::Taken { bytes, ahead: SPOOL_AHEAD });
            }
            let keep =
                matches!(message, FrontMessage::Finished(_) | FrontMessage::Close(_) | FrontMessage::Ended { .. });
            self.log.messages.push(message);
            if keep {
                self.send(&HostMessage::Kept);
            }
        }
    }
}

/// An honest release in two segments.
pub fn release(command: &[u8], id: SubmissionId, nonce: Nonce, deadline_us: u64) -> Release {
    let (head, tail) = command.split_at(command.len() / 2);
    let segments = [head, tail].into_iter().enumerate().map(|(i, part)| {
        let salt = Salt([u8::try_from(i).unwrap(); 32]);
        let commitment = commitment(&format!("cmd/{i}"), &salt, part);
        ReleasedSegment { length: part.len() as u64, salt, commitment }
    });
    Release { id, nonce, by: "ops-lead".parse().unwrap(), deadline_us, segments: segments.collect(), program: vec![] }
}

/// That the recording stands for exactly what was shown.
pub fn assert_recorded(recording: &[u8], shown: &Output) {
    let rebuilt = rebuild(recording).unwrap();
    assert!(rebuilt.stdout == shown.stdout, "stdout: {} recorded, {} shown", rebuilt.stdout.len(), shown.stdout.len());
    assert!(rebuilt.stderr == shown.stderr, "stderr: {} recorded, {} shown", rebuilt.stderr.len(), shown.stderr.len());
}

pub fn markers(recording: &[u8]) -> Vec<String> {
    let events = Recording::parse(recording).unwrap().events;
    events.into_iter().filter_map(|e| if let What::Marker(text) = e.what { Some(text) } else { None }).collect()
}

/// Waits until something holds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn exists(path: &Path) -> bool {
    path.exists()
}
