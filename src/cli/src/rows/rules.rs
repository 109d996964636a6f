//! How rules, verdicts and suggestions look as text.

use crate::style::{self, BOLD, FAINT, FLAG, paint};
use crate::words::{date, time};
use countersign_api::rules::{Finding, Rule, RuleHistory, RuleVerdict, Suggestions};
use countersign_api::service::DEFAULT_SHELL;
use countersign_core::{Choice, Outcome, counted, legible};

/// One rule: what it speaks for, then its life.
pub fn rule(rule: &Rule) -> String {
    let mut facts = vec![format!("added {} by {}", date(rule.added_at_ms), rule.added_by)];
    match &rule.approved_by {
        Some(approver) if *approver == rule.added_by => facts.push("approved by its author".to_owned()),
        Some(approver) => facts.push(format!("approved by {approver}")),
        None => facts.push("waits for approval".to_owned()),
    }
    facts.push(format!("reviewed {} by {}", date(rule.last_reviewed_at_ms), rule.last_reviewed_by));
    if rule.effect == "allow" {
        facts.push(if rule.on_terminal { "on a terminal too" } else { "not on a terminal" }.to_owned());
    }
    if rule.shell != DEFAULT_SHELL {
        facts.push(format!("shell {}", legible(&rule.shell)));
    }
    if let Some(end) = rule.expires_at_ms {
        facts.push(format!("until {} UTC", time(end)));
    }
    match rule.uses {
        Some(uses) => facts.push(format!("used {} of {uses}", rule.used)),
        None if rule.used > 0 => facts.push(format!("used {}", rule.used)),
        None => {}
    }
    if let Some(name) = &rule.end_asked_by {
        facts.push(format!("{name} asked for its end"));
    }
    if let Some(end) = rule.ended_at_ms {
        let how = if rule.state == "replaced" { "replaced" } else { "ended" };
        let by = rule.ended_by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
        facts.push(format!("{how} {} UTC{by}", time(end)));
    }
    if rule.kind != "settings" {
        facts.extend(scope(&rule.body));
    }
    let mut words = vec![rule.effect.as_str()];
    if rule.kind == "grant" {
        words.push("grant");
    }
    if rule.state != "active" {
        words.push(&rule.state);
    }
    let marks: Vec<&str> = words.into_iter().filter(|word| *word != "allow" && !word.is_empty()).collect();
    let mark = if marks.is_empty() { String::new() } else { format!("{} ", paint(FLAG, &marks.join(" "))) };
    // A later text has its revision beside its number: an approval names both.
    let number = if rule.revision > 1 { format!("{}:{}", rule.id, rule.revision) } else { rule.id.to_string() };
    let line = if rule.kind == "settings" { format!("settings {}", rule.body) } else { rule.line.clone() };
    format!("{number:>5}  {mark}{}\n       {}\n", paint(BOLD, &legible(&line)), paint(FAINT, &facts.join(" · ")))
}

/// Every text of a rule, the newest first, then who looked at it while it was in force.
pub fn rule_history(history: &RuleHistory) -> String {
    let mut text: String = history.texts.iter().map(rule).collect();
    for review in &history.reviews {
        let line = format!("looked at {} UTC by {} (text {})", time(review.at_ms), review.by, review.revision);
        text.push_str(&format!("       {}\n", paint(FAINT, &line)));
    }
    text
}

/// Members of a rule that are shown elsewhere: beside its number, or in words of their own.
const SHOWN_ELSEWHERE: [&str; 9] =
    ["effect", "exact", "patterns", "secrets", "anomalies", "shell", "on_terminal", "expires", "uses"];

/// Everything else that a rule says, by the names of its members: whoever
/// approves it must have seen all of it, what a later version adds included.
fn scope(body: &serde_json::Value) -> Vec<String> {
    let members = body.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| !SHOWN_ELSEWHERE.contains(&name.as_str()))
        .map(|(name, value)| format!("{} {}", legible(name), said(value)))
        .collect()
}

/// A member's value for people; examples and names are set apart by commas.
fn said(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::String(text) => legible(text),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| format!("{} {}", legible(name), said(value)))
            .collect::<Vec<_>>()
            .join(" "),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// What would become of a line, and why.
