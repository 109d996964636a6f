//! Findings for people and for programs.

use super::finding::{Finding, State, together};
use crate::failure::Failure;
use crate::screen::{show, show_json};
use crate::style::{BOLD, FAINT, paint};
use anstyle::{AnsiColor, Style};
use countersign_core::{counted, legible};
use serde::Serialize;

/// One finding as `--json` prints it.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    agent: Option<&'a str>,
    state: &'a str,
    weight: &'a str,
    fails: bool,
    found: &'a str,
    means: &'a str,
    mend: &'a str,
}

impl<'a> Row<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            id: finding.check.id,
            agent: finding.agent.as_deref(),
            state: finding.state.as_str(),
            weight: finding.check.weight.as_str(),
            fails: finding.fails(),
            found: &finding.found,
            means: finding.check.means,
            mend: if finding.state == State::Ok { "" } else { &finding.mend },
        }
    }
}

/// Prints one JSON array.
pub fn as_json(findings: &[Finding]) -> Result<(), Failure> {
    let rows: Vec<Row<'_>> = findings.iter().map(Row::of).collect();
    show_json(&rows)
}

/// Prints them grouped by how they ended, the worst first; what is in order is only counted, unless `all`.
pub fn as_text(findings: &[Finding], all: bool) -> Result<(), Failure> {
    show(&text(findings, all))
}

/// What is in order are eighty lines on a sound host: whoever runs this on a small screen would see nothing else.
fn text(findings: &[Finding], all: bool) -> String {
    let mut text = String::new();
    for (state, title) in
        [(State::Hole, "Holes"), (State::Unknown, "Not known"), (State::Warning, "Warnings"), (State::Ok, "In order")]
    {
        let these = together(findings.iter().filter(|finding| finding.state == state));
        if these.is_empty() || (state == State::Ok && !all) {
            continue;
        }
        text.push_str(&format!("{}\n", paint(BOLD, title)));
        these.iter().for_each(|group| text.push_str(&line(group)));
        text.push('\n');
    }
    text + &summary(findings, all)
}

fn summary(findings: &[Finding], all: bool) -> String {
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let unknown = findings.iter().filter(|finding| finding.state == State::Unknown && finding.fails()).count();
    let mut text = format!(
        "{}, {} not known, {}, {} in order{}.\n",
        counted(count(State::Hole), "hole"),
        count(State::Unknown),
        counted(count(State::Warning), "warning"),
        count(State::Ok),
        if all { "" } else { " (--all names them)" }
    );
    if unknown > 0 {
        let root = if nix::unistd::geteuid().is_root() { "" } else { " Run it as root." };
        let counts = if unknown == 1 { "counts as a hole: it" } else { "count as holes: they" };
        text.push_str(&format!("{unknown} of what is not known {counts} cannot be shown closed.{root}\n"));
    }
    text
}

fn style(state: State) -> (&'static str, Style) {
    match state {
        State::Hole => ("✘", AnsiColor::Red.on_default().bold()),
        State::Unknown => ("?", AnsiColor::Magenta.on_default()),
        State::Warning => ("!", AnsiColor::Yellow.on_default()),
        State::Ok => ("✔", AnsiColor::Green.on_default()),
    }
}

/// One finding, or several that are not known for one reason.
fn line(group: &[&Finding]) -> String {
    let Some(finding) = group.first() else { return String::new() };
    let (symbol, style) = style(finding.state);
    let word = paint(style, &format!("{symbol} {:<8}", finding.state.as_str()));
    let names: Vec<String> = group.iter().map(|finding| legible(&finding.name())).collect();
    let colon = if group.len() > 1 { ":" } else { "" };
    let mut text = format!("{word}{}{colon} {}\n", names.join(", "), legible(&finding.found));
    if finding.state != State::Ok {
        if group.len() == 1 {
            text.push_str(&format!("          {}\n", paint(FAINT, finding.check.means)));
        }
        text.push_str(&format!("          mend: {}\n", legible(&finding.mend)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::catalogue as c;
    use super::*;

    #[test]
    fn what_is_in_order_does_not_push_a_hole_off_the_screen() {
        let findings =
            [c::SHELL_FILE.ok("4750"), c::SHELL_CONFIG.open("mode 0666"), c::SHELL_MOUNT.ok("suid and exec")];
        let [short, all] = [false, true].map(|all| anstream::adapter::strip_str(&text(&findings, all)).to_string());
        assert!(
            short.starts_with("Holes\n✘ hole    shell.config mode 0666\n") && !short.contains("shell.file"),
            "{short}"
        );
        assert!(short.ends_with("\n1 hole, 0 not known, 0 warnings, 2 in order (--all names them).\n"), "{short}");
        let unread = [c::SHELL_FILE.unknown("x"), c::SHELL_CONFIG.unknown("y"), c::SHELL_MOUNT.unknown("x")];
        let shown = anstream::adapter::strip_str(&text(&unread, false)).to_string();
        let first = "? unknown shell.file, shell.mount: x\n          mend: ";
        assert!(shown.contains(first) && shown.matches("mend: ").count() == 2, "one reason, one remedy: {shown}");
        let unread = [c::SHELL_FILE.unknown("x"), c::SHELL_MOUNT.unknown("x")].map(|finding| [finding]).concat();
        let counted = |these: &[Finding]| anstream::adapter::strip_str(&text(these, false)).to_string();
        assert!(counted(&unread[..1]).contains("\n1 of what is not known counts as a hole: it cannot"));
        assert!(counted(&unread).contains("\n2 of what is not known count as holes: they cannot"));
        assert!(all.contains("In order\n✔ ok      shell.file 4750\n") && all.ends_with(" 2 in order.\n"), "{all}");
    }
}
