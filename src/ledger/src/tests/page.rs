//! docs/LEDGER.md and the code name the same checks and the same ends of a login.

use crate::verify::logins::ORPHANS_END;
use crate::verify::members::CLOSED;
use crate::verify::{CHECKS, WARNINGS};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../../../docs/LEDGER.md");
const SECOND: &str = include_str!("../../../../tests/second_verifier.py");

/// What stands between backticks, and what follows it up to the next one.
fn quoted(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1));
    std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
}

/// Not ids of checks, although they begin like one.
const OTHER: &[&str] = &["bundle.json", "decided.why", "head.json", "journal.new", "sess.n", "sess.prev", "trust.json"];

#[test]
fn every_check_has_its_place_and_its_code_on_the_page() {
    let codes: BTreeMap<&str, u8> = CHECKS.iter().map(|info| (info.id, info.code.exit())).collect();
    let mut named = BTreeSet::new();
    for (word, after) in quoted(PAGE) {
        let Some(code) = codes.get(word) else { continue };
        named.insert(word);
        let number: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
        assert!(!after.starts_with(' ') || number.len() != 2 || number == code.to_string(), "`{word}` {number}");
    }
    let missing: Vec<_> = codes.keys().filter(|id| !named.contains(*id)).collect();
    assert!(missing.is_empty(), "the page lacks {missing:?}");
    let words: BTreeSet<_> = quoted(PAGE).map(|(word, _)| word).collect();
    let missing: Vec<_> = WARNINGS.iter().filter(|sort| !words.contains(*sort)).collect();
    assert!(missing.is_empty(), "the page lacks the warnings {missing:?}");
}

#[test]
fn the_page_names_no_check_that_there_is_not() {
    let ids: BTreeSet<&str> = CHECKS.iter().map(|info| info.id).chain(WARNINGS.iter().copied()).collect();
    let layers: BTreeSet<&str> = ids.iter().filter_map(|id| Some(id.split_once('.')?.0)).collect();
    let is_id = |word: &&str| {
        let letters =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        word.split_once('.').is_some_and(|(layer, rest)| layers.contains(layer) && letters(rest))
    };
    let words = quoted(PAGE).map(|(word, _)| word);
    let unknown: BTreeSet<_> =
        words.filter(is_id).filter(|word| !ids.contains(word) && !OTHER.contains(word)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The rows of the table of ends: `why`, and whether an open login may end so after a restart.
#[test]
fn the_ends_of_a_login_are_those_of_the_page() {
    let (_, section) = PAGE.split_once("### Ends of a login").expect("the section");
    let rows =
        section.lines().skip_while(|line| !line.starts_with("|--")).skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<(Vec<&str>, bool)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            (quoted(cells[1]).map(|(word, _)| word).collect(), cells[3] == "yes")
        })
        .collect();
    let all: BTreeSet<&str> = rows.iter().flat_map(|(words, _)| words.iter().copied()).collect();
    assert_eq!(all, CLOSED.iter().copied().collect());
    let after = rows.iter().filter(|(_, after)| *after).flat_map(|(words, _)| words.iter().copied());
    assert_eq!(after.collect::<BTreeSet<_>>(), ORPHANS_END.iter().copied().collect());
}

/// The second verifier's table of codes: `    40: "id id"` and lines that go on.
#[test]
fn the_second_verifier_has_the_same_codes() {
    let codes: BTreeMap<&str, u8> = CHECKS.iter().map(|info| (info.id, info.code.exit())).collect();
    let (_, table) = SECOND.split_once("for code, ids in {").expect("the table");
    let (table, _) = table.split_once("}.items()").expect("its end");
    let (mut code, mut seen) = (0, 0);
    for line in table.lines() {
        if let Some((number, _)) = line.split_once(':') {
            code = number.trim().parse().expect("a code");
        }
        for id in line.split('"').skip(1).step_by(2).flat_map(str::split_whitespace) {
            assert_eq!(codes.get(id), Some(&code), "{id}");
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}
