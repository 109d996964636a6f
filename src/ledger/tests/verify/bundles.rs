//! Bundles: what is written verifies alike, and a damaged one is refused.

use crate::build::{expect, golden, join, login, trust, verify_path, write_state};
use countersign_ledger::bundle::{BundleError, Selection, VERIFY_BY_HAND, part_of, write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

fn bundle() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let history = golden();
    write_state(&dir.path().join("state"), &join(&history.lines()), &history.recordings);
    let out = dir.path().join("out.tar");
    write(&dir.path().join("state"), &out).unwrap();
    (dir, out)
}

#[test]
fn a_bundle_verifies_like_its_state() {
    let (dir, out) = bundle();
    let report = verify_path(&out, Some(&trust()));
    assert_eq!(report.exit_code, 10, "{}", report.text());
    assert_eq!(report, verify_path(&dir.path().join("state"), Some(&trust())));
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let again = dir.path().join("again.tar");
    let written = write(&dir.path().join("state"), &again).unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&again).unwrap());
    assert_eq!((written.members, written.left_out.len()), (7, 0));
    let error = write(&dir.path().join("state"), &out).unwrap_err();
    assert!(matches!(&error, BundleError::Io { verb: "write", .. }), "{error}");
    assert!(matches!(write(dir.path(), &dir.path().join("no.tar")), Err(BundleError::NotAState(_))));
}

#[test]
fn unpacked_it_verifies_too() {
    let (dir, out) = bundle();
    let unpacked = dir.path().join("unpacked");
    tar::Archive::new(std::fs::File::open(&out).unwrap()).unpack(&unpacked).unwrap();
    let report = verify_path(&unpacked, Some(&trust()));
    assert_eq!(report.exit_code, 10, "{}", report.text());
    assert_eq!(std::fs::read_to_string(unpacked.join("VERIFY-BY-HAND.txt")).unwrap(), VERIFY_BY_HAND);
}

#[test]
fn a_running_host_is_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = golden();
    history.open(5);
    history.recordings.get_mut(&login(5)).unwrap().extend_from_slice(b"not yet told");
    let mut journal = join(&history.lines());
    journal.extend_from_slice(b"{\"at\":\"half a li");
    write_state(dir.path(), &journal, &history.recordings);
    let out = dir.path().join("out.tar");
    write(dir.path(), &out).unwrap();
    let report = verify_path(&out, Some(&trust()));
    assert_eq!(report.totals.keys().copied().collect::<Vec<_>>(), ["assurance.self_attested", "sess.open"]);
}

#[test]
fn every_flip_of_a_bundle_is_seen() {
    let (dir, out) = bundle();
    let bytes = std::fs::read(&out).unwrap();
    let recipe = bytes.windows(8).position(|w| w == b"VERIFY B").unwrap();
    let recipe = recipe..recipe + VERIFY_BY_HAND.len();
    let manifest = 512..512 + 80;
    let (changed, mut tried) = (dir.path().join("changed.tar"), 0);
    for at in (0..bytes.len()).step_by(101).chain(0..600) {
        if recipe.contains(&at) {
            continue;
        }
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x01;
        std::fs::write(&changed, &flipped).unwrap();
        let report = verify_path(&changed, Some(&trust()));
        let benign = manifest.contains(&at) && report.exit_code == 10;
        assert!(benign || [20, 40, 41, 42].contains(&report.exit_code), "byte {at}: {}", report.text());
        tried += 1;
    }
    for length in (0..bytes.len()).step_by(509) {
        std::fs::write(&changed, &bytes[..length]).unwrap();
        let report = verify_path(&changed, Some(&trust()));
        assert!([20, 40].contains(&report.exit_code), "cut at {length}: {}", report.text());
        tried += 1;
    }
    for tail in [b"x".as_slice(), &[0; 512], &[1; 512]] {
        std::fs::write(&changed, [bytes.as_slice(), tail].concat()).unwrap();
        let exit = verify_path(&changed, Some(&trust())).exit_code;
        assert_eq!(exit, if tail == [0; 512] { 10 } else { 40 });
        tried += 1;
    }
    println!("{tried} damaged bundles");
}

