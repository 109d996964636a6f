//! What administrators sign so that something may be missing: the body of an
//! `erasure`, `redaction` or `pruned` with the host it is for.

use crate::Kind;
use crate::value::{BadValue, Value};

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
