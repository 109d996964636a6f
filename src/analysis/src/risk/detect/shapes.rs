//! Shapes of what a command does: where things are put so that nobody sees
//! them, what is searched for, what has no end.

use super::super::line::{Piped, Views};
use super::super::view::{Touch, View};
use crate::facts::{Context, Redirect, Span};
use crate::paths::{self, Class};

/// Products that protect or watch a machine.
const DEFENCES: [&str; 24] = [
    "falcon",
    "crowdstrike",
    "auditd",
    "osquery",
    "wazuh",
    "ossec",
    "clam",
    "falco",
    "sentinel",
    "mdatp",
    "sysmon",
    "carbon",
    "cbagent",
    "cbdaemon",
    "nessus",
    "td-agent",
    "packetbeat",
    "auditbeat",
    "filebeat",
    "splunk",
    "rsyslog",
    "snoopy",
    "apparmor",
    "fail2ban",
];

/// Where `name` is found about `view` alone.
pub fn detect(name: &str, view: &View<'_>) -> Option<Span> {
    match name {
        "hidden_target" => view.touched.iter().find(|t| t.touch == Touch::Write && hidden(&t.path)).map(|t| t.span),
        "others_homes" => view.arguments.iter().find(|word| others_homes(&word.text)).map(|word| word.span),
        "thrown_output" => view
            .command
            .redirections
            .iter()
            .find(|r| r.kind == Redirect::Write && r.target.text == "/dev/null")
            .map(|r| r.span),
        "moved_to_nothing" => {
            let last = view.arguments.last()?;
            (view.operands.len() > 1 && last.text == "/dev/null").then_some(last.span)
        }
        "plain_index" => plain_index(view),
        _ => None,
    }
}

/// A name that listings leave out or nobody reads, in a place that all share.
fn hidden(path: &str) -> bool {
    let shared = paths::class(path).meets(Class::TEMPORARY.or(Class::SYSTEM).or(Class::PROGRAMS));
    let Some((_, name)) = path.rsplit_once('/').filter(|_| shared) else { return false };
    let dotted = name.len() > 1 && name.starts_with('.') && !path.starts_with("/root/") && !path.starts_with("/etc/");
    dotted || name.starts_with(' ') || name.ends_with(' ') || name.starts_with("...")
}

/// What root, everybody or their mail has.
fn others_homes(text: &str) -> bool {
    text.starts_with("/home/*")
        || ["/root", "/var/mail", "/var/spool/mail"]
            .iter()
            .any(|at| text.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Looks for a product that protects the machine among what runs or is installed.
pub fn defence_pattern(view: &View<'_>, all: &Views<'_>) -> Option<Span> {
    const LISTING: [&str; 10] = ["ps", "dpkg", "rpm", "systemctl", "lsmod", "pgrep", "apt", "service", "ls", "pstree"];
    if view.name != "pgrep" && !all.is_piped(view, Piped::From, &LISTING) {
        return None;
    }
    let pattern = view.command.arguments().iter().find(|word| {
        let lower = word.text.to_lowercase();
        DEFENCES.iter().any(|name| lower.contains(name))
    });
    pattern.map(|word| word.span)
}

/// In a loop whose condition always holds.
pub fn endless(view: &View<'_>, all: &Views<'_>) -> bool {
    let in_loop = view.command.context.iter().any(|c| matches!(c, Context::Loop));
    in_loop && all.is_endless()
}

/// Turns the echo of the terminal off and reads.
pub fn asks_unseen(view: &View<'_>, all: &Views<'_>) -> bool {
    view.name == "stty"
        && view.arguments.iter().any(|word| word.text == "-echo")
        && all.iter().any(|other| other.name == "read")
}

/// An index of packages over plain HTTP, or by address.
fn plain_index(view: &View<'_>) -> Option<Span> {
    let plain = |text: &str| text.contains("http://") && !text.contains("http://localhost");
    let before = ["--index-url", "-i", "--extra-index-url", "--registry", "--find-links", "-f", "--source", "-s"];
    let mut previous = "";
    view.arguments
        .iter()
        .find(|word| {
            let option = std::mem::replace(&mut previous, word.text.as_str());
            plain(&word.text)
                && (before.contains(&option)
                    || before.iter().any(|known| known.len() > 2 && word.text.starts_with(known)))
        })
        .map(|word| word.span)
}
