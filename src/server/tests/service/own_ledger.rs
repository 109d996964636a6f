//! The service's own ledger: complete, verifiable, and nothing happens without it.

use crate::host::Host;
use crate::running::{Service, run};
use countersign_api::service::{AuditRow, ErrorBody, Rule, SessionRow};
use countersign_ledger::TrustFile;
use countersign_ledger::verify::{Report, Require, verify};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::process::Output;

fn server(service: &Service, args: &[&str]) -> Output {
    run(&[args, &["--state", service.state().to_str().unwrap()]].concat())
}

pub fn lines(service: &Service) -> String {
    String::from_utf8(server(service, &["ledger"]).stdout).unwrap()
}

pub fn verified(service: &Service, text: &str) -> Report {
    let file = service.dir.path().join("0000000000000000.jsonl");
    std::fs::write(&file, text).unwrap();
    let trust = TrustFile::parse(&server(service, &["trust"]).stdout).unwrap();
    verify(&file, Some(&trust), Require::SelfAttested, &mut |_| {})
}

pub fn kinds(text: &str) -> Vec<(String, String)> {
    let entries = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    entries.map(|entry| (text(&entry["kind"]), text(&entry["body"]["act"]))).collect()
}

#[tokio::test]
async fn everything_administered_and_read_is_in_it() {
    let mut service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", None);
    host.close(login, 0);
    host.ship(&service).await;
    let rule = json!({"line": "uptime \"now\"", "shell": "bash", "on_terminal": false});
    service.post::<Rule>("/api/rules", &reviewer, &rule).await.1.unwrap();
    service.get::<Vec<AuditRow>>("/api/audit?text=x", &reviewer).await.1.unwrap();
    service.get::<Vec<SessionRow>>("/api/sessions", &reviewer).await.1.unwrap();
    assert_eq!(service.terminate(), Some(0));
    let text = lines(&service);
    let expected = [
        ("host_enrolled", ""),
        ("host_started", ""),
        ("admin_act", "reviewer_added"),
        ("admin_act", "enroll_token_made"),
        ("admin_act", "host_enrolled"),
        ("rule_changed", "added"),
        ("access", "audit"),
        ("access", "sessions"),
        ("host_stopped", ""),
    ];
    assert_eq!(kinds(&text), expected.map(|(kind, act)| (kind.to_owned(), act.to_owned())));
    assert!(text.contains(r#"\"now\""#) && text.contains(r#"\"text\":\"x\""#), "the openings are there");
    let report = verified(&service, &text);
    assert_eq!(report.exit_code, 10, "{:?}", report.findings);
    assert_eq!(verified(&service, &text.replacen("ops-lead", "ops-lean", 1)).exit_code, 40);
    let cut: String = text.lines().enumerate().filter(|(n, _)| *n != 5).map(|(_, line)| format!("{line}\n")).collect();
    assert_eq!(verified(&service, &cut).exit_code, 41);
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let token = service.enroll_token("web-1");
    let file = SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let db = SqlitePool::connect_with(file).await.unwrap();
    let before = lines(&service);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON own_entries BEGIN SELECT RAISE(ABORT, 'no room'); END";
    sqlx::query(broken).execute(&db).await.unwrap();

    let rule = json!({"line": "uptime", "shell": "bash", "on_terminal": false});
    let (status, _) = service.post::<ErrorBody>("/api/rules", &reviewer, &rule).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    for path in ["/api/audit", "/api/sessions"] {
        let (status, _) = service.get::<ErrorBody>(path, &reviewer).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
    let (status, _) =
        service.post::<ErrorBody>("/api/enroll", "", &Host::unknown("web-1").enroll_request(&token)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let url = service.url.as_str();
    assert!(!server(&service, &["reviewer", "add", "second", "--url", url]).status.success());
    assert!(!server(&service, &["enroll-token", "--name", "web-2"]).status.success());
    for (count, rows) in [
        ("SELECT COUNT(*) FROM rules", 0),
        ("SELECT COUNT(*) FROM hosts", 0),
        ("SELECT COUNT(*) FROM reviewers", 1),
        ("SELECT COUNT(*) FROM enroll_tokens", 1),
    ] {
        assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&db).await.unwrap(), rows, "{count}");
    }
    assert_eq!(lines(&service), before);

    sqlx::query("DROP TRIGGER broken").execute(&db).await.unwrap();
    service.post::<Rule>("/api/rules", &reviewer, &rule).await.1.unwrap();
    let mut host = Host::enrolled(&service, "web-3").await;
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "uptime", 60_000);
    let reply = host.ask(&service, held).await.1.unwrap();
    assert!(reply.decision.is_some(), "the rule that was recorded is in force");
    assert_eq!(verified(&service, &lines(&service)).exit_code, 10);
    for sql in ["UPDATE own_entries SET line = ''", "DELETE FROM own_entries"] {
        assert!(sqlx::query(sql).execute(&db).await.unwrap_err().to_string().contains("append-only"));
    }
}
