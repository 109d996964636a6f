//! What people find of commands later: kept, recorded, asked by, and no word that lets anything run.

use crate::host::{Held, Host};
use crate::own_ledger::{lines, verified};
use crate::running::Service;
use countersign_api::rules::Suggestions;
use countersign_api::service::{AuditRecord, AuditRow, ErrorBody, ReviewReply, ReviewRequest};
use countersign_api::triage::{Triaged, Verdict};
use countersign_core::{Choice, SubmissionId};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn triage(
    service: &Service,
    token: &str,
    id: SubmissionId,
    body: Value,
) -> (StatusCode, Result<Triaged, String>) {
    service.post(&format!("/api/audit/{id}/triage"), token, &body).await
}

async fn says(service: &Service, token: &str, id: SubmissionId, verdict: &str) -> StatusCode {
    triage(service, token, id, json!({"verdict": verdict, "note": "looked"})).await.0
}

async fn ids(service: &Service, token: &str, query: &str) -> Vec<SubmissionId> {
    let rows: Vec<AuditRow> = service.get(&format!("/api/audit?{query}"), token).await.1.unwrap();
    rows.iter().map(|row| row.id).collect()
}

/// A command that this reviewer has decided, as service and host both know.
async fn decided(service: &Service, host: &mut Host, token: &str, by: &str, line: &str) -> Held {
    let held = host.pending(service, line, 60_000).await;
    let request = ReviewRequest { decision: Choice::Approve, entry: held.leaf, comment: None, signed: None };
    let path = format!("/api/submissions/{}/decision", held.id);
    service.post::<ReviewReply>(&path, token, &request).await.1.unwrap();
    let entry = host.decide(held, "approved", Some(by), None);
    host.run(held, entry, 0);
    host.ship(service).await;
    held
}

async fn database(service: &Service) -> sqlx::sqlite::SqlitePool {
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(service.state().join("service.db"));
    sqlx::sqlite::SqlitePool::connect_with(file).await.unwrap()
}

