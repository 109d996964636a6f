//! A command that comes: what must be known before anything of it is kept, and
//! all of it kept.
//!
//! Each query is a way to the database's own thread and back, which takes longer
//! than most of them: so one query reads, and one of several statements writes
//! (ADR 31).

use super::audit::{last_position_of, position_of};
use super::past::{self, Found, PastRow};
use super::submissions::{Decision, Submission, is_denial};
use super::{StoreError, Tx, bigint, number, parsed, rules};
use crate::facts::Submitted;
use countersign_analysis::anomaly::History;
use countersign_analysis::risk::Risk;
use countersign_api::service::Step;
use countersign_core::{Digest, LoginId, Name};
use countersign_ledger::Entry;
use std::collections::HashMap;

/// A `command_submitted` that is not held yet, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Its entry.
    pub entry: &'a Entry,
    /// Its line.
    pub line: &'a str,
    /// Its login.
    pub login: LoginId,
    /// What it says.
    pub facts: &'a Submitted,
    /// What it may do.
    pub risk: &'a Risk,
    /// When it came, ms since 1970.
    pub now_ms: i64,
}

impl Arrival<'_> {
    /// When its host wrote it, ms since 1970.
    pub fn at_ms(&self) -> i64 {
        self.entry.at_us.div_euclid(1000)
    }

    /// It as it will be held.
    pub fn submission(&self, login: &LoginOf) -> Submission {
        Submission {
            id: self.facts.id,
            host: self.entry.host,
            seq: self.entry.seq,
            at_ms: self.at_ms(),
            number: login.next_number,
            entry: self.entry.leaf,
            agent: login.agent.clone(),
            session: login.session.clone(),
            cwd: self.facts.cwd.clone(),
            people: 1,
            command: self.facts.command.clone(),
            wholly_visible: self.facts.wholly_visible,
            shell: self.facts.shell.clone(),
            tty: login.tty,
            needs_person: self.facts.needs_person,
            words_known: self.facts.words_known,
            nonce: self.facts.nonce,
            wait_ms: self.facts.wait_ms,
            deadline_ms: None,
            outcome: None,
        }
    }
}

/// What is known before it is kept.
#[derive(Debug)]
pub struct Known {
    /// The last entry held of its host: `seq` and leaf hash.
    pub head: Option<(u64, Digest)>,
    /// Whether a command of this id is held already.
    pub taken: bool,
    /// Its login; `None` where it was never opened on this host.
    pub login: Option<LoginOf>,
    /// How often rules were used.
    pub uses: HashMap<u64, u64>,
    /// What its agent did before.
    pub past: History,
}

/// What a command has of its login.
#[derive(Debug)]
pub struct LoginOf {
    /// The work session.
    pub session: String,
    /// The account.
    pub agent: String,
    /// Whether it has a terminal.
    pub tty: bool,
    /// The number that the session's next command gets.
    pub next_number: u64,
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    head: Option<String>,
    uses: String,
    taken: bool,
    session: Option<String>,
    agent: Option<String>,
    tty: Option<i64>,
    next_number: i64,
    #[sqlx(flatten)]
    past: PastRow,
}

const KNOWN: &str = concat!(
    "SELECT (SELECT json_array(seq, leaf) FROM entries WHERE host = $1 ORDER BY seq DESC LIMIT 1) AS head, \
     (SELECT json_group_array(json_array(id, uses)) FROM rule_uses) AS uses, \
     EXISTS (SELECT 1 FROM submissions WHERE id = $14) AS taken, l.session, l.agent, l.tty, \
     (SELECT COALESCE(MAX(number), 0) + 1 FROM submissions WHERE session = l.session) AS next_number, ",
    past::columns!("l.agent", "l.session"),
    " FROM (SELECT 1) LEFT JOIN logins l ON l.id = $13 AND l.host = $1"
);

/// Reads it. `now_ms`: the service's time when it is looked at.
pub async fn known(tx: &mut Tx, new: &Arrival<'_>, now_ms: i64) -> Result<Known, StoreError> {
    let who = past::Who { host: new.entry.host, agent: "", session: "" };
    let place = past::Place { seq: new.entry.seq, at_ms: new.at_ms(), number: u64::MAX, now_ms };
    let row: KnownRow = past::bind(sqlx::query_as(KNOWN), who, place, new.risk)?
        .bind(new.login.to_string())
        .bind(new.facts.id.to_string())
        .fetch_one(&mut **tx)
        .await?;
    let head = row.head.map(|head| {
        let (seq, leaf): (i64, String) = past::list("entry", &head)?;
        Ok::<_, StoreError>((number("seq", seq)?, parsed("leaf hash", &leaf)?))
    });
    let login = match (row.session, row.agent, row.tty) {
        (Some(session), Some(agent), Some(tty)) => {
            Some(LoginOf { session, agent, tty: tty != 0, next_number: number("number", row.next_number)? })
        }
        _ => None,
    };
    Ok(Known {
        head: head.transpose()?,
        taken: row.taken,
        login,
        uses: rules::read_uses(past::list("uses", &row.uses)?)?,
        past: row.past.read()?,
    })
}

