//! The fuzz targets, on examples and what comes of changing them a little. `tests/long.sh` runs them for longer.

use std::collections::BTreeSet;

use countersign_tests::programs::repository;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// Inputs for each target.
const CASES: u32 = 4000;
/// For one that writes files and verifies histories.
const SLOW_CASES: u32 = 300;

/// Bytes that mean something to somebody.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b"\x1b",
    b"\x1b[200~",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\"",
    b"'",
    b"\\",
    b"$(",
    b"`",
    b"<<E",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"0",
    b"18446744073709551615",
    b"-1",
    b"1e999",
    b"null",
];

/// What is done to an example at some place.
fn change() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let put = proptest::prop_oneof![
        select(WORDS).prop_map(<[u8]>::to_vec),
        vec(any::<u8>(), 0..8),
        Just(Vec::new()),
        vec(Just(b'('), 0..600),
    ];
    (any::<Index>(), 0..24usize, put)
}

fn inputs(examples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let changed = (select(examples), vec(change(), 0..6)).prop_map(|(example, changes)| {
        changes.into_iter().fold(example.as_bytes().to_vec(), |mut bytes, (place, take, put)| {
            let from = place.index(bytes.len() + 1);
            let to = (from + take).min(bytes.len());
            bytes.splice(from..to, put);
            bytes
        })
    });
    proptest::prop_oneof![4 => changed, 1 => vec(any::<u8>(), 0..400)]
}

#[test]
fn no_reader_breaks_its_promise() {
    for target in targets::TARGETS {
        target.examples.iter().for_each(|example| (target.run)(example.as_bytes()));
        let cases = if ["bundle", "journal"].contains(&target.name) { SLOW_CASES } else { CASES };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let ran = runner.run(&inputs(target.examples), |bytes| {
            (target.run)(&bytes);
            Ok(())
        });
        ran.unwrap_or_else(|why| panic!("{}: {why}", target.name));
    }
}

#[test]
fn every_target_has_its_file() {
    let listed: BTreeSet<_> = targets::TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let files = std::fs::read_dir(repository().join("tests/fuzz/fuzz_targets")).expect("targets");
    let files: BTreeSet<_> = files
        .map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(listed, files);
    let manifest = std::fs::read_to_string(repository().join("tests/fuzz/Cargo.toml")).expect("manifest");
    for name in listed {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} in tests/fuzz/Cargo.toml");
    }
}
