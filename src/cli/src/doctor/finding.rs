//! What a check found.

use super::catalogue::{Check, Weight};

/// How a check ended. The order is that in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A way around the gate, or a gate that does not work.
    Hole,
    /// Not to be told, mostly for want of rights.
    Unknown,
    /// Worth knowing.
    Warning,
    /// In order.
    Ok,
}

impl State {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Ok => "ok",
        }
    }
}

/// One check's result, for the host or for one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static Check,
    /// The account that it is about.
    pub agent: Option<String>,
    /// How it ended.
    pub state: State,
    /// What there is, or why it cannot be told.
    pub found: String,
    /// How to mend it here.
    pub mend: String,
}

impl Finding {
    /// A result with the catalogue's remedy. Of an empty list nothing would be left to read: it says so.
    pub fn new(check: &'static Check, state: State, found: String) -> Self {
        let found = if found.trim().is_empty() { "none".to_owned() } else { found };
        Self { check, agent: None, state, found, mend: check.mend.to_owned() }
    }

    /// Says which account it is about, in the remedy too.
    pub fn about(mut self, agent: &str) -> Self {
        self.mend = self.mend.replace("AGENT", agent);
        self.agent = Some(agent.to_owned());
        self
    }

    /// The exact remedy of something that is known to be open.
    pub fn mended_by(mut self, mend: impl Into<String>) -> Self {
        if self.state != State::Unknown {
            self.mend = mend.into();
        }
        self
    }

    /// Its id, with the account that it is about.
    pub fn name(&self) -> String {
        let about = self.agent.as_deref().map(|agent| format!(" ({agent})")).unwrap_or_default();
        format!("{}{about}", self.check.id)
    }

    /// Whether the host is not as it must be, or cannot be shown to be.
    pub fn fails(&self) -> bool {
        match self.state {
            State::Hole => true,
            State::Unknown => self.check.weight == Weight::Hole,
            State::Warning | State::Ok => false,
        }
    }
}

/// Findings in their order, those together that are not known for one reason: they are mended by one thing.
pub fn together<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let same = |group: &&mut Vec<&Finding>| {
            let like = |first: &&Finding| first.found == finding.found && first.mend == finding.mend;
            finding.state == State::Unknown
                && group.first().is_some_and(|first| first.state == finding.state && like(first))
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}