type Member<'a> = (&'a str, tar::EntryType, &'a [u8]);

/// A tar of these members, built by hand so that bad names can stand in it.
fn tar_of(members: &[Member<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, data) in members {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o600);
        header.set_size(u64::try_from(data.len()).unwrap());
        if *kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn members_that_may_not_be_there_are_refused() {
    use tar::EntryType::{Directory, GNULongName, Link, Regular, Symlink, XHeader};
    let dir = tempfile::tempdir().unwrap();
    let history = golden();
    let journal = join(&history.lines());
    let manifest: Member<'_> = ("bundle.json", Regular, br#"{"fmt":"cs-bundle1"}"#);
    let first: Member<'_> = ("journal/0000000000000000.jsonl", Regular, &journal);
    let cast = format!("recordings/{}.cast", login(1));
    let upper = cast.replace("recordings", "RECORDINGS");
    let cases: &[(&[Member<'_>], u8)] = &[
        (&[manifest, first, first], 40),
        (&[manifest, manifest, first], 40),
        (&[first, manifest], 20),
        (&[manifest, ("../x", Regular, b"")], 40),
        (&[manifest, ("/journal/0000000000000000.jsonl", Regular, b"")], 40),
        (&[manifest, ("journal/../journal/0000000000000000.jsonl", Regular, b"")], 40),
        (&[manifest, ("./journal/0000000000000000.jsonl", Regular, b"")], 40),
        (&[manifest, ("journal/0.jsonl", Regular, b"")], 40),
        (&[manifest, ("journal", Directory, b"")], 40),
        (&[manifest, ("recordings/x.cast", Regular, b"")], 40),
        (&[manifest, (&upper, Regular, b"")], 40),
        (&[manifest, (&cast, Symlink, b"")], 40),
        (&[manifest, (&cast, Link, b"")], 40),
        (&[manifest, ("trust.json", Regular, b"{}")], 40),
        (&[manifest, ("x", GNULongName, b"journal/0000000000000000.jsonl\0")], 40),
        (&[manifest, ("x", XHeader, b"11 path=a/b\n")], 40),
        (&[("bundle.json", Regular, br#"{"fmt":"cs-bundle2"}"#), first], 40),
        (&[("bundle.json", Regular, b"{"), first], 40),
        (&[("bundle.json", Symlink, b""), first], 40),
        (&[manifest], 20),
        (&[manifest, first], 42),
    ];
    for (index, (members, exit)) in cases.iter().enumerate() {
        let path = dir.path().join("case.tar");
        std::fs::write(&path, tar_of(members)).unwrap();
        let report = verify_path(&path, Some(&trust()));
        assert_eq!(report.exit_code, *exit, "case {index}: {}", report.text());
    }
    let mut huge = tar_of(&[manifest, first]);
    huge[1024 + 124..1024 + 136].copy_from_slice(b"77777777777\0");
    let path = dir.path().join("huge.tar");
    std::fs::write(&path, &huge).unwrap();
    expect(&verify_path(&path, Some(&trust())), 40, "bundle.damaged");
}

/// Runs the recipe that stands in every bundle, as a person would.
#[test]
fn the_recipe_works_with_stock_tools() {
    for tool in ["jq", "ssh-keygen", "sha256sum", "bash"] {
        if !std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(tool).exists()) {
            panic!("this test needs {tool}; install the packages jq and openssh-client");
        }
    }
    let (dir, out) = bundle();
    let unpacked = dir.path().join("unpacked");
    tar::Archive::new(std::fs::File::open(&out).unwrap()).unpack(&unpacked).unwrap();
    let mut history = golden();
    let script = |label: &str, from: &str, to: &str| {
        let start = VERIFY_BY_HAND.find(from).unwrap();
        let start = start + VERIFY_BY_HAND[start..].find("\n\n").unwrap();
        let end = VERIFY_BY_HAND.find(to).unwrap_or(VERIFY_BY_HAND.len());
        (label.to_owned(), VERIFY_BY_HAND[start..end].to_owned())
    };
    let steps = [
        script("submit1", "3. One", "4. The"),
        script("submit1", "4. The", "5. A"),
        script("decide1", "5. A", "6. People"),
        script("submit1", "7. A", "8. A"),
        script("chunk1.1", "8. A", "9. A"),
    ];
    let (_, helpers) = script("", "1. Helpers", "2. Which");
    let keys = format!(
        "KEY={}\nEPOCH=$KEY\nSERVICE_KEY={}\n",
        crate::build::Who::Host.public(),
        crate::build::Who::Service.public()
    );
    for (label, step) in steps {
        let n = history.at(&label);
        let take = format!("N={n}; entry \"$N\" > line\n");
        let text = format!("set -eu -o pipefail\n{keys}{helpers}\n{take}{step}");
        let run = std::process::Command::new("bash").args(["-c", &text]).current_dir(&unpacked).output().unwrap();
        let shown = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success(), "{label}: {shown}{}\n{step}", String::from_utf8_lossy(&run.stderr));
        if shown.contains("Good \"") {
            continue;
        }
        let hashes: Vec<_> = shown.split_whitespace().filter(|w| w.len() == 64).collect();
        assert!(hashes.len() == 2 && hashes[0] == hashes[1], "{label}: {shown}");
    }
    // What jq reads of a line is all of it, or `odd` shows the line.
    let odd = |change: &str| {
        let text = format!("set -eu -o pipefail\n{helpers}\n{change}\nodd");
        let run = std::process::Command::new("bash").args(["-c", &text]).current_dir(&unpacked).output().unwrap();
        (run.status.success(), run.stdout.len())
    };
    assert_eq!(odd(""), (true, 0));
    let doubled = r#"cp -r journal whole; sed -i 's/"kind":"decided"/"kind":"x","kind":"decided"/' journal/*.jsonl"#;
    assert!(matches!(odd(doubled), (false, 100..)));
    assert_eq!(odd("rm -r journal; mv whole journal"), (true, 0));
    // In a part the lines are found too.
    let (part, taken) = (dir.path().join("part.tar"), dir.path().join("taken"));
    let selection = Selection::Logins { name: "deploy-01".to_owned(), logins: [login(1)].into() };
    part_of(&dir.path().join("state"), &part, &selection).unwrap();
    tar::Archive::new(std::fs::File::open(&part).unwrap()).unpack(&taken).unwrap();
    let (_, signed) = script("", "3. One", "4. The");
    let (_, listed) = script("", "9. A", "\u{0}");
    let text = format!("set -eu -o pipefail\n{keys}{helpers}\nN={}\n{signed}\n{listed}", history.at("close1"));
    let run = std::process::Command::new("bash").args(["-c", &text]).current_dir(&taken).output().unwrap();
    let shown = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success() && shown.contains("Good \""), "{shown}{}", String::from_utf8_lossy(&run.stderr));
    let numbers: Vec<_> = shown.lines().filter(|line| line.starts_with(&login(1).to_string())).collect();
    assert!(numbers.len() > 3 && numbers.last().unwrap().ends_with("session_closed"), "{shown}");
    // The same with a changed byte is refused.
    let text = format!(
        "set -eu\n{keys}{helpers}\nN={}; sed -i 's/\"uid\":1001/\"uid\":1000/' journal/*.jsonl\n{}",
        history.at("open1"),
        script("", "3. One", "4. The").1
    );
    let run = std::process::Command::new("bash").args(["-c", &text]).current_dir(&unpacked).output().unwrap();
    assert!(!run.status.success());
}
