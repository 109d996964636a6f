//! What administrators sign so that something may be missing: the body of an
//! `erasure`, `redaction` or `pruned` with the host it is for.

use crate::Kind;
use crate::value::{BadValue, Value, body};
use countersign_core::{Digest, LoginId};

/// Namespace of their signatures.
pub const REMOVAL_NAMESPACE: &str = "removal.v1@countersign";

/// The exact bytes that they sign: the body without `sigs`, and `fmt`, `host`, `kind`.
pub fn removal_statement(kind: Kind, host: &str, body: &Value) -> Result<String, BadValue> {
    let mut members = body.as_object().cloned().unwrap_or_default();
    members.remove("sigs");
    members.insert("fmt".to_owned(), "cs-removal1".into());
    members.insert("host".to_owned(), host.into());
    members.insert("kind".to_owned(), kind.as_str().into());
    Value::Object(members).encode()
}

/// Whether an entry of this kind may lose the opening at this path: what people
/// said of themselves or typed. What decides who may approve is never erased.
pub fn may_be_erased(kind: Kind, path: &str) -> bool {
    let of_login = matches!(kind, Kind::SessionOpened | Kind::CommandSubmitted | Kind::Decided);
    let member = path.split_once('/').map_or(path, |(member, _)| member);
    (of_login || kind.of_service()) && kind.private_members().contains(&member)
}

/// Openings of one entry that an `erasure` or `redaction` takes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The entry.
    pub seq: u64,
    /// Its hash.
    pub of: Digest,
    /// Members (`cwd`, `cmd`) and segments (`cmd/1`).
    pub paths: Vec<String>,
}

impl Erased {
    /// Whether the opening at this path is one of them.
    pub fn covers(&self, wanted: &str) -> bool {
        let member = wanted.split_once('/').map_or(wanted, |(member, _)| member);
        self.paths.iter().any(|path| path == wanted || path == member)
    }

    /// Whether an entry of this kind and hash may lose all of them.
    pub fn may_apply(&self, kind: Kind, leaf: Digest) -> bool {
        self.of == leaf && self.paths.iter().all(|path| may_be_erased(kind, path))
    }
}

/// What an `erasure` or `redaction` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Whose openings are cut.
    pub entries: Vec<Erased>,
    /// Logins whose recording is gone.
    pub recordings: Vec<LoginId>,
}

impl Removal {
    /// Reads the body of one; what is not in its form removes nothing.
    pub fn from_body(body: &Value) -> Self {
        let list = |name| body.get(name).and_then(Value::as_list).unwrap_or_default();
        let entries = list("entries").iter().filter_map(|entry| {
            let paths = entry.get("paths")?.as_list()?.iter();
            let paths = paths.map(|path| path.as_text().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
            Some(Erased { seq: entry.get("seq")?.as_int()?, of: entry.member("of")?, paths })
        });
        Self { entries: entries.collect(), recordings: list("recordings").iter().filter_map(Value::parse).collect() }
    }

    /// The body of one, without signatures.
    pub fn to_body(&self, reason: &str) -> Value {
        let entries = self.entries.iter().map(|entry| {
            let paths: Vec<Value> = entry.paths.iter().map(|path| Value::from(path.clone())).collect();
            body([("of", entry.of.into()), ("paths", paths.into()), ("seq", entry.seq.into())])
        });
        let entries: Vec<Value> = entries.collect();
        let mut members = vec![("entries", Value::from(entries)), ("reason", reason.into())];
        if !self.recordings.is_empty() {
            let recordings: Vec<Value> = self.recordings.iter().map(|login| login.to_string().into()).collect();
            members.push(("recordings", recordings.into()));
        }
        body(members)
    }
}
