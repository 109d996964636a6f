//! What an entry says, as far as the service's tables keep it.
//!
//! Text is taken from openings whose commitments were checked; nothing here
//! trusts `vals` as such. An entry of a known kind whose members do not make
//! sense is refused, never guessed at.

use countersign_analysis::redact::scrub_script;
use countersign_core::{CommandText, DecidedBy, Digest, Flag, LoginId, Nonce, Outcome, SubmissionId, mark, unmarked};
use countersign_ledger::{Entry, Kind, Opened, Value, sha256};

/// A fact of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A login began.
    SessionOpened {
        /// The account.
        agent: String,
        /// `exec`, `transfer`, `interactive`, `stdin`.
        kind: String,
        /// Whether it has a terminal.
        tty: bool,
        /// Source address as claimed, empty where there is none.
        source_ip: String,
        /// The login that it was started in, as its host found it.
        nested: Option<LoginId>,
        /// What the agent states of itself, as JSON; empty where it states nothing.
        claimed: String,
        /// What was wrong with it.
        claimed_error: Option<String>,
        /// Who is behind it, as JSON, where sshd verified that.
        identity: Option<String>,
    },
    /// A command is held.
    Submitted(Submitted),
    /// It was decided.
    Decided(Decided),
    /// It is about to run.
    Started {
        /// The submission.
        id: SubmissionId,
    },
    /// It ended.
    Finished {
        /// The submission.
        id: SubmissionId,
        /// `exited`, `signaled`, …
        end: String,
        /// Exit code.
        code: Option<u8>,
        /// Signal number.
        signal: Option<u8>,
    },
    /// A piece of the recording is in the host's file.
    Chunk {
        /// 0, 1, 2 …
        number: u64,
        /// First byte.
        start: u64,
        /// Bytes.
        length: u64,
        /// SHA-256 of them.
        digest: Digest,
    },
    /// A login ended.
    SessionClosed {
        /// Why.
        why: String,
        /// Why it was refused, where it was.
        refused: Option<String>,
        /// Bytes of its recording.
        recording_bytes: u64,
    },
}

/// A held command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub id: SubmissionId,
    /// The command as it may be shown.
    pub command: String,
    /// Whether `command` is all of the exact text: one visible segment of readable text.
    pub wholly_visible: bool,
    /// Working directory.
    pub cwd: String,
    /// The inner shell.
    pub shell: String,
    /// `NAME=value` of `LANG` and `LC_*` where not empty, a line each.
    pub locale: String,
    /// Marks of the host, a line each.
    pub flags: String,
    /// Whether only a person may let it run.
    pub needs_person: bool,
    /// What kind of file transfer it is.
    pub transfer: Option<String>,
    /// The program on its standard input.
    pub program: Option<Program>,
    /// Its context, as JSON; empty where that was cut.
    pub context: String,
    /// Whether the host knew every program it starts.
    pub words_known: bool,
    /// What makes it answerable once.
    pub nonce: Nonce,
    /// How long an answer counts, in ms.
    pub wait_ms: u64,
}

/// A program on standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of what is recorded of it.
    pub digest: Digest,
    /// Its text as it may be shown.
    pub text: String,
}

/// A decision as the host took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The submission.
    pub id: SubmissionId,
    /// What became of it.
    pub outcome: Outcome,
    /// Who decided.
    pub by: Option<DecidedBy>,
    /// The reviewer's reason.
    pub comment: Option<String>,
    /// A word for `error`, `cancelled`, `timed_out`.
    pub why: Option<String>,
    /// From asking to answer.
    pub latency_ms: u64,
    /// L(`command_submitted`).
    pub of: Digest,
}

/// What stands for a segment whose opening was cut, or which does not say what
/// it hides.
const HIDDEN: &str = "⟨hidden⟩";

