//! What an append promises.

use crate::tests::support::*;
use crate::tlog::NoteText;
use crate::{
    Committer, Entry, InProcessSigner, JournalError, Kind, Limits, Namespace, SignError, Signer, Value, body,
    read_lines,
};
use std::sync::Arc;
use std::sync::mpsc::channel;

#[test]
fn a_draft_that_cannot_be_written_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (committer, _) = open(dir.path());
    committer.append_wait(vec![enrolled(), opened(login(0))]).unwrap();
    let mut long = submitted(login(0), submission(0));
    long.vals.insert("env", salt(7), vec![b'x'; 2 * 1024 * 1024]);
    let wrong = [
        vec![opened(login(1)), long],
        vec![draft(Kind::Heartbeat, None, body([("x", Value::from("é"))]))],
        vec![draft(Kind::Heartbeat, None, Value::Int(1))],
        vec![draft(Kind::ExecStarted, Some(login(0)), body([("of", Value::LeafBefore)]))],
        vec![draft(Kind::Heartbeat, None, body([("x", Value::from("x".repeat(65_400)))]))],
    ];
    // All in the queue at once, good ones between.
    let (sender, receiver) = channel();
    for drafts in wrong {
        let sender = sender.clone();
        committer.append(drafts, Box::new(move |result| sender.send(result.err()).unwrap()));
        committer.append(vec![started()], Box::new(|_| {}));
    }
    drop(sender);
    for error in receiver {
        assert!(matches!(error, Some(JournalError::Draft { .. })), "{error:?}");
    }
    let misfits = [
        draft(Kind::Heartbeat, Some(login(0)), body::<&str>([])),
        draft(Kind::ExecStarted, None, body::<&str>([])),
        draft(Kind::ExecStarted, Some(login(1)), body::<&str>([])),
        opened(login(0)),
    ];
    for misfit in misfits {
        let result = committer.append_wait(vec![started(), misfit]);
        assert!(matches!(result, Err(JournalError::Login { .. })), "{result:?}");
    }
    committer.append_wait(vec![closed(login(0), 0)]).unwrap();
    assert_eq!(committer.next_seq(), 8);
    drop(committer);
    let (_, recovered) = open(dir.path());
    assert_eq!((recovered.next_seq, recovered.open_logins), (8, vec![]));
}

