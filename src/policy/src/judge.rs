//! From a line's text to a verdict: analysis, both readings, and the decision.
//! As the service does it, for whoever checks its decisions later.

use crate::decide::{Asked, Facts, Now, Verdict};
use crate::policy::Policy;
use crate::reading::{Reading, shell_of};
use countersign_analysis::anomaly::Flag;
use countersign_analysis::facts::Place;
use countersign_analysis::risk::Risk;
use countersign_analysis::{Analysis, analyze};

/// What analysis finds in a line: made once, for as many verdicts as are wanted.
#[derive(Debug)]
pub struct Examined {
    analysis: Analysis,
    reading: Reading,
    secrets: Vec<String>,
}

impl Examined {
    /// Analyses `shown`, the text of a line as far as it can be seen; `known`:
    /// hosts and networks that its target may talk to.
    pub fn of(shown: &str, shell: &str, cwd: &str, known: &[String]) -> Self {
        let place = Place { cwd: Some(cwd).filter(|cwd| cwd.starts_with('/')), home: None, shell: shell_of(shell) };
        let analysis = analyze(shown, &place, known);
        let secrets = analysis.redactions.iter().map(|finding| finding.kind.to_string()).collect();
        let reading = Reading::from_tree(shown, shell, &analysis.facts);
        Self { analysis, reading, secrets }
    }

    /// Its risk.
    pub fn risk(&self) -> &Risk {
        &self.analysis.risk
    }
}

impl Policy {
    /// Decides about a line that was analysed. `more`: flags that it earns by
    /// its agent's past.
    pub fn judge(&self, asked: &Asked<'_>, line: &Examined, more: &[Flag], now: &Now<'_>) -> Verdict {
        let mut flags = [line.analysis.anomalies.as_slice(), more].concat();
        flags.sort_unstable();
        flags.dedup();
        let anomalies: Vec<String> = flags.into_iter().map(|flag| flag.code().to_owned()).collect();
        let score = line.analysis.risk.score;
        let facts = Facts { reading: &line.reading, score: Some(score), anomalies: &anomalies, secrets: &line.secrets };
        self.decide(asked, &facts, now)
    }
}
