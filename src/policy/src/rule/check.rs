//! From the written form to a rule, or a clear no.

use super::{Body, Effect, Kind, Rule};
use crate::fitness::{Unfit, UnfitPattern, check_line, check_pattern};
use crate::pattern::{BadPattern, Pattern, climbs};
use crate::plain;
use crate::reading::Reading;
use countersign_core::Name;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Inner shells whose lines patterns can be matched on.
pub(crate) const PATTERN_SHELLS: [&str; 2] = ["bash", "dash"];
const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "dash", "tcsh"];
/// Most patterns, scopes or examples of a rule.
const MAX_LIST: usize = 64;
/// Longest text of a member, in bytes.
const MAX_TEXT: usize = 4096;
/// Longest life of a grant.
const MAX_GRANT_MS: i64 = 24 * 60 * 60 * 1000;
/// Most uses of a grant.
const MAX_GRANT_USES: u64 = 1000;

/// Why a written rule is none. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// Nothing it could speak for.
    #[error(
        "it names nothing: give `exact`, `patterns`, `secrets` or `anomalies`; a rule that denies or asks may name `agents` alone"
    )]
    Nothing,
    /// Members that do not go together.
    #[error("{0}")]
    Together(&'static str),
    /// Over a limit.
    #[error(
        "`{0}` has more than {MAX_LIST} items, or one that is empty, over {MAX_TEXT} bytes or holds control characters"
    )]
    List(&'static str),
    /// The line cannot be one.
    #[error("this line cannot be a rule: {0}")]
    Line(#[from] Unfit),
    /// The pattern is not one.
    #[error("`{pattern}`: {why}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong.
        why: BadPattern,
    },
    /// The pattern may not let anything pass.
    #[error("`{pattern}` cannot be a rule: {why}")]
    UnfitPattern {
        /// As written.
        pattern: String,
        /// Why.
        why: UnfitPattern,
    },
    /// A shell that is not known, or whose lines patterns cannot be matched on.
    #[error("`shell = \"{0}\"`: exact lines take bash, zsh, fish, dash or tcsh; patterns take bash or dash")]
    Shell(String),
    /// A directory or file that is not an absolute path.
    #[error("`{0}`: write an absolute path without `..` or wildcards in its first part")]
    Path(String),
    /// A variable that may not be set.
    #[error("`{0}`: write NAME=pattern; names that change which program runs or what it loads are never allowed")]
    Assignment(String),
    /// Not a time.
    #[error("`expires = \"{0}\"`: write a UTC date like 2027-03-01 or a time like 2027-03-01T12:00:00Z")]
    Expires(String),
    /// A grant without its bounds.
    #[error("a grant names one agent, one target, a number of uses up to {MAX_GRANT_USES} and an end within 24 hours")]
    Grant,
    /// An example does not come out as it says.
    #[error("the example `{line}` {what}")]
    Example {
        /// The line.
        line: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Rule {
    /// Checks everything about a written rule, its examples last. `now_ms`:
    /// ms since 1970, for the end of a grant; `None` where it was checked before.
    pub fn check(
        id: u64,
        kind: Kind,
        author: Name,
        approver: Name,
        body: Body,
        now_ms: Option<i64>,
    ) -> Result<Self, BadRule> {
        limits(&body)?;
        together(&body, kind)?;
        let exact = body.exact.as_deref().map(|line| check_line(line, body.on_terminal)).transpose()?;
        let patterns = body.patterns.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        if body.effect == Effect::Allow {
            for pattern in &patterns {
                check_pattern(pattern, body.on_terminal)
                    .map_err(|why| BadRule::UnfitPattern { pattern: pattern.as_str().to_owned(), why })?;
            }
        }
        let writes = body.writes.iter().map(|text| path_pattern(text)).collect::<Result<Vec<_>, _>>()?;
        let assignments = body.assignments.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
        if let Some(bad) = body.cwd.iter().find(|path| !is_plain_path(path)) {
            return Err(BadRule::Path(bad.clone()));
        }
        let expires_ms = body.expires.as_deref().map(expires).transpose()?;
        if kind == Kind::Grant {
            grant(&body, expires_ms, now_ms)?;
        }
        let rule = Self { id, kind, author, approver, body, exact, patterns, writes, assignments, expires_ms };
        rule.check_examples()?;
        Ok(rule)
    }

    fn check_examples(&self) -> Result<(), BadRule> {
        let speaks = |line: &String| self.speaks_for_line(&Reading::of(line, self.body.shell(), None));
        let wrong = |line: &String, what| Err(BadRule::Example { line: line.clone(), what });
        for line in &self.body.matches {
            if !speaks(line) {
                return wrong(line, "of `match` is not matched; mend the rule or the example");
            }
        }
        for line in &self.body.no_match {
            if speaks(line) {
                return wrong(line, "of `no_match` is matched; the rule is wider than it should be");
            }
        }
        Ok(())
    }
}

fn limits(body: &Body) -> Result<(), BadRule> {
    let plain = |text: &String| !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    for (name, list) in [
        ("patterns", &body.patterns),
        ("secrets", &body.secrets),
        ("anomalies", &body.anomalies),
        ("agents", &body.agents),
        ("targets", &body.targets),
        ("cwd", &body.cwd),
        ("writes", &body.writes),
        ("assignments", &body.assignments),
    ] {
        if list.len() > MAX_LIST || !list.iter().all(plain) {
            return Err(BadRule::List(name));
        }
    }
    for (name, list) in [("match", &body.matches), ("no_match", &body.no_match)] {
        if list.len() > MAX_LIST || list.iter().any(|line| line.len() > MAX_TEXT) {
            return Err(BadRule::List(name));
        }
    }
    for (name, text) in [("owner", &body.owner), ("note", &body.note), ("session", &body.session)] {
        if text.as_ref().is_some_and(|text| !plain(text)) {
            return Err(BadRule::List(name));
        }
    }
    Ok(())
}

fn together(body: &Body, kind: Kind) -> Result<(), BadRule> {
    // To stop an agent takes its name and nothing else; a slip that would stop all of them names none.
    let stops = body.effect != Effect::Allow && !body.agents.is_empty();
    if body.is_for_every_line() && !stops {
        return Err(BadRule::Nothing);
    }
    let by_fact = !body.secrets.is_empty() || !body.anomalies.is_empty();
    match body.effect {
        Effect::Allow if by_fact => {
            return Err(BadRule::Together(
                "a secret or an anomaly lets nothing pass; use effect = \"deny\" or \"ask\"",
            ));
        }
        Effect::Allow if body.exact.is_some() != body.patterns.is_empty() => {
            return Err(BadRule::Together("give `exact` or `patterns`, not both"));
        }
        Effect::Deny | Effect::Ask if body.exact.is_some() => {
            return Err(BadRule::Together(
                "a rule that denies or asks takes `patterns`: one more blank would evade an exact line",
            ));
        }
        Effect::Deny | Effect::Ask
            if !body.writes.is_empty() || !body.assignments.is_empty() || body.on_terminal || body.uses.is_some() =>
        {
            return Err(BadRule::Together(
                "`writes`, `assignments`, `on_terminal` and `uses` belong to rules that allow",
            ));
        }
        Effect::Allow | Effect::Deny | Effect::Ask => {}
    }
    if body.exact.is_some() && !(body.writes.is_empty() && body.assignments.is_empty()) {
        return Err(BadRule::Together(
            "an exact line says itself what it writes and sets; drop `writes` and `assignments`",
        ));
    }
    if kind == Kind::Standing && body.session.is_some() {
        return Err(BadRule::Together("`session` belongs to grants"));
    }
    if body.uses == Some(0) {
        return Err(BadRule::Together("`uses = 0` would let nothing pass; leave the rule out"));
    }
    let shell = body.shell();
    if !SHELLS.contains(&shell) || (!body.patterns.is_empty() && !PATTERN_SHELLS.contains(&shell)) {
        return Err(BadRule::Shell(shell.to_owned()));
    }
    Ok(())
}

fn parse(text: &str) -> Result<Pattern, BadRule> {
    Pattern::parse(text).map_err(|why| BadRule::Pattern { pattern: text.to_owned(), why })
}

/// A file that may be written: an absolute path, its directory without wildcards at the front.
fn path_pattern(text: &str) -> Result<Pattern, BadRule> {
    let bad = || BadRule::Path(text.to_owned());
    let fixed = text.split('*').next().unwrap_or("");
    let deep = fixed.matches('/').count() >= 2;
    if !text.starts_with('/')
        || !deep
        || climbs(text)
        || text.contains(' ')
        || text.contains("**")
        || text.contains("re:")
    {
        return Err(bad());
    }
    // A pattern wants a program first: `>` stands for it.
    Pattern::parse(&format!("write {text}")).map_err(|_| bad())
}

fn is_plain_path(path: &str) -> bool {
    path.starts_with('/') && !climbs(path) && !path.contains('*') && !path.ends_with("//")
}

/// `NAME=pattern`, where NAME may be set.
fn assignment(text: &str) -> Result<(String, Pattern), BadRule> {
    let bad = || BadRule::Assignment(text.to_owned());
    let (name, value) = text.split_once('=').ok_or_else(bad)?;
    let acts = countersign_analysis::acts(name)
        || [
            "PATH", "PAGER", "EDITOR", "OPTS", "OPTIONS", "FLAGS", "_proxy", "_PROXY", "_COMMAND", "_SHELL", "_CONFIG",
            "_HOME", "_LIB",
        ]
        .iter()
        .any(|end| name.ends_with(end));
    if !plain::is_name(name) || acts || value.contains(' ') || value.contains("**") || value.is_empty() {
        return Err(bad());
    }
    let pattern = Pattern::parse(&format!("set {value}")).map_err(|_| bad())?;
    Ok((name.to_owned(), pattern))
}

/// ms since 1970 of a UTC date or time.
fn expires(text: &str) -> Result<i64, BadRule> {
    let bad = || BadRule::Expires(text.to_owned());
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let date: Date = Some(text).filter(|text| text.len() == 10).and_then(|text| text.parse().ok()).ok_or_else(bad)?;
    Ok(date.to_zoned(TimeZone::UTC).map_err(|_| bad())?.timestamp().as_millisecond())
}

fn grant(body: &Body, expires_ms: Option<i64>, now_ms: Option<i64>) -> Result<(), BadRule> {
    let one = |list: &[String]| matches!(list, [name] if !name.contains('*'));
    let end = expires_ms.filter(|end| now_ms.is_none_or(|now| (now..=now.saturating_add(MAX_GRANT_MS)).contains(end)));
    let uses = body.uses.is_some_and(|uses| (1..=MAX_GRANT_USES).contains(&uses));
    if body.effect != Effect::Allow || !one(&body.agents) || !one(&body.targets) || end.is_none() || !uses {
        return Err(BadRule::Grant);
    }
    Ok(())
}
