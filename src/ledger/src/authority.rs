//! Who may approve, as administrators say it: a document that they sign
//! offline with `ssh-keygen -Y sign -n authority.v1@countersign`.
//!
//! A host that has one lets nothing run on the word of the service alone: an
//! approval needs the signatures of so many distinct people, made with keys
//! that stand here, and a whitelist rule counts only where it stands here too.
//! What rules say is not for this crate to know: they are kept as they stand.
//! `docs/AUTHORITY.md` has the form.

use crate::commit::sha256;
use crate::openssh::{BadSshKey, SshKey, SshSignature};
use crate::sshsig::Namespace;
use crate::statement::{BadStatement, Statement};
use crate::value::Value;
use countersign_core::{Choice, DecidedBy, Digest, Name, b64_decode};
use serde::Deserialize;
use std::collections::BTreeSet;

/// What administrators sign for.
pub const AUTHORITY_NAMESPACE: &str = "authority.v1@countersign";
/// Longest document, in bytes: it stands in an entry as a whole.
pub const MAX_AUTHORITY_BYTES: usize = 512 * 1024;
const FORMAT: &str = "cs-authority1";
/// Most people that may have to agree.
const MAX_PEOPLE: usize = 5;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";

/// Who may approve, and how many must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Grows with each change; a host takes no lower one than it had.
    pub version: u64,
    /// How many distinct people an approval needs, 1 to 5.
    pub people: usize,
    /// SHA-256 of the document: the `policy` of a reviewer's statement.
    pub digest: Digest,
    /// The rules that hosts apply themselves, as a `cs-rules1` document with
    /// the `[[target]]` of this one.
    pub rules: String,
    /// Whether it has any.
    pub has_rules: bool,
    reviewers: Vec<Reviewer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reviewer {
    name: Name,
    keys: Vec<SshKey>,
}

