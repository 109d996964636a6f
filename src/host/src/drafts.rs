//! Bodies of entries, member by member as docs/LEDGER.md lists them.

use crate::around::Around;
use crate::claims;
use crate::identity;
use crate::recordings::tape::Chunk;
use countersign_analysis::redact::{Counts, Kinds, scrub, scrub_bytes};
use countersign_analysis::{Held, Segment};
use countersign_api::context::Identity;
use countersign_api::front::{Close, CloseWhy, CommandEnd, Finished, Hello, NotReleased, ReleasedSegment, Submit};
use countersign_api::service::FormerHost;
use countersign_core::{DecidedBy, Digest, HostId, LoginId, Nonce, Outcome, Salt, SubmissionId, Transfer};
use countersign_ledger::tlog::ServiceStamp;
use countersign_ledger::{Authority, Draft, Kind, Openings, RandomError, Value, body, commitment, random_bytes};

/// What this program calls itself in the ledger.
pub(crate) const SOFTWARE: &str = concat!("countersign ", env!("CARGO_PKG_VERSION"));

/// `host_enrolled`: the one entry that no part of the history lacks, so that it
/// also names the host whose place this one took.
pub(crate) fn host_enrolled(identity: &identity::Identity) -> Draft {
    let mut members = vec![
        ("key", identity.key.into()),
        ("name", identity.name.as_str().into()),
        ("service", identity.service.to_string().into()),
        ("service_key", identity.service_key.into()),
        ("signer", identity.signer_word().into()),
        ("software", SOFTWARE.into()),
    ];
    if let Some(former) = identity.former {
        members.push(("former", former.host.to_string().into()));
    }
    plain(Kind::HostEnrolled, body(members))
}

/// `host_started`; `torn` is what recovery cut off: its length and digest.
pub(crate) fn host_started(signer: &str, torn: Option<(u64, Digest)>, heartbeat_ms: Option<u64>) -> Draft {
    let mut members = vec![("signer", signer.into()), ("software", SOFTWARE.into())];
    if let Some(heartbeat_ms) = heartbeat_ms {
        members.push(("heartbeat_ms", heartbeat_ms.into()));
    }
    if let Some((bytes, digest)) = torn {
        members.push(("recovered", body([("bytes", bytes.into()), ("digest", digest.into())])));
    }
    plain(Kind::HostStarted, body(members))
}

/// `checkpoint`: the service has cosigned the tree.
pub(crate) fn checkpoint(stamp: &ServiceStamp) -> Draft {
    Draft { kind: Kind::Checkpoint, login: None, body: stamp.to_value(), vals: Openings::new() }
}

/// `heartbeat`
pub(crate) fn heartbeat() -> Draft {
    plain(Kind::Heartbeat, body::<&str>([]))
}

/// `host_stopped`
pub(crate) fn host_stopped() -> Draft {
    plain(Kind::HostStopped, body([("why", "signal".into())]))
}

/// `gap`: this host took the place of one that has lost its identity key.
pub(crate) fn gap(former: FormerHost) -> Draft {
    let mut members = vec![("former", former.host.to_string().into()), ("why", "identity_lost".into())];
    if let Some((seq, head)) = former.last {
        members.extend([("head", head.into()), ("seq", seq.into())]);
    }
    plain(Kind::Gap, body(members))
}

/// `policy_changed`: the administrators' document, with their signatures.
pub(crate) fn policy_changed(authority: &Authority, text: &str, signatures: &str) -> Result<Draft, RandomError> {
    let mut private = Private::default();
    let members = [
        ("authority", private.commit("authority", text.as_bytes())?),
        ("digest", authority.digest.into()),
        ("signatures", private.commit("signatures", signatures.as_bytes())?),
        ("version", authority.version.into()),
    ];
    let mut draft = plain(Kind::PolicyChanged, body(members));
    draft.vals = private.vals;
    Ok(draft)
}

/// `policy_text`: a part of a policy of the service, and of how many.
pub(crate) fn policy_text(digest: Digest, (part, parts): (u64, u64), text: &str) -> Result<Draft, RandomError> {
    let mut private = Private::default();
    let members = [
        ("digest", digest.into()),
        ("part", part.into()),
        ("parts", parts.into()),
        ("text", private.commit("text", text.as_bytes())?),
    ];
    let mut draft = plain(Kind::PolicyText, body(members));
    draft.vals = private.vals;
    Ok(draft)
}

