//! Lines of hosts into the store, exactly once.
//!
//! Reading a line checks it alone (grammar, host, key, signature, openings)
//! and against the line before it in the request. Keeping it checks it against
//! what is held. Nothing is acknowledged here: the caller commits.

use crate::app::App;
use crate::desk;
use crate::facts::{Fact, fact_of};
use crate::in_force::place_of;
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::{HostCaller, Sender, Store, Tx, entries, facts, removals};
use countersign_analysis::{Analysis, analyze};
use countersign_api::service::Conflict;
use countersign_core::Digest;
use countersign_ledger::{
    Entry, Epoch, KeyRing, Kind, Line, REMOVAL_NAMESPACE, Removal, Value, cut_openings, removal_statement,
};

/// A line that was read and belongs to its host.
#[derive(Debug)]
pub struct Received {
    /// What it says.
    pub entry: Entry,
    /// What the tables keep of it.
    pub fact: Option<Fact>,
    /// What the analysis finds, for a `command_submitted`. Found before the
    /// transaction begins: a hostile line takes a while.
    pub found: Option<Analysis>,
    /// The key that signs from it on, for a `key_rotated`.
    pub epoch: Option<Epoch>,
    /// As it came.
    pub line: String,
}

/// What became of the lines.
#[derive(Debug)]
#[must_use = "a fork is kept only if the transaction is committed"]
pub enum Kept {
    /// All are held.
    All {
        /// The next `seq` wanted.
        next_seq: u64,
        /// Private values or recordings were taken out: see [`App::erased`].
        erased: bool,
    },
    /// Another history was signed: the evidence is kept, so commit, then refuse.
    Fork(Conflict),
}

/// The keys that may have signed these lines. Where they begin after what is
/// held there is no telling, and the host is told what is wanted.
pub async fn keys_for(store: &Store, sender: &Sender, lines: &[String]) -> Result<KeyRing, Refusal> {
    let Sender { host, next_seq, epochs } = sender;
    let mut keys = KeyRing::new(host.key);
    let first = lines.first().and_then(|line| Line::parse(line.as_bytes()).ok()).map_or(0, |line| line.seq);
    if first > *next_seq {
        return Err(gap(first, *next_seq));
    }
    // A certificate is given by the epoch before.
    let earlier = if first < *next_seq { store.epochs(host.id, first.saturating_sub(1)).await? } else { Vec::new() };
    for epoch in if first < *next_seq { &earlier } else { epochs } {
        keys.adopt(epoch.clone());
    }
    Ok(keys)
}

fn gap(seq: u64, next_seq: u64) -> Refusal {
    let error = format!("entries {next_seq} to {} are missing; send from {next_seq} on", seq.saturating_sub(1));
    Refusal::Ledger(Conflict { error, next_seq, fork: false })
}

/// Reads the lines of a request. `known`: hosts and networks that this host may talk to.
pub fn read_lines(
    host: &HostCaller,
    mut keys: KeyRing,
    known: &[String],
    lines: Vec<String>,
) -> Result<Vec<Received>, Refusal> {
    let mut received: Vec<Received> = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        let next = read_line(host, &keys, known, line).map_err(|error| in_line(index, error))?;
        if let Some(before) = received.last()
            && (next.entry.seq != before.entry.seq.saturating_add(1) || next.entry.prev != before.entry.leaf)
        {
            return Err(bad(format!("line {index}: does not follow the line before it; send them in order")));
        }
        if let Some(epoch) = &next.epoch {
            keys.adopt(epoch.clone());
        }
        received.push(next);
    }
    Ok(received)
}

fn in_line(index: usize, error: Refusal) -> Refusal {
    if let Refusal::BadRequest(text) = error { bad(format!("line {index}: {text}")) } else { error }
}

fn read_line(host: &HostCaller, keys: &KeyRing, known: &[String], line: String) -> Result<Received, Refusal> {
    let entry = Entry::parse(line.as_bytes()).map_err(|error| bad(format!("not an entry: {error}")))?;
    if entry.host != host.id {
        return Err(Refusal::Forbidden("the entry is another host's; a host token speaks for its own host only"));
    }
    let parsed = Line::parse(line.as_bytes()).map_err(|error| bad(format!("not an entry: {error}")))?;
    let epoch = keys.check(&parsed).map_err(|fault| {
        bad(format!("entry {}: it is not signed with this host's enrolled key or one it certified: {fault}", entry.seq))
    })?;
    if entry.kind.is_some_and(Kind::in_login) != entry.sess.is_some() && entry.kind.is_some() {
        return Err(bad(format!("entry {}: `sess` does not fit the kind {}", entry.seq, entry.kind_text)));
    }
    if entry.seq == 0 && entry.prev != Digest::ZERO {
        return Err(bad("entry 0: `prev` must be 32 zero bytes".to_owned()));
    }
    let opened = entry.openings().map_err(|error| bad(format!("entry {}: {error}", entry.seq)))?;
    let fact = fact_of(&entry, &opened).map_err(|text| bad(format!("entry {}: {text}", entry.seq)))?;
    let found = match &fact {
        Some(Fact::Submitted(facts)) => Some(analyze(&facts.command, &place_of(&facts.cwd, &facts.shell), known)),
        Some(_) | None => None,
    };
    Ok(Received { entry, fact, found, epoch, line })
}

