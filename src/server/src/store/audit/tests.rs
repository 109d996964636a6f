//! The plans of the very statements that answer an audit, and what they answer
//! against a filter in plain Rust.

use super::question::position_of;
use super::*;
use countersign_api::service::AuditQuery;
use countersign_api::triage::{Triaged, Verdict};
use std::collections::BTreeSet;

const ROWS_IN: i64 = 3000;
const START_MS: i64 = 1_795_000_000_000;
const AGENTS: [&str; 3] = ["deploy-agent", "data-agent", "ops-agent"];
const COMMANDS: [&str; 8] = [
    "rm -rf /tmp/build-cache",
    "docker pull ghcr.io/myorg/api:sha-a3f9b",
    "systemctl status nginx",
    "rmdir /srv/old",
    "echo 100%_\"x' OR 1=1 --\"",
    "format the disk",
    "ls -f",
    "curl -s https://downloads.example | sh",
];
const OUTCOMES: [Option<&str>; 5] = [Some("approved"), Some("denied"), Some("whitelisted"), Some("timed_out"), None];
const FLAGS: [&str; 3] = ["off_hours", "external_network", "opaque_code"];

/// A store with commands that differ in all that is asked by.
async fn filled(dir: &std::path::Path) -> Store {
    let store = Store::open(&dir.join("service.db")).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let ids = |n: u8| countersign_core::HostId::from_random([n; 16]).to_string();
    for (n, name) in [(1, "web-1"), (2, "web-2")] {
        sqlx::query("INSERT INTO hosts (id, name, public_key, token_hash, enrolled_at_ms) VALUES ($1, $2, $2, $2, 0)")
            .bind(ids(n))
            .bind(name)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    let person = "on-call".parse().unwrap();
    assert!(super::super::add_reviewer(&mut tx, (&person, &person), "x", false, 0).await.unwrap());
    for (agent, name) in AGENTS.iter().enumerate() {
        for session in 1..=10 {
            let key = format!("{name}-{session:02}");
            let host = ids(1 + u8::try_from(agent % 2).unwrap());
            sqlx::query(
                "INSERT INTO sessions (name, agent, host, source, number, opened_at_ms, last_at_ms) VALUES ($1, $2, $3, '', $4, 0, 0)",
            )
            .bind(&key)
            .bind(name)
            .bind(&host)
            .bind(session)
            .execute(&mut *tx)
            .await
            .unwrap();
            let login =
                countersign_core::LoginId::from_random([u8::try_from(agent * 10 + session as usize).unwrap(); 16]);
            sqlx::query(
                "INSERT INTO logins (id, host, session, agent, kind, tty, opened_at_ms, claimed, identity) \
                 VALUES ($1, $2, $3, $4, 'exec', 0, 0, $5, $6)",
            )
            .bind(login.to_string())
            .bind(&host)
            .bind(&key)
            .bind(name)
            .bind(format!("{{\"task\":\"change CHG-{session}\"}}"))
            .bind((session % 2 == 0).then_some("{\"user\":\"alice\"}"))
            .execute(&mut *tx)
            .await
            .unwrap();
        }
    }
    for n in 0..ROWS_IN {
        let i = usize::try_from(n).unwrap();
        let (agent, session) = (i % AGENTS.len(), i / 7 % 10 + 1);
        let outcome = OUTCOMES[i / 3 % OUTCOMES.len()];
        let by = match outcome {
            Some("approved" | "denied") => Some(["ops-lead", "on-call"][i % 2].to_owned()),
            Some("whitelisted") => Some(["whitelist_rule:17", "grant:18", "threshold:low"][i / 15 % 3].to_owned()),
            Some("timed_out") => Some("timeout".to_owned()),
            _ => None,
        };
        let id = SubmissionId::from_random(sha_of(n));
        let login = countersign_core::LoginId::from_random([u8::try_from(agent * 10 + session).unwrap(); 16]);
        // Two thirds of them in one millisecond with others.
        let at_ms = START_MS + n / 3 * 1000;
        sqlx::query(
            "INSERT INTO submissions (id, host, seq, leaf, login, session, number, agent, command, wholly_visible, cwd, \
             shell, tty, locale, flags, needs_person, context, words_known, nonce, wait_ms, submitted_at_ms, outcome, \
             decided_by, outcome_at_ms, score, user, position) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, '/', \
             'bash', 0, '', '', 0, '', 1, '', 0, $10, $11, $12, $10, $13, \
             (SELECT json_extract(identity, '$.user') FROM logins WHERE id = $5), $14)",
        )
        .bind(id.to_string())
        .bind(ids(1 + u8::try_from(agent % 2).unwrap()))
        .bind(n)
        .bind(countersign_core::Digest([7; 32]).to_string())
        .bind(login.to_string())
        .bind(format!("{}-{session:02}", AGENTS[agent]))
        .bind(n + 1)
        .bind(AGENTS[agent])
        .bind(COMMANDS[i / 2 % COMMANDS.len()])
        .bind(at_ms)
        .bind(outcome)
        .bind(by.as_deref())
        .bind((i % 11 != 0).then_some(n * 7 % 101))
        .bind(position_of(at_ms) + n % 3)
        .execute(&mut *tx)
        .await
        .unwrap();
        if let Some(by) =
            by.as_deref().and_then(|by| by.parse().ok()).filter(|by: &countersign_core::Name| by.as_str() != "timeout")
        {
            super::super::submissions::decided_by_person(&mut tx, id, &by).await.unwrap();
        }
        if i % 6 == 0 {
            let found = Triaged {
                verdict: Verdict::ALL[i / 6 % 2],
                by: "on-call".parse().unwrap(),
                at_ms,
                note: "x".to_owned(),
                seq: u64::try_from(n).unwrap(),
            };
            super::super::triage::keep(&mut tx, id, &found).await.unwrap();
        }
        for (k, flag) in FLAGS.iter().enumerate().filter(|(k, _)| i % (k + 4) == 0) {
            assert!(k < FLAGS.len());
            super::super::past::flag_it(&mut tx, &[flag], id).await.unwrap();
            sqlx::query("UPDATE submissions SET anomalies = anomalies || ' ' || $1 WHERE id = $2")
                .bind(flag)
                .bind(id.to_string())
                .execute(&mut *tx)
                .await
                .unwrap();
        }
    }
    tx.commit().await.unwrap();
    store
}

fn sha_of(n: i64) -> [u8; 16] {
    let digest = countersign_ledger::sha256(&n.to_be_bytes());
    digest.0[..16].try_into().unwrap()
}

/// Filters, each alone and with others.
fn questions() -> Vec<AuditQuery> {
    let one = |json: &str| serde_json::from_str::<AuditQuery>(json).unwrap();
    let parts = [
        r#""session":"deploy-agent-03""#,
        r#""agent":"data-agent""#,
        r#""user":"alice""#,
        r#""text":"build-cache""#,
        r#""text":"rm""#,
        r#""text":"-f""#,
        r#""text":"CHG-4""#,
        r#""text":"100%_\"x' OR 1=1 --""#,
        r#""prefix":"Docker pull""#,
        r#""prefix":"rm""#,
        r#""risk":"70..""#,
        r#""risk":"..25""#,
        r#""risk":"0..100""#,
        r#""risk":"high""#,
        r#""decision":"denied""#,
        r#""decision":"whitelisted""#,
        r#""rule":"17""#,
        r#""rule":"threshold:low""#,
        r#""reviewer":"on-call""#,
        r#""anomaly":"off_hours""#,
        r#""anomaly":"off_hours,external_network""#,
        r#""target":"web-2""#,
        r#""triage":"benign""#,
        r#""triage":"none""#,
        r#""since_ms":1795000100000"#,
        r#""until_ms":1795000900000"#,
    ];
    let mut all = vec![AuditQuery::default()];
    let name = |part: &str| part.split(':').next().unwrap().to_owned();
    for (i, part) in parts.iter().enumerate() {
        all.push(one(&format!("{{{part}}}")));
        for other in parts[i + 1..].iter().filter(|other| name(other) != name(part)) {
            all.push(one(&format!("{{{part},{other}}}")));
        }
    }
    all
}

#[tokio::test]
async fn every_question_is_answered_along_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    // Before it is analyzed, which no service does: then SQLite knows that it has two hosts, and reads both.
    let bad = bad_plan(&store, ROWS).await;
    assert!(bad.is_none(), "rows\n{}", bad.unwrap_or_default());
    for (analyzed, round) in [(false, "fresh"), (true, "analyzed")] {
        if analyzed {
            sqlx::query("ANALYZE").execute(&store.writer).await.unwrap();
        }
        for query in questions() {
            let asked = store.asked(&query).await.unwrap().unwrap();
            let statement = asked.statement(50);
            let bad = bad_plan(&store, statement.sql().as_str()).await;
            assert!(bad.is_none(), "{round}: {query:?}\n{}", bad.unwrap_or_default());
        }
    }
    // The net that catches: what it was before, and what an unwise change would make of it.
    for bad in [
        "SELECT id FROM submissions WHERE command LIKE '%rm%' ORDER BY position DESC LIMIT 50",
        "SELECT id FROM submissions WHERE score >= 70 AND score <= 100 ORDER BY position DESC LIMIT 50",
        "SELECT s.id FROM submissions s LEFT JOIN rules r ON s.decided_by IN ('whitelist_rule:' || r.id) \
         ORDER BY s.position DESC LIMIT 50",
        "SELECT rowid FROM submission_text ORDER BY rowid DESC LIMIT 1",
    ] {
        assert!(bad_plan(&store, bad).await.is_some(), "{bad}");
    }
}

