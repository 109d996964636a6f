//! A daemon that ends between any two steps of a chunk.

use super::*;
use crate::recordings::spool::drop_others;
use countersign_api::front::{LoginKind, PROTOCOL};
use countersign_api::recording::{Stream, rebuild};
use countersign_api::spool;
use std::io::Write as _;

/// Where the daemon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The lines stand in the recording, and no entry names them.
    BeforeTheLedger,
    /// The entry is durable, and the spool still holds everything.
    BeforeTheDrop,
    /// After all three steps.
    AfterAll,
}

fn login() -> LoginId {
    LoginId::from_random([9; 16])
}

fn state() -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    for dir in ["recordings", "spool"] {
        std::fs::create_dir(state.path().join(dir)).unwrap();
    }
    state
}

fn begun(state: &Path) -> (Tape, File) {
    let hello = Hello {
        protocol: PROTOCOL,
        agent: "deploy".into(),
        uid: 1,
        kind: LoginKind::Exec,
        terminal: None,
        ssh_connection: None,
        claims: Vec::new(),
        resume: None,
    };
    let (tape, front) =
        Tape::create(state, Spool::of(state, login()).unwrap(), HostId::from_random([2; 16]), &hello).unwrap();
    assert!(!recording_path(state, login()).exists(), "the ledger has no such login yet");
    tape.recording().file().unwrap();
    (tape, front)
}

fn append(spool: &mut File, at_us: u64, data: &[u8]) {
    let head = spool::output_head(at_us, Stream::Stdout, data.len()).unwrap();
    spool.write_all(&[head.as_slice(), data].concat()).unwrap();
}

fn opened(chunks: &[Chunk]) -> OpenLogin {
    OpenLogin {
        id: login(),
        opened: None,
        resume: None,
        recording_bytes: chunks.iter().map(|chunk| chunk.length).sum(),
        chunks: chunks.len() as u64,
        spool: chunks.last().map(|chunk| chunk.place).unwrap_or_default(),
        unfinished: None,
        undecided: None,
    }
}

#[test]
fn a_daemon_may_end_between_any_two_steps() {
    let piece = "caf\u{e9} ".repeat(20_000).into_bytes();
    for ends in [Ends::BeforeTheLedger, Ends::BeforeTheDrop, Ends::AfterAll] {
        for after in 0..4 {
            let state = state();
            let (mut tape, mut spool) = begun(state.path());
            let (mut kept, mut written, mut round) = (Vec::new(), Vec::new(), 0);
            // Odd lengths cut characters apart.
            for data in piece.chunks(60_001) {
                append(&mut spool, round, data);
                written.extend_from_slice(data);
                let chunk = tape.turn(u64::MAX).unwrap().unwrap();
                if round == after && ends == Ends::BeforeTheLedger {
                    break;
                }
                kept.push(chunk.clone());
                if round == after && ends == Ends::BeforeTheDrop {
                    break;
                }
                tape.kept(&chunk);
                if round == after {
                    break;
                }
                round += 1;
            }
            // The front goes on for a while, the end of its last record is lost.
            append(&mut spool, 99, b" and more\n");
            written.extend_from_slice(b" and more\n");
            spool.write_all(&spool::output_head(100, Stream::Stdout, 50).unwrap()).unwrap();
            drop((tape, spool));

            let mut tape = Tape::resume(state.path(), &opened(&kept)).unwrap().unwrap();
            while let Some(chunk) = tape.turn_all().unwrap() {
                tape.kept(&chunk);
                kept.push(chunk);
            }
            tape.settle(tape.recorded()).unwrap();
            let file = std::fs::read(recording_path(state.path(), login())).unwrap();
            assert_eq!(rebuild(&file).unwrap().stdout, written, "{ends:?} at {after}");
            assert_eq!(kept.iter().map(|chunk| chunk.raw_bytes).sum::<u64>(), written.len() as u64);
            let mut from = 0;
            for (index, chunk) in kept.iter().enumerate() {
                let bytes = &file[from..from + chunk.length as usize];
                assert_eq!((chunk.index, chunk.offset, chunk.digest), (index as u64, from as u64, sha256(bytes)));
                from += bytes.len();
            }
            assert_eq!(from, file.len());
            tape.close();
            assert!(!spool_path(state.path(), login()).exists());
        }
    }
}

