//! A host that plays a part, and the real `countersign-sh` before it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use countersign_api::frame::{self, Decoder};
use countersign_api::front::{
    Chunk, Close, Finished, FrontMessage, Hello, HostMessage, Release, ReleasedSegment, Submit,
};
use countersign_api::recording::{Recording, What, rebuild};
use countersign_core::{HostId, LoginId, Nonce, Salt, SubmissionId, b64_decode};
use countersign_ledger::{commitment, sha256};
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
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
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

    pub fn recording(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("cast")).unwrap_or_default()
    }

    /// The part is over; what was said, after checking that the chunks cover
    /// the recording.
    pub fn over(self) -> (Log, Vec<u8>, tempfile::TempDir) {
        let recording = self.recording();
        let log = self.thread.join().unwrap();
        let mut at = 0;
        for (i, chunk) in log.chunks().iter().enumerate() {
            assert_eq!((chunk.index, chunk.offset), (i as u64, at));
            at += chunk.length;
            let bytes = &recording[chunk.offset as usize..at as usize];
            assert_eq!(sha256(bytes), chunk.digest);
            assert!(bytes.ends_with(b"\n"));
        }
        if let Some(close) = log.close() {
            assert_eq!((close.recording_bytes, at), (recording.len() as u64, recording.len() as u64));
        }
        (log, recording, self.dir)
    }
}

impl Log {
    pub fn chunks(&self) -> Vec<&Chunk> {
        self.messages.iter().filter_map(|m| if let FrontMessage::Chunk(c) = m { Some(c) } else { None }).collect()
    }

    pub fn finished(&self) -> Option<&Finished> {
        self.messages.iter().find_map(|m| if let FrontMessage::Finished(f) = m { Some(f) } else { None })
    }

    pub fn close(&self) -> Option<&Close> {
        self.messages.iter().find_map(|m| if let FrontMessage::Close(c) = m { Some(c) } else { None })
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
        let path = self.dir.join("cast");
        let file = File::options().append(true).create(true).open(path).unwrap();
        self.welcome_with(&file);
    }

    pub fn welcome_with(&mut self, file: &File) {
        self.hello();
        let message = HostMessage::Welcome { login: LoginId::from_random([1; 16]), host: HostId::from_random([2; 16]) };
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

    /// Keeps what is told until the front hangs up.
    pub fn rest(&mut self) {
        while let Some(message) = self.hear() {
            let keep = matches!(message, FrontMessage::Finished(_) | FrontMessage::Close(_));
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
    Release { id, nonce, by: "ops-lead".parse().unwrap(), deadline_us, segments: segments.collect() }
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
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn exists(path: &Path) -> bool {
    path.exists()
}
