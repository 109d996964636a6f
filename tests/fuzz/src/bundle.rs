//! The reader of bundles, and verification behind it: a tar is made of named texts, since changed
//! bytes of a whole one would rarely get past its checksums.

use countersign_ledger::TrustFile;
use countersign_ledger::verify::{Options, verify_with};
use std::path::PathBuf;

/// Members, each behind a line with its name.
pub const EXAMPLES: &[&str] = &[concat!(
    "== bundle.json\n",
    include_str!("../../golden/ledger/part/bundle.json"),
    "\n== journal/kept\n",
    include_str!("../../golden/ledger/part/journal/kept"),
    "== journal/proof.json\n",
    include_str!("../../golden/ledger/part/journal/proof.json"),
    "== recordings/02081040g2081040g2081040g2.cast\n",
    include_str!("../../golden/ledger/part/recordings/02081040g2081040g2081040g2.cast"),
)];

const TRUST: &str = include_str!("../../golden/ledger/part/trust.json");

/// Whatever is in it, there is a verdict, and without trust never a good one.
pub fn bundle(bytes: &[u8]) {
    let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_digit(), "");
    let file: PathBuf = std::env::temp_dir().join(format!("countersign-fuzz-{}-{thread}.tar", std::process::id()));
    for packed in [tar_of(bytes), bytes.to_vec()] {
        std::fs::write(&file, packed).expect("a file for it");
        let trust = TrustFile::parse(TRUST.as_bytes()).expect("the golden trust file");
        let report = verify_with(&file, Some(&trust), &Options::default(), &mut |_| {});
        assert!([0, 10, 11, 20, 30, 40, 41, 42, 50, 51].contains(&report.exit_code), "{}", report.exit_code);
        assert_eq!(report.exit_code == 0, report.findings.is_empty(), "{}", report.text());
        let alone = verify_with(&file, None, &Options::default(), &mut |_| {});
        assert!(alone.exit_code >= 20, "{}", alone.text());
    }
    std::fs::remove_file(&file).expect("it is there");
}

/// Texts with the names that stand in a line `== NAME` before them; what comes before the first has none.
pub fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = vec![(String::new(), Vec::new())];
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match (line.strip_prefix(b"== "), members.last_mut()) {
            (None, Some((_, text))) => text.extend_from_slice(line),
            (name, _) => {
                let name = String::from_utf8_lossy(name.unwrap_or_default());
                members.push((name.trim_end().to_owned(), Vec::new()));
            }
        }
    }
    members
}

fn tar_of(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, text) in members(bytes) {
        put(&mut tar, &name, &text);
    }
    tar.extend_from_slice(&[0; 1024]);
    tar
}

fn put(tar: &mut Vec<u8>, name: &str, text: &[u8]) {
    if name.is_empty() || name.len() > 99 {
        return;
    }
    let mut head = [0; 512];
    let size = format!("{:011o}\0", text.len());
    let fields: [(usize, &[u8]); 7] = [
        (0, name.as_bytes()),
        (100, b"0000600\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ];
    for (at, field) in fields {
        head[at..at + field.len()].copy_from_slice(field);
    }
    let sum = format!("{:06o}\0 ", head.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    head[148..156].copy_from_slice(sum.as_bytes());
    tar.extend_from_slice(&head);
    tar.extend_from_slice(text);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_golden_part() {
        let file = std::env::temp_dir().join(format!("countersign-fuzz-golden-{}.tar", std::process::id()));
        std::fs::write(&file, tar_of(EXAMPLES[0].as_bytes())).expect("a file");
        let trust = TrustFile::parse(TRUST.as_bytes()).expect("the golden trust file");
        let report = verify_with(&file, Some(&trust), &Options::default(), &mut |_| {});
        std::fs::remove_file(&file).expect("it is there");
        assert_eq!(report.exit_code, 0, "{}", report.text());
    }
}
