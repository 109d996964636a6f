//! The decision statement: what a service or reviewer signs.

use crate::commit::sha256;
use crate::node::Node;
use crate::scan::{self, BadLine};
use crate::value::{BadValue, Value, body};
use crate::{Namespace, SignError, Signer, key_id};
use countersign_core::{Choice, DecidedBy, Digest, HostId, Nonce, b64_encode};

/// "This command, on this host, yes or no, until then."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Who decided.
    pub by: DecidedBy,
    /// Run it or not.
    pub decision: Choice,
    /// L(`command_submitted`): what it is about.
    pub entry: Digest,
    /// How long it counts, in ms from that entry's `mono`.
    pub exp_ms: u64,
    /// The host it is for.
    pub host: HostId,
    /// Key id of who signs.
    pub key: String,
    /// The submission's nonce.
    pub nonce: Nonce,
    /// Digest of the rules in force.
    pub policy: Digest,
}

/// Not a decision statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStatement {
    /// Outside the grammar.
    #[error("the decision statement is malformed {0}")]
    Grammar(#[from] BadLine),
    /// A member is missing, unknown or not of its form.
    #[error("the decision statement has a wrong, unknown or missing member: {0}")]
    Member(&'static str),
}

const FORMAT: &str = "cs-decision1";
const MEMBERS: [&str; 9] = ["by", "decision", "entry", "exp_ms", "fmt", "host", "key", "nonce", "policy"];

impl Statement {
    /// The exact bytes that are signed.
    pub fn encode(&self) -> Result<String, BadValue> {
        self.to_value().encode()
    }

    /// Reads the exact bytes that were signed.
    pub fn parse(text: &str) -> Result<Self, BadStatement> {
        Self::from_value(&scan::document(text.as_bytes())?)
    }

    /// The object that stands in a `decided` entry.
    pub fn to_value(&self) -> Value {
        body([
            ("by", Value::Text(self.by.to_string())),
            ("decision", self.decision.as_str().into()),
            ("entry", self.entry.into()),
            ("exp_ms", self.exp_ms.into()),
            ("fmt", FORMAT.into()),
            ("host", self.host.into()),
            ("key", self.key.as_str().into()),
            ("nonce", self.nonce.into()),
            ("policy", self.policy.into()),
        ])
    }

    /// Reads the object of a `decided` entry.
    pub fn from_value(value: &Value) -> Result<Self, BadStatement> {
        Self::from_node(value)
    }

    /// The same, whoever owns the texts.
    pub(crate) fn from_node<'n, N: Node<'n>>(value: N) -> Result<Self, BadStatement> {
        let Some([by, decision, entry, exp_ms, fmt, host, key, nonce, policy]) = value.just(MEMBERS) else {
            return Err(BadStatement::Member(
                "the nine members are by decision entry exp_ms fmt host key nonce policy",
            ));
        };
        if fmt.as_text() != Some(FORMAT) {
            return Err(BadStatement::Member("fmt"));
        }
        let decision = [Choice::Approve, Choice::Deny].into_iter().find(|c| decision.as_text() == Some(c.as_str()));
        let key = key.as_text().filter(|key| crate::line::is_hex(key, 16));
        Ok(Self {
            by: by.parse().ok_or(BadStatement::Member("by"))?,
            decision: decision.ok_or(BadStatement::Member("decision"))?,
            entry: entry.parse().ok_or(BadStatement::Member("entry"))?,
            exp_ms: exp_ms.as_int().ok_or(BadStatement::Member("exp_ms"))?,
            host: host.parse().ok_or(BadStatement::Member("host"))?,
            key: key.ok_or(BadStatement::Member("key"))?.to_owned(),
            nonce: nonce.parse().ok_or(BadStatement::Member("nonce"))?,
            policy: policy.parse().ok_or(BadStatement::Member("policy"))?,
        })
    }

    /// Signs it: the exact bytes, and the signature (64 bytes base64url).
    pub fn sign(&self, signer: &mut dyn Signer) -> Result<(String, String), SignError> {
        let held = key_id(&signer.public_key());
        if held != self.key {
            return Err(SignError::OtherKey { named: self.key.clone(), held });
        }
        let text = self.encode()?;
        let signature = signer.sign(Namespace::Decision, sha256(text.as_bytes()).0)?;
        Ok((text, b64_encode(&signature)))
    }
}
