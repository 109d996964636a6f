//! The table of `docs/LEDGER.md`, "Members of `body`, kind by kind": which
//! members a known kind has, of which type.

use crate::Kind;
use crate::line::is_id;
use crate::view::{Members, Node, View};
use countersign_core::{DecidedBy, Name, Outcome, b64_is_fixed};

/// What a member holds.
#[derive(Debug, Clone, Copy)]
enum Type {
    /// An integer.
    Int,
    /// `true` or `false`.
    Bool,
    /// Any text.
    Text,
    /// One of these words; another one is a warning, for later versions only add.
    Word(&'static [&'static str]),
    /// A digest, commitment or key: 43 characters.
    Digest,
    /// An id: 26 characters.
    Id,
    /// 16 bytes, 22 characters.
    Nonce,
    /// A host's name.
    Name,
    /// Who decided.
    By,
    /// One of the seven outcomes.
    Outcome,
    /// A signature: 64 bytes.
    Signature,
    /// An object; what is in it is checked where it is used.
    Object,
    /// A list of objects; what is in them is checked where they are used.
    Objects,
    /// A list of ids.
    Ids,
    /// A list of digests.
    Digests,
    /// A list of integers.
    Ints,
    /// A list of texts.
    Texts,
    /// An object of integers.
    Counts,
    /// A list of words; one that is not among these is a warning.
    Words(&'static [&'static str]),
}