/// `session_opened`
pub(crate) fn session_opened(
    login: LoginId,
    hello: &Hello,
    identity: Option<&Identity>,
    turned_away: u64,
    nested: Option<LoginId>,
) -> Result<Draft, RandomError> {
    let mut private = Private::default();
    let mut members = vec![
        ("agent", private.commit("agent", hello.agent.as_bytes())?),
        ("kind", hello.kind.as_str().into()),
        ("tty", hello.terminal.is_some().into()),
        ("uid", u64::from(hello.uid).into()),
    ];
    if turned_away > 0 {
        members.push(("turned_away", turned_away.into()));
    }
    members.push(("identity_source", if identity.is_some() { "verified" } else { "claimed" }.into()));
    if let Some(identity) = identity {
        let text = serde_json::to_vec(identity).unwrap_or_default();
        members.push(("identity", private.commit("identity", &text)?));
    }
    let (claimed, wrong) = claims::read(&hello.claims);
    if !claimed.members.is_empty() {
        let text = serde_json::to_vec(&claimed).unwrap_or_default();
        members.push(("claimed", private.commit("claimed", &text)?));
    }
    if let Some(wrong) = wrong {
        members.push(("claimed_error", wrong.into()));
    }
    if let Some(anchor) = hello.resume {
        members.push(("resume", anchor.into()));
    }
    if let Some(outer) = nested {
        members.push(("nested", outer.to_string().into()));
    }
    if let Some(source) = &hello.ssh_connection {
        members.push(("source", private.commit("source", source.as_bytes())?));
    }
    if let Some(terminal) = &hello.terminal {
        members.push(("columns", u64::from(terminal.columns).into()));
        members.push(("rows", u64::from(terminal.rows).into()));
        members.push(("term", private.commit("term", terminal.term.as_bytes())?));
    }
    Ok(of_login(Kind::SessionOpened, login, body(members), private.vals))
}

/// What a release says of the segments of a command, and of its program.
pub(crate) struct Released {
    pub(crate) command: Vec<ReleasedSegment>,
    pub(crate) program: Vec<ReleasedSegment>,
}

/// `command_submitted`, and what a release of it needs.
pub(crate) fn command_submitted(
    login: LoginId,
    (id, nonce): (SubmissionId, Nonce),
    submit: &Submit,
    cwd: &[u8],
    (held, around, transfer): (&Held, &Around, Option<Transfer>),
    (wait_ms, turned_away): (u64, u64),
    authority: Option<&Authority>,
) -> Result<(Draft, Released), RandomError> {
    let mut private = Private::default();
    let (command, hidden, hidden_kinds) = private.segments("cmd", &held.segments)?;
    let environment: Vec<String> = submit.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // The opening is these bytes; nothing that is signed depends on how they are spelled.
    let context = serde_json::to_vec(&around.context).unwrap_or_default();
    let mut counts = held.counts.clone();
    let (cwd, found) = scrub_bytes(cwd);
    counts.add(&found);
    let (environment, found) = scrub(&environment.join("\n"));
    counts.add(&found);
    let mut members = vec![
        ("cmd", commitments(&command)),
        ("cmd_bytes", submit.total_bytes.into()),
        ("context", private.commit("context", &context)?),
        ("cwd", private.commit("cwd", &cwd)?),
        ("env", private.commit("env", environment.as_bytes())?),
        ("id", id.to_string().into()),
        ("nonce", nonce.to_string().into()),
        ("shell", submit.inner_shell.as_str().into()),
        ("wait_ms", wait_ms.into()),
        ("words", if around.words_known { "known" } else { "other" }.into()),
    ];
    if turned_away > 0 {
        members.push(("turned_away", turned_away.into()));
    }
    if let Some(authority) = authority {
        members.push(("authority", authority.digest.into()));
        members.push(("people", u64::try_from(authority.people).unwrap_or(u64::MAX).into()));
    }
    if !hidden.is_empty() {
        members.push(("hidden", Value::List(hidden)));
        members.push(("hidden_kinds", Value::List(hidden_kinds)));
    }
    members.extend(counted(&counts));
    if !held.flags.is_empty() {
        members.push(("flags", Value::List(held.flags.iter().map(|flag| flag.as_str().into()).collect())));
    }
    if let Some(transfer) = transfer {
        members.push(("transfer", transfer.as_str().into()));
    }
    let mut released = Released { command, program: Vec::new() };
    if let Some(program) = &held.program {
        let (segments, hidden, hidden_kinds) = private.segments("stdin", &program.segments)?;
        members.push(("stdin", commitments(&segments)));
        members.push(("stdin_bytes", program.total_bytes.into()));
        if !hidden.is_empty() {
            members.push(("stdin_hidden", Value::List(hidden)));
            members.push(("stdin_hidden_kinds", Value::List(hidden_kinds)));
        }
        released.program = segments;
    }
    Ok((of_login(Kind::CommandSubmitted, login, body(members), private.vals), released))
}