pub fn verdict(verdict: &RuleVerdict) -> String {
    let steps = verdict
        .steps
        .iter()
        .map(|step| format!("{}  {}\n", paint(FAINT, &format!("{:>10}", legible(&step.step))), legible(&step.found)));
    let by = verdict.by.as_deref().map(legible).unwrap_or_default();
    let end = match verdict.decision {
        Some(Choice::Approve) => {
            format!("{} by {by}", paint(style::of(Some(Outcome::Whitelisted)), "● would pass"))
        }
        Some(Choice::Deny) => format!("{} by {by}", paint(style::of(Some(Outcome::Blocked)), "■ would be refused")),
        None if verdict.people > 1 => format!("would wait for {} different people", verdict.people),
        None => "would wait for a person".to_owned(),
    };
    format!("{}{end}\n", steps.collect::<String>())
}

/// Candidates with how they would have done, then what looks odd.
pub fn suggestions(found: &Suggestions) -> String {
    let mut text = format!("looked at {}\n", counted(found.looked_at, "command"));
    if found.suggestions.is_empty() {
        text.push_str("nothing to suggest: no kind of line was approved three times\n");
    }
    for suggestion in &found.suggestions {
        let patterns = suggestion.body.get("patterns").and_then(|list| list.as_array()).cloned().unwrap_or_default();
        for pattern in patterns.iter().filter_map(|pattern| pattern.as_str()) {
            text.push_str(&format!("\n{}\n", paint(BOLD, &legible(pattern))));
            text.push_str(&format!("    countersign rules add --pattern {}\n", quoted(pattern)));
        }
        text.push_str(&format!(
            "    would have passed {} of {} approved, {} different; none of the {} denied\n",
            suggestion.passes, suggestion.approved, suggestion.different, suggestion.denied
        ));
        for line in &suggestion.lines {
            text.push_str(&format!("    {}\n", paint(FAINT, &legible(line))));
        }
        if let Some(advice) = &suggestion.advice {
            text.push_str(&format!("    note: {}\n", legible(advice)));
        }
    }
    text.push_str(&findings("risky, but passed by rule", &found.risky_but_passed));
    text.push_str(&findings("anomalous, but approved", &found.anomalous_but_approved));
    text
}

/// Lines that are worth a second look; nothing where there are none.
fn findings(title: &str, found: &[Finding]) -> String {
    let line = |one: &Finding| {
        let score = one.score.map_or_else(|| "–".to_owned(), |score| score.to_string());
        let times = if one.times == 1 { String::new() } else { format!(" · {} times", one.times) };
        let flags: String = one.anomalies.iter().map(|flag| format!(" ⚑ {}", legible(flag))).collect();
        let cleared =
            if one.cleared == 0 { String::new() } else { format!(" · besides found harmless: {}", one.cleared) };
        let verdict = one.verdict.map_or_else(String::new, |verdict| format!(" · triaged {verdict}"));
        let by = format!("{} · by {}{times}{cleared}{verdict}{flags}", one.id, legible(&one.by));
        format!("    {score:>3}  {}\n         {}\n", legible(&one.command), paint(FAINT, &by))
    };
    if found.is_empty() { String::new() } else { format!("\n{title}:\n{}", found.iter().map(line).collect::<String>()) }
}