#[test]
fn many_writers_make_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let committer = Arc::new(open(dir.path()).0);
    let threads: Vec<_> = (0..8u8)
        .map(|number| {
            let committer = Arc::clone(&committer);
            std::thread::spawn(move || {
                committer.append_wait(vec![opened(login(number))]).unwrap();
                for _ in 0..25 {
                    let written = committer.append_wait(vec![chunk(login(number)), chunk(login(number))]).unwrap();
                    assert_eq!(written[1].seq, written[0].seq + 1, "nothing in between");
                    assert_eq!(Entry::parse(written[1].line.as_bytes()).unwrap().prev, written[0].leaf);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(committer);
    let (_, recovered) = open(dir.path());
    assert_eq!(recovered.next_seq, 8 * 51);
    assert!(recovered.open_logins.iter().all(|login| login.chunks == 50 && login.recording_bytes == 550));
    assert_eq!(recovered.open_logins.len(), 8);
}

#[test]
fn mono_never_falls_within_a_boot() {
    let dir = tempfile::tempdir().unwrap();
    let at = |mono_us, boot: &str| {
        let mut clock = FixedClock::new();
        clock.now.mono_us = mono_us;
        clock.boot = boot.to_owned();
        let limits = Limits::default();
        let (committer, _) =
            Committer::open(dir.path(), host(), Box::new(host_signer()), Box::new(clock), limits).unwrap();
        committer.append_wait(vec![started()]).unwrap()[0].mono_us
    };
    assert_eq!(at(5_000_000, BOOT), 5_001_500);
    assert_eq!(at(1_000_000, BOOT), 5_001_500, "the same boot: clamped");
    assert_eq!(at(1_000_000, &BOOT.replace('0', "a")), 1_001_500, "another boot");
}

#[test]
fn a_clock_that_was_set_is_declared_before_the_next_entry() {
    let dir = tempfile::tempdir().unwrap();
    let at = |offset_us: i64| {
        let mut clock = FixedClock::new();
        clock.now.at_us += offset_us;
        let limits = Limits { reserve_bytes: 0, ..Limits::default() };
        let (committer, _) =
            Committer::open(dir.path(), host(), Box::new(host_signer()), Box::new(clock), limits).unwrap();
        committer.append_wait(vec![started()]).unwrap().into_iter().map(|w| w.line).collect::<Vec<_>>()
    };
    assert_eq!(at(0).len(), 1, "nothing to compare with");
    assert_eq!(at(400_000).len(), 1, "within the bound");
    let lines = at(3_600_400_000);
    assert!(
        lines[0].contains(r#""body":{"by_ms":3600000,"forward":true}"#) && lines[0].contains("clock_step"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2);
    assert!(at(0)[0].contains(r#""forward":false"#));
    assert_eq!(at(0).len(), 1);
    // The step is before no draft.
    let mut clock = FixedClock::new();
    clock.now.at_us += 3_600_000_000;
    let limits = Limits { reserve_bytes: 0, ..Limits::default() };
    let (committer, _) = Committer::open(dir.path(), host(), Box::new(host_signer()), Box::new(clock), limits).unwrap();
    let of_nothing = draft(Kind::HostStarted, None, body([("of", Value::LeafBefore)]));
    assert!(matches!(committer.append_wait(vec![of_nothing]), Err(JournalError::Draft { .. })));
}

#[test]
fn below_the_reserve_logins_and_commands_are_refused_and_ends_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).0.append_wait(vec![opened(login(0))]).unwrap());
    let limits = Limits { reserve_bytes: u64::MAX, ..Limits::default() };
    let (committer, _) =
        Committer::open(dir.path(), host(), Box::new(host_signer()), Box::new(FixedClock::new()), limits).unwrap();
    for refused in [submitted(login(0), submission(0)), opened(login(1))] {
        let refused = committer.append_wait(vec![refused]);
        assert!(matches!(refused, Err(JournalError::NoSpace { .. })), "{refused:?}");
    }
    assert_eq!(committer.append_wait(vec![closed(login(0), 0)]).unwrap()[0].seq, 1);
}

#[test]
fn files_roll_over_and_lines_are_read_across_them() {
    let dir = tempfile::tempdir().unwrap();
    let small = || Limits { segment_bytes: 1_000, reserve_bytes: 0 };
    let open =
        || Committer::open(dir.path(), host(), Box::new(host_signer()), Box::new(FixedClock::new()), small()).unwrap();
    let (committer, _) = open();
    let mut lines = Vec::new();
    for _ in 0..20 {
        lines.push(committer.append_wait(vec![started()]).unwrap().remove(0).line);
    }
    assert!(crate::journal::segments(dir.path()).unwrap().len() > 5);
    let mut read = Vec::new();
    while read.len() < lines.len() {
        read.extend(committer.read_lines(u64::try_from(read.len()).unwrap(), 3, 1_000_000).unwrap());
    }
    assert_eq!(read, lines);
    assert_eq!(committer.read_lines(20, 10, 10).unwrap(), Vec::<String>::new());
    assert_eq!(read_lines(dir.path(), 7, 100, 1).unwrap(), lines[7..8], "one in any case");
    assert_eq!(read_lines(dir.path(), 7, 100, lines[7].len() * 2 + 9).unwrap(), lines[7..9]);
    assert_eq!(read_lines(dir.path(), 99, 1, 1).unwrap(), Vec::<String>::new());
    // Reading on at the end, then more is written, into a new file too.
    for line in 20..26 {
        let written = committer.append_wait(vec![started()]).unwrap().remove(0).line;
        assert_eq!(committer.read_lines(line, 5, 1_000_000).unwrap(), [written]);
    }
    drop(committer);
    assert_eq!(open().1.next_seq, 26);
}

#[test]
fn one_writer_only() {
    let dir = tempfile::tempdir().unwrap();
    let (_committer, _) = open(dir.path());
    let clock = Box::new(FixedClock::new());
    let second = Committer::open(dir.path(), host(), Box::new(host_signer()), clock, Limits::default());
    assert!(second.unwrap_err().to_string().contains("another countersign-hostd"));
}

#[test]
fn a_panicking_callback_does_not_end_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let (committer, _) = open(dir.path());
    committer.append(vec![started()], Box::new(|_| panic!("a test")));
    assert_eq!(committer.append_wait(vec![started()]).unwrap()[0].seq, 1);
}

/// Signs but for each third time.
struct Moody(InProcessSigner, u32);

impl Signer for Moody {
    fn sign(&mut self, namespace: Namespace, digest: [u8; 32]) -> Result<[u8; 64], SignError> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            Err(SignError::Failed("gone".to_owned()))
        } else {
            self.0.sign(namespace, digest)
        }
    }

    fn sign_note(&mut self, text: &NoteText) -> Result<[u8; 64], SignError> {
        self.0.sign_note(text)
    }

    fn public_key(&self) -> countersign_core::Digest {
        self.0.public_key()
    }
}

#[test]
fn a_signer_that_fails_stops_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Box::new(Moody(host_signer(), 0));
    let (committer, _) =
        Committer::open(dir.path(), host(), signer, Box::new(FixedClock::new()), Limits::default()).unwrap();
    committer.append_wait(vec![opened(login(0)), closed(login(0), 0)]).unwrap();
    let lost = committer.append_wait(vec![opened(login(1)), closed(login(1), 0)]);
    assert!(matches!(lost, Err(JournalError::Signer(_))), "{lost:?}");
    for _ in 0..3 {
        let later = committer.append_wait(vec![opened(login(2))]);
        assert!(matches!(later, Err(JournalError::Stopped(_))), "{later:?}");
    }
    drop(committer);
    assert_eq!(open(dir.path()).1.next_seq, 2);
}