/// Where the held ledger of a host ends.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The next `seq` wanted.
    pub next_seq: u64,
    /// Leaf hash of the entry before it.
    pub prev: Digest,
}

impl End {
    /// After this entry, or at the beginning.
    pub fn after(head: Option<(u64, Digest)>) -> Self {
        match head {
            Some((seq, leaf)) => Self { next_seq: seq.saturating_add(1), prev: leaf },
            None => Self { next_seq: 0, prev: Digest::ZERO },
        }
    }
}

/// What a line is to what is held.
#[derive(Debug)]
#[must_use = "a fork is kept only if the transaction is committed"]
pub enum Fits {
    /// It comes next.
    Next,
    /// It is held.
    Held,
    /// Another history was signed: the evidence is kept.
    Fork(Conflict),
}

/// Keeps the lines that are new.
pub async fn keep(
    app: &App,
    tx: &mut Tx,
    host: &HostCaller,
    received: &[Received],
    now_ms: i64,
) -> Result<Kept, Refusal> {
    let mut erased = false;
    let mut end = End::after(entries::head(tx, host.id).await?);
    for new in received {
        match fits(tx, host, new, end, now_ms).await? {
            Fits::Next => {}
            Fits::Held => continue,
            Fits::Fork(fork) => return Ok(Kept::Fork(fork)),
        }
        declares_what_it_lost(tx, host, new).await?;
        keep_one(app, tx, host, new, now_ms).await?;
        if matches!(new.entry.kind, Some(Kind::Erasure | Kind::Redaction)) {
            erased |= remove(app, tx, host, new, now_ms).await?;
        }
        end = End::after(Some((new.entry.seq, new.entry.leaf)));
    }
    Ok(Kept::All { next_seq: end.next_seq, erased })
}

/// Holds a line against what is held.
pub async fn fits(tx: &mut Tx, host: &HostCaller, new: &Received, end: End, now_ms: i64) -> Result<Fits, Refusal> {
    let (seq, End { next_seq, prev }) = (new.entry.seq, end);
    if seq < next_seq {
        return Ok(compare(tx, host, new, next_seq, now_ms).await?.map_or(Fits::Held, Fits::Fork));
    }
    if seq > next_seq {
        return Err(gap(seq, next_seq));
    }
    if new.entry.prev != prev {
        let before = match seq.checked_sub(1) {
            Some(before) => entries::held(tx, host.id, before).await?.map(|held| held.line),
            None => None,
        };
        let text = format!("entry {seq} follows another entry than the one held before it");
        return fork(tx, host, new, &before.unwrap_or_default(), text, next_seq, now_ms).await.map(Fits::Fork);
    }
    Ok(Fits::Next)
}

/// A line under a `seq` that is held: the same, or not.
async fn compare(
    tx: &mut Tx,
    host: &HostCaller,
    new: &Received,
    next_seq: u64,
    now_ms: i64,
) -> Result<Option<Conflict>, Refusal> {
    let seq = new.entry.seq;
    let Some(held) = entries::held(tx, host.id, seq).await? else {
        tracing::error!(host = %host.name, seq, "an entry below the head is not held");
        return Err(Refusal::Internal);
    };
    if held.leaf != new.entry.leaf {
        let text = format!("another entry is held as {seq}: this host's ledger has forked");
        return fork(tx, host, new, &held.line, text, next_seq, now_ms).await.map(Some);
    }
    if held.line != new.line && !differ_in_removed(tx, host, seq, &held.line, &new.line).await? {
        let error = format!("entry {seq} is held with other openings (`vals`); what was acknowledged stays");
        return Err(Refusal::Ledger(Conflict { error, next_seq, fork: false }));
    }
    Ok(None)
}

