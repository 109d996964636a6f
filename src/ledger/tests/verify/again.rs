//! Decisions by rule, made again by an evaluator that is told what to find.

use crate::build::{History, POLICY, expect, found, join, private, trust, write_state};
use crate::second::agrees;
use countersign_core::{Digest, Outcome};
use countersign_ledger::sha256;
use countersign_ledger::verify::{
    CommandPiece, Evaluated, Evaluation, Evaluator, Options, Recorded, Report, Require, verify_by,
};

/// Lets `git status` pass by rule 1 and refuses `rm` by rule 2, knows one policy, and can tell nothing of `id`.
struct Simple;

impl Evaluator for Simple {
    fn policy(&self, text: &str) -> Result<Box<dyn Evaluation>, String> {
        if text == POLICY { Ok(Box::new(Self)) } else { Err("it is another analyzer's".to_owned()) }
    }

    fn administrators(&self, rules: &str) -> Result<Option<Digest>, String> {
        if rules.contains("git status") { Ok(Some(sha256(POLICY.as_bytes()))) } else { Ok(None) }
    }
}

impl Evaluation for Simple {
    fn decide(&mut self, said: &Recorded<'_>) -> Evaluated {
        assert_eq!((said.agent, said.cwd, said.shell), (Some("deploy"), Some("/srv"), "bash"));
        let mut line = Vec::new();
        for piece in said.pieces {
            match piece {
                CommandPiece::Shown(bytes) => line.extend_from_slice(bytes),
                CommandPiece::Hidden(_) | CommandPiece::Cut => return Evaluated::Open("it is hidden".to_owned()),
            }
        }
        let honest = match (line.as_slice(), said.outcome) {
            (b"git status", Outcome::Whitelisted) => "whitelist_rule:1",
            (b"rm x", Outcome::Blocked) => "deny_rule:2",
            (b"id", _) => return Evaluated::Open("nobody knows".to_owned()),
            _ => return Evaluated::Fails("nothing lets it pass".to_owned()),
        };
        let by = said.by.to_string();
        if by == honest { Evaluated::Holds } else { Evaluated::Fails(format!("{honest} speaks, not {by}")) }
    }
}

/// Rule-decided lines, after the policy's text in so many parts.
fn history(parts: usize, lines: &[(&str, &str, &str)]) -> History {
    let mut history = History::new();
    texts(&mut history, parts);
    history.open(1);
    for (c, (line, outcome, by)) in (1..).zip(lines) {
        history.submit(1, c, line.as_bytes());
        history.decide(1, c, outcome, Some(by));
        if *outcome == "whitelisted" {
            history.exec(1, c);
            history.finish(1, c);
        }
    }
    history.close(1, "exit");
    history
}

pub fn texts(history: &mut History, parts: usize) {
    let size = POLICY.len().div_ceil(parts.max(1));
    for (part, text) in (0u64..).zip(POLICY.as_bytes().chunks(size).take(parts)) {
        let salt = history.salt();
        let members = [
            ("digest", sha256(POLICY.as_bytes()).into()),
            ("part", part.into()),
            ("parts", u64::try_from(parts).unwrap().into()),
        ];
        private(history.add(&format!("text{part}"), "policy_text", None, members), "text", salt, text);
    }
}

fn verify(history: &History, evaluator: Option<&dyn Evaluator>) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), &join(&history.lines()), &history.recordings);
    let options = Options { require: Require::SelfAttested, ..Options::default() };
    let report = verify_by(dir.path(), Some(&trust()), &options, evaluator, &mut |_| {});
    let not_by_rules = [50, 40].contains(&report.exit_code) && !found(&report, "policy.text");
    if evaluator.is_none() || !not_by_rules {
        agrees(dir.path(), &trust(), report.exit_code);
    }
    report
}