fn commitments(segments: &[ReleasedSegment]) -> Value {
    Value::List(segments.iter().map(|segment| segment.commitment.into()).collect())
}

/// What redaction found, as members: absent where there is none.
pub(crate) fn counted(counts: &Counts) -> Vec<(&'static str, Value)> {
    let of = |kinds: &Kinds| body(kinds.iter().map(|(kind, count)| (*kind, (*count).into())));
    [("expansions", &counts.expansions), ("personal", &counts.personal), ("redactions", &counts.redacted)]
        .into_iter()
        .filter(|(_, kinds)| !kinds.is_empty())
        .map(|(name, kinds)| (name, of(kinds)))
        .collect()
}

/// What `decided` says.
pub(crate) struct Decided<'a> {
    pub(crate) id: SubmissionId,
    pub(crate) of: Digest,
    pub(crate) outcome: Outcome,
    pub(crate) latency_ms: u64,
    pub(crate) by: Option<&'a DecidedBy>,
    pub(crate) comment: Option<&'a str>,
    /// The statement as a value, and its signature.
    pub(crate) statement: Option<(Value, &'a str)>,
    /// What reviewers have signed themselves.
    pub(crate) reviews: &'a [Value],
    pub(crate) why: Option<&'a str>,
}

/// `decided`
pub(crate) fn decided(login: LoginId, decided: Decided<'_>) -> Result<Draft, RandomError> {
    let mut private = Private::default();
    let mut members = vec![
        ("id", decided.id.to_string().into()),
        ("latency_ms", decided.latency_ms.into()),
        ("of", decided.of.into()),
        ("outcome", decided.outcome.as_str().into()),
    ];
    if let Some(by) = decided.by {
        members.push(("by", by.to_string().into()));
    }
    if let Some(comment) = decided.comment {
        members.push(("comment", private.commit("comment", scrub(comment).0.as_bytes())?));
    }
    if !decided.reviews.is_empty() {
        members.push(("reviews", Value::List(decided.reviews.to_vec())));
    }
    if let Some((statement, sig)) = decided.statement {
        members.push(("statement", statement));
        members.push(("sig", sig.into()));
    }
    if let Some(why) = decided.why {
        members.push(("why", why.into()));
    }
    Ok(of_login(Kind::Decided, login, body(members), private.vals))
}

/// `exec_started` of the `decided` just before it in the same append.
pub(crate) fn exec_started(login: LoginId, id: SubmissionId) -> Draft {
    of_login(
        Kind::ExecStarted,
        login,
        body([("id", id.to_string().into()), ("of", Value::LeafBefore)]),
        Openings::default(),
    )
}

/// `exec_finished`, as the front says it ended.
pub(crate) fn exec_finished(login: LoginId, of: Digest, finished: &Finished) -> Draft {
    let (end, detail) = match finished.end {
        CommandEnd::Exited(code) => ("exited", ("code", u64::from(code).into())),
        CommandEnd::Signaled(signal) => ("signaled", ("signal", u64::from(signal).into())),
        CommandEnd::NotStarted(errno) => ("not_started", ("errno", u64::from(errno).into())),
        CommandEnd::NotReleased(why) => ("not_released", ("why", not_released_word(why).into())),
    };
    let mut members = vec![
        ("end", end.into()),
        detail,
        ("id", finished.id.to_string().into()),
        ("of", of.into()),
        ("stderr_bytes", finished.stderr_bytes.into()),
        ("stdout_bytes", finished.stdout_bytes.into()),
    ];
    if let Some(files) = &finished.files {
        members.push(("files", files.opened.into()));
        members.push(("files_read", files.read_bytes.into()));
        members.push(("files_written", files.written_bytes.into()));
    }
    of_login(Kind::ExecFinished, login, body(members), Openings::default())
}

/// `exec_finished` of a command whose end nobody saw.
pub(crate) fn exec_lost(login: LoginId, id: SubmissionId, of: Digest) -> Draft {
    let members = [
        ("end", "lost".into()),
        ("id", id.to_string().into()),
        ("of", of.into()),
        ("stderr_bytes", 0u64.into()),
        ("stdout_bytes", 0u64.into()),
    ];
    of_login(Kind::ExecFinished, login, body(members), Openings::default())
}

