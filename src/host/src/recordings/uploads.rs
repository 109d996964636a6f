//! Recordings on their way to the service: what stands behind acknowledged
//! entries, and no byte more.

use super::tape::recording_path;
use crate::service::{Service, ServiceError};
use countersign_core::LoginId;
use countersign_ledger::OpenLogin;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of one upload: each is a commit and a wait for the disk at the service,
/// which takes bodies of up to 8 MiB.
const PIECE: u64 = 2 * 1024 * 1024;
/// Most bytes of one recording before it is the next one's turn, and that of the
/// ledger: one agent's output can take hours on its way.
const ROUND: u64 = 4 * PIECE;

/// Pieces of recordings that the service does not have yet.
pub(crate) struct Uploads {
    state: PathBuf,
    /// Holds one empty file for each recording that was shipped whole.
    shipped: PathBuf,
    waiting: Mutex<BTreeMap<LoginId, Upload>>,
}

#[derive(Debug, Clone, Copy)]
struct Upload {
    /// Bytes that chunks in the ledger stand for, and the seq of the last.
    upto: u64,
    seq: u64,
    held: u64,
    closed: bool,
}

impl Uploads {
    /// Uploads of a state directory; finds recordings not shipped whole. Those
    /// of open logins count up to their last chunk.
    pub(crate) fn new(state: &Path, open: &[OpenLogin]) -> io::Result<Self> {
        let shipped = state.join("shipped");
        let mut waiting = BTreeMap::new();
        for entry in std::fs::read_dir(state.join("recordings"))? {
            let entry = entry?;
            let name = entry.file_name();
            let login = name.to_str().and_then(|n| n.strip_suffix(".cast")).and_then(|n| n.parse::<LoginId>().ok());
            let Some(login) = login else { continue };
            if !shipped.join(login.to_string()).exists() {
                let open = open.iter().find(|open| open.id == login);
                let upto = open.map_or(entry.metadata()?.len(), |open| open.recording_bytes);
                waiting.insert(login, Upload { upto, seq: 0, held: 0, closed: open.is_none() });
            }
        }
        Ok(Self { state: state.to_path_buf(), shipped, waiting: Mutex::new(waiting) })
    }

    /// Notes a chunk that became durable as entry `seq`.
    pub(crate) fn chunk(&self, login: LoginId, upto: u64, seq: u64) {
        let mut waiting = self.lock();
        let upload = waiting.entry(login).or_insert(Upload { upto, seq, held: 0, closed: false });
        upload.upto = upload.upto.max(upto);
        upload.seq = seq;
        upload.closed = false;
    }

    /// Notes that nothing will be added.
    pub(crate) fn closed(&self, login: LoginId, seq: u64) {
        if let Some(upload) = self.lock().get_mut(&login) {
            upload.seq = seq;
            upload.closed = true;
        }
    }

    /// Sends some of what stands behind acknowledged entries; whether there is
    /// more. One recording that cannot be sent does not hold up the others; the
    /// first failure is told.
    pub(crate) async fn send(&self, service: &Service, acknowledged: u64) -> Result<bool, ServiceError> {
        let ready: Vec<(LoginId, Upload)> =
            self.lock().iter().filter(|(_, u)| u.seq < acknowledged).map(|(l, u)| (*l, *u)).collect();
        let (mut failure, mut more) = (None, false);
        for (login, upload) in ready {
            match self.send_one(service, login, upload).await {
                Ok(held) => {
                    more |= held >= upload.held.saturating_add(ROUND) && held < upload.upto;
                    self.sent(login, upload, held);
                }
                Err(ServiceError::Refused { status: status @ (404 | 413), error }) => {
                    // It stays on this host, and is offered again at the next start.
                    tracing::error!("the service does not take the recording of {login} ({status}): {error}");
                    self.lock().remove(&login);
                }
                Err(why @ ServiceError::Unreachable(_)) => return Err(why),
                Err(why) => failure = failure.or(Some(why)),
            }
        }
        failure.map_or(Ok(more), Err)
    }

    fn sent(&self, login: LoginId, upload: Upload, held: u64) {
        let mut waiting = self.lock();
        let Some(entry) = waiting.get_mut(&login) else { return };
        entry.held = held;
        if held < entry.upto || !(upload.closed && entry.closed) {
            return;
        }
        waiting.remove(&login);
        if let Err(why) = File::create(self.shipped.join(login.to_string())) {
            tracing::warn!("cannot note that the recording of {login} is shipped: {why}");
        }
    }