#[tokio::test]
async fn every_verdict_stays_and_the_last_one_counts() {
    let service = Service::start();
    let (ops, other) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    let first = decided(&service, &mut host, &ops, "ops-lead", "mount /srv/backup").await;
    let second = decided(&service, &mut host, &ops, "ops-lead", "umount /srv/backup").await;
    assert_eq!(ids(&service, &ops, "triage=none").await, [second.id, first.id]);
    let note = "  its password=Tr0ub4dor&3x, \u{1b}[2K\nsee CHG-7 ";
    let body = json!({"verdict": "suspicious", "note": note});
    let found = triage(&service, &ops, first.id, body).await.1.unwrap();
    assert_eq!((found.verdict, found.by.as_str()), (Verdict::Suspicious, "ops-lead"));
    assert!(!found.note.contains("Tr0ub4dor") && found.note.ends_with("\u{1b}[2K\nsee CHG-7"), "{:?}", found.note);
    assert_eq!(says(&service, &other, first.id, "benign").await, StatusCode::OK);

    let path = format!("/api/audit/{}", first.id);
    let record: AuditRecord = service.get(&path, &ops).await.1.unwrap();
    let verdicts: Vec<_> = record.verdicts.iter().map(|found| (found.verdict, found.by.as_str())).collect();
    assert_eq!(verdicts, [(Verdict::Suspicious, "ops-lead"), (Verdict::Benign, "on-call")]);
    assert_eq!((&record.verdicts[0], record.row.triage.as_ref()), (&found, record.verdicts.last()));
    for (query, fit) in [
        ("triage=benign", vec![first.id]),
        ("triage=suspicious", vec![]),
        ("triage=none", vec![second.id]),
        ("triage=benign&agent=deploy-agent&decision=approved", vec![first.id]),
        ("triage=benign&text=umount", vec![]),
        ("triage=none&prefix=umount", vec![second.id]),
    ] {
        assert_eq!(ids(&service, &ops, query).await, fit, "{query}");
    }
    for bad in ["any", "", "Benign", "benign,malicious"] {
        let (status, _) = service.get::<ErrorBody>(&format!("/api/audit?triage={bad}"), &ops).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    // The entry that a verdict names is that verdict, in a ledger that verifies.
    let text = lines(&service);
    assert_eq!(verified(&service, &text).exit_code, 10);
    assert!(!text.contains("Tr0ub4dor"));
    for (found, act) in record.verdicts.iter().zip(["suspicious", "benign"]) {
        let entry: Value =
            serde_json::from_str(text.lines().nth(usize::try_from(found.seq).unwrap()).unwrap()).unwrap();
        assert_eq!((&entry["kind"], &entry["body"]["act"]), (&"anomaly_triaged".into(), &act.into()));
        assert_eq!(
            (&entry["body"]["by"], &entry["body"]["about"]),
            (&found.by.as_str().into(), &first.id.to_string().into())
        );
        assert_eq!(entry["vals"]["detail"][1], found.note.as_str());
    }
    let db = database(&service).await;
    for sql in ["UPDATE triage SET verdict = 'benign'", "DELETE FROM triage"] {
        assert!(sqlx::query(sql).execute(&db).await.unwrap_err().to_string().contains("append-only"), "{sql}");
    }
}

#[tokio::test]
async fn who_may_not_triage_does_not() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = decided(&service, &mut host, &ops, "ops-lead", "mount /srv/backup").await;
    let fine = json!({"verdict": "malicious", "note": "x"});
    assert_eq!(triage(&service, &host.token, held.id, fine.clone()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(triage(&service, "csr1.unknown", held.id, fine.clone()).await.0, StatusCode::UNAUTHORIZED);
    let long = "x".repeat(2001);
    for body in [
        json!({"verdict": "malicious", "note": " "}),
        json!({"verdict": "malicious", "note": long}),
        json!({"verdict": "malicious"}),
        json!({"verdict": "none", "note": "x"}),
        json!({"verdict": "malicious", "note": "x", "by": "on-call"}),
    ] {
        assert_eq!(triage(&service, &ops, held.id, body.clone()).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let unknown = SubmissionId::from_random([9; 16]);
    assert_eq!(triage(&service, &ops, unknown, fine.clone()).await.0, StatusCode::NOT_FOUND);
    let waits = host.pending(&service, "reboot", 60_000).await;
    let (status, why) = triage(&service, &ops, waits.id, fine.clone()).await;
    assert!(status == StatusCode::CONFLICT && why.unwrap_err().contains("still waits"));
    // Alone a person may say so of what it let run; where there is another one, that one must.
    assert_eq!(says(&service, &ops, held.id, "undetermined").await, StatusCode::OK);
    assert_eq!(says(&service, &ops, held.id, "benign").await, StatusCode::OK);
    let again = service.reviewer_with("ops-phone", &["--person", "ops-lead"]);
    let other = service.reviewer("on-call");
    for (token, verdict, status) in [
        (&ops, "benign", StatusCode::CONFLICT),
        (&again, "false_positive", StatusCode::CONFLICT),
        (&again, "malicious", StatusCode::OK),
        (&other, "false_positive", StatusCode::OK),
    ] {
        assert_eq!(says(&service, token, held.id, verdict).await, status, "{verdict}");
    }
    assert_eq!(ids(&service, &ops, "triage=false_positive").await, [held.id]);
}

#[tokio::test]
async fn a_verdict_that_cannot_be_recorded_is_none() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = decided(&service, &mut host, &ops, "ops-lead", "mount /srv/backup").await;
    let db = database(&service).await;
    let before = lines(&service);
    for table in ["own_entries", "triage"] {
        let broken =
            format!("CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no room'); END");
        sqlx::query(sqlx::AssertSqlSafe(broken)).execute(&db).await.unwrap();
        assert_eq!(says(&service, &ops, held.id, "malicious").await, StatusCode::INTERNAL_SERVER_ERROR, "{table}");
        sqlx::query("DROP TRIGGER broken").execute(&db).await.unwrap();
        let kept: i64 =
            sqlx::query_scalar("SELECT (SELECT COUNT(*) FROM triage) + (SELECT COUNT(triage) FROM submissions)")
                .fetch_one(&db)
                .await
                .unwrap();
        assert_eq!((kept, lines(&service) == before), (0, true), "{table}");
    }
    assert_eq!(says(&service, &ops, held.id, "malicious").await, StatusCode::OK);
}

#[tokio::test]
async fn reports_leave_out_what_was_found_harmless_and_no_rule_learns_from_what_was_not() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let rule = json!({"body": {"patterns": ["kill -9 4242"]}});
    service.post::<Value>("/api/rules", &ops, &rule).await.1.unwrap();
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut passed = Vec::new();
    for _ in 0..3 {
        let login = host.open_login("deploy-agent", None);
        let held = host.hold(login, "kill -9 4242", 60_000);
        assert!(host.ask(&service, held).await.1.unwrap().decision.is_some());
        host.decide(held, "whitelisted", Some("whitelist_rule:1"), None);
        host.ship(&service).await;
        passed.push(held.id);
    }
    let found = async || service.get::<Suggestions>("/api/rules/suggestions", &ops).await.1.unwrap();
    assert_eq!(says(&service, &ops, passed[2], "benign").await, StatusCode::OK);
    assert_eq!(says(&service, &ops, passed[0], "policy_gap").await, StatusCode::OK);
    let report = found().await.risky_but_passed;
    let [one] = report.as_slice() else { panic!("{report:?}") };
    assert_eq!((one.id, one.times, one.cleared, one.verdict), (passed[1], 2, 1, Some(Verdict::PolicyGap)));
    assert_eq!(one.by, "whitelist_rule:1");
    for id in &passed {
        assert_eq!(says(&service, &ops, *id, "false_positive").await, StatusCode::OK);
    }
    assert!(found().await.risky_but_passed.is_empty());
    // Taken back, it is to be looked at again.
    assert_eq!(says(&service, &ops, passed[1], "undetermined").await, StatusCode::OK);
    assert_eq!(found().await.risky_but_passed[0].times, 1);

    let mut pulls = Vec::new();
    for tag in ["a1", "b2", "c3"] {
        let line = format!("docker pull ghcr.io/myorg/api:{tag}");
        pulls.push(decided(&service, &mut host, &ops, "ops-lead", &line).await.id);
    }
    assert_eq!(found().await.suggestions.len(), 1);
    assert_eq!(says(&service, &ops, pulls[1], "malicious").await, StatusCode::OK);
    assert!(found().await.suggestions.is_empty(), "a rule that would let it pass is not proposed");
}