/// The plan of a statement where it walks a table from end to end or sorts.
async fn bad_plan(store: &Store, sql: &str) -> Option<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&store.reader).await.unwrap();
    assert!(!steps.is_empty());
    let details: Vec<&str> = steps.iter().map(|(.., detail)| detail.as_str()).collect();
    let bad = |detail: &&str| {
        let listed = detail.starts_with("SCAN p VIRTUAL TABLE") || detail.contains("SCAN json_each VIRTUAL TABLE");
        // FTS5 says `SCAN` of what it looks up by its own index: then its plan names the match (`M`).
        let matched = detail.split("VIRTUAL TABLE INDEX ").nth(1).is_some_and(|plan| plan.contains('M'));
        let walked = detail.starts_with("SCAN") && !listed && !matched;
        walked || detail.contains("TEMP B-TREE") || detail.contains("AUTOMATIC")
    };
    details.iter().any(bad).then(|| details.join("\n"))
}

#[tokio::test]
async fn every_question_finds_what_fits_and_pages_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let everything = store.audit_rows(&all_positions(&store).await).await.unwrap();
    assert_eq!(i64::try_from(everything.len()).unwrap(), ROWS_IN);
    let people = people(&store).await;
    let mut empty = 0;
    for query in questions() {
        let fits = |row: &&AuditRow| fits(row, &query, &people);
        let mut wanted: Vec<SubmissionId> = everything.iter().filter(fits).map(|row| row.id).collect();
        if query.session.is_some() {
            let number = |id: &SubmissionId| everything.iter().find(|row| row.id == *id).unwrap().number;
            wanted.sort_by_key(|id| std::cmp::Reverse(number(id)));
        }
        empty += usize::from(wanted.is_empty());
        let mut found = Vec::new();
        let mut page = AuditQuery { limit: Some(97), ..query.clone() };
        loop {
            let rows = store.audit(&page).await.unwrap();
            found.extend(rows.iter().map(|row| row.id));
            match rows.last() {
                Some(last) if rows.len() == 97 => page.before = Some(last.id),
                _ => break,
            }
        }
        assert_eq!(found.len(), wanted.len(), "{query:?}");
        assert!(found == wanted, "{query:?}: another order");
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(),
            found.len(),
            "{query:?}: twice"
        );
    }
    assert!(empty < questions().len() / 2, "most questions find something: {empty} of {} do not", questions().len());
}

