//! How the audit, sessions, rules and the queue look as text. Pure: a value in,
//! text out. Every string that was recorded or came from a service goes
//! through [`legible`] here; no command is ever cut.

mod record;
mod rules;

pub use record::record;
pub use rules::{rule, rule_history, suggestions, verdict};

use crate::about;
use crate::choose::short;
use crate::style::{self, BOLD, FAINT, FLAG, paint};
use crate::words::{clock, date, span, time};
use crate::wrap::wrapped;
use countersign_api::service::{AuditRow, DEFAULT_SHELL, PendingSubmission, ProgramFacts, Reason, Risk, SessionRow};
use countersign_api::triage::Triaged;
use countersign_core::{DecidedBy, Flag, Name, Outcome, Transfer, counted, legible};

/// Width of the time before an audit row's outcome, and of the lines under it.
const INDENT: usize = 25;
/// Below a program of more lines than this the queue says again whose it is.
const LONG_PROGRAM: usize = 12;
/// A session with more logins than this …
const MAX_LOGINS: usize = 8;
/// … shows so many of them, the newest: an agent behind ssh opens one a command.
const SHOWN_LOGINS: usize = 5;

/// One command of the audit: two lines, more where there are anomalies or somebody has looked at it later.
pub fn audit(row: &AuditRow) -> String {
    let (symbol, word) = style::label(row.outcome);
    let label = paint(style::of(row.outcome), &format!("{symbol} {word:<11}"));
    let mut text = format!("{} UTC  {label}  {}\n", time(row.submitted_at_ms), command(&row.command));
    let mut facts = vec![answered(row)];
    facts.push(format!("risk {}", risk(scored(row.risk.as_ref(), row.transfer.as_deref()))));
    facts.push(format!("{} #{}", legible(&row.session), row.number));
    if row.shell != DEFAULT_SHELL {
        facts.push(format!("shell {}", legible(&row.shell)));
    }
    facts.extend(reason(row));
    text.push_str(&format!("{:INDENT$}{}\n", "", paint(FAINT, &facts.join(" · "))));
    if !row.anomalies.is_empty() {
        let flags: Vec<String> = row.anomalies.iter().map(|flag| format!("⚑ {}", legible(flag))).collect();
        text.push_str(&format!("{:INDENT$}{}\n", "", paint(FLAG, &flags.join("  "))));
    }
    if let Some(found) = &row.triage {
        text.push_str(&format!("{:INDENT$}{}\n", "", paint(FAINT, &triaged(found))));
    }
    text
}

/// What somebody found later, and why.
pub fn triaged(found: &Triaged) -> String {
    format!("triaged {} by {}: \"{}\"", found.verdict, found.by, legible(&found.note))
}

/// Who or what decided, and how long it took.
pub fn answered(row: &AuditRow) -> String {
    let took = row.review_latency_ms.map(|ms| format!(" · {}", span(ms))).unwrap_or_default();
    let line = row.rule.as_ref().map(|rule| format!(" {}", legible(&rule.line))).unwrap_or_default();
    let reviewed = row.rule.as_ref().map(|rule| format!(" (reviewed {})", date(rule.last_reviewed_at_ms)));
    let who = match (&row.outcome, &row.decided_by) {
        (None, _) => return "nobody has answered yet".into(),
        (Some(Outcome::TimedOut), _) if row.late_approval => format!("approved too late, not run{took}"),
        (Some(Outcome::TimedOut), _) | (_, Some(DecidedBy::Timeout)) => match row.shown_to.as_deref() {
            None => format!("nobody answered{took}"),
            Some([]) => format!("nobody connected{took}"),
            Some(names) => format!("nobody answered, shown to {}{took}", listed(names)),
        },
        (_, Some(DecidedBy::Person(name))) => format!("reviewer {name}{took}"),
        (_, Some(DecidedBy::WhitelistRule(id))) => format!("rule {id}{line}{}", reviewed.unwrap_or_default()),
        (_, Some(DecidedBy::DenyRule(id))) => format!("deny rule {id}{line}{}", reviewed.unwrap_or_default()),
        (_, Some(DecidedBy::Grant(id))) => format!("grant {id}{line}"),
        (_, Some(DecidedBy::Threshold(class))) => format!("threshold of class {class}"),
        (Some(Outcome::Cancelled), None) => format!("{}{took}", cancelled(row.reason.as_deref())),
        (Some(_), None) => format!("nobody decided{took}"),
    };
    let unreleased = row.late_approval && row.outcome != Some(Outcome::TimedOut);
    if unreleased { format!("{who} · approved too late, not run") } else { who }
}