/// What is asked about a command.
#[derive(Debug)]
pub struct Asking {
    /// Until when it waits, ms since 1970.
    pub deadline_ms: i64,
    /// How many people must approve; 0 where it is decided.
    pub people: u8,
    /// How that came about.
    pub steps: Vec<Step>,
    /// Who is asked.
    pub names: Vec<Name>,
    /// The rules that were used.
    pub used: Vec<u64>,
    /// The answer, where there is one at once.
    pub decision: Option<Decision>,
}

/// The statements that keep a command. They share their arguments.
const KEEP: &str = "INSERT INTO entries (host, seq, leaf, kind, login, at_us, line, received_at_ms) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8); \
    INSERT INTO submissions (id, host, seq, leaf, login, session, number, agent, command, wholly_visible, cwd, nonce, \
    wait_ms, submitted_at_ms, shell, locale, flags, needs_person, transfer, program, program_bytes, program_digest, \
    context, words_known, tty, user, position, score, anomalies, found, programs, reached, asked_at_ms, deadline_ms, \
    people, steps, asked, denied) VALUES ($9, $1, $2, $3, $5, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
    $21, $22, $23, $24, $25, $26, $27, $28, $29, \
    (SELECT CASE WHEN json_valid(identity) THEN json_extract(identity, '$.user') END FROM logins WHERE id = $5), \
    (SELECT MAX($30, COALESCE(MAX(position) + 1, 0)) FROM submissions WHERE position BETWEEN $30 AND $31), \
    $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42); \
    INSERT INTO submission_flags (flag, position) SELECT j.value, s.position FROM json_each($43) j \
    CROSS JOIN submissions s WHERE s.id = $9 ON CONFLICT DO NOTHING; \
    UPDATE sessions SET last_at_ms = $18 WHERE name = $10 AND last_at_ms < $18; \
    INSERT INTO rule_uses (id, uses) SELECT value, 1 FROM json_each($44) WHERE 1 \
    ON CONFLICT (id) DO UPDATE SET uses = uses + 1; \
    INSERT INTO decisions (submission, choice, decided_by, statement, sig, comment, decided_at_ms, reviews) \
    SELECT $9, $45, $46, $47, $48, $49, $8, $50 WHERE $45 IS NOT NULL";

/// Keeps a command that is not held yet, what was found of it, and what it was
/// answered. The caller has looked at [`Known`] in the same transaction.
pub async fn keep(
    tx: &mut Tx,
    new: &Arrival<'_>,
    login: &LoginOf,
    found: &Found<'_>,
    asking: Option<&Asking>,
) -> Result<(), StoreError> {
    let (facts, host, at_ms) = (new.facts, new.entry.host.to_string(), new.at_ms());
    let flags: Vec<&str> = facts.flags.lines().chain(found.anomalies.iter().map(String::as_str)).collect();
    let program = facts.program.as_ref();
    let steps = past::json(asking.map(|asking| asking.steps.as_slice()).unwrap_or_default())?;
    let names: Vec<&str> = asking.iter().flat_map(|asking| asking.names.iter().map(Name::as_str)).collect();
    let decision = asking.and_then(|asking| asking.decision.as_ref());
    sqlx::query(KEEP)
        .bind(host)
        .bind(bigint(new.entry.seq))
        .bind(new.entry.leaf.to_string())
        .bind(new.entry.kind_text.as_str())
        .bind(new.login.to_string())
        .bind(new.entry.at_us)
        .bind(new.line)
        .bind(new.now_ms)
        .bind(facts.id.to_string())
        .bind(&login.session)
        .bind(bigint(login.next_number))
        .bind(&login.agent)
        .bind(&facts.command)
        .bind(i64::from(facts.wholly_visible))
        .bind(&facts.cwd)
        .bind(facts.nonce.to_string())
        .bind(bigint(facts.wait_ms))
        .bind(at_ms)
        .bind(&facts.shell)
        .bind(&facts.locale)
        .bind(&facts.flags)
        .bind(i64::from(facts.needs_person))
        .bind(&facts.transfer)
        .bind(program.map(|program| &program.text))
        .bind(program.map(|program| bigint(program.bytes)))
        .bind(program.map(|program| program.digest.to_string()))
        .bind(&facts.context)
        .bind(i64::from(facts.words_known))
        .bind(i64::from(login.tty))
        .bind(position_of(at_ms))
        .bind(last_position_of(at_ms))
        .bind(i64::from(found.score))
        .bind(found.anomalies.join(" "))
        .bind(&found.found)
        .bind(past::json(found.programs)?)
        .bind(past::json(found.reached)?)
        .bind(asking.map(|_| new.now_ms))
        .bind(asking.map(|asking| asking.deadline_ms))
        .bind(i64::from(asking.map_or(1, |asking| asking.people)))
        .bind(steps)
        .bind(names.join(" "))
        .bind(i64::from(decision.is_some_and(is_denial)))
        .bind(past::json(&flags)?)
        .bind(past::json(asking.map(|asking| asking.used.as_slice()).unwrap_or_default())?)
        .bind(decision.map(|decision| decision.choice.as_str()))
        .bind(decision.map(|decision| decision.by.to_string()))
        .bind(decision.map(|decision| decision.signed.statement.as_str()))
        .bind(decision.map(|decision| decision.signed.sig.as_str()))
        .bind(decision.and_then(|decision| decision.signed.comment.as_deref()))
        .bind(past::json(decision.map(|decision| decision.signed.reviews.as_slice()).unwrap_or_default())?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
