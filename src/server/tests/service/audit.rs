use crate::host::Host;
use crate::running::Service;
use countersign_api::service::{AuditRecord, AuditRow, ErrorBody, ReviewRequest, SessionRow};
use countersign_core::{Choice, DecidedBy, Name, Outcome};
use reqwest::StatusCode;

async fn audit(service: &Service, token: &str, query: &str) -> Vec<AuditRow> {
    let (status, rows) = service.get(&format!("/api/audit{query}"), token).await;
    assert_eq!(status, StatusCode::OK, "{rows:?}");
    rows.unwrap()
}

#[tokio::test]
async fn a_row_says_what_the_host_says() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    service.post::<serde_json::Value>("/api/rules", &reviewer, &serde_json::json!({"line": "uptime"})).await.1.unwrap();
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", Some("10.0.0.7 4711 10.0.0.1 22"));

    let ruled = host.hold(login, "uptime", 60_000);
    host.ask(&service, ruled).await.1.unwrap();
    let decided = host.decide(ruled, "whitelisted", Some("whitelist_rule:1"), None);
    host.run(ruled, decided, 3);
    let late = host.hold(login, "rm -rf /tmp/100%_x", 60_000);
    host.ask(&service, late).await.1.unwrap();
    let approve = ReviewRequest { decision: Choice::Approve, entry: late.leaf, comment: None, signed: None };
    service
        .post::<serde_json::Value>(&format!("/api/submissions/{}/decision", late.id), &reviewer, &approve)
        .await
        .1
        .unwrap();
    host.decide(late, "timed_out", Some("timeout"), Some("deadline"));
    let claimed = host.hold(login, "id", 60_000);
    let decided = host.decide(claimed, "approved", Some("ops-lead"), None);
    host.run(claimed, decided, 0);
    let open = host.hold(login, "whoami", 60_000);
    host.ship(&service).await;

    let rows = audit(&service, &reviewer, "").await;
    assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [open.id, claimed.id, late.id, ruled.id]);
    let row = &rows[3];
    assert_eq!((row.outcome, row.decided_by.clone()), (Some(Outcome::Whitelisted), Some(DecidedBy::WhitelistRule(1))));
    assert_eq!((row.exit_code, row.signal, row.review_latency_ms), (Some(3), None, Some(40)));
    assert_eq!(row.rule.as_ref().map(|r| r.line.as_str()), Some("uptime"));
    assert_eq!((row.session.as_str(), row.number, row.seq, row.entry), ("deploy-agent-01", 1, 3, ruled.leaf));
    assert!(row.started_at_ms.is_some() && row.finished_at_ms.is_some());
    assert_eq!(row.anomalies, ["unusual_program"]);
    let row = &rows[2];
    assert_eq!((row.outcome, row.late_approval), (Some(Outcome::TimedOut), true));
    assert_eq!((row.reason.as_deref(), row.number), (Some("deadline"), 2));
    let flags = ["unusual_program", "gate_tamper"];
    assert_eq!(rows[1].anomalies, flags, "the host says approved and nobody here approved");
    assert_eq!((rows[0].outcome, rows[0].decided_at_ms), (None, None));
    assert!(rows[0].risk.is_some(), "scored, though nobody was asked");

    for (query, ids) in [
        ("?limit=1", vec![open.id]),
        ("?decision=whitelisted", vec![ruled.id]),
        ("?text=100%25_", vec![late.id]),
        ("?text=rm", vec![late.id]),
        ("?text=%2Drf%20/TMP", vec![late.id]),
        ("?prefix=rm%20-rf", vec![late.id]),
        ("?prefix=tmp", vec![]),
        ("?rule=1", vec![ruled.id]),
        ("?rule=2", vec![]),
        ("?reviewer=ops-lead", vec![claimed.id]),
        ("?anomaly=gate_tamper", vec![claimed.id]),
        ("?anomaly=gate_tamper,unusual_program", vec![claimed.id]),
        ("?risk=0..100&decision=whitelisted", vec![ruled.id]),
        ("?risk=critical..&limit=5", vec![]),
        ("?target=web-1&agent=deploy-agent&text=uptime", vec![ruled.id]),
        ("?target=web-2", vec![]),
        ("?user=alice", vec![]),
        ("?until_ms=0", vec![]),
        ("?agent=nobody", vec![]),
        ("?session=deploy-agent-01&text=id", vec![claimed.id]),
        ("?since_ms=99999999999999", vec![]),
    ] {
        let rows = audit(&service, &reviewer, query).await;
        assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), ids, "{query}");
    }
    for bad in [
        "?limit=0",
        "?limit=1001",
        "?limit=x",
        "?decision=maybe",
        "?nothing=1",
        "?text=%25",
        "?text=",
        "?text=%00%00%00",
        "?risk=90..70",
        "?risk=101",
        "?anomaly=none",
        "?rule=x",
        "?reviewer=A%20B",
        "?target=",
        "?before=x",
        "?limit=4294967296",
        "?since_ms=9223372036854775808",
        "?limit=1&limit=2",
        "?risk=%FF",
    ] {
        let (status, _) = service.get::<ErrorBody>(&format!("/api/audit{bad}"), &reviewer).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn any_command_is_found_with_its_whole_record() {
    let service = Service::start();
    let (reviewer, other) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", Some("10.0.0.7 4711 10.0.0.1 22"));
    let before = host.hold(login, "id", 60_000);
    let held = host.hold(login, "rm -rf /srv/data", 60_000);
    host.ask(&service, held).await.1.unwrap();
    let shown: Vec<serde_json::Value> = service.get("/api/submissions", &other).await.1.unwrap();
    assert_eq!(shown.len(), 1);
    let approve =
        ReviewRequest { decision: Choice::Approve, entry: held.leaf, comment: Some("known".into()), signed: None };
    let decision = format!("/api/submissions/{}/decision", held.id);
    service.post::<serde_json::Value>(&decision, &reviewer, &approve).await.1.unwrap();
    let decided = host.decide(held, "approved", Some("ops-lead"), None);
    host.run(held, decided, 0);
    host.ship(&service).await;

    let id = held.id.to_string();
    let found = async |id: &str| service.get::<AuditRecord>(&format!("/api/audit/{id}"), &reviewer).await;
    let record = found(&id).await.1.unwrap();
    for prefix in [&id[..25], &id.to_ascii_uppercase()] {
        assert_eq!(found(prefix).await.1.unwrap(), record);
    }
    assert_eq!((record.row.id, record.login_kind.as_str(), record.source.as_str()), (held.id, "exec", "10.0.0.7"));
    assert_eq!(record.asked.iter().map(Name::as_str).collect::<Vec<_>>(), ["on-call", "ops-lead"]);
    assert_eq!(record.row.shown_to.iter().flatten().map(Name::as_str).collect::<Vec<_>>(), ["on-call"]);
    assert_eq!((record.end.as_deref(), record.stdout_bytes, record.recording), (Some("exited"), Some(0), None));
    assert!(record.policy.is_some() && record.cosigned_below.is_none() && record.target_class == "high");
    let kinds: Vec<&str> = record.proof.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["command_submitted", "decided", "exec_started", "exec_finished"]);
    assert_eq!((record.proof[0].leaf, record.proof[1].leaf), (held.leaf, decided));
    assert_eq!(record.proof[1].prev, held.leaf, "the chain shows");
    assert_eq!(record.preceding.iter().map(|p| (p.number, p.command.as_str())).collect::<Vec<_>>(), [(1, "id")]);
    let risk = record.row.risk.unwrap();
    assert!(risk.found.reasons.iter().any(|r| r.end > r.start) && !risk.found.consequences.is_empty(), "{risk:?}");

    let newest = format!("/api/audit?before={}", before.id);
    assert_eq!(service.get::<Vec<AuditRow>>(&newest, &reviewer).await.1.unwrap(), []);
    assert_eq!(found("zzzz").await.0, StatusCode::NOT_FOUND);
    assert_eq!(found("0").await.0, StatusCode::BAD_REQUEST);
    for hostile in
        ["____", "%25%25%25%25", "%27%20OR%201=1--", "..%2F..%2Fetc", "0000%00", "%F0%9F%98%80aaaa", &"0".repeat(27)]
    {
        assert_eq!(found(hostile).await.0, StatusCode::NOT_FOUND, "{hostile}");
    }
    let (status, _) = service.get::<ErrorBody>(&format!("/api/audit/{id}"), &host.token).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn sessions_are_logins_of_one_agent_close_together() {
    const MINUTE_US: i64 = 60_000_000;
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let from = |port: u16| format!("10.0.0.7 {port} 10.0.0.1 22");
    let first = host.open_login("deploy-agent", Some(&from(1)));
    let held = host.hold(first, "id", 60_000);
    host.decide(held, "denied", Some("ops-lead"), None);
    host.close(first, 0);
    host.at_us += 29 * MINUTE_US;
    let near = host.open_login("deploy-agent", Some(&from(2)));
    host.close(near, 0);
    let elsewhere = host.open_login("deploy-agent", Some("10.9.9.9 1 10.0.0.1 22"));
    host.close(elsewhere, 0);
    let other_agent = host.open_login("data-agent", Some(&from(3)));
    host.at_us += 31 * MINUTE_US;
    let far = host.open_login("deploy-agent", Some(&from(4)));
    host.hold(far, "uptime", 60_000);
    host.ship(&service).await;

    let (_, rows) = service.get::<Vec<SessionRow>>("/api/sessions?limit=10", &reviewer).await;
    let mut rows = rows.unwrap();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let logins: Vec<_> = rows.iter().map(|r| (r.name.as_str(), r.logins.clone(), r.open, r.commands)).collect();
    assert_eq!(
        logins,
        [
            ("data-agent-01", vec![other_agent], true, 0),
            ("deploy-agent-01", vec![first, near], false, 1),
            ("deploy-agent-02", vec![elsewhere], false, 0),
            ("deploy-agent-03", vec![far], true, 1),
        ]
    );
    assert_eq!(rows[1].outcomes, [(Outcome::Denied, 1)]);
    assert_eq!(rows[1].ended_at_ms - rows[1].started_at_ms, 29 * 60_000);
    let (_, newest) = service.get::<Vec<SessionRow>>("/api/sessions?limit=1", &reviewer).await;
    assert_eq!(newest.unwrap()[0].name, "deploy-agent-03");
    assert_eq!(service.get::<ErrorBody>("/api/sessions?limit=0", &reviewer).await.0, StatusCode::BAD_REQUEST);
}