/// The fact of an entry, `None` for kinds that the tables do not keep.
pub fn fact_of(entry: &Entry, opened: &Opened) -> Result<Option<Fact>, String> {
    let Some(kind) = entry.kind else { return Ok(None) };
    let body = Members { body: &entry.body, kind };
    let fact = match kind {
        Kind::SessionOpened => Fact::SessionOpened {
            agent: text_of(opened, "agent").unwrap_or_default(),
            kind: body.word("kind")?,
            tty: body.truth("tty")?,
            source_ip: text_of(opened, "source")
                .and_then(|s| s.split_whitespace().next().map(str::to_owned))
                .unwrap_or_default(),
            nested: body.maybe("nested")?,
            claimed: text_of(opened, "claimed").unwrap_or_default(),
            claimed_error: body.maybe("claimed_error")?,
            identity: text_of(opened, "identity")
                .filter(|_| entry.body.get("identity_source").and_then(Value::as_text) == Some("verified")),
        },
        Kind::CommandSubmitted => Fact::Submitted(submitted(&body, opened)?),
        Kind::Decided => Fact::Decided(Decided {
            id: body.read("id")?,
            outcome: body.read("outcome")?,
            by: body.maybe("by")?,
            comment: text_of(opened, "comment"),
            why: body.maybe("why")?,
            latency_ms: body.int("latency_ms")?,
            of: body.read("of")?,
        }),
        Kind::ExecStarted => Fact::Started { id: body.read("id")? },
        Kind::ExecFinished => Fact::Finished {
            id: body.read("id")?,
            end: body.word("end")?,
            code: body.byte("code")?,
            signal: body.byte("signal")?,
        },
        Kind::RecordingChunk => Fact::Chunk {
            number: body.int("index")?,
            start: body.int("offset")?,
            length: body.int("length")?,
            digest: body.read("digest")?,
        },
        Kind::SessionClosed => Fact::SessionClosed {
            why: body.word("why")?,
            refused: body.maybe("refused")?,
            recording_bytes: body.int("recording_bytes")?,
        },
        Kind::AdminAct
        | Kind::SignedIn
        | Kind::Access
        | Kind::RuleChanged
        | Kind::Grant
        | Kind::AnomalyTriaged
        | Kind::Hold
        | Kind::ReportRead => return Err(format!("only a service writes {kind} entries, in its own ledger")),
        Kind::HostEnrolled
        | Kind::HostStarted
        | Kind::HostStopped
        | Kind::ExecSeen
        | Kind::SessionResumed
        | Kind::Checkpoint
        | Kind::KeyRotated
        | Kind::PolicyChanged
        | Kind::PolicyText
        | Kind::ClockStep
        | Kind::Redaction
        | Kind::Erasure
        | Kind::Pruned
        | Kind::Gap
        | Kind::Heartbeat => return Ok(None),
    };
    Ok(Some(fact))
}