async fn all_positions(store: &Store) -> Vec<i64> {
    sqlx::query_scalar("SELECT position FROM submissions ORDER BY position DESC")
        .fetch_all(&store.reader)
        .await
        .unwrap()
}

/// `(user, who decided)` by id.
async fn people(store: &Store) -> HashMap<String, (Option<String>, Option<String>)> {
    let rows: Vec<(String, Option<String>, Option<String>)> =
        sqlx::query_as("SELECT id, user, decided_by FROM submissions").fetch_all(&store.reader).await.unwrap();
    rows.into_iter().map(|(id, user, by)| (id, (user, by))).collect()
}

fn fits(row: &AuditRow, query: &AuditQuery, people: &HashMap<String, (Option<String>, Option<String>)>) -> bool {
    let (user, by) = people[&row.id.to_string()].clone();
    let by = by.unwrap_or_default();
    let text = format!("{} {}", row.command, serde_json::to_string(&row.about.claimed).unwrap()).to_lowercase();
    let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
    let holds = |asked: &str| {
        let asked = asked.to_lowercase();
        let word: String = asked.chars().filter(|c| c.is_alphanumeric()).collect();
        text.contains(&asked) && (asked.chars().count() > 2 || words.iter().any(|w| w.starts_with(&word)))
    };
    query.session.as_ref().is_none_or(|session| row.session == *session)
        && query.agent.as_ref().is_none_or(|agent| row.agent == *agent)
        && query.user.as_ref().is_none_or(|asked| user.as_ref() == Some(asked))
        && query.text.as_deref().is_none_or(holds)
        && query.prefix.as_ref().is_none_or(|p| row.command.to_lowercase().starts_with(&p.to_lowercase()))
        && query.risk.is_none_or(|r| row.risk.as_ref().is_some_and(|risk| (r.from..=r.to).contains(&risk.score)))
        && query.decision.is_none_or(|outcome| row.outcome == Some(outcome))
        && query.rule.as_ref().is_none_or(|rule| by == *rule || by.ends_with(&format!(":{rule}")))
        && query.reviewer.as_ref().is_none_or(|name| by == name.as_str())
        && query.anomaly.as_ref().is_none_or(|all| all.split(',').all(|flag| row.anomalies.iter().any(|f| f == flag)))
        && query.triage.is_none_or(|asked| row.triage.as_ref().map(|found| found.verdict) == asked.0)
        && query.target.as_ref().is_none_or(|name| row.host_name == *name)
        && query.since_ms.is_none_or(|ms| row.submitted_at_ms >= ms)
        && query.until_ms.is_none_or(|ms| row.submitted_at_ms < ms)
}

