use super::*;
use crate::settings::Settings;
use crate::{Kind, Rule, Target};
use countersign_core::{Class, Name};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn host(number: u8) -> HostId {
    HostId::from_random([number; 16])
}

/// Rules 1, 2 …; a text that begins with `grant` is one.
fn policy(rules: &[&str]) -> Policy {
    let mut policy = Policy::new(Settings::default()).unwrap();
    for (class, number) in [(Class::High, 2), (Class::Medium, 3), (Class::Low, 4)] {
        policy.set_target(Target { host: host(number), name: name(&format!("{class}-1")), class });
    }
    for (id, text) in (1..).zip(rules) {
        let (kind, toml) = match text.strip_prefix("grant ") {
            Some(toml) => (Kind::Grant, toml),
            None => (Kind::Standing, *text),
        };
        let rule = Rule::check(id, kind, name("ops"), name("lead"), toml::from_str(toml).unwrap(), None);
        policy.add(rule.unwrap()).unwrap();
    }
    policy
}

const AT: i64 = 1_795_000_000_000;

struct Said<'a> {
    pieces: Vec<Piece<'a>>,
    by: DecidedBy,
    outcome: Outcome,
    host: u8,
    terminal: bool,
    agent: Option<&'a str>,
    words_known: bool,
    at_ms: i64,
    took_ms: i64,
}

fn said<'a>(line: &'a str, by: &str) -> Said<'a> {
    let by: DecidedBy = by.parse().unwrap();
    let outcome = if matches!(by, DecidedBy::DenyRule(_)) { Outcome::Blocked } else { Outcome::Whitelisted };
    let pieces = vec![Piece::Shown(line.as_bytes())];
    Said {
        pieces,
        by,
        outcome,
        host: 2,
        terminal: false,
        agent: Some("deploy"),
        words_known: true,
        at_ms: AT,
        took_ms: 20,
    }
}

fn again_with(policy: &Policy, s: &Said<'_>, whose: Whose) -> Again {
    let recorded = Recorded {
        host: host(s.host),
        pieces: &s.pieces,
        shell: "bash",
        terminal: s.terminal,
        agent: s.agent,
        cwd: Some("/srv"),
        words_known: s.words_known,
        needs_person: false,
        submitted_ms: s.at_ms,
        decided_ms: s.at_ms + s.took_ms,
        outcome: s.outcome,
        by: &s.by,
    };
    policy.again(&recorded, whose)
}

fn again(policy: &Policy, said: &Said<'_>) -> Again {
    again_with(policy, said, Whose::Service)
}

#[track_caller]
fn fails(policy: &Policy, said: &Said<'_>) {
    let found = again(policy, said);
    assert!(matches!(found, Again::Fails(_)), "{found:?}");
}

#[test]
fn an_honest_decision_holds() {
    let policy = policy(&[
        "patterns = [\"git status\", \"docker pull ghcr.io/myorg/api:*\"]",
        "effect = \"deny\"\npatterns = [\"rm **\"]",
    ]);
    assert_eq!(again(&policy, &said("git status", "whitelist_rule:1")), Again::Holds);
    assert_eq!(
        again(&policy, &said("docker pull ghcr.io/myorg/api:1 && git status", "whitelist_rule:1")),
        Again::Holds
    );
    assert_eq!(again(&policy, &said("sudo rm -rf /srv", "deny_rule:2")), Again::Holds);
}

