//! Cosigning hosts' checkpoints.
//!
//! The service signs only what it holds itself: every entry below the size,
//! the root computed from its own rows, and each decision that let something
//! run its own. The cosigned checkpoint becomes a leaf of the service's log,
//! whose checkpoints hosts remember: it can neither unsay one nor show two logs.

use crate::app::{App, now_ms};
use crate::refusal::Refusal;
use crate::store::{HostCaller, Tx, entries, log, submissions};
use countersign_api::service::{CheckpointReply, CheckpointRequest, Conflict};
use countersign_core::{Choice, Digest, Outcome, b64_encode};
use countersign_ledger::tlog::{
    Checkpoint, Frontier, KeyKind, Note, NoteKey, NoteText, Origin, ServiceStamp, consistency_nodes, inclusion_nodes,
};
use countersign_ledger::{Entry, KeyRing, Namespace, SignError, Statement, Value, key_id, verify_signature};

/// Entries read at a time.
const ROWS: u32 = 4096;

/// Checks a host's checkpoint against what is held, and cosigns it.
pub async fn cosign(app: &App, host: &HostCaller, request: &CheckpointRequest) -> Result<CheckpointReply, Refusal> {
    let (note, checkpoint) = read(app, host, &request.note).await?;
    let tree = tree(app, host, &checkpoint).await?;
    let mut tx = app.store.write().await?;
    // Another one may have been cosigned meanwhile. What is held only grows, and what was looked at stays.
    in_order(&checkpoint, &mut tx, host).await?;
    let time = u64::try_from(now_ms().div_euclid(1000)).unwrap_or(0);
    let index = match log::checkpoint(&mut tx, host.id, checkpoint.size).await? {
        Some(index) => index,
        None => {
            let leaf = ServiceStamp::log_leaf(&checkpoint);
            let (size, root) = (checkpoint.size, checkpoint.root);
            let new = log::NewCheckpoint { host: host.id, size, root, note: &note.encode(), time, leaf };
            log::keep_host_tree(&mut tx, host.id, &tree).await?;
            log::add_checkpoint(&mut tx, &new).await?
        }
    };
    let reply = reply(&mut tx, app, &checkpoint, time, index, request.log_size).await?;
    tx.commit().await?;
    Ok(reply)
}

/// The note must be this host's, about its own log.
async fn read(app: &App, host: &HostCaller, text: &str) -> Result<(Note, Checkpoint), Refusal> {
    let bad = |text: String| Refusal::BadRequest(text);
    let note = Note::parse(text.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|error| bad(error.to_string()))?;
    if Origin::parse(&checkpoint.origin) != Some(Origin::Host(host.id)) {
        return Err(Refusal::Forbidden("the checkpoint is another log's; a host token speaks for its own host only"));
    }
    // The key that signed the last of these entries.
    let last = checkpoint.size.saturating_sub(1);
    let mut keys = KeyRing::new(host.key);
    app.store.epochs(host.id, last).await?.into_iter().for_each(|epoch| keys.adopt(epoch));
    let key = NoteKey { name: checkpoint.origin.clone(), kind: KeyKind::Ed25519, public: *keys.key_at(last) };
    match key.verify(&note) {
        Ok(Some(_)) => Ok((note, checkpoint)),
        Ok(None) | Err(_) => {
            Err(bad("the checkpoint is not signed by the key that signs this host's entries there".to_owned()))
        }
    }
}

/// Refuses a checkpoint beyond what is held, or before one that was cosigned; else how much is held, and that tree.
async fn in_order(checkpoint: &Checkpoint, tx: &mut Tx, host: &HostCaller) -> Result<(u64, Frontier), Refusal> {
    let held = entries::head(tx, host.id).await?.map_or(0, |(seq, _)| seq.saturating_add(1));
    let tree = log::host_tree(tx, host.id).await?;
    if checkpoint.size > held || checkpoint.size < tree.size() || checkpoint.size == 0 {
        let (size, least) = (checkpoint.size, tree.size());
        let error = format!("a checkpoint of {size} entries; {held} are held here and {least} were cosigned before");
        return Err(Refusal::Ledger(Conflict { error, next_seq: held, fork: false }));
    }
    Ok((held, tree))
}