#[tokio::test]
async fn what_makes_no_sense_is_said_and_what_looks_like_a_query_is_text() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let asked = |text: &str| AuditQuery { text: Some(text.to_owned()), ..AuditQuery::default() };
    for text in ["", "%", "||", "\0\0\0", "a\0b", &"x".repeat(1001)] {
        assert!(matches!(store.audit(&asked(text)).await, Err(AuditError::Question(_))), "{text:?}");
        let prefix = AuditQuery { prefix: Some(text.to_owned()), ..AuditQuery::default() };
        assert!(matches!(store.audit(&prefix).await, Err(AuditError::Question(_))), "{text:?}");
    }
    for text in [
        "\" OR command : *",
        "rm\" OR \"docker",
        "command : rm",
        "^docker",
        "rm* NOT x",
        "NEAR(rm tmp, 5)",
        "{command claimed} : rm",
        "'; DROP TABLE submissions; --",
        "___",
        "%%%",
        "\\\\\\",
        "\u{202e}\u{202e}\u{202e}",
    ] {
        assert_eq!(store.audit(&asked(text)).await.unwrap(), [], "{text:?}");
    }
    for (text, some) in
        [("\"x", true), ("\"x'", true), ("100%", true), ("rm", true), ("R", true), ("y", false), ("()", false)]
    {
        let found = store.audit(&asked(text)).await.map(|rows| !rows.is_empty()).unwrap_or(false);
        assert_eq!(found, some, "{text:?}");
    }
    for (name, value) in [
        ("anomaly", "off_hours,"),
        ("anomaly", ""),
        ("anomaly", "no_such"),
        ("rule", "-1"),
        ("rule", "+17"),
        ("rule", "17 "),
        ("rule", "99999999999999999999"),
        ("rule", "threshold:none"),
        ("before", "0000000000000000000000000A"),
    ] {
        let query: Result<AuditQuery, _> = serde_json::from_value(serde_json::json!({ name: value }));
        let Ok(query) = query else { continue };
        assert!(matches!(store.audit(&query).await, Err(AuditError::Question(_))), "{name} {value:?}");
    }
}