#[test]
fn a_rule_that_does_not_speak_is_found_out() {
    let policy = policy(&[
        "patterns = [\"git status\"]\nagents = [\"deploy\"]",
        "patterns = [\"ls **\"]\nagents = [\"other\"]",
        "effect = \"deny\"\npatterns = [\"rm **\"]",
        "patterns = [\"rm /srv/tmp/*\"]",
        "exact = \"make x\"\nexpires = \"2020-01-01\"",
        "patterns = [\"make y\"]\nclasses = [\"low\"]",
    ]);
    fails(&policy, &said("rm -rf /", "whitelist_rule:1"));
    fails(&policy, &said("git status; id", "whitelist_rule:1"));
    fails(&policy, &said("ls", "whitelist_rule:2"));
    fails(&policy, &said("git status", "whitelist_rule:2"));
    fails(&policy, &said("git status", "whitelist_rule:17"));
    fails(&policy, &said("git status", "grant:1"));
    fails(&policy, &said("git status", "threshold:high"));
    fails(&policy, &said("rm /srv/tmp/x", "whitelist_rule:4"));
    fails(&policy, &said("make x", "whitelist_rule:5"));
    fails(&policy, &said("make y", "whitelist_rule:6"));
    fails(&policy, &said("git status", "deny_rule:3"));
    fails(&policy, &said("rm x", "deny_rule:1"));
    fails(&policy, &Said { terminal: true, ..said("git status", "whitelist_rule:1") });
    fails(&policy, &Said { words_known: false, ..said("git status", "whitelist_rule:1") });
    fails(&policy, &Said { agent: Some("eve"), ..said("git status", "whitelist_rule:1") });
    let hidden = vec![Piece::Shown(b"git status "), Piece::Hidden("password")];
    fails(&policy, &Said { pieces: hidden, ..said("", "whitelist_rule:1") });
}

#[test]
fn what_the_record_leaves_open_is_no_accusation() {
    let policy = policy(&[
        "patterns = [\"git status\"]\nuses = 3",
        "grant exact = \"id\"\nagents = [\"deploy\"]\ntargets = [\"high-1\"]\nsession = \"s-1\"\nexpires = \"2026-11-19T00:00:00Z\"\nuses = 5",
        "effect = \"deny\"\nanomalies = [\"high_velocity\"]",
        "patterns = [\"true\"]",
    ]);
    let open = |said: &Said<'_>| assert!(matches!(again(&policy, said), Again::Open(_)), "{:?}", again(&policy, said));
    open(&said("git status", "whitelist_rule:1"));
    // With a flag of the agent's past rule 3 would have refused it.
    open(&said("true", "whitelist_rule:4"));
    open(&said("uptime", "deny_rule:3"));
    open(&Said { agent: None, ..said("rm -rf /", "whitelist_rule:1") });
    open(&Said { pieces: vec![Piece::Cut], ..said("", "whitelist_rule:1") });
    let within = Said { at_ms: 1_795_046_400_000 - 3_600_000, ..said("id", "grant:2") };
    assert!(matches!(again(&policy, &within), Again::Open(_)), "{:?}", again(&policy, &within));
    fails(&policy, &Said { host: 3, ..said("id", "grant:2") });
}

#[test]
fn hours_are_held_against_a_rule_beyond_the_skew_of_clocks() {
    // 19 November 2026 is a Thursday.
    let policy = policy(&[
        "patterns = [\"true\"]\nschedule = { days = \"thu\", from = \"10:00\", until = \"12:00\", zone = \"UTC\" }",
    ]);
    let day = 1_795_046_400_000;
    let at = |minutes: i64| Said { at_ms: day + minutes * 60_000, ..said("true", "whitelist_rule:1") };
    assert_eq!(again(&policy, &at(11 * 60)), Again::Holds);
    assert!(matches!(again(&policy, &at(10 * 60 - 1)), Again::Open(_)));
    assert!(matches!(again(&policy, &at(12 * 60 + 1)), Again::Open(_)));
    assert!(matches!(again(&policy, &Said { took_ms: 120_000, ..at(10 * 60 - 1) }), Again::Open(_)));
    fails(&policy, &at(10 * 60 - 3));
    fails(&policy, &at(12 * 60 + 3));
}

#[test]
fn thresholds_take_the_agents_past() {
    let policy = policy(&[]);
    let low = |line| Said { host: 4, ..said(line, "threshold:low") };
    assert_eq!(again(&policy, &low("ls -l")), Again::Open(PAST));
    fails(&policy, &low("rm -rf /"));
    fails(&policy, &said("ls -l", "threshold:high"));
    let by_host = again_with(&policy, &low("ls -l"), Whose::Host);
    assert_eq!(by_host, Again::Holds, "a host looks at no past");
}