/// A text as one word of a shell line.
fn quoted(text: &str) -> String {
    format!("'{}'", legible(text).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_approves_a_rule_has_seen_all_of_it() {
        let body = serde_json::json!({
            "patterns": ["docker pull ghcr.io/myorg/api:*"],
            "agents": ["deploy-*"], "targets": ["web-1"], "classes": ["low"], "cwd": ["/srv"],
            "writes": ["/srv/logs/*"], "assignments": ["TZ=*"], "owner": "platform", "note": "nightly",
            "schedule": {"days": "mon-fri", "from": "08:00", "until": "18:00", "zone": "Europe/Berlin"},
            "expires": "2027-03-01", "uses": 500,
            "match": ["docker pull ghcr.io/myorg/api:1"], "no_match": ["docker pull x", "id\u{1b}[2K"],
            "later": {"added": true},
        });
        let written = serde_json::json!({
            "id": 17, "revision": 2, "state": "proposed", "line": "docker pull ghcr.io/myorg/api:*", "body": body,
            "added_by": "ann", "added_at_ms": 0, "last_reviewed_at_ms": 0, "last_reviewed_by": "ann",
            "expires_at_ms": 1_803_859_200_000_i64, "uses": 500, "used": 3,
        });
        let shown = rule(&serde_json::from_value::<Rule>(written).unwrap());
        for part in [
            "17:2",
            "proposed",
            "waits for approval",
            "added 1970-01-01 by ann",
            "until 2027-03-01",
            "used 3 of 500",
            "not on a terminal",
            "agents deploy-*",
            "targets web-1",
            "classes low",
            "cwd /srv",
            "writes /srv/logs/*",
            "assignments TZ=*",
            "owner platform",
            "note nightly",
            "schedule days mon-fri from 08:00 until 18:00 zone Europe/Berlin",
            " match docker pull ghcr.io/myorg/api:1",
            "no_match docker pull x, id⟨U+001B⟩[2K",
            "later added true",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn a_rule_is_shown_with_every_text_it_had() {
        let text = |revision: u64, state: &str, line: &str, ended: Option<&str>| {
            serde_json::json!({
                "id": 3, "revision": revision, "state": state, "line": line, "added_by": "ann", "added_at_ms": 0,
                "approved_by": "bob", "last_reviewed_at_ms": 0, "last_reviewed_by": "bob",
                "ended_at_ms": ended.map(|_| 60_000), "ended_by": ended,
            })
        };
        let written = serde_json::json!({
            "texts": [text(3, "ended", "id", None), text(2, "ended", "date", Some("ann")),
                text(1, "replaced", "uptime", Some("bob"))],
            "reviews": [{"revision": 1, "at_ms": 0, "by": "bob"}],
        });
        let shown = rule_history(&serde_json::from_value(written).unwrap());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 7, "{shown}");
        for (at, part) in [
            (0, "3:3"),
            (0, "ended"),
            (2, "date"),
            (3, "ended 1970-01-01 00:01:00 UTC by ann"),
            (4, "replaced"),
            (4, "uptime"),
            (5, "replaced 1970-01-01 00:01:00 UTC by bob"),
            (6, "looked at 1970-01-01 00:00:00 UTC by bob (text 1)"),
        ] {
            assert!(lines[at].contains(part), "{part}: {shown}");
        }
        assert!(!lines[1].contains("ended"), "it ended by itself before there was a time for it: {shown}");
    }

    #[test]
    fn what_deserves_a_second_look_is_shown_with_its_id() {
        let finding = |command: &str, score, anomalies: &[&str], times| Finding {
            id: countersign_core::SubmissionId::from_random([7; 16]),
            command: command.to_owned(),
            by: "whitelist_rule:1".to_owned(),
            score,
            anomalies: anomalies.iter().map(|flag| (*flag).to_owned()).collect(),
            times,
            cleared: times - 1,
            verdict: (times > 1).then_some(countersign_api::triage::Verdict::PolicyGap),
        };
        let shown = suggestions(&Suggestions {
            looked_at: 3,
            suggestions: Vec::new(),
            risky_but_passed: vec![finding("kill -9 1\u{1b}[2K", Some(27), &[], 2)],
            anomalous_but_approved: vec![finding("id", None, &["retry_after_denial", "odd\u{7}"], 1)],
        });
        let id = countersign_core::SubmissionId::from_random([7; 16]).to_string();
        for part in [
            "\nrisky, but passed by rule:\n     27  kill -9 1⟨U+001B⟩[2K\n",
            &format!("{id} · by whitelist_rule:1 · 2 times · besides found harmless: 1 · triaged policy_gap"),
            "\nanomalous, but approved:\n      –  id\n",
            &format!("{id} · by whitelist_rule:1 ⚑ retry_after_denial ⚑ odd⟨U+0007⟩"),
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let none = Suggestions {
            looked_at: 0,
            suggestions: Vec::new(),
            risky_but_passed: Vec::new(),
            anomalous_but_approved: Vec::new(),
        };
        assert!(!suggestions(&none).contains("risky") && !suggestions(&none).contains("anomalous"));
    }
}
