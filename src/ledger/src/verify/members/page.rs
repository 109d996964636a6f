//! The table of the page and the second verifier say the same of every kind.

use super::table;
use crate::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether it belongs to a login, and its members: whether each must be there, whether it is private.
type Said = (bool, BTreeMap<String, (bool, bool)>);

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// What stands between backquotes, and what stands around it.
fn quoted(cell: &str) -> Vec<(&str, &str, &str)> {
    let parts: Vec<&str> = cell.split('`').collect();
    parts.windows(3).step_by(2).map(|three| (three[0], three[1], three[2])).collect()
}

/// The rows of the page; `exec_seen` has one that says that it has no members.
fn page() -> BTreeMap<String, Said> {
    let text = std::fs::read_to_string(repository("docs/LEDGER.md")).unwrap();
    let (_, section) = text.split_once("\n## Members of `body`, kind by kind\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut all: BTreeMap<String, Said> = BTreeMap::new();
    let mut kinds = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| kind ")) {
        let cells: Vec<&str> = row.split('|').collect();
        let named = quoted(cells[1]);
        if !named.is_empty() {
            kinds = named.into_iter().map(|(_, kind, _)| kind.to_owned()).collect();
            for kind in &kinds {
                let first = all.insert(kind.clone(), (cells[2].trim() == "yes", BTreeMap::new()));
                assert!(first.is_none(), "{kind} stands twice");
            }
        }
        for (before, name, after) in quoted(cells[3]) {
            let private = before.ends_with('*');
            let optional = after.trim_start_matches('*').starts_with('?');
            for kind in &kinds {
                let members = &mut all.get_mut(kind).unwrap().1;
                assert!(members.insert(name.to_owned(), (!optional, private)).is_none(), "{kind}.{name} stands twice");
            }
        }
    }
    all
}

fn ours() -> BTreeMap<String, Said> {
    let said = |kind: Kind| {
        let members = table(kind).unwrap_or_default().iter();
        let one = |(name, _, required): &super::Member| {
            ((*name).to_owned(), (*required, kind.private_members().contains(name)))
        };
        (kind.as_str().to_owned(), (kind.in_login(), members.map(one).collect()))
    };
    Kind::ALL.into_iter().map(said).collect()
}

#[test]
fn the_page_has_every_kind_with_its_members() {
    let (page, ours) = (page(), ours());
    assert_eq!(page.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>());
    for (kind, said) in &ours {
        assert_eq!(&page[kind], said, "{kind}");
    }
}

#[test]
fn the_second_verifier_has_every_kind_with_its_members() {
    let tell = "import second_verifier as v\nfor kind in v.IN_LOGIN + v.OF_HOST + v.OF_SERVICE:\n    \
                print(kind, kind in v.IN_LOGIN, kind in v.OF_SERVICE, ' '.join(v.MEMBERS.get(kind, {})), \
                ' '.join(v.PRIVATE.get(kind, [])), sep=';')";
    let mut python = Command::new("python3");
    python.args(["-B", "-c", tell]).current_dir(repository("tests")).env("PYTHONPATH", repository("tests"));
    let ran = python.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut seen = BTreeSet::new();
    for line in String::from_utf8(ran.stdout).unwrap().lines() {
        let cells: Vec<&str> = line.split(';').collect();
        let kind: Kind = cells[0].parse().unwrap();
        assert_eq!((cells[1] == "True", cells[2] == "True"), (kind.in_login(), kind.of_service()), "{kind}");
        let members = cells[3].split_whitespace().map(|name| (name.trim_end_matches('?'), !name.ends_with('?')));
        let own = table(kind).unwrap_or_default().iter().map(|(name, _, required)| (*name, *required));
        assert_eq!(members.collect::<BTreeMap<_, _>>(), own.collect(), "{kind}");
        let private: BTreeSet<&str> = cells[4].split_whitespace().collect();
        assert_eq!(private, kind.private_members().iter().copied().collect(), "{kind}");
        seen.insert(kind);
    }
    assert_eq!(seen, BTreeSet::from(Kind::ALL));
}
