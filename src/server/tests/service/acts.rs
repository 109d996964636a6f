//! Every act that a service records of itself: each is done here once, found in its ledger, and has its row
//! in docs/LEDGER.md; no row is without its act.

use crate::host::Host;
use crate::own_ledger::{kinds, lines, verified};
use crate::removals::{SEQ, case, erase, record, with_administrators};
use crate::running::{Service, run};
use countersign_api::service::{EnrollReply, EnrollRequest, FormerHost, ReviewReply, ReviewRequest, Rule};
use countersign_api::triage::Verdict;
use countersign_core::Choice;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

type Acts = BTreeSet<(String, String)>;

/// What the table of the page says: kind and act.
fn documented() -> Acts {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/LEDGER.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## The service's own ledger\n").unwrap();
    let (section, _) = section.split_once("\n### ").unwrap();
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows =
        section.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `kind`")).flat_map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let (kind, acts) = (words(cells[1]), words(cells[2]));
            assert_eq!(kind.len(), 1, "{row}");
            acts.into_iter().map(move |act| (kind[0].clone(), act))
        });
    rows.filter(|(_, act)| !act.is_empty()).collect()
}

/// What stands in the ledger, which verifies.
fn recorded(service: &Service) -> Acts {
    let text = lines(service);
    let report = verified(service, &text);
    assert_eq!(report.exit_code, 10, "{}", report.text());
    kinds(&text).into_iter().filter(|(_, act)| !act.is_empty()).collect()
}

async fn read(service: &Service, path: &str, token: &str) {
    let answer = service.request(Method::GET, path, token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
}

async fn change(service: &Service, path: &str, token: &str, body: Value) -> u64 {
    let (status, rule) = service.post::<Rule>(path, token, &body).await;
    rule.unwrap_or_else(|told| panic!("{path}: {status}: {told}")).id
}

/// Rules and grants from their first day to their last.
async fn rules(service: &Service, ops: &str, second: &str) {
    let rule = |line: &str| json!({"body": {"exact": line}});
    let act = async |token: &str, id: u64, act: &str| {
        change(service, &format!("/api/rules/{id}/{act}"), token, json!({})).await;
    };
    let id = change(service, "/api/rules", ops, rule("uptime")).await;
    let revision = service.get::<Vec<Rule>>("/api/rules", ops).await.1.unwrap().remove(0).revision;
    change(service, &format!("/api/rules/{id}/approve?revision={revision}"), second, json!({})).await;
    act(ops, id, "review").await;
    act(ops, id, "expire").await;
    let id = change(service, "/api/rules", ops, rule("free")).await;
    act(ops, id, "expire").await;
    let id = change(service, "/api/rules", ops, json!({"body": {"patterns": ["reboot **"], "effect": "deny"}})).await;
    act(ops, id, "expire").await;
    act(second, id, "expire").await;
    let grant = json!({"patterns": ["git status"], "agents": ["deploy-agent"], "targets": ["web-1"], "uses": 2});
    let id = change(service, "/api/grants", ops, json!({"minutes": 15, "body": grant})).await;
    act(ops, id, "review").await;
    act(ops, id, "expire").await;
}

/// Everything that can be read of what agents did.
async fn reads(service: &Service, ops: &str, host: &mut Host) {
    let login = host.open_login("deploy-agent", None);
    record(host, login);
    host.program = Some("echo from a program");
    let held = host.hold(login, "bash -s", 60_000);
    assert_eq!(host.ask(service, held).await.0, StatusCode::OK);
    let upload = format!("/api/recordings/{login}?offset=0");
    let sent = service.request(Method::POST, &upload, &host.token).body("abc").send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    for path in [
        "/api/submissions".to_owned(),
        "/api/submissions".to_owned(),
        format!("/api/submissions/{}/entry", held.id),
        format!("/api/submissions/{}/program", held.id),
        "/api/audit".to_owned(),
        format!("/api/audit/{}", held.id),
        "/api/sessions".to_owned(),
        format!("/api/recordings/{login}"),
        "/api/ledgers?host=web-1".to_owned(),
        format!("/api/ledgers/{}/entries?from=0", host.id),
        format!("/api/ledgers/{}/part?since=0", host.id),
        "/api/rules/suggestions".to_owned(),
    ] {
        read(service, &path, ops).await;
    }
}

/// One of two approvals on a critical target.
async fn half_an_approval(service: &Service, ops: &str) {
    let state = service.state();
    let out = run(&["enroll-token", "--name", "db-1", "--class", "critical", "--state", state.to_str().unwrap()]);
    let mut host = Host::unknown("db-1");
    host.enrol(service, String::from_utf8(out.stdout).unwrap().trim()).await;
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "systemctl restart db", 60_000);
    assert_eq!(host.ask(service, held).await.0, StatusCode::OK);
    let request = ReviewRequest { decision: Choice::Approve, entry: held.leaf, comment: None, signed: None };
    let path = format!("/api/submissions/{}/decision", held.id);
    assert_eq!(service.post::<ReviewReply>(&path, ops, &request).await.0, StatusCode::OK);
}