/// A checked opening as text. What is not UTF-8 is shown with marks in its place.
fn text_of(opened: &Opened, path: &str) -> Option<String> {
    opened.one(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn submitted(body: &Members<'_>, opened: &Opened) -> Result<Submitted, String> {
    let segments =
        body.body.get("cmd").and_then(Value::as_list).map(<[Value]>::len).ok_or_else(|| body.wrong("cmd"))?;
    let hidden = body.body.get("hidden").and_then(Value::as_list).map_or(0, <[Value]>::len);
    let bytes = body.int("cmd_bytes")?;
    let pieces = opened.many("cmd").unwrap_or_default();
    let shown: Vec<String> = pieces
        .iter()
        .enumerate()
        .map(|(i, piece)| match piece {
            Some(bytes) => literal(&String::from_utf8_lossy(bytes)),
            None => hidden_mark(body.body, "", i),
        })
        .collect();
    let command = if pieces.is_empty() && segments > 0 { HIDDEN.to_owned() } else { shown.concat() };
    let wholly_visible = match pieces {
        [Some(only)] if segments == 1 && hidden == 0 => {
            u64::try_from(only.len()) == Ok(bytes)
                && CommandText::parse(only).is_ok_and(|exact| exact.as_str() == command)
        }
        _ => false,
    };
    let flags = flags(body)?;
    let program = program(body, opened)?;
    Ok(Submitted {
        id: body.read("id")?,
        command,
        wholly_visible,
        cwd: text_of(opened, "cwd").unwrap_or_default(),
        shell: body.word("shell")?,
        locale: locale(&text_of(opened, "env").unwrap_or_default()),
        // A mark that this version does not know may be one of those.
        needs_person: program.is_some() || flags.iter().any(|f| f.parse().map_or(true, Flag::needs_person)),
        flags: flags.join("\n"),
        transfer: body.maybe("transfer")?,
        program,
        context: text_of(opened, "context").unwrap_or_default(),
        words_known: body.maybe::<String>("words")?.as_deref() == Some("known"),
        nonce: body.read("nonce")?,
        wait_ms: body.int("wait_ms")?,
    })
}

/// What stands for a hidden segment: a mark with its kind. `prefix` is that of
/// the members that say so.
fn hidden_mark(body: &Value, prefix: &str, segment: usize) -> String {
    let list = |name: &str| body.get(&format!("{prefix}{name}")).and_then(Value::as_list).unwrap_or_default();
    let place = list("hidden").iter().position(|h| h.as_int().is_some_and(|h| usize::try_from(h) == Ok(segment)));
    let kind = place.and_then(|i| list("hidden_kinds").get(i)).and_then(Value::as_text);
    let is_word = |kind: &&str| kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    kind.filter(is_word).map_or_else(|| HIDDEN.to_owned(), mark)
}

/// Shown text, redacted once more: an older host may have known fewer secrets.
/// Nothing in it passes for a mark.
fn literal(text: &str) -> String {
    scrub_script(text).0.replace(HIDDEN, "⟨U+27E8⟩hidden⟩")
}

/// The host's marks, each a word.
fn flags(body: &Members<'_>) -> Result<Vec<String>, String> {
    let Some(flags) = body.body.get("flags") else { return Ok(Vec::new()) };
    let word = |value: &Value| value.as_text().map(str::to_owned);
    flags.as_list().and_then(|list| list.iter().map(word).collect()).ok_or_else(|| body.wrong("flags"))
}

/// The program on standard input, what is hidden of it marked.
fn program(body: &Members<'_>, opened: &Opened) -> Result<Option<Program>, String> {
    if body.body.get("stdin").is_none() {
        return Ok(None);
    }
    let pieces = opened.many("stdin").unwrap_or(&[None]);
    let known: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
    let shown = pieces.iter().enumerate().map(|(i, piece)| match piece {
        // Not redacted once more: in what language is it, and is `f"{x()}"` a password or a call?
        Some(bytes) => unmarked(&String::from_utf8_lossy(bytes)).replace(HIDDEN, "⟨U+27E8⟩hidden⟩"),
        None => hidden_mark(body.body, "stdin_", i),
    });
    Ok(Some(Program { bytes: body.int("stdin_bytes")?, digest: sha256(&known), text: shown.collect() }))
}

/// What an environment says of language and character set.
fn locale(environment: &str) -> String {
    let wanted = |line: &&str| {
        line.split_once('=').is_some_and(|(name, value)| {
            !value.is_empty() && (matches!(name, "LANG" | "LANGUAGE") || name.starts_with("LC_"))
        })
    };
    environment.lines().filter(wanted).collect::<Vec<_>>().join("\n")
}

/// A body and the kind it belongs to, for clear errors.
struct Members<'a> {
    body: &'a Value,
    kind: Kind,
}

impl Members<'_> {
    fn wrong(&self, name: &str) -> String {
        format!("the {} entry has no usable `{name}`", self.kind)
    }

    fn read<T: std::str::FromStr>(&self, name: &str) -> Result<T, String> {
        self.body.member(name).ok_or_else(|| self.wrong(name))
    }

    fn maybe<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        self.body.get(name).map(|value| value.parse().ok_or_else(|| self.wrong(name))).transpose()
    }

    fn word(&self, name: &str) -> Result<String, String> {
        self.read(name)
    }

    fn int(&self, name: &str) -> Result<u64, String> {
        self.body.get(name).and_then(Value::as_int).ok_or_else(|| self.wrong(name))
    }

    fn truth(&self, name: &str) -> Result<bool, String> {
        self.body.get(name).and_then(Value::as_bool).ok_or_else(|| self.wrong(name))
    }

    fn byte(&self, name: &str) -> Result<Option<u8>, String> {
        let read = |value: &Value| value.as_int().and_then(|n| u8::try_from(n).ok()).ok_or_else(|| self.wrong(name));
        self.body.get(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_ledger::body;

    #[test]
    fn hidden_segments_have_a_mark_of_their_kind() {
        let text = |t: &str| Value::Text(t.to_owned());
        let entry = body([
            ("hidden", Value::List(vec![Value::Int(1), Value::Int(3)])),
            ("hidden_kinds", Value::List(vec![text("password"), text("x›")])),
        ]);
        assert_eq!(hidden_mark(&entry, "", 1), "‹redacted password›");
        assert_eq!(hidden_mark(&entry, "", 3), HIDDEN, "what is no kind is not shown");
        assert_eq!(hidden_mark(&entry, "", 2), HIDDEN, "its opening was cut later");
    }

    #[test]
    fn shown_text_is_redacted_again_and_passes_for_no_mark() {
        assert_eq!(literal("mysql -phunter2x"), "mysql -p‹redacted password›");
        assert_eq!(literal("mysql -p\"$(evil)\""), "mysql -p\"$(evil)\"");
        assert_eq!(literal("a ‹redacted password› ⟨hidden⟩"), "a ⟨U+2039⟩redacted password› ⟨U+27E8⟩hidden⟩");
    }
}
