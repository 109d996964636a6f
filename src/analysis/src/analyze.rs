//! Everything about one line at once: what a reviewer, the record and
//! `countersign analyze` get.

use crate::anomaly::{self, Flag};
use crate::display::{self, Shown};
use crate::facts::{CommandLine, OpaqueFact, Place, Shell};
use crate::line::{Line, parse};
use crate::redact::{self, Dialect, Finding};
use crate::risk::{self, Risk};

/// Changes whenever the same line may get another answer; it is recorded with every answer.
/// `tests/version.rs` holds it to that.
pub const VERSION: u32 = 9;

/// What is known about a line. Offsets are bytes of the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What it is made of.
    pub facts: CommandLine,
    /// Its risk.
    pub risk: Risk,
    /// The anomaly flags that it earns by itself.
    pub anomalies: Vec<Flag>,
    /// Where it could show what it is not.
    pub display: Vec<Shown>,
    /// Secrets in it.
    pub redactions: Vec<Finding>,
}

impl Analysis {
    /// Why its commands may not be all that would run.
    pub fn opaque(&self) -> &[OpaqueFact] {
        &self.facts.opaque
    }
}

/// Analyses `line`, which would run at `place`. `known`: hosts and networks
/// that its target may talk to (see [`anomaly::of_line`]).
pub fn analyze(line: &str, place: &Place<'_>, known: &[String]) -> Analysis {
    let whole = Line::with(line, parse(line, place));
    let risk = risk::assess(whole.facts(), place);
    let display = display::tricks(line, whole.facts());
    let anomalies = anomaly::of_line(whole.facts(), &risk, &display, known);
    let dialect = match place.shell {
        Shell::Bash | Shell::Posix => Dialect::Posix,
        Shell::Other => Dialect::Other,
    };
    let redactions = redact::find_in(&whole, dialect).into_iter().filter(Finding::is_cut).collect();
    Analysis { facts: whole.into_facts(), risk, anomalies, display, redactions }
}
