//! The rules of the administrators' document, applied by this host itself.
//!
//! What comes of them is told to the service with the line. It signs that, or
//! refuses or asks people all the same; by itself it makes no rule speak.

use countersign_analysis::Held;
use countersign_api::rules::HostRule;
use countersign_core::{DecidedBy, Digest, HostId, Outcome};
use countersign_ledger::sha256;
use countersign_policy::{Piece, Policy, Recorded, Ruling};
use std::sync::Arc;

/// The rules of a document.
#[derive(Debug)]
pub(crate) struct OwnRules {
    policy: Policy,
    digest: Digest,
    text: Arc<str>,
}

/// The line as the ledger has it, for whoever decides it again.
pub(crate) struct Line<'a> {
    pub(crate) host: HostId,
    pub(crate) held: &'a Held,
    pub(crate) shell: &'a str,
    pub(crate) terminal: bool,
    pub(crate) agent: &'a str,
    pub(crate) cwd: &'a [u8],
    pub(crate) words_known: bool,
    /// When it was submitted, ms since 1970.
    pub(crate) at_ms: i64,
}

/// What the document's rules say of a line.
#[derive(Debug, Clone, Default)]
pub(crate) enum Own {
    /// Nothing: people decide.
    #[default]
    Silent,
    /// A deny rule refuses it, whoever approves.
    Refuses(u64),
    /// A rule lets it run.
    Passes {
        rule: HostRule,
        /// The text of that policy.
        text: Arc<str>,
    },
}

impl Own {
    /// The rule that lets it run.
    pub(crate) fn rule(&self) -> Option<HostRule> {
        match self {
            Self::Passes { rule, .. } => Some(*rule),
            Self::Silent | Self::Refuses(_) => None,
        }
    }

    /// Whether it is this rule of this policy that lets the line run.
    pub(crate) fn lets_run(&self, by: &DecidedBy, policy: Digest) -> bool {
        self.rule().is_some_and(|own| *by == DecidedBy::WhitelistRule(own.rule) && policy == own.policy)
    }

    /// The text of a policy, where it is this one.
    pub(crate) fn text(&self, digest: Digest) -> Option<&str> {
        match self {
            Self::Passes { rule, text } if rule.policy == digest => Some(text),
            Self::Passes { .. } | Self::Silent | Self::Refuses(_) => None,
        }
    }
}

impl OwnRules {
    /// Those of a document; `None` where it has none.
    pub(crate) fn read(rules: &str) -> Result<Option<Self>, String> {
        let Some(policy) = Policy::of_administrators(rules).map_err(|why| why.to_string())? else { return Ok(None) };
        let text = policy.canonical_text();
        // Read back as whoever verifies it will: what cannot be is not in force.
        Policy::from_canonical(&text).map_err(|why| format!("its rules cannot be recorded: {why}"))?;
        Ok(Some(Self { policy, digest: sha256(text.as_bytes()), text: text.into() }))
    }

    /// Applies them to a line.
    pub(crate) fn say(&self, line: &Line<'_>) -> Own {
        let pieces: Vec<Piece<'_>> = line.held.segments.iter().map(piece).collect();
        let cwd = String::from_utf8_lossy(line.cwd);
        // What is claimed is not looked at.
        let by = DecidedBy::Timeout;
        let people_only = line.held.program.is_some() || line.held.flags.iter().any(|flag| flag.needs_person());
        let said = Recorded {
            host: line.host,
            pieces: &pieces,
            shell: line.shell,
            terminal: line.terminal,
            agent: Some(line.agent),
            cwd: Some(&cwd),
            words_known: line.words_known,
            needs_person: people_only,
            submitted_ms: line.at_ms,
            decided_ms: line.at_ms,
            outcome: Outcome::Error,
            by: &by,
        };
        match self.policy.by_host(&said, line.at_ms) {
            Some(Ruling::Block { rule }) => Own::Refuses(rule),
            Some(Ruling::Pass(passed)) => match passed.by() {
                DecidedBy::WhitelistRule(rule) => {
                    let rule = HostRule { rule: *rule, policy: self.digest };
                    Own::Passes { rule, text: self.text.clone() }
                }
                DecidedBy::Person(_)
                | DecidedBy::DenyRule(_)
                | DecidedBy::Grant(_)
                | DecidedBy::Threshold(_)
                | DecidedBy::Timeout => Own::Silent,
            },
            Some(Ruling::Ask { .. }) | None => Own::Silent,
        }
    }
}

fn piece(segment: &countersign_analysis::Segment) -> Piece<'_> {
    if segment.shown { Piece::Shown(&segment.bytes) } else { Piece::Hidden(segment.kind.unwrap_or("secret")) }
}