const HONEST: [(&str, &str, &str); 3] = [
    ("git status", "whitelisted", "whitelist_rule:1"),
    ("git status", "whitelisted", "whitelist_rule:1"),
    ("rm x", "blocked", "deny_rule:2"),
];

#[test]
fn honest_decisions_are_counted_as_made_again() {
    for parts in [1, 3] {
        let report = verify(&history(parts, &HONEST), Some(&Simple));
        assert_eq!(report.exit_code, 10, "{}", report.text());
        let line = "3 commands: 2 whitelisted (re-evaluated), 1 blocked (re-evaluated), 0 without decision";
        assert_eq!(report.conformance.detail, line);
    }
}

#[test]
fn what_cannot_be_made_again_is_said() {
    let without = verify(&history(1, &HONEST), None);
    assert!(without.conformance.detail.contains("2 whitelisted (not re-evaluable)"), "{}", without.text());
    assert!(without.text().contains("3 because this verifier evaluates no rules"), "{}", without.text());
    let no_text = verify(&history(0, &HONEST), Some(&Simple));
    assert!(no_text.text().contains("3 because the text of the policy is not in the record"), "{}", no_text.text());
    let mut some = HONEST.to_vec();
    some.push(("id", "whitelisted", "whitelist_rule:1"));
    let report = verify(&history(1, &some), Some(&Simple));
    let line = "3 whitelisted (2 re-evaluated, 1 not re-evaluable)";
    assert!(report.conformance.detail.contains(line), "{}", report.text());
    let late = {
        let mut history = history(0, &HONEST);
        texts(&mut history, 1);
        verify(&history, Some(&Simple))
    };
    assert!(late.text().contains("3 because the text of the policy is not in the record"), "{}", late.text());
}

#[test]
fn a_service_that_names_a_rule_which_does_not_speak_is_found_out() {
    for (line, outcome, by, exit, check) in [
        ("rm -rf /", "whitelisted", "whitelist_rule:1", 50, "decision.rule"),
        ("git status", "whitelisted", "whitelist_rule:17", 50, "decision.rule"),
        ("git status", "whitelisted", "grant:1", 50, "decision.rule"),
        ("git status", "whitelisted", "threshold:low", 50, "decision.rule"),
        ("git status", "blocked", "deny_rule:2", 40, "refusal.rule"),
    ] {
        let report = verify(&history(1, &[(line, outcome, by)]), Some(&Simple));
        expect(&report, exit, check);
        assert!(report.conformance.detail.contains("(refuted)"), "{}", report.text());
    }
}

#[test]
fn a_text_that_is_not_its_digests_is_invalid() {
    let lie = |change: fn(&mut History)| {
        let mut history = history(3, &HONEST);
        change(&mut history);
        let report = verify(&history, Some(&Simple));
        expect(&report, 40, "policy.text");
        assert!(report.text().contains("is not in the record"), "{}", report.text());
    };
    lie(|h| {
        let salt = h.salt();
        private(h.plan("text1"), "text", salt, b"another");
    });
    lie(|h| {
        let at = h.at("text1");
        h.plans.remove(at);
    });
    lie(|h| {
        h.plan("text2").body.insert("parts".into(), 4u64.into());
    });
    lie(|h| {
        h.plan("text0").body.insert("digest".into(), sha256(b"another").into());
    });
    lie(|h| {
        for label in ["text0", "text1", "text2"] {
            h.plan(label).body.insert("digest".into(), sha256(b"another").into());
        }
    });
}

/// One line that a rule of the administrators' document is said to have let run.
fn under_document(rules: &str, line: &str, by: &str, parts: usize) -> History {
    let text = crate::people::document(1, 1, &[crate::people::ANN]) + rules;
    let mut history = History::new();
    history.authority("document", 1, &text, &[crate::people::ADMIN]);
    texts(&mut history, parts);
    history.open(1);
    history.submit(1, 1, line.as_bytes());
    history.under(1, &text, 1);
    history.decide(1, 1, "whitelisted", Some(by));
    history.exec(1, 1);
    history.finish(1, 1);
    history.close(1, "exit");
    history
}