    async fn send_one(&self, service: &Service, login: LoginId, upload: Upload) -> Result<u64, ServiceError> {
        let mut held = upload.held;
        let mut went_back = false;
        let upto = upload.upto.min(held.saturating_add(ROUND));
        while held < upto {
            let piece = read_piece(&recording_path(&self.state, login), held, (upto - held).min(PIECE))
                .map_err(|why| ServiceError::Local(format!("cannot read the recording of {login}: {why}")))?;
            if piece.is_empty() {
                break;
            }
            held = match service.recording(login, held, piece).await {
                Ok(now) | Err(ServiceError::Held(now)) if now > held => now,
                // It holds less than was thought: begin there, once.
                Err(ServiceError::Held(now)) if now < held && !went_back => {
                    went_back = true;
                    now
                }
                Ok(now) | Err(ServiceError::Held(now)) => {
                    let text = format!("it holds {now} bytes of the recording of {login} and takes no more");
                    return Err(ServiceError::Malformed(text));
                }
                Err(other) => return Err(other),
            };
        }
        Ok(held)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LoginId, Upload>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_piece(path: &Path, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut piece = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;

    const LINES: &[u8] = b"one\ntwo\n";

    /// A service that gives these answers, one a connection.
    fn service(answers: &'static [(&'static str, &'static str)]) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut seen = Vec::new();
                let mut piece = [0; 4096];
                while !seen.ends_with(LINES) {
                    let count = stream.read(&mut piece).unwrap();
                    seen.extend_from_slice(&piece[..count]);
                }
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .unwrap();
            }
        });
        Service::new(&url, None, None).unwrap()
    }

    fn one_recording(state: &Path) -> (Uploads, LoginId, PathBuf) {
        let login = LoginId::from_random([7; 16]);
        for dir in ["recordings", "shipped"] {
            std::fs::create_dir(state.join(dir)).unwrap();
        }
        std::fs::write(recording_path(state, login), LINES).unwrap();
        (Uploads::new(state, &[]).unwrap(), login, state.join("shipped").join(login.to_string()))
    }

    #[tokio::test]
    async fn a_failing_service_loses_no_recording() {
        let state = tempfile::tempdir().unwrap();
        let (uploads, _, shipped) = one_recording(state.path());
        let service = service(&[("500 Oops", r#"{"error":"no"}"#), ("200 OK", r#"{"held":8}"#)]);
        assert!(matches!(uploads.send(&service, 1).await, Err(ServiceError::Refused { status: 500, .. })));
        assert!(!shipped.exists(), "it is not called shipped");
        assert_eq!(uploads.send(&service, 1).await, Ok(false));
        assert!(shipped.exists());
    }

    #[tokio::test]
    async fn a_recording_that_is_not_taken_is_offered_again_at_the_next_start() {
        let state = tempfile::tempdir().unwrap();
        let (uploads, login, shipped) = one_recording(state.path());
        let service = service(&[("413 Too Large", r#"{"error":"no"}"#)]);
        assert_eq!(uploads.send(&service, 1).await, Ok(false));
        assert!(!shipped.exists());
        assert!(Uploads::new(state.path(), &[]).unwrap().lock().contains_key(&login));
    }

    /// A service that takes all it is sent.
    fn taking() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = io::BufReader::new(stream.unwrap());
                let (mut offset, mut length) = (0, 0);
                loop {
                    let mut line = String::new();
                    io::BufRead::read_line(&mut stream, &mut line).unwrap();
                    if let Some((_, rest)) = line.split_once("offset=") {
                        offset = rest.split(' ').next().unwrap().parse::<u64>().unwrap();
                    }
                    if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                        length = count.trim().parse::<u64>().unwrap();
                    }
                    if line == "\r\n" {
                        break;
                    }
                }
                io::copy(&mut stream.by_ref().take(length), &mut io::sink()).unwrap();
                let body = format!(r#"{{"held":{}}}"#, offset + length);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", body.len());
                write!(stream.get_mut(), "{head}\r\n\r\n{body}").unwrap();
            }
        });
        Service::new(&url, None, None).unwrap()
    }

    #[tokio::test]
    async fn a_long_recording_goes_in_rounds() {
        let state = tempfile::tempdir().unwrap();
        let (_, login, shipped) = one_recording(state.path());
        File::create(recording_path(state.path(), login)).unwrap().set_len(ROUND * 2 + 5).unwrap();
        let (uploads, service) = (Uploads::new(state.path(), &[]).unwrap(), taking());
        for held in [ROUND, ROUND * 2] {
            assert_eq!(uploads.send(&service, 1).await, Ok(true));
            assert_eq!(uploads.lock().get(&login).unwrap().held, held);
        }
        assert_eq!(uploads.send(&service, 1).await, Ok(false));
        assert!(shipped.exists());
    }
}
