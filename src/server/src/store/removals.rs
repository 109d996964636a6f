//! Private values that hosts have declared gone, taken out of what is held:
//! the entries, and every table that was filled from them.

use super::{Store, StoreError, Tx, bigint, entries, log, parsed};
use crate::facts::{Fact, Submitted, fact_of};
use countersign_core::{HostId, LoginId};
use countersign_ledger::{Entry, Erased, Removal, Value, cut_openings};

/// What came of an `erasure` or `redaction`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Done {
    /// Private values that were held and are gone.
    pub values: usize,
    /// Recordings that are to be removed.
    pub recordings: usize,
    /// What was named and may not be taken out, or is another's.
    pub refused: Vec<String>,
}

/// Takes out what the entry `declared` of a host names. Like a verifier it
/// excuses only what a cosigned checkpoint covered before.
pub async fn apply(
    tx: &mut Tx,
    host: HostId,
    declared: u64,
    removal: &Removal,
    now_ms: i64,
) -> Result<Done, StoreError> {
    let held = covered(tx, host, declared).await?;
    let mut done = Done::default();
    for erased in &removal.entries {
        if erased.seq >= held {
            done.refused.push(format!("entry {} is not covered by a checkpoint", erased.seq));
            continue;
        }
        match one_entry(tx, host, declared, erased).await? {
            Some(values) => done.values = done.values.saturating_add(values),
            None => done.refused.push(format!("entry {} is another, or has no such private value", erased.seq)),
        }
    }
    for login in &removal.recordings {
        if erase_recording(tx, host, *login, held, now_ms).await? {
            done.recordings = done.recordings.saturating_add(1);
        } else {
            done.refused.push(format!(
                "login {login} is another's, has no recording here, has not ended, or no checkpoint covers its end"
            ));
        }
    }
    Ok(done)
}

/// Entries below this are covered by the last checkpoint that stands before the
/// entry `declared`, and were cosigned here.
async fn covered(tx: &mut Tx, host: HostId, declared: u64) -> Result<u64, StoreError> {
    let cosigned = log::host_tree(tx, host).await?.size();
    let sql = "SELECT line FROM entries WHERE host = $1 AND seq < $2 AND login IS NULL AND kind = 'checkpoint' \
               ORDER BY seq DESC LIMIT 1";
    let last: Option<String> =
        sqlx::query_scalar(sql).bind(host.to_string()).bind(bigint(declared)).fetch_optional(&mut **tx).await?;
    let Some(line) = last else { return Ok(0) };
    let entry = Entry::parse(line.as_bytes()).map_err(|_| StoreError::Unreadable { what: "entry" })?;
    Ok(entry.body.get("size").and_then(Value::as_int).map_or(0, |size| size.min(cosigned)))
}