/// Whether two lines of one entry differ only in what was declared gone since:
/// the host cuts its own copy when it comes to it.
async fn differ_in_removed(tx: &mut Tx, host: &HostCaller, seq: u64, held: &str, new: &str) -> Result<bool, Refusal> {
    let paths = removals::paths(tx, host.id, seq).await?;
    let cut = |line| cut_openings(line, &paths).ok();
    Ok(!paths.is_empty() && cut(new).is_some_and(|new| cut(held) == Some(new)))
}

/// Takes out what an `erasure` or `redaction` names; whether anything went.
/// The entry itself is kept whatever it says: it is evidence too.
async fn remove(app: &App, tx: &mut Tx, host: &HostCaller, new: &Received, now_ms: i64) -> Result<bool, Refusal> {
    let seq = new.entry.seq;
    if !is_signed(app, new) {
        tracing::error!(host = %host.name, seq, "it is not signed by enough of the administrators; nothing is taken out");
        let act = Act::new(Kind::AdminAct, "removal_refused", None).about(host.id);
        let text = format!("entry {seq}: not signed by enough of the administrators");
        app.ledger.record(tx, &act.detail(text)).await?;
        return Ok(false);
    }
    let removal = Removal::from_body(&new.entry.body);
    let done = removals::apply(tx, host.id, seq, &removal, now_ms).await?;
    for why in &done.refused {
        tracing::error!(host = %host.name, seq, "not taken out: {why}");
    }
    let text = format!(
        "entry {seq}: {} private values and {} recordings are gone; {} things it names are not",
        done.values,
        done.recordings,
        done.refused.len()
    );
    app.ledger.record(tx, &Act::new(Kind::AdminAct, "removed", None).about(host.id).detail(text)).await?;
    Ok(done.values > 0 || done.recordings > 0)
}

/// Whether the administrators that this service was told of have signed it.
fn is_signed(app: &App, new: &Received) -> bool {
    let (Some(admins), Some(kind)) = (&app.removal_admins, new.entry.kind) else { return true };
    let body = &new.entry.body;
    let sigs = body.get("sigs").and_then(Value::as_list).unwrap_or_default();
    let sigs: Vec<&str> = sigs.iter().filter_map(Value::as_text).collect();
    removal_statement(kind, &new.entry.host.to_string(), body)
        .is_ok_and(|text| admins.have_signed(REMOVAL_NAMESPACE, text.as_bytes(), &sigs))
}

async fn fork(
    tx: &mut Tx,
    host: &HostCaller,
    new: &Received,
    held_line: &str,
    text: String,
    next_seq: u64,
    now_ms: i64,
) -> Result<Conflict, Refusal> {
    tracing::error!(host = %host.name, seq = new.entry.seq, "{text}; both lines are kept");
    entries::keep_fork(tx, &new.entry, held_line, &new.line, now_ms).await?;
    let error = format!("{text}. Both lines are kept; stop this host and find out who else signs with its key");
    Ok(Conflict { error, next_seq, fork: true })
}

/// A host that took the place of one that has lost its key says so before any
/// login, and no other host says such a thing.
async fn declares_what_it_lost(tx: &mut Tx, host: &HostCaller, new: &Received) -> Result<(), Refusal> {
    let seq = new.entry.seq;
    match new.entry.kind {
        Some(Kind::Gap) if host.replaces.is_none() || new.entry.body.member("former") != host.replaces => {
            Err(bad(format!("entry {seq}: this host was not enrolled in the place of that one")))
        }
        Some(Kind::SessionOpened) if host.replaces.is_some() => {
            if entries::has_kind(tx, host.id, Kind::Gap.as_str()).await? {
                return Ok(());
            }
            Err(bad(format!("entry {seq}: this host took the place of one that lost its key, and no `gap` says so")))
        }
        Some(_) | None => Ok(()),
    }
}

async fn keep_one(app: &App, tx: &mut Tx, host: &HostCaller, new: &Received, now_ms: i64) -> Result<(), Refusal> {
    let login = new.entry.sess.map(|sess| sess.id);
    let kept = entries::New { entry: &new.entry, login, line: &new.line, now_ms };
    match (login, &new.fact) {
        (Some(login), Some(Fact::Submitted(facts))) => desk::unasked(app, tx, new, (login, facts), now_ms).await?,
        (Some(login), Some(fact)) => facts::keep(tx, &kept, login, fact).await?,
        (None, _) | (_, None) => entries::keep(tx, &kept).await?,
    }
    if let Some(epoch) = &new.epoch {
        entries::keep_epoch(tx, host.id, epoch).await?;
    }
    Ok(())
}

fn bad(text: String) -> Refusal {
    Refusal::BadRequest(text)
}