/// Name, type, and whether it must be there.
type Member = (&'static str, Type, bool);

/// Words of `flags`; [`countersign_core::Flag`] says what those mean that decide something.
const FLAGS: &[&str] = &["interactive_escape", "opaque_code"];
const TRANSFERS: &[&str] = &[
    "scp_read",
    "scp_write",
    "sftp_read_only",
    "sftp_read_write",
    "rsync_read",
    "rsync_write",
    "git_fetch",
    "git_push",
    "git_archive",
];
const SIGNER: Type = Type::Word(&["same_uid", "own_uid"]);

/// Words of `session_closed.why`.
pub(crate) const CLOSED: &[&str] =
    &["exit", "hangup", "interrupt", "killed", "recovered", "disk_full", "recording_quota", "bad_recording", "refused"];

/// The members of a kind; `None` where this version knows none yet.
fn table(kind: Kind) -> Option<&'static [Member]> {
    match kind {
        Kind::HostEnrolled => Some(&[
            ("former", Type::Id, false),
            ("key", Type::Digest, true),
            ("name", Type::Name, true),
            ("service", Type::Id, true),
            ("service_key", Type::Digest, true),
            ("signer", SIGNER, true),
            ("software", Type::Text, true),
        ]),
        Kind::HostStarted => Some(&[
            ("heartbeat_ms", Type::Int, false),
            ("recovered", Type::Object, false),
            ("signer", SIGNER, true),
            ("software", Type::Text, true),
        ]),
        Kind::Checkpoint => Some(&[
            ("cosig", Type::Signature, true),
            ("log", Type::Object, true),
            ("note_key", Type::Text, true),
            ("note_sig", Type::Signature, true),
            ("root", Type::Digest, true),
            ("service", Type::Id, true),
            ("size", Type::Int, true),
            ("time", Type::Int, true),
        ]),
        Kind::HostStopped => Some(&[("why", Type::Word(&["signal"]), true)]),
        Kind::SessionOpened => Some(&[
            ("agent", Type::Digest, true),
            ("claimed", Type::Digest, false),
            ("claimed_error", Type::Text, false),
            ("columns", Type::Int, false),
            ("identity", Type::Digest, false),
            ("identity_source", Type::Word(&["verified", "claimed"]), false),
            ("kind", Type::Word(&["exec", "transfer", "interactive", "stdin"]), true),
            ("nested", Type::Id, false),
            ("resume", Type::Digest, false),
            ("rows", Type::Int, false),
            ("source", Type::Digest, false),
            ("term", Type::Digest, false),
            ("tty", Type::Bool, true),
            ("turned_away", Type::Int, false),
            ("uid", Type::Int, true),
        ]),
        Kind::PolicyChanged => Some(&[
            ("authority", Type::Digest, true),
            ("digest", Type::Digest, true),
            ("signatures", Type::Digest, true),
            ("version", Type::Int, true),
        ]),
        Kind::PolicyText => Some(&[
            ("digest", Type::Digest, true),
            ("part", Type::Int, true),
            ("parts", Type::Int, true),
            ("text", Type::Digest, true),
        ]),
        Kind::CommandSubmitted => Some(&[
            ("authority", Type::Digest, false),
            ("cmd", Type::Digests, true),
            ("cmd_bytes", Type::Int, true),
            ("context", Type::Digest, false),
            ("cwd", Type::Digest, true),
            ("env", Type::Digest, true),
            ("expansions", Type::Counts, false),
            ("flags", Type::Words(FLAGS), false),
            ("hidden", Type::Ints, false),
            ("hidden_kinds", Type::Texts, false),
            ("id", Type::Id, true),
            ("nonce", Type::Nonce, true),
            ("people", Type::Int, false),
            ("personal", Type::Counts, false),
            ("redactions", Type::Counts, false),
            ("shell", Type::Word(&["bash", "zsh", "fish", "dash", "tcsh"]), true),
            ("stdin", Type::Digests, false),
            ("stdin_bytes", Type::Int, false),
            ("stdin_hidden", Type::Ints, false),
            ("stdin_hidden_kinds", Type::Texts, false),
            ("transfer", Type::Word(TRANSFERS), false),
            ("turned_away", Type::Int, false),
            ("wait_ms", Type::Int, true),
            ("words", Type::Word(&["known", "other"]), false),
        ]),
        Kind::Decided => Some(&[
            ("by", Type::By, false),
            ("comment", Type::Digest, false),
            ("id", Type::Id, true),
            ("latency_ms", Type::Int, true),
            ("of", Type::Digest, true),
            ("outcome", Type::Outcome, true),
            ("reviews", Type::Objects, false),
            ("sig", Type::Signature, false),
            ("statement", Type::Object, false),
            ("why", Type::Text, false),
        ]),
        Kind::ExecStarted => Some(&[("id", Type::Id, true), ("of", Type::Digest, true)]),
        Kind::ExecFinished => Some(&[
            ("code", Type::Int, false),
            ("end", Type::Word(&["exited", "signaled", "not_started", "not_released", "lost"]), true),
            ("errno", Type::Int, false),
            ("files", Type::Int, false),
            ("files_read", Type::Int, false),
            ("files_written", Type::Int, false),
            ("id", Type::Id, true),
            ("of", Type::Digest, true),
            ("signal", Type::Int, false),
            ("stderr_bytes", Type::Int, true),
            ("stdout_bytes", Type::Int, true),
            ("why", Type::Text, false),
        ]),
        Kind::RecordingChunk => Some(&[
            ("at_us", Type::Int, false),
            ("digest", Type::Digest, true),
            ("index", Type::Int, true),
            ("length", Type::Int, true),
            ("offset", Type::Int, true),
            ("raw_bytes", Type::Int, true),
            ("redactions", Type::Counts, false),
            ("spool", Type::Int, false),
            ("within", Type::Int, false),
        ]),
        Kind::SessionResumed => {
            Some(&[("key", Type::Digest, true), ("of", Type::Digest, true), ("running", Type::Id, false)])
        }
        Kind::SessionClosed => Some(&[
            ("recording_bytes", Type::Int, true),
            ("refused", Type::Text, false),
            ("why", Type::Word(CLOSED), true),
        ]),
        Kind::Heartbeat => Some(&[]),
        Kind::KeyRotated => {
            Some(&[("by", Type::Text, true), ("cert", Type::Signature, true), ("key", Type::Digest, true)])
        }
        Kind::ClockStep => Some(&[("by_ms", Type::Int, true), ("forward", Type::Bool, true)]),
        Kind::AdminAct
        | Kind::SignedIn
        | Kind::Access
        | Kind::RuleChanged
        | Kind::Grant
        | Kind::AnomalyTriaged
        | Kind::Hold
        | Kind::ReportRead => Some(&[
            ("about", Type::Text, false),
            ("act", Type::Text, true),
            ("by", Type::Name, false),
            ("detail", Type::Digest, false),
            ("policy", Type::Digest, false),
        ]),
        Kind::Erasure | Kind::Redaction => Some(&[
            ("entries", Type::Objects, true),
            ("reason", Type::Text, true),
            ("recordings", Type::Ids, false),
            ("sigs", Type::Texts, false),
        ]),
        Kind::Pruned => Some(&[
            ("before", Type::Int, true),
            ("head", Type::Digest, true),
            ("reason", Type::Text, true),
            ("root", Type::Digest, true),
            ("sigs", Type::Texts, false),
        ]),
        Kind::Gap => Some(&[
            ("former", Type::Id, true),
            ("head", Type::Digest, false),
            ("seq", Type::Int, false),
            ("why", Type::Word(&["identity_lost"]), true),
        ]),
        Kind::ExecSeen => None,
    }
}

