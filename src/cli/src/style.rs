//! Colours and how an outcome looks. Written always, cut where the output is no terminal.

use anstyle::{AnsiColor, Style};
use countersign_api::service::Risk;
use countersign_core::Outcome;

/// Secondary text.
pub const FAINT: Style = Style::new().dimmed();
/// Headings.
pub const BOLD: Style = Style::new().bold();
/// Anomaly flags.
pub const FLAG: Style = AnsiColor::Yellow.on_default();

/// The colour of an outcome; `None` is a submission that waits.
pub fn of(outcome: Option<Outcome>) -> Style {
    match outcome {
        Some(Outcome::Approved) => AnsiColor::Green.on_default(),
        Some(Outcome::Whitelisted) => AnsiColor::Cyan.on_default(),
        Some(Outcome::Denied | Outcome::Blocked) => AnsiColor::Red.on_default(),
        Some(Outcome::TimedOut | Outcome::Cancelled) | None => AnsiColor::Yellow.on_default(),
        Some(Outcome::Error) => AnsiColor::Red.on_default().bold(),
    }
}

/// The colour of a risk; what was never scored looks like what needs a look.
pub fn of_risk(risk: Option<&Risk>) -> Style {
    match risk.map(|risk| risk.level.as_str()) {
        Some("low") => Style::new(),
        Some("medium") | None => AnsiColor::Yellow.on_default(),
        Some(_) => AnsiColor::Red.on_default().bold(),
    }
}

/// Symbol and word of an outcome; `None` is a submission that waits.
pub fn label(outcome: Option<Outcome>) -> (&'static str, &'static str) {
    outcome.map_or(("…", "WAITING"), Outcome::label)
}

/// `text` in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
