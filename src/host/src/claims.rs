//! What an agent states of itself in `COUNTERSIGN_*` variables. Nothing of it
//! is verified and nothing rests on it; what cannot be read is said and harms
//! nobody's login.

use crate::cut;
use countersign_api::context::{Claim, Claimed, MAX_CLAIM, MAX_CLAIMS};
use serde_json::{Map, Value};

/// The variable that holds all of it as one JSON object.
const CONTEXT: &str = "COUNTERSIGN_CONTEXT";
/// What an agent may state.
const MEMBERS: [&str; 12] = [
    "task",
    "trigger",
    "analysis",
    "alternatives",
    "scope",
    "change_ref",
    "tool",
    "parameters",
    "model",
    "tokens",
    "cost",
    "session",
];

/// Reads the claims of a login. The second part is a word for what was wrong
/// first, where something was: the rest is kept.
pub(crate) fn read(claims: &[Claim]) -> (Claimed, Option<&'static str>) {
    let mut claimed = Claimed::default();
    let mut wrong = (claims.len() > MAX_CLAIMS).then_some("too_many");
    let total: usize = claims.iter().filter_map(|claim| claim.value.as_deref()).map(str::len).sum();
    if total > MAX_CLAIM {
        return (claimed, Some("too_long"));
    }
    for claim in claims.iter().take(MAX_CLAIMS).filter(|claim| claim.name == CONTEXT) {
        match claim.value.as_deref().map(serde_json::from_str::<Map<String, Value>>) {
            None => wrong = Some("too_long"),
            Some(Err(_)) => wrong = Some("not_json"),
            Some(Ok(object)) => {
                for (name, value) in object {
                    let unknown = keep(&mut claimed, &name, text_of(&value));
                    wrong = wrong.or(unknown);
                }
            }
        }
    }
    for claim in claims.iter().take(MAX_CLAIMS).filter(|claim| claim.name != CONTEXT) {
        let name = claim.name.strip_prefix("COUNTERSIGN_").unwrap_or("").to_ascii_lowercase();
        match &claim.value {
            Some(value) => {
                let unknown = keep(&mut claimed, &name, value.clone());
                wrong = wrong.or(unknown);
            }
            None => wrong = wrong.or(Some("too_long")),
        }
    }
    (claimed, wrong)
}

fn keep(claimed: &mut Claimed, name: &str, value: String) -> Option<&'static str> {
    if !MEMBERS.contains(&name) {
        return Some("unknown_member");
    }
    claimed.members.insert(name.to_owned(), cut::words(&value));
    None
}

/// A text as it is, anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str, value: &str) -> Claim {
        Claim { name: name.to_owned(), value: Some(value.to_owned()) }
    }

    #[test]
    fn what_is_stated_is_read() {
        let json = r#"{"task":"deploy","alternatives":["wait","ask"],"tokens":1200,"cost":0.5}"#;
        let (claimed, wrong) = read(&[claim(CONTEXT, json), claim("COUNTERSIGN_CHANGE_REF", "CHG-7")]);
        let pairs: Vec<_> = claimed.members.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let want = [
            ("alternatives", r#"["wait","ask"]"#),
            ("change_ref", "CHG-7"),
            ("cost", "0.5"),
            ("task", "deploy"),
            ("tokens", "1200"),
        ];
        assert_eq!((pairs.as_slice(), wrong), (want.as_slice(), None));
        assert_eq!(read(&[]), (Claimed::default(), None));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_nothing_more() {
        let deep = format!("{{\"task\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        let long = format!("{{\"task\":\"{}\"}}", "x".repeat(MAX_CLAIM));
        for (text, want) in [
            ("", "not_json"),
            ("[]", "not_json"),
            ("{\"task\":", "not_json"),
            (&deep, "not_json"),
            (&long, "too_long"),
            ("{\"approved\":\"yes\"}", "unknown_member"),
        ] {
            let (claimed, wrong) = read(&[claim(CONTEXT, text)]);
            assert_eq!((claimed, wrong), (Claimed::default(), Some(want)), "{}", text.len());
        }
        let cut = Claim { name: CONTEXT.to_owned(), value: None };
        assert_eq!(read(&[cut]).1, Some("too_long"));
        let (claimed, wrong) = read(&[claim("COUNTERSIGN_LOG", "x"), claim("COUNTERSIGN_TASK", "y")]);
        assert_eq!((claimed.members.len(), wrong), (1, Some("unknown_member")));
        let many: Vec<_> = (0..MAX_CLAIMS + 1).map(|_| claim("COUNTERSIGN_TASK", "y")).collect();
        assert_eq!(read(&many).1, Some("too_many"));
    }
}