#[test]
fn what_is_held_back_is_told_before_the_end() {
    // A line that is not ended, after nothing and after lines; and nothing at all.
    for data in ["abc", "one\ntwo\nabc", ""] {
        let state = state();
        let (mut tape, mut spool) = begun(state.path());
        if !data.is_empty() {
            append(&mut spool, 1, data.as_bytes());
        }
        let mut chunks = Vec::new();
        // As whoever closes a login goes about it.
        while let Some(chunk) = tape.turn_all().unwrap() {
            let last = tape.is_at_end();
            tape.kept(&chunk);
            chunks.push(chunk);
            if last {
                break;
            }
        }
        let recording = std::fs::read(recording_path(state.path(), login())).unwrap();
        let length: u64 = chunks.iter().map(|chunk| chunk.length).sum();
        assert_eq!(recording.len() as u64, length, "{data:?}");
        assert_eq!(rebuild(&recording).unwrap().stdout, data.as_bytes(), "{data:?}");
    }
}

#[test]
fn pieces_are_dropped_from_the_spool() {
    use std::os::unix::fs::MetadataExt as _;
    let state = state();
    let (mut tape, mut spool) = begun(state.path());
    for at_us in 0..40 {
        append(&mut spool, at_us, &[b'x'; 60_000]);
        let chunk = tape.turn(u64::MAX).unwrap().unwrap();
        tape.kept(&chunk);
    }
    let found = spool.metadata().unwrap();
    assert!(
        found.len() > 2_000_000 && found.blocks() * 512 < 300_000,
        "{} bytes are still there",
        found.blocks() * 512
    );
}

#[test]
fn nonsense_and_zeros_and_a_torn_record_are_told_apart() {
    let torn = spool::output_head(2, Stream::Stdout, 50).unwrap();
    // What its front had written through memory when it was killed: some of the record, but not its kind.
    let unmarked = |data: usize, zeros: usize| {
        let mut record = [torn.as_slice(), &vec![b'x'; data], &vec![0; zeros]].concat();
        record[0] = 0;
        record
    };
    let more = [unmarked(50, 100), b"x".to_vec()].concat();
    for (rest, bad, well) in [
        (&[0; 300_000][..], false, true),
        (&torn, false, true),
        (&unmarked(0, 300_000), false, true),
        (&unmarked(17, 300_000), false, true),
        (&unmarked(50, 0), false, true),
        (&unmarked(51, 300_000), false, false),
        (&more, false, false),
        (&[[0; 12], [1; 12]].concat(), false, false),
        (b"\x07junk", true, true),
    ] {
        let state = state();
        let (mut tape, mut spool) = begun(state.path());
        append(&mut spool, 1, b"shown\n");
        spool.write_all(rest).unwrap();
        let chunk = tape.turn(u64::MAX).unwrap().expect("what stands before it");
        tape.kept(&chunk);
        match tape.turn_all() {
            Err(why) => assert!(bad && why.is_fronts()),
            Ok(more) => assert!(!bad && more.is_none(), "{more:?}"),
        }
        assert_eq!(tape.ends_well(), well, "{rest:?}");
        assert_eq!(chunk.raw_bytes, 6);
    }
}

#[test]
fn a_spool_of_no_open_login_is_dropped() {
    let state = state();
    let (tape, _) = begun(state.path());
    drop(tape);
    drop_others(state.path(), &[opened(&[])]).unwrap();
    assert!(spool_path(state.path(), login()).exists());
    drop_others(state.path(), &[]).unwrap();
    assert!(!spool_path(state.path(), login()).exists());
}