/// `recording_chunk`
pub(crate) fn recording_chunk(login: LoginId, chunk: &Chunk) -> Draft {
    let mut members = vec![
        ("at_us", chunk.place.at_us.into()),
        ("digest", chunk.digest.into()),
        ("index", chunk.index.into()),
        ("length", chunk.length.into()),
        ("offset", chunk.offset.into()),
        ("raw_bytes", chunk.raw_bytes.into()),
        ("spool", chunk.place.bytes.into()),
    ];
    if !chunk.redacted.is_empty() {
        let counts = chunk.redacted.iter().map(|(kind, count)| (*kind, (*count).into()));
        members.push(("redactions", body(counts)));
    }
    if chunk.place.within > 0 {
        members.push(("within", chunk.place.within.into()));
    }
    of_login(Kind::RecordingChunk, login, body(members), Openings::default())
}

/// `session_resumed`: the login's own front is back.
pub(crate) fn session_resumed(login: LoginId, key: &Digest, of: &Digest, running: Option<SubmissionId>) -> Draft {
    let mut members = vec![("key", (*key).into()), ("of", (*of).into())];
    if let Some(id) = running {
        members.push(("running", id.to_string().into()));
    }
    of_login(Kind::SessionResumed, login, body(members), Openings::default())
}

/// `session_closed`, as the front says.
pub(crate) fn session_closed(login: LoginId, close: &Close, recording_bytes: u64) -> Draft {
    let mut members = vec![("recording_bytes", recording_bytes.into()), ("why", close_word(close.why).into())];
    if let Some(refused) = close.refused {
        members.push(("refused", refused.as_str().into()));
    }
    of_login(Kind::SessionClosed, login, body(members), Openings::default())
}

/// `session_closed` of a login whose front did not close it: `killed`,
/// `recovered`, `disk_full`, `recording_quota` or `bad_recording`.
pub(crate) fn session_lost(login: LoginId, recording_bytes: u64, why: &str) -> Draft {
    let members = [("recording_bytes", recording_bytes.into()), ("why", why.into())];
    of_login(Kind::SessionClosed, login, body(members), Openings::default())
}

fn close_word(why: CloseWhy) -> &'static str {
    match why {
        CloseWhy::Exit => "exit",
        CloseWhy::Hangup => "hangup",
        CloseWhy::Interrupt => "interrupt",
        CloseWhy::DiskFull => "disk_full",
        CloseWhy::Refused => "refused",
    }
}

fn not_released_word(why: NotReleased) -> &'static str {
    match why {
        NotReleased::Late => "late",
        NotReleased::Mismatch => "mismatch",
        NotReleased::Hangup => "hangup",
        NotReleased::Recorder => "recorder",
        NotReleased::Drifted => "drifted",
        NotReleased::HostLost => "host_lost",
    }
}

fn plain(kind: Kind, body: Value) -> Draft {
    Draft { kind, login: None, body, vals: Openings::default() }
}

fn of_login(kind: Kind, login: LoginId, body: Value, vals: Openings) -> Draft {
    Draft { kind, login: Some(login), body, vals }
}

/// Segments as committed to; indexes and kinds of those whose openings are not stored.
type Segments = (Vec<ReleasedSegment>, Vec<Value>, Vec<Value>);

/// Collects openings while their commitments go into the body.
#[derive(Default)]
struct Private {
    vals: Openings,
}

impl Private {
    /// Commits to the segments of the list `path`; also the indexes and kinds
    /// of those whose openings are not stored.
    fn segments(&mut self, path: &str, segments: &[Segment]) -> Result<Segments, RandomError> {
        let (mut made, mut openings, mut hidden, mut kinds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, segment) in (0u64..).zip(segments) {
            let salt = Salt(random_bytes()?);
            let commitment = commitment(&format!("{path}/{index}"), &salt, &segment.bytes);
            let length = u64::try_from(segment.bytes.len()).unwrap_or(u64::MAX);
            made.push(ReleasedSegment { length, salt, commitment });
            openings.push(segment.shown.then(|| (salt, segment.bytes.clone())));
            if !segment.shown {
                hidden.push(Value::Int(index));
                kinds.push(Value::Text(segment.kind.unwrap_or("secret").to_owned()));
            }
        }
        self.vals.insert_list(path, openings);
        Ok((made, hidden, kinds))
    }

    fn commit(&mut self, path: &str, value: &[u8]) -> Result<Value, RandomError> {
        let salt = Salt(random_bytes()?);
        self.vals.insert(path, salt, value.to_vec());
        Ok(commitment(path, &salt, value).into())
    }
}

/// An id for a host, login or submission.
pub(crate) fn random_id<T>(make: fn([u8; 16]) -> T) -> Result<T, RandomError> {
    Ok(make(random_bytes()?))
}

/// The id of a host that is being enrolled.
pub(crate) fn new_host() -> Result<HostId, RandomError> {
    random_id(HostId::from_random)
}
