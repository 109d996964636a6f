//! A reviewer's token can be taken away while the service runs.

use crate::host::{Held, Host};
use crate::own_ledger::lines;
use crate::running::{Service, run};
use countersign_api::service::{AuditRow, PendingSubmission, ReviewReply, ReviewRequest};
use countersign_core::{Choice, Outcome};
use reqwest::StatusCode;
use std::process::Output;

fn reviewer(service: &Service, args: &[&str]) -> Output {
    run(&[&["reviewer"], args, &["--state", service.state().to_str().unwrap()]].concat())
}

fn text(out: Output) -> String {
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap()
}

async fn approve(service: &Service, token: &str, held: Held) -> (StatusCode, Result<ReviewReply, String>) {
    let request = ReviewRequest { decision: Choice::Approve, entry: held.leaf, comment: None, signed: None };
    service.post(&format!("/api/submissions/{}/decision", held.id), token, &request).await
}

async fn sees(service: &Service, token: &str) -> StatusCode {
    service.get::<Vec<AuditRow>>("/api/audit", token).await.0
}

#[tokio::test]
async fn a_removed_reviewer_is_refused_from_the_next_request_on() {
    let service = Service::start();
    let (ops, other) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = host.pending(&service, "reboot", 60_000).await;
    assert_eq!(sees(&service, &ops).await, StatusCode::OK);
    assert_eq!(text(reviewer(&service, &["remove", "ops-lead"])), "");
    assert_eq!(sees(&service, &ops).await, StatusCode::UNAUTHORIZED);
    assert_eq!(approve(&service, &ops, held).await.0, StatusCode::UNAUTHORIZED);
    let login = host.open_login("deploy-agent", None);
    let next = host.hold(login, "halt", 60_000);
    assert_eq!(host.ask(&service, next).await.1.unwrap().asked, ["on-call".parse().unwrap()]);
    assert_eq!(approve(&service, &other, held).await.1.unwrap().outcome, Some(Outcome::Approved));
    // The name stays taken, and is nobody's.
    for args in [
        &["remove", "ops-lead"][..],
        &["remove", "nobody"],
        &["rotate", "ops-lead", "--url", &service.url],
        &["add", "ops-lead", "--url", &service.url],
    ] {
        assert!(!reviewer(&service, args).status.success(), "{args:?}");
    }
    let listed = text(reviewer(&service, &["list"]));
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("ops-lead, added ") && lines[0].contains(", removed 2"), "{listed}");
    assert!(lines[1].starts_with("on-call, added ") && !lines[1].contains("removed"), "{listed}");
}

#[tokio::test]
async fn another_token_takes_the_place_of_the_one_before() {
    let service = Service::start();
    let old = service.reviewer("ops-lead");
    let file = text(reviewer(&service, &["rotate", "ops-lead", "--url", &service.url]));
    let new = file.lines().find_map(|line| line.strip_prefix("token = \"")).unwrap().trim_end_matches('"');
    assert!(file.contains("name = \"ops-lead\"") && new != old);
    assert_eq!(sees(&service, &old).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sees(&service, new).await, StatusCode::OK);
}

#[tokio::test]
async fn what_a_removed_reviewer_approved_does_not_count_for_what_still_waits() {
    let service = Service::start();
    let (ops, second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let phone = service.reviewer_with("ops-phone", &["--person", "ops-lead"]);
    let third = service.reviewer("duty");
    let state = service.state();
    let out = run(&["enroll-token", "--name", "db-1", "--class", "critical", "--state", state.to_str().unwrap()]);
    let mut host = Host::unknown("db-1");
    host.enrol(&service, text(out).trim()).await;
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "systemctl restart db", 60_000);
    host.ask(&service, held).await.1.unwrap();
    assert_eq!(approve(&service, &ops, held).await.1.unwrap().outcome, None);
    assert_eq!(text(reviewer(&service, &["remove", "ops-lead"])), "the same person is still ops-phone\n");
    let waits: Vec<PendingSubmission> = service.get("/api/submissions", &second).await.1.unwrap();
    assert!(waits[0].approvals.is_empty(), "{waits:?}");
    let reply = approve(&service, &second, held).await.1.unwrap();
    assert_eq!((reply.outcome, reply.approvals.len()), (None, 1), "one of two again");
    // The person has another name, which may approve, once.
    assert_eq!(text(reviewer(&service, &["remove", "on-call"])), "");
    assert_eq!(approve(&service, &phone, held).await.1.unwrap().outcome, None);
    assert_eq!(approve(&service, &phone, held).await.0, StatusCode::CONFLICT);
    assert_eq!(approve(&service, &third, held).await.1.unwrap().outcome, Some(Outcome::Approved));
}

#[tokio::test]
async fn a_removal_that_cannot_be_recorded_does_not_happen() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let db = sqlx::sqlite::SqlitePool::connect_with(file).await.unwrap();
    let before = lines(&service);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON own_entries BEGIN SELECT RAISE(ABORT, 'no room'); END";
    sqlx::query(broken).execute(&db).await.unwrap();
    assert!(!reviewer(&service, &["remove", "ops-lead"]).status.success());
    assert!(!reviewer(&service, &["rotate", "ops-lead", "--url", &service.url]).status.success());
    sqlx::query("DROP TRIGGER broken").execute(&db).await.unwrap();
    assert_eq!(lines(&service), before);
    assert_eq!(sees(&service, &ops).await, StatusCode::OK);
}