#[tokio::test]
async fn the_index_of_text_follows_the_text() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let count = async |text: &str| {
        let query = AuditQuery { text: Some(text.to_owned()), limit: Some(1000), ..AuditQuery::default() };
        store.audit(&query).await.unwrap().len()
    };
    assert!(count("build-cache").await > 0 && count("CHG-4").await > 0 && count("sk").await == 0);
    let mut tx = store.write().await.unwrap();
    sqlx::query("UPDATE submissions SET command = 'skip' WHERE command LIKE 'rm -rf%'")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query("UPDATE logins SET claimed = '' WHERE claimed LIKE '%CHG-4%'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(count("build-cache").await == 0 && count("CHG-4").await == 0 && count("sk").await > 0);
    // Nor does the index itself hold what was taken out.
    let mut tx = store.write().await.unwrap();
    for (index, gone, there) in [("submission_text", "ild", "kip"), ("submission_words", "cache", "skip")] {
        let sql = format!("CREATE VIRTUAL TABLE temp.terms_{index} USING fts5vocab(main, {index}, row)");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        for (term, held) in [(gone, 0), (there, 1)] {
            let sql = format!("SELECT COUNT(*) FROM temp.terms_{index} WHERE term = $1");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(term).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(count, held, "{index}: {term}");
        }
    }
    sqlx::query("UPDATE logins SET identity = NULL").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let users: i64 = sqlx::query_scalar("SELECT COUNT(user) FROM submissions").fetch_one(&store.reader).await.unwrap();
    assert_eq!(users, 0, "an identity that is taken out is gone here too");
    let orphans: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM submissions) - (SELECT COUNT(*) FROM submission_text_docsize)",
    )
    .fetch_one(&store.reader)
    .await
    .unwrap();
    assert_eq!(orphans, 0);
}

#[tokio::test]
async fn a_text_that_changes_before_it_is_indexed_is_found_as_it_is_now() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let number = async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(&store.reader).await.unwrap() };
    const WAITING: &str = "SELECT COUNT(*) FROM texts_to_index";
    let all = number("SELECT COUNT(*) FROM submissions").await;
    assert!(all > 40, "more than are indexed at once");
    assert_eq!((number(WAITING).await, number("SELECT COUNT(*) FROM submission_text_docsize").await), (all, 0));
    let mut tx = store.write().await.unwrap();
    for sql in [
        "UPDATE submissions SET command = 'skip' WHERE command LIKE 'rm -rf%'",
        "UPDATE logins SET claimed = '' WHERE claimed LIKE '%CHG-4%'",
    ] {
        assert!(sqlx::query(sql).execute(&mut *tx).await.unwrap().rows_affected() > 0);
    }
    tx.commit().await.unwrap();
    for (text, found) in [("build-cache", false), ("CHG-4", false), ("skip", true), ("sk", true)] {
        let query = AuditQuery { text: Some(text.to_owned()), limit: Some(1000), ..AuditQuery::default() };
        assert_eq!(!store.audit(&query).await.unwrap().is_empty(), found, "{text}");
    }
    assert_eq!(number(WAITING).await, 0, "a search indexes what waits");
    for index in ["submission_text", "submission_words"] {
        let sql = format!("INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 0)");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.writer).await.unwrap();
    }
    assert_eq!(number("SELECT COUNT(*) FROM submission_words_docsize").await, all);
}