/// Whether this version knows what entries of this kind hold.
pub(super) fn is_defined(kind: Kind) -> bool {
    table(kind).is_some()
}

/// What is odd about a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// A member is missing or of the wrong type: the entry is invalid.
    Wrong(String),
    /// A member or word that this version does not know.
    Unknown(String),
}

/// Compares a body with the table. Both are sorted by name, so that each is gone through once.
pub(super) fn check(kind: Kind, body: &View<'_>) -> Vec<Odd> {
    let Some(mut table) = table(kind) else { return Vec::new() };
    let (mut odd, mut unknown) = (Vec::new(), Vec::new());
    let absent = |members: &[Member], odd: &mut Vec<Odd>| {
        let required = members.iter().filter(|(.., required)| *required);
        odd.extend(required.map(|(name, ..)| Odd::Wrong(format!("{kind} has no body.{name}"))));
    };
    for (name, value) in body.as_object().into_iter().flat_map(Members::iter) {
        let place = table.iter().position(|(known, ..)| *known == name);
        let Some((skipped, [(_, kind_of, _), after @ ..])) = place.and_then(|at| table.split_at_checked(at)) else {
            unknown.push(Odd::Unknown(format!("body.{name} of {kind} is not known here")));
            continue;
        };
        absent(skipped, &mut odd);
        table = after;
        match fits(*kind_of, value) {
            Fit::Yes => {}
            Fit::No => odd.push(Odd::Wrong(format!("body.{name} of {kind} has the wrong type or form"))),
            Fit::Unknown => odd.push(Odd::Unknown(format!("body.{name} of {kind} is a word not known here"))),
        }
    }
    absent(table, &mut odd);
    odd.append(&mut unknown);
    odd
}

enum Fit {
    Yes,
    No,
    Unknown,
}

fn fits(wanted: Type, value: View<'_>) -> Fit {
    let yes = match wanted {
        Type::Int => value.as_int().is_some(),
        Type::Bool => value.as_bool().is_some(),
        Type::Text => value.as_text().is_some(),
        Type::Word(words) => match value.as_text() {
            Some(word) if words.contains(&word) => true,
            Some(_) => return Fit::Unknown,
            None => false,
        },
        Type::Digest => is_digest(value),
        Type::Id => value.as_text().is_some_and(is_id),
        Type::Nonce => value.as_text().is_some_and(b64_is_fixed::<16>),
        Type::Name => value.parse::<Name>().is_some(),
        Type::By => value.parse::<DecidedBy>().is_some(),
        Type::Outcome => value.parse::<Outcome>().is_some(),
        Type::Signature => value.as_text().is_some_and(b64_is_fixed::<64>),
        Type::Object => value.as_object().is_some(),
        Type::Objects => value.as_list().is_some_and(|list| list.iter().all(|v| v.as_object().is_some())),
        Type::Ids => value.as_list().is_some_and(|list| list.iter().all(|v| v.as_text().is_some_and(is_id))),
        Type::Digests => value.as_list().is_some_and(|list| list.iter().all(is_digest)),
        Type::Words(words) => {
            match value.as_list().map(|list| list.iter().map(View::as_text).collect::<Option<Vec<_>>>()) {
                Some(Some(said)) if said.iter().all(|word| words.contains(word)) => true,
                Some(Some(_)) => return Fit::Unknown,
                Some(None) | None => false,
            }
        }
        Type::Ints => value.as_list().is_some_and(|list| list.iter().all(|v| v.as_int().is_some())),
        Type::Texts => value.as_list().is_some_and(|list| list.iter().all(|v| v.as_text().is_some())),
        Type::Counts => value.as_object().is_some_and(|object| object.iter().all(|(_, v)| v.as_int().is_some())),
    };
    if yes { Fit::Yes } else { Fit::No }
}