/// Why nobody needs to answer any more.
fn cancelled(reason: Option<&str>) -> &'static str {
    match reason {
        Some("hangup") => "the client went away",
        Some("front_gone") => "its login was ended",
        Some(_) | None => "the agent gave up",
    }
}

fn listed(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// A person's words in quotes, else the ledger's word for what went wrong.
fn reason(row: &AuditRow) -> Option<String> {
    let reason = row.reason.as_deref()?;
    match (&row.decided_by, row.outcome) {
        (Some(DecidedBy::Person(_)), _) => Some(format!("\"{}\"", legible(reason))),
        // That nobody answered in time has been said.
        (_, Some(Outcome::TimedOut)) if reason == "deadline" => None,
        (None, Some(Outcome::Cancelled)) if ["hangup", "front_gone", "interrupt"].contains(&reason) => None,
        _ => Some(legible(reason)),
    }
}

/// The command, whole.
fn command(text: &str) -> String {
    if text.is_empty() {
        return "⟨empty⟩".into();
    }
    legible(text)
}

/// A score that says something: not the 0 of a transfer whose line does not say what the client does.
fn scored<'a>(risk: Option<&'a Risk>, transfer: Option<&str>) -> Option<&'a Risk> {
    let untold =
        transfer.and_then(|word| word.parse().ok()).is_some_and(|known: Transfer| !known.is_told_by_its_line());
    risk.filter(|risk| !untold || risk.score > 0)
}

fn risk(risk: Option<&Risk>) -> String {
    risk.map_or_else(|| "unscored".into(), |r| format!("{} {}", legible(&r.level), r.score))
}

/// One work session: its name, times and counts, then its logins.
pub fn session(row: &SessionRow) -> String {
    let from = time(row.started_at_ms);
    let to = match (row.open, date(row.started_at_ms) == date(row.ended_at_ms)) {
        (true, _) => "open".to_owned(),
        (false, true) => format!("{} UTC", clock(row.ended_at_ms)),
        (false, false) => format!("{} UTC", time(row.ended_at_ms)),
    };
    let mut facts = vec![counted(row.commands, "command")];
    facts.extend(row.outcomes.iter().map(|(outcome, number)| {
        let (symbol, word) = outcome.label();
        paint(style::of(Some(*outcome)), &format!("{symbol} {number} {}", word.to_lowercase()))
    }));
    let name = legible(&row.name);
    let mut text = format!("{}  {from} → {to}  {}\n", paint(BOLD, &name), facts.join(" · "));
    let facts = format!("{} on {}", legible(&row.agent), row.host_name);
    text.push_str(&format!("    {}\n", paint(FAINT, &facts)));
    let earlier = if row.logins.len() > MAX_LOGINS { row.logins.len() - SHOWN_LOGINS } else { 0 };
    if earlier > 0 {
        text.push_str(&format!("    {}\n", paint(FAINT, &format!("{earlier} earlier logins (--json names them)"))));
    }
    for login in row.logins.iter().skip(earlier) {
        text.push_str(&format!("    {}\n", paint(FAINT, &format!("login {login}"))));
    }
    text
}

