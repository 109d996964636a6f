//! Entries that are signed together are those that would be signed one by one,
//! whoever signs.

use crate::signer::serve_signer;
use crate::tests::support::*;
use crate::{
    Committer, Draft, EPOCH_ENTRIES, EpochSigner, InProcessSigner, JournalError, Kind, Limits, RemoteSigner, Signer,
    Value, Written, body,
};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

/// A signer whose keys come one after the other, the same each time.
fn epochs() -> EpochSigner {
    let mut seed = 0x80;
    let fresh = Box::new(move || {
        seed += 1;
        Ok(InProcessSigner::from_seed([seed; 32]).unwrap())
    });
    EpochSigner::with_keys(host_signer(), host(), fresh)
}

/// It at the other end of a socket.
fn remote() -> RemoteSigner {
    let (ours, theirs) = UnixStream::pair().unwrap();
    std::thread::spawn(move || serve_signer(theirs, &mut epochs()).unwrap());
    RemoteSigner::connect(ours).unwrap()
}

fn committer(dir: &Path, signer: Box<dyn Signer>) -> Committer {
    let limits = Limits { reserve_bytes: 0, ..Limits::default() };
    Committer::open(dir, host(), signer, Box::new(FixedClock::new()), limits).unwrap().0
}

/// Calls of every kind: hashes of entries before in `prev`, in the login and in
/// the body; calls that are refused; leaves that fill a request alone; more
/// entries than one epoch may sign.
fn calls() -> Vec<Vec<Draft>> {
    let large = |size| draft(Kind::Heartbeat, None, body([("x", Value::from("x".repeat(size)))]));
    let of_before = || draft(Kind::ExecStarted, Some(login(0)), body([("of", Value::LeafBefore)]));
    let mut calls = vec![
        vec![enrolled()],
        vec![started(), opened(login(0)), opened(login(1))],
        vec![submitted(login(0), submission(0)), of_before(), chunk(login(1)), of_before()],
        vec![of_before()],
        vec![closed(login(1), 11), opened(login(2)), closed(login(2), 0)],
        vec![closed(login(0), 0), opened(login(0)), large(70_000)],
        vec![],
        vec![large(65_000), large(10), large(65_000)],
        vec![closed(login(1), 11)],
        vec![chunk(login(0)), closed(login(0), 0)],
    ];
    calls.extend((0..EPOCH_ENTRIES / 4).map(|_| vec![started(), started(), started(), started()]));
    calls.push(vec![opened(login(3)), closed(login(3), 0)]);
    calls
}

type Results = Vec<Result<Vec<Written>, String>>;

/// Each call when the one before is answered.
fn one_by_one(committer: &Committer) -> Results {
    // As together: a look at the clock.
    committer.append_wait(vec![]).unwrap();
    calls().into_iter().map(|call| committer.append_wait(call).map_err(|error| error.to_string())).collect()
}

/// All of them in the queue before the first is looked at.
fn together(committer: &Committer) -> Results {
    let (go, wait) = channel::<()>();
    committer.append(vec![], Box::new(move |_| wait.recv().unwrap()));
    let answers: Vec<Receiver<_>> = calls()
        .into_iter()
        .map(|call| {
            let (answer, result) = channel();
            committer.append(call, Box::new(move |written| answer.send(written).unwrap()));
            result
        })
        .collect();
    go.send(()).unwrap();
    answers.into_iter().map(|result| result.recv().unwrap().map_err(|error: JournalError| error.to_string())).collect()
}

fn lines(dir: &Path) -> String {
    let files = crate::journal::segments(dir).unwrap();
    files.iter().map(|(_, path)| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn signed_together_is_signed_one_by_one() {
    type Run = fn(&Committer) -> Results;
    let runs: [(&str, bool, Run); 4] = [
        ("one by one", false, one_by_one),
        ("together", false, together),
        ("one by one, by another process", true, one_by_one),
        ("together, by another process", true, together),
    ];
    let mut first: Option<(Results, String)> = None;
    for (name, is_remote, run) in runs {
        let dir = tempfile::tempdir().unwrap();
        let signer: Box<dyn Signer> = if is_remote { Box::new(remote()) } else { Box::new(epochs()) };
        let committer = committer(dir.path(), signer);
        let results = run(&committer);
        let next = committer.next_seq();
        drop(committer);
        let lines = lines(dir.path()).trim_end_matches('\0').to_owned();
        assert_eq!(lines.lines().count() as u64, next, "{name}");
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 3, "{name}");
        let told: Vec<&str> = results.iter().flatten().flatten().map(|entry| entry.line.as_str()).collect();
        assert_eq!(told, lines.lines().collect::<Vec<_>>(), "{name}: each is told once, in order");
        assert_eq!(told.iter().filter(|line| line.contains("\"key_rotated\"")).count(), 2, "{name}");
        let (wanted, same) = first.get_or_insert_with(|| (results.clone(), lines.clone()));
        assert!(*same == lines, "{name}: other bytes");
        assert_eq!(*wanted, results, "{name}");
        // And it opens again.
        let again = self::committer(dir.path(), Box::new(epochs()));
        assert_eq!(again.next_seq(), next, "{name}");
    }
}

/// A socket whose answers are cut in the middle from the last one on.
struct Cut(UnixStream, u32);

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.1.checked_sub(1) {
            Some(left) => {
                self.1 = left;
                self.0.write(bytes)
            }
            None => {
                self.0.write_all(&bytes[..bytes.len() / 2])?;
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_batch_whose_answer_is_cut_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    // The identity key, host_enrolled, a new key, key_rotated, an entry.
    std::thread::spawn(move || serve_signer(Cut(theirs, 5), &mut epochs()).unwrap_err());
    let committer = committer(dir.path(), Box::new(RemoteSigner::connect(ours).unwrap()));
    committer.append_wait(vec![enrolled()]).unwrap();
    committer.append_wait(vec![started()]).unwrap();
    let lost = committer.append_wait(vec![started(), started()]);
    assert!(matches!(&lost, Err(JournalError::Signer(_))), "{lost:?}");
    let later = committer.append_wait(vec![started()]);
    assert!(matches!(later, Err(JournalError::Stopped(_))), "{later:?}");
    drop(committer);
    assert_eq!(lines(dir.path()).lines().count(), 3);
    assert_eq!(self::committer(dir.path(), Box::new(epochs())).next_seq(), 3);
}
