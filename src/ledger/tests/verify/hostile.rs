//! Arbitrary bytes: never a panic, never a verdict better than the history deserves.

use crate::build::{golden, join, trust, verify_path, write_state};
use countersign_ledger::verify::{Report, Require, verify};
use proptest::prelude::*;
use std::sync::LazyLock;

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| join(&golden().lines()));

fn verify_journal(bytes: &[u8]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), bytes, &golden().recordings);
    verify_path(dir.path(), Some(&trust()))
}

/// Whether `bytes` are whole lines from the front: a cut tail, which cannot be seen.
fn is_cut_tail(bytes: &[u8]) -> bool {
    bytes.is_empty() || (WHOLE.starts_with(bytes) && bytes.ends_with(b"\n"))
}

#[derive(Debug, Clone)]
enum Edit {
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Replace(prop::sample::Index, Vec<u8>),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let bytes = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 1..40),
            "[ -~\n]{1,60}".prop_map(String::into_bytes),
            Just(b"9007199254740991".to_vec()),
            Just(b"18446744073709551616".to_vec()),
            Just(b"[[[[[[[[[[[[[[[[".to_vec()),
            Just(b"\n{}\n".to_vec()),
        ]
    };
    prop_oneof![
        (any::<prop::sample::Index>(), bytes()).prop_map(|(at, b)| Edit::Insert(at, b)),
        (any::<prop::sample::Index>(), 1..3000usize).prop_map(|(at, n)| Edit::Remove(at, n)),
        (any::<prop::sample::Index>(), bytes()).prop_map(|(at, b)| Edit::Replace(at, b)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..3000usize)
            .prop_map(|(from, to, n)| Edit::Copy(from, to, n)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: Edit) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match edit {
        Edit::Insert(at, new) => {
            let at = at.index(length);
            bytes.splice(at..at, new);
        }
        Edit::Remove(at, n) => {
            let at = at.index(length);
            bytes.drain(at..length.min(at + n));
        }
        Edit::Replace(at, new) => {
            let at = at.index(length);
            bytes.splice(at..length.min(at + new.len()), new);
        }
        Edit::Copy(from, to, n) => {
            let from = from.index(length);
            let piece = bytes[from..length.min(from + n)].to_vec();
            let to = to.index(length);
            bytes.splice(to..to, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_journals_never_pass(edits in prop::collection::vec(edit(), 1..4)) {
        let mut bytes = WHOLE.clone();
        edits.into_iter().for_each(|edit| apply(&mut bytes, edit));
        prop_assume!(bytes != *WHOLE && !is_cut_tail(&bytes));
        let report = verify_journal(&bytes);
        prop_assert!(![0, 10].contains(&report.exit_code), "{}", report.text());
    }

    #[test]
    fn arbitrary_files_never_pass(bytes in prop::collection::vec(any::<u8>(), 0..2000), brace in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes = if brace { [b"{".as_slice(), &bytes].concat() } else { bytes };
        std::fs::write(&path, bytes).unwrap();
        for trust in [Some(&trust()), None] {
            let report = verify(&path, trust, Require::SelfAttested, &mut |_| {});
            prop_assert!(report.exit_code >= 20, "{}", report.text());
        }
    }

    #[test]
    fn arbitrary_tars_never_pass(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut header = tar::Header::new_ustar();
        header.set_path("bundle.json").unwrap();
        header.set_size(20);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let mut whole = header.as_bytes().to_vec();
        whole.extend_from_slice(br#"{"fmt":"cs-bundle1"}"#);
        whole.resize(1024, 0);
        whole.extend_from_slice(&bytes);
        whole.resize(whole.len().next_multiple_of(512), 0);
        std::fs::write(&path, whole).unwrap();
        prop_assert!(verify_path(&path, Some(&trust())).exit_code >= 20);
    }
}