/// The queue: for each row a line of ours with what it is worth waking up for, and under it the command, whole and as
/// wide as the terminal. On a terminal of `columns` we wrap it ourselves: where the terminal does, its next line could
/// look like another row. `programs` are those on standard input, row by row.
pub fn queue(rows: &[PendingSubmission], programs: &[Option<String>], columns: Option<usize>) -> String {
    const INDENT: usize = 2;
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    let cells: Vec<[String; 3]> = rows
        .iter()
        .map(|row| [short(&row.id.to_string(), &ids), risk(waiting_risk(row)), format!("{} left", span(row.left_ms))])
        .collect();
    let width = |column: usize| {
        let cell = |row: &[String; 3]| row.get(column).map_or(0, |text| text.chars().count());
        cells.iter().map(cell).max().unwrap_or(0)
    };
    let (id_width, risk_width, left_width) = (width(0), width(1), width(2));
    let mut text = String::new();
    for (index, (row, [id, risk, left])) in rows.iter().zip(&cells).enumerate() {
        let id = paint(BOLD, &format!("{id:id_width$}"));
        let risk = paint(style::of_risk(waiting_risk(row)), &format!("{risk:risk_width$}"));
        text.push_str(&format!("{id}  {risk}  {left:>left_width$}  {}\n", paint(FAINT, &route(row))));
        let line = wrapped(&command(&row.command), INDENT, columns);
        text.push_str(&format!("{:INDENT$}{}\n", "", paint(BOLD, &line)));
        for mark in brief(row) {
            text.push_str(&format!("{:INDENT$}{}\n", "", paint(FLAG, &wrapped(&mark, INDENT, columns))));
        }
        let around = quorum(row).into_iter().chain(about::lines(&row.about, false));
        for fact in circumstances(&row.cwd, &row.shell, row.tty, &[]).into_iter().chain(around) {
            let fact = wrapped(&fact, INDENT, columns);
            text.push_str(&format!("{:INDENT$}{}\n", "", paint(FAINT, &fact)));
        }
        if let Some(shown) = programs.get(index).and_then(Option::as_deref).map(program) {
            let lines = shown.lines().count();
            text.push_str(&shown);
            // What it belongs to has left the screen by then.
            if lines > LONG_PROGRAM {
                let again = format!("↑ {} on standard input of {id}  {risk}", counted(lines, "line"));
                text.push_str(&format!("{:INDENT$}{}  {}\n", "", again.trim_end(), paint(FAINT, &route(row))));
            }
        }
    }
    let verb = if rows.len() == 1 { "waits" } else { "wait" };
    let next = format!("{} {verb}: show ID, approve ID or deny ID", rows.len());
    text.push_str(&format!("{}\n", paint(FAINT, &next)));
    text
}

fn waiting_risk(row: &PendingSubmission) -> Option<&Risk> {
    scored(row.risk.as_ref(), row.transfer.as_deref())
}

/// What is about to be decided, whole.
pub fn card(row: &PendingSubmission, columns: Option<usize>) -> String {
    const INDENT: usize = 2;
    let facts = format!(
        "{}  ·  risk {}  ·  {} #{}  ·  {} left",
        route(row),
        risk(waiting_risk(row)),
        legible(&row.session),
        row.number,
        span(row.left_ms)
    );
    let line = wrapped(&command(&row.command), INDENT, columns);
    let mut text = format!("{}\n{:INDENT$}{}\n", paint(FAINT, &facts), "", paint(BOLD, &line));
    for mark in unusual(row) {
        text.push_str(&format!("{:INDENT$}{}\n", "", paint(FLAG, &wrapped(&mark, INDENT, columns))));
    }
    let around = quorum(row).into_iter().chain(about::lines(&row.about, true));
    for fact in circumstances(&row.cwd, &row.shell, row.tty, &row.locale).into_iter().chain(around) {
        text.push_str(&format!("{:INDENT$}{}\n", "", paint(FAINT, &wrapped(&fact, INDENT, columns))));
    }
    text
}

/// What is unusual about what waits, what would come of it, and why its risk is what it is.
fn unusual(row: &PendingSubmission) -> Vec<String> {
    let mut lines: Vec<String> = row.flags.iter().map(|flag| by_host(flag)).collect();
    lines.extend(other_ways(row));
    lines.extend(by_service(row).map(|flag| explained(flag)));
    lines.extend(consequences(row));
    let reasons = row.risk.iter().flat_map(|risk| &risk.found.reasons);
    lines.extend(reasons.map(|reason| because(reason, &row.command)));
    lines
}

/// The same where many wait: all flags in one line by name, and no reasons.
fn brief(row: &PendingSubmission) -> Vec<String> {
    let flags = row.flags.iter().chain(by_service(row));
    let flags: Vec<String> = flags.map(|flag| format!("⚑ {}", legible(flag))).collect();
    let mut lines = if flags.is_empty() { Vec::new() } else { vec![flags.join("  ")] };
    lines.extend(other_ways(row));
    lines.extend(consequences(row));
    lines
}

/// Flags of the service: the host's own stand there already.
fn by_service(row: &PendingSubmission) -> impl Iterator<Item = &String> {
    row.anomalies.iter().filter(|flag| !row.flags.contains(flag))
}