fn is_digest(value: View<'_>) -> bool {
    value.as_text().is_some_and(b64_is_fixed::<32>)
}

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Scanner;
    use crate::view::Borrow;
    use crate::{Value, body};
    use countersign_core::{Digest, LoginId};

    fn check(kind: Kind, value: &Value) -> Vec<Odd> {
        let text = value.encode().unwrap();
        let mut tokens = Vec::new();
        Scanner::new(text.as_bytes()).value(1, &mut Borrow(&mut tokens)).unwrap();
        super::check(kind, &View::of(&tokens))
    }

    #[test]
    fn wrong_is_told_from_unknown() {
        let id = LoginId::from_random([1; 16]);
        let good = body([("id", Value::from(id)), ("of", Digest::ZERO.into())]);
        assert_eq!(check(Kind::ExecStarted, &good), []);
        let bad = body([("id", Value::from(id)), ("later", true.into())]);
        let odd = check(Kind::ExecStarted, &bad);
        assert!(matches!(odd.as_slice(), [Odd::Wrong(_), Odd::Unknown(_)]), "{odd:?}");
        let stopped = body([("why", Value::from("sunset"))]);
        assert!(matches!(check(Kind::HostStopped, &stopped).as_slice(), [Odd::Unknown(_)]));
    }

    #[test]
    fn the_words_of_flags_and_transfers_are_the_domains() {
        for flag in countersign_core::Flag::ALL {
            assert!(FLAGS.contains(&flag.as_str()));
        }
        for word in TRANSFERS {
            assert!(word.parse::<countersign_core::Transfer>().is_ok(), "{word}");
        }
        let flags = |text: &str| {
            let mut tokens = Vec::new();
            Scanner::new(text.as_bytes()).value(1, &mut Borrow(&mut tokens)).unwrap();
            fits(Type::Words(FLAGS), View::of(&tokens))
        };
        assert!(matches!(flags("[\"opaque_code\"]"), Fit::Yes));
        assert!(matches!(flags("[\"opaque_code\",\"later\"]"), Fit::Unknown));
        assert!(matches!(flags("1"), Fit::No));
    }

    #[test]
    fn the_table_is_sorted() {
        for kind in Kind::ALL {
            let members = table(kind).unwrap_or_default();
            assert!(members.is_sorted_by(|(one, ..), (next, ..)| one < next), "{kind}");
        }
    }

    #[test]
    fn every_absent_member_is_told() {
        for kind in Kind::ALL {
            let required = table(kind).unwrap_or_default().iter().filter(|(.., required)| *required);
            let told: Vec<_> = required.map(|(name, ..)| Odd::Wrong(format!("{kind} has no body.{name}"))).collect();
            let empty: [(&str, Value); 0] = [];
            assert_eq!(check(kind, &body(empty)), told);
        }
    }

    #[test]
    fn private_members_are_in_the_table() {
        for kind in Kind::ALL {
            for name in kind.private_members() {
                let members = table(kind).unwrap();
                assert!(members.iter().any(|(member, ..)| member == name), "{kind} {name}");
            }
        }
    }
}