/// Every verdict on a command that nobody was asked about.
async fn verdicts(service: &Service, ops: &str, host: &mut Host) {
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "uptime", 60_000);
    host.ship(service).await;
    for verdict in Verdict::ALL {
        let path = format!("/api/audit/{}/triage", held.id);
        let body = json!({"verdict": verdict, "note": "x"});
        assert_eq!(service.post::<Value>(&path, ops, &body).await.0, StatusCode::OK);
    }
}

/// Another host takes the place of this one.
async fn lost_key(service: &Service, old: &Host) {
    let (id, state) = (old.id.to_string(), service.state());
    let out = run(&["enroll-token", "--name", "web-1", "--lost", &id, "--state", state.to_str().unwrap()]);
    let token = String::from_utf8(out.stdout).unwrap();
    let request = Host::unknown("web-1").enroll_request(token.trim());
    let request = EnrollRequest { former: Some(FormerHost { host: old.id, last: None }), ..request };
    assert_eq!(service.post::<EnrollReply>("/api/enroll", "", &request).await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_act_is_recorded_and_has_its_row() {
    let service = Service::start();
    let (ops, second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    rules(&service, &ops, &second).await;
    reads(&service, &ops, &mut host).await;
    verdicts(&service, &ops, &mut host).await;
    half_an_approval(&service, &ops).await;
    lost_key(&service, &host).await;
    let state = service.state();
    let at = ["on-call", "--state", state.to_str().unwrap()];
    for args in [&["rotate", "--url", &service.url][..], &["remove"]] {
        assert!(run(&[&["reviewer"], args, &at].concat()).status.success(), "{args:?}");
    }
    let shown = lines(&service).lines().filter(|line| line.contains("\"act\":\"shown\"")).count();
    assert_eq!(shown, 1, "the same line was shown twice to the same person");
    let mut all = recorded(&service);
    for service in [Service::start(), with_administrators()] {
        let (mut host, held) = case(&service).await;
        erase(&service, &mut host, SEQ, held.leaf, &["cmd"], vec![]).await;
        all.extend(recorded(&service));
    }
    assert_eq!(all, documented());
}

/// Nothing is read that could not be recorded.
#[tokio::test]
async fn what_cannot_be_recorded_is_not_shown() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    host.program = Some("echo from a program");
    let held = host.pending(&service, "bash -s", 60_000).await;
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let db = sqlx::sqlite::SqlitePool::connect_with(file).await.unwrap();
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON own_entries BEGIN SELECT RAISE(ABORT, 'no room'); END";
    sqlx::query(broken).execute(&db).await.unwrap();
    for path in [
        "/api/submissions".to_owned(),
        format!("/api/submissions/{}/entry", held.id),
        format!("/api/submissions/{}/program", held.id),
        "/api/audit".to_owned(),
        format!("/api/audit/{}", held.id),
        "/api/sessions".to_owned(),
        "/api/ledgers?host=web-1".to_owned(),
        format!("/api/ledgers/{}/entries?from=0", host.id),
        format!("/api/ledgers/{}/part?since=0", host.id),
        "/api/rules/suggestions".to_owned(),
    ] {
        let answer = service.request(Method::GET, &path, &ops).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(!answer.text().await.unwrap().contains("bash"), "{path}");
    }
    let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM submission_shown").fetch_one(&db).await.unwrap();
    assert_eq!(seen, 0, "nobody has seen it");
}