#[test]
fn a_rule_of_the_administrators_document_must_be_one_and_speak() {
    const RULE: &str = "[[rule]]\nexact = \"git status\"\n";
    let ruled = |history: &History, trust: &countersign_ledger::TrustFile, evaluator: Option<&dyn Evaluator>| {
        let dir = tempfile::tempdir().unwrap();
        write_state(dir.path(), &join(&history.lines()), &history.recordings);
        let options = Options { require: Require::SelfAttested, ..Options::default() };
        let report = verify_by(dir.path(), Some(trust), &options, evaluator, &mut |_| {});
        if report.exit_code == 10 {
            agrees(dir.path(), trust, 10);
        }
        report
    };
    let auditors = crate::reviews::auditors();
    let honest = under_document(RULE, "git status", "whitelist_rule:1", 1);
    let report = ruled(&honest, &auditors, Some(&Simple));
    assert!(report.exit_code == 10 && !found(&report, "decision.not_shown"), "{}", report.text());
    assert!(report.conformance.detail.contains("1 whitelisted (re-evaluated)"), "{}", report.text());

    for (rules, line, by, check) in [
        (RULE, "rm -rf /", "whitelist_rule:1", "decision.rule"),
        (RULE, "git status", "whitelist_rule:2", "decision.rule"),
        ("", "git status", "whitelist_rule:1", "decision.rule"),
        (RULE, "git status", "grant:1", "review.rule"),
        (RULE, "git status", "threshold:low", "review.rule"),
    ] {
        expect(&ruled(&under_document(rules, line, by, 1), &auditors, Some(&Simple)), 50, check);
    }
    // What cannot be told is never 0.
    let unshown = ruled(&honest, &trust(), Some(&Simple));
    expect(&unshown, 10, "decision.not_shown");
    assert_eq!(unshown.conformance.verdict, "NOT SHOWN", "{}", unshown.text());
    expect(&ruled(&honest, &auditors, None), 10, "decision.not_shown");
    let no_text = under_document(RULE, "git status", "whitelist_rule:1", 0);
    expect(&ruled(&no_text, &auditors, Some(&Simple)), 10, "decision.not_shown");
    let unclear = under_document(RULE, "id", "whitelist_rule:1", 1);
    expect(&ruled(&unclear, &auditors, Some(&Simple)), 10, "decision.not_shown");
}

/// A host may write as many texts as it likes; they are not all kept in memory.
#[test]
fn what_is_remembered_of_policies_has_a_bound() {
    let with_others = |others: u8| {
        let mut history = history(1, &[]);
        for other in 0..others {
            let text = vec![b'a' + other; 12 * 1024 * 1024];
            let parts = text.chunks(256 * 1024);
            let of = u64::try_from(parts.len()).unwrap();
            for (part, piece) in (0u64..).zip(parts) {
                let salt = history.salt();
                let members = [("digest", sha256(&text).into()), ("part", part.into()), ("parts", of.into())];
                private(history.add("other", "policy_text", None, members), "text", salt, piece);
            }
        }
        history.open(2);
        history.submit(2, 1, b"git status");
        history.decide(2, 1, "whitelisted", Some("whitelist_rule:1"));
        history.close(2, "exit");
        let dir = tempfile::tempdir().unwrap();
        write_state(dir.path(), &join(&history.lines()), &history.recordings);
        let options = Options { require: Require::SelfAttested, ..Options::default() };
        verify_by(dir.path(), Some(&trust()), &options, Some(&Simple), &mut |_| {})
    };
    let few = with_others(1);
    assert!(few.conformance.detail.contains("1 whitelisted (re-evaluated)"), "{}", few.text());
    let many = with_others(3);
    assert!(many.text().contains("1 because the text of the policy is not in the record"), "{}", many.text());
}