fn consequences(row: &PendingSubmission) -> impl Iterator<Item = String> {
    row.risk.iter().flat_map(|risk| &risk.found.consequences).map(|text| format!("→ {}", legible(text)))
}

/// A flag with what it means.
fn explained(flag: &str) -> String {
    let meaning = match flag {
        "external_network" => "talks to a host that is not on the target's list",
        "credential_access" => "reads or searches for keys, passwords or tokens",
        "destructive_delete" => "deletes or destroys outside temporary paths",
        "exfiltration" => "sends data away",
        "high_velocity" => "more than ten commands a minute",
        "off_hours" => "outside the agent's hours",
        "risk_spike" => "far above this session's usual risk",
        "unusual_program" => "a program that this agent has not run before",
        "opaque_code" => "runs what is not in this line",
        "interactive_escape" => "opens a program whose later input nobody reviews",
        "display_spoof" => "shows what it is not",
        "retry_after_denial" => "like one that was denied a short time ago",
        "gate_tamper" => "touches the gate or other protection",
        _ => return format!("⚑ {}", legible(flag)),
    };
    format!("⚑ {flag}: {meaning}")
}

/// A reason of a risk with the text that it was found in.
fn because(reason: &Reason, command: &str) -> String {
    let found = command.get(reason.start..reason.end).filter(|text| !text.is_empty());
    let found = found.map_or_else(String::new, |text| format!(" in `{}`", legible(text)));
    format!(
        "+{} {} ({} {}){found}",
        reason.weight,
        legible(&reason.reason),
        legible(&reason.id),
        legible(&reason.technique)
    )
}

/// A flag of the host's with what it means.
fn by_host(flag: &str) -> String {
    match flag.parse::<Flag>() {
        Ok(Flag::InteractiveEscape) => {
            "⚑ interactive_escape: opens a program whose later input nobody reviews".to_owned()
        }
        Ok(Flag::OpaqueCode) => "⚑ opaque_code: runs a program that is not in this line".to_owned(),
        Err(_) => format!("⚑ {}", legible(flag)),
    }
}

/// What comes or goes by another way than the line itself.
fn other_ways(row: &PendingSubmission) -> Vec<String> {
    let mut ways: Vec<String> = Vec::new();
    ways.extend(row.transfer.as_deref().map(|word| match word.parse::<Transfer>() {
        Ok(known) => format!("⇄ {}", known.describe()),
        Err(_) => format!("⇄ {}", legible(word)),
    }));
    ways.extend(row.program.as_ref().map(|facts| format!("reads the program below: {}", program_facts(facts))));
    ways
}

fn program_facts(facts: &ProgramFacts) -> String {
    let hex: String = facts.digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} on standard input, sha256 {hex}", counted(facts.bytes, "byte"))
}

/// The whole text of a program on standard input, a line of it each, so that
/// none of them can be taken for a line of ours.
pub fn program(text: &str) -> String {
    if text.is_empty() {
        return format!("    {}\n", paint(FAINT, "⟨empty⟩"));
    }
    // The last newline ends the last line and is no line of its own.
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    lines.map(|line| format!("    {} {}\n", paint(FAINT, "│"), legible(line))).collect()
}

/// Where a command runs and under what, a line each; what is usual is not said.
fn circumstances(cwd: &str, shell: &str, tty: bool, locale: &[String]) -> Vec<String> {
    let mut place = format!("in {}", legible(cwd));
    if tty {
        place.push_str(" · on a terminal");
    }
    if shell != DEFAULT_SHELL {
        place.push_str(&format!(" · shell {}", legible(shell)));
    }
    let mut facts = vec![place];
    if !locale.is_empty() {
        facts.push(format!("with {}", locale_text(locale)));
    }
    facts
}

/// How many people have approved and must, where it takes more than one.
fn quorum(row: &PendingSubmission) -> Option<String> {
    if row.people < 2 {
        return None;
    }
    let names: Vec<&str> = row.approvals.iter().map(Name::as_str).collect();
    let who = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    Some(format!("approved by {} of {} people{who}", names.len(), row.people))
}

fn locale_text(locale: &[String]) -> String {
    locale.iter().map(|pair| legible(pair)).collect::<Vec<_>>().join("  ")
}

fn route(row: &PendingSubmission) -> String {
    format!("{} → {}", legible(&row.agent), row.host_name)
}