/// A document that cannot be used. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAuthority {
    /// Not TOML, or a member that is missing, unknown or of another kind.
    #[error("{0}")]
    Toml(String),
    /// Too long.
    #[error("the document is over {MAX_AUTHORITY_BYTES} bytes")]
    TooLong,
    /// A number outside its bounds, something that stands twice, or nothing.
    #[error("{0}")]
    Content(String),
    /// A reviewer's key.
    #[error("key {number} of {name}: {why}")]
    Key {
        /// Whose.
        name: Name,
        /// Which of theirs, from 1.
        number: usize,
        /// What is wrong with it.
        why: BadSshKey,
    },
    /// Not enough administrators have signed it.
    #[error(
        "{valid} of the administrators have signed this document, and {needed} must; sign it with: ssh-keygen -Y sign -n {AUTHORITY_NAMESPACE} -f KEY authority.toml, and put the signatures one after the other into authority.toml.sig"
    )]
    Unsigned {
        /// How many signatures count.
        valid: usize,
        /// How many must.
        needed: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fmt: String,
    version: u64,
    #[serde(default = "one")]
    people: usize,
    #[serde(rename = "reviewer")]
    reviewers: Vec<WrittenReviewer>,
    settings: Option<toml::Table>,
    #[serde(default, rename = "target")]
    targets: Vec<toml::Table>,
    #[serde(default, rename = "rule")]
    rules: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReviewer {
    name: Name,
    keys: Vec<String>,
}

fn one() -> usize {
    1
}

impl Authority {
    /// Reads a document. It counts only once [`Authority::signed_by`] agrees.
    pub fn parse(text: &str) -> Result<Self, BadAuthority> {
        if text.len() > MAX_AUTHORITY_BYTES {
            return Err(BadAuthority::TooLong);
        }
        let toml = |error: String| BadAuthority::Toml(error.trim_end().to_owned());
        let written: Written = toml::from_str(text).map_err(|error| toml(error.to_string()))?;
        let bad = |what: String| Err(BadAuthority::Content(what));
        if written.fmt != FORMAT {
            return bad(format!("`fmt` must be \"{FORMAT}\""));
        }
        if written.version == 0 {
            return bad("`version` must be at least 1, and higher than the one before".to_owned());
        }
        let reviewers = reviewers(written.reviewers)?;
        if written.people == 0 || written.people > MAX_PEOPLE || written.people > reviewers.len() {
            return bad(format!(
                "`people` is {}; it must be between 1 and {MAX_PEOPLE}, and no more than the {} reviewers",
                written.people,
                reviewers.len()
            ));
        }
        let has_rules = !written.rules.is_empty();
        let mut rules = toml::Table::new();
        rules.insert("fmt".to_owned(), "cs-rules1".into());
        if let Some(settings) = written.settings {
            rules.insert("settings".to_owned(), settings.into());
        }
        if !written.targets.is_empty() {
            rules.insert("target".to_owned(), written.targets.into());
        }
        if !written.rules.is_empty() {
            rules.insert("rule".to_owned(), written.rules.into());
        }
        let rules = toml::to_string(&rules).map_err(|error| toml(error.to_string()))?;
        let digest = sha256(text.as_bytes());
        Ok(Self { version: written.version, people: written.people, digest, rules, has_rules, reviewers })
    }

    /// Checks that enough administrators have signed a document: `signatures`
    /// is the armored signatures, one after the other.
    pub fn signed_by(text: &str, signatures: &str, admins: &Admins) -> Result<(), BadAuthority> {
        let mut valid = BTreeSet::new();
        for rest in signatures.split(BEGIN).skip(1) {
            let Ok(signature) = SshSignature::from_armor(&format!("{BEGIN}{rest}")) else { continue };
            let known = admins.keys.contains(signature.key());
            if known && signature.verify(AUTHORITY_NAMESPACE, text.as_bytes()).is_ok() {
                valid.insert(signature.key().clone());
            }
        }
        let needed = admins.needed.max(1);
        if valid.len() >= needed { Ok(()) } else { Err(BadAuthority::Unsigned { valid: valid.len(), needed }) }
    }

    /// Whose key this is.
    pub fn owner(&self, key: &SshKey) -> Option<&Name> {
        self.reviewers.iter().find(|reviewer| reviewer.keys.contains(key)).map(|reviewer| &reviewer.name)
    }

    /// The names of those who may approve.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.reviewers.iter().map(|reviewer| &reviewer.name)
    }

    /// The reviewer that has signed a statement, and what it says. Whether it
    /// is about a submission is for the caller to see.
    pub fn review(&self, statement: &str, sig: &str) -> Result<Reviewed, BadReview> {
        let signature = b64_decode(sig).ok().and_then(|blob| SshSignature::from_blob(&blob).ok());
        let signature = signature.ok_or(BadReview::Signature)?;
        let statement_read = Statement::parse(statement)?;
        let name = self.owner(signature.key()).ok_or_else(|| BadReview::UnknownKey(signature.key().fingerprint()))?;
        signature.verify(Namespace::Decision.as_str(), statement.as_bytes()).map_err(|_| BadReview::Signature)?;
        if statement_read.by != DecidedBy::Person(name.clone()) || statement_read.key != signature.key().id() {
            return Err(BadReview::OtherName { owner: name.clone(), claimed: statement_read.by.to_string() });
        }
        if statement_read.policy != self.digest {
            return Err(BadReview::OtherAuthority);
        }
        Ok(Reviewed { by: name.clone(), key: signature.key().fingerprint(), statement: statement_read })
    }

    /// Whether so many distinct people have approved, of reviews that are
    /// about one submission and valid.
    pub fn enough<'a>(&self, approvals: impl IntoIterator<Item = &'a Reviewed>) -> bool {
        let people: BTreeSet<_> =
            approvals.into_iter().filter(|one| one.statement.decision == Choice::Approve).map(|one| &one.by).collect();
        people.len() >= self.people
    }
}