/// The tree that the checkpoint is of, each of its entries held and each decision looked at. Entries are append-only:
/// so no line of anybody has to wait meanwhile.
async fn tree(app: &App, host: &HostCaller, checkpoint: &Checkpoint) -> Result<Frontier, Refusal> {
    let mut tx = app.store.read().await?;
    let (held, mut tree) = in_order(checkpoint, &mut tx, host).await?;
    grow(&mut tx, app, host, &mut tree, checkpoint.size).await?;
    if tree.root() != checkpoint.root {
        let error =
            format!("the root over {} entries is another here: this host's tree is not its ledger", tree.size());
        tracing::error!(host = %host.name, "{error}");
        return Err(Refusal::Ledger(Conflict { error, next_seq: held, fork: true }));
    }
    Ok(tree)
}

/// Adds the entries that are new, up to `size`.
async fn grow(tx: &mut Tx, app: &App, host: &HostCaller, tree: &mut Frontier, size: u64) -> Result<(), Refusal> {
    while tree.size() < size {
        let rows = log::leaves(tx, host.id, tree.size(), size, ROWS).await?;
        if rows.is_empty() {
            tracing::error!(host = %host.name, seq = tree.size(), "an entry below the head is not held");
            return Err(Refusal::Internal);
        }
        for (leaf, decided) in rows {
            if let Some(line) = decided
                && !is_ours(tx, &line, &app.public_key).await?
            {
                let seq = tree.size();
                tracing::error!(host = %host.name, seq, "a command ran without a decision of this service");
                let text = format!("entry {seq} lets a command run without a decision of this service; not cosigned");
                return Err(Refusal::Conflict(text));
            }
            tree.push(leaf);
        }
    }
    Ok(())
}

/// Whether a `decided` entry lets nothing run, or rests on a statement that
/// this service signed: an approval of this very submission, by its entry and
/// its nonce. One of another command, or a refusal, is none.
async fn is_ours(tx: &mut Tx, line: &str, key: &Digest) -> Result<bool, Refusal> {
    let Ok(entry) = Entry::parse(line.as_bytes()) else { return Ok(false) };
    let body = &entry.body;
    if body.member("outcome").is_some_and(|outcome: Outcome| !outcome.lets_run()) {
        return Ok(true);
    }
    let signed = body.get("statement").zip(body.get("sig").and_then(Value::as_text));
    let (Some((said, sig)), Some(id), Some(of)) = (signed, body.member("id"), body.member("of")) else {
        return Ok(false);
    };
    let (Ok(text), Ok(statement)) = (said.encode(), Statement::from_value(said)) else { return Ok(false) };
    let Some(asked) = submissions::submission(tx, id).await? else { return Ok(false) };
    let about = (asked.host, asked.entry, asked.nonce) == (entry.host, of, statement.nonce);
    Ok(about
        && (statement.host, statement.entry) == (entry.host, of)
        && statement.decision == Choice::Approve
        && statement.key == key_id(key)
        && verify_signature(Namespace::Decision, key, text.as_bytes(), sig).is_ok())
}

async fn reply(
    tx: &mut Tx,
    app: &App,
    checkpoint: &Checkpoint,
    time: u64,
    log_index: u64,
    known: u64,
) -> Result<CheckpointReply, Refusal> {
    let log_size = log::log_size(tx).await?;
    let consistency = consistency_nodes(known, log_size).ok_or_else(|| {
        let text = format!("this host has seen {known} checkpoints in the service's log, which has {log_size}");
        Refusal::Conflict(format!("{text}: the service was set back; its operator must restore what is missing"))
    })?;
    let inclusion = inclusion_nodes(log_index, log_size).ok_or(Refusal::Internal)?;
    let log_root = log::log_root(tx, log_size).await?;
    let origin = Origin::Service(app.service).to_string();
    let of_log = Checkpoint { origin, size: log_size, root: log_root };
    let defect = || Refusal::from(SignError::Failed("not a checkpoint of ours".to_owned()));
    let cosig = app.sign_note(&NoteText::cosignature(checkpoint, time).ok_or_else(defect)?)?;
    let log_sig = app.sign_note(&NoteText::checkpoint(&of_log).ok_or_else(defect)?)?;
    Ok(CheckpointReply {
        service: app.service,
        time,
        cosig: b64_encode(&cosig),
        log_size,
        log_root,
        log_sig: b64_encode(&log_sig),
        log_index,
        log_proof: log::hashes(tx, inclusion).await?,
        log_consistency: log::hashes(tx, consistency).await?,
    })
}