/// `None` where the entry is not the one that is named.
async fn one_entry(tx: &mut Tx, host: HostId, declared: u64, erased: &Erased) -> Result<Option<usize>, StoreError> {
    let Some(held) = entries::held(tx, host, erased.seq).await? else { return Ok(None) };
    let unreadable = || StoreError::Unreadable { what: "entry" };
    let entry = Entry::parse(held.line.as_bytes()).map_err(|_| unreadable())?;
    if !entry.kind.is_some_and(|kind| erased.may_apply(kind, held.leaf)) {
        return Ok(None);
    }
    for path in &erased.paths {
        sqlx::query(
            "INSERT INTO removed_openings (host, seq, path, declared) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(host.to_string())
        .bind(bigint(erased.seq))
        .bind(path)
        .bind(bigint(declared))
        .execute(&mut **tx)
        .await?;
    }
    let line = cut_openings(&held.line, &erased.paths).map_err(|_| unreadable())?;
    if line == held.line {
        return Ok(Some(0));
    }
    sqlx::query("UPDATE entries SET line = $1 WHERE host = $2 AND seq = $3")
        .bind(&line)
        .bind(host.to_string())
        .bind(bigint(erased.seq))
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE forks SET held_line = $1 WHERE host = $2 AND held_line = $3")
        .bind(&line)
        .bind(host.to_string())
        .bind(&held.line)
        .execute(&mut **tx)
        .await?;
    let entry = Entry::parse(line.as_bytes()).map_err(|_| unreadable())?;
    let opened = entry.openings().map_err(|_| unreadable())?;
    match fact_of(&entry, &opened).map_err(|_| unreadable())? {
        Some(Fact::Submitted(facts)) => submission(tx, &facts, erased).await?,
        Some(Fact::SessionOpened { agent, claimed, identity, .. }) => {
            if let Some(sess) = entry.sess {
                login(tx, sess.id, (&agent, &claimed, identity.as_deref()), erased).await?;
            }
        }
        Some(Fact::Decided(facts)) if erased.covers("comment") => comment(tx, &facts.id.to_string()).await?,
        Some(_) | None => {}
    }
    Ok(Some(erased.paths.len()))
}

/// What is kept of a command, as its entry says it now.
async fn submission(tx: &mut Tx, facts: &Submitted, erased: &Erased) -> Result<(), StoreError> {
    let program = facts.program.as_ref();
    let id = facts.id.to_string();
    sqlx::query(
        "UPDATE submissions SET command = $1, wholly_visible = $2, cwd = $3, locale = $4, program = $5, \
         program_digest = $6, context = $7 WHERE id = $8",
    )
    .bind(&facts.command)
    .bind(i64::from(facts.wholly_visible))
    .bind(&facts.cwd)
    .bind(&facts.locale)
    .bind(program.map(|program| program.text.as_str()))
    .bind(program.map(|program| program.digest.to_string()))
    .bind(&facts.context)
    .bind(&id)
    .execute(&mut **tx)
    .await?;
    let is_code = |path: &String| path == "cmd" || path.starts_with("cmd/") || path.starts_with("stdin");
    if erased.paths.iter().any(is_code) {
        // What the analysis has said of the text quotes it.
        let sql = "UPDATE submissions SET found = '', programs = '[]', reached = '[]', steps = '[]' WHERE id = $1";
        sqlx::query(sql).bind(&id).execute(&mut **tx).await?;
        sqlx::query("DELETE FROM agent_firsts WHERE submission = $1").bind(&id).execute(&mut **tx).await?;
    }
    Ok(())
}

/// What is kept of a login. The name of its work session stays, which begins
/// with the account's name.
async fn login(
    tx: &mut Tx,
    login: LoginId,
    (agent, claimed, identity): (&str, &str, Option<&str>),
    erased: &Erased,
) -> Result<(), StoreError> {
    let login = login.to_string();
    sqlx::query("UPDATE logins SET agent = $1, claimed = $2, identity = $3 WHERE id = $4")
        .bind(agent)
        .bind(claimed)
        .bind(identity)
        .bind(&login)
        .execute(&mut **tx)
        .await?;
    if erased.covers("agent") {
        let theirs = "submission IN (SELECT id FROM submissions WHERE login = $1)";
        let sql = format!("DELETE FROM agent_firsts WHERE {theirs}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&login).execute(&mut **tx).await?;
        sqlx::query("UPDATE submissions SET agent = '' WHERE login = $1").bind(&login).execute(&mut **tx).await?;
    }
    if erased.covers("source") || erased.covers("identity") {
        let sql = "UPDATE sessions SET source = '' WHERE name = (SELECT session FROM logins WHERE id = $1)";
        sqlx::query(sql).bind(&login).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn comment(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    for sql in [
        "UPDATE submissions SET reason = NULL WHERE id = $1",
        "UPDATE decisions SET comment = NULL WHERE submission = $1",
        "UPDATE approvals SET comment = NULL WHERE submission = $1",
    ] {
        sqlx::query(sql).bind(id).execute(&mut **tx).await?;
    }
    Ok(())
}

/// `false` where this host has no such login that ended with an entry below `held`.
async fn erase_recording(
    tx: &mut Tx,
    host: HostId,
    login: LoginId,
    held: u64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE recordings SET erased_at_ms = $1, held = 0, verified = 0 WHERE login = $2 AND host = $3 \
         AND EXISTS (SELECT 1 FROM entries WHERE login = $2 AND host = $3 AND kind = 'session_closed' AND seq < $4)",
    )
    .bind(now_ms)
    .bind(login.to_string())
    .bind(host.to_string())
    .bind(bigint(held))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The paths that were taken out of an entry.
pub async fn paths(tx: &mut Tx, host: HostId, seq: u64) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT path FROM removed_openings WHERE host = $1 AND seq = $2";
    let paths = sqlx::query_scalar(sql).bind(host.to_string()).bind(bigint(seq));
    Ok(paths.fetch_all(&mut **tx).await?)
}

impl Store {
    /// Recordings that were erased: their hosts and logins.
    pub async fn erased_recordings(&self) -> Result<Vec<(HostId, LoginId)>, StoreError> {
        let sql = "SELECT host, login FROM recordings WHERE erased_at_ms IS NOT NULL";
        let rows: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&self.reader).await?;
        rows.into_iter().map(|(host, login)| Ok((parsed("host id", &host)?, parsed("login", &login)?))).collect()
    }

    /// Leaves nothing of what was overwritten in the database's files.
    pub async fn forget_overwritten(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await?;
        Ok(())
    }
}