fn reviewers(written: Vec<WrittenReviewer>) -> Result<Vec<Reviewer>, BadAuthority> {
    let (mut names, mut known) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::new();
    for WrittenReviewer { name, keys } in written {
        let bad = |what: &str| Err(BadAuthority::Content(format!("reviewer {name}: {what}")));
        if !names.insert(name.clone()) {
            return bad("the name stands twice; put all keys of a person into one `keys`");
        }
        if keys.is_empty() {
            return bad("`keys` is empty; leave a reviewer who has none out");
        }
        let mut read = Vec::new();
        for (index, line) in keys.iter().enumerate() {
            let number = index + 1;
            let key: SshKey = line.parse().map_err(|why| BadAuthority::Key { name: name.clone(), number, why })?;
            // Two people with one key would count as two who agree.
            if !known.insert(key.point().to_vec()) {
                return bad(&format!("key {number} stands twice in the document; each key is one person's"));
            }
            read.push(key);
        }
        all.push(Reviewer { name, keys: read });
    }
    if all.is_empty() {
        return Err(BadAuthority::Content("there is no [[reviewer]]: nothing could be approved".to_owned()));
    }
    Ok(all)
}

/// The administrators whose signatures make a document count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admins {
    keys: Vec<SshKey>,
    /// How many of them must sign.
    needed: usize,
}

impl Admins {
    /// Reads public keys, one a line; empty lines and those that begin with
    /// `#` are skipped. The error names the line.
    pub fn parse(text: &str, needed: usize) -> Result<Self, BadAuthority> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let mut keys: Vec<SshKey> = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let key: SshKey = line.parse().map_err(|why| BadAuthority::Content(format!("line {number}: {why}")))?;
            if keys.iter().any(|other| other.point() == key.point()) {
                return Err(BadAuthority::Content(format!("line {number}: this key stands twice")));
            }
            keys.push(key);
        }
        Self::new(keys, needed)
    }

    /// Whether enough of them have signed a message: binary signatures of
    /// `ssh-keygen -Y sign`, base64url. One that does not count changes nothing.
    pub fn have_signed(&self, namespace: &str, message: &[u8], sigs: &[&str]) -> bool {
        let mut valid = BTreeSet::new();
        for sig in sigs {
            let Some(signature) = b64_decode(sig).ok().and_then(|blob| SshSignature::from_blob(&blob).ok()) else {
                continue;
            };
            if self.keys.contains(signature.key()) && signature.verify(namespace, message).is_ok() {
                valid.insert(signature.key().clone());
            }
        }
        valid.len() >= self.needed.max(1)
    }

    /// These keys, of which so many must sign.
    pub fn new(keys: Vec<SshKey>, needed: usize) -> Result<Self, BadAuthority> {
        if needed == 0 || needed > keys.len() {
            return Err(BadAuthority::Content(format!(
                "{needed} administrators must sign, and there are {}",
                keys.len()
            )));
        }
        Ok(Self { keys, needed })
    }
}

/// A statement that a reviewer has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// Who.
    pub by: Name,
    /// Fingerprint of the key it was signed with.
    pub key: String,
    /// What they said.
    pub statement: Statement,
}

/// A review that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReview {
    /// Not a statement.
    #[error(transparent)]
    Statement(#[from] BadStatement),
    /// Malformed, for another purpose, untouched or invalid.
    #[error("the reviewer's signature is not valid")]
    Signature,
    /// A key of nobody, or of somebody who was removed.
    #[error("the key {0} is no reviewer's in the document that the administrators signed")]
    UnknownKey(String),
    /// Somebody else's name.
    #[error("{owner} has signed, and the statement says {claimed}")]
    OtherName {
        /// Whose key it is.
        owner: Name,
        /// Who the statement says it is by.
        claimed: String,
    },
    /// Made under another document.
    #[error("the statement was made under another version of the authority document")]
    OtherAuthority,
}

/// One review as it stands in a `decided` entry.
pub fn review_value(reviewed: &Reviewed, sig: &str) -> Value {
    crate::value::body([("sig", sig.into()), ("statement", reviewed.statement.to_value())])
}
