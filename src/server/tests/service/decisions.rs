use crate::host::{Held, Host};
use crate::running::Service;
use countersign_api::rules::PolicyText;
use countersign_api::service::{
    Conflict, DecisionReply, ErrorBody, PendingSubmission, ReviewReply, ReviewRequest, Rule, SignedDecision,
};
use countersign_core::{Choice, DecidedBy, Digest, Outcome};
use countersign_ledger::{Namespace, Statement, key_id, sha256, verify_signature};
use reqwest::StatusCode;
use std::time::{Duration, Instant};

fn path(held: Held) -> String {
    format!("/api/submissions/{}/decision", held.id)
}

async fn review(
    service: &Service,
    token: &str,
    held: Held,
    decision: Choice,
) -> (StatusCode, Result<ReviewReply, String>) {
    let request = ReviewRequest { decision, entry: held.leaf, comment: Some("because".to_owned()), signed: None };
    service.post(&path(held), token, &request).await
}

async fn wait(service: &Service, host: &Host, held: Held, wait_ms: u64) -> Option<SignedDecision> {
    let (status, reply) = service.get::<DecisionReply>(&format!("{}?wait_ms={wait_ms}", path(held)), &host.token).await;
    assert_eq!(status, StatusCode::OK, "{reply:?}");
    reply.unwrap().decision
}

fn check(host: &Host, held: Held, signed: &SignedDecision) -> Statement {
    verify_signature(Namespace::Decision, &host.service_key, signed.statement.as_bytes(), &signed.sig).unwrap();
    let statement = Statement::parse(&signed.statement).unwrap();
    assert_eq!((statement.entry, statement.nonce, statement.host), (held.leaf, held.nonce, host.id));
    assert_eq!(statement.key, key_id(&host.service_key));
    statement
}

async fn queue(service: &Service, token: &str) -> Vec<PendingSubmission> {
    service.get("/api/submissions", token).await.1.unwrap()
}

#[tokio::test]
async fn a_rule_decides_at_once_and_signs() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let (status, rule) =
        service.post::<Rule>("/api/rules", &reviewer, &serde_json::json!({"line": "ls -l /srv"})).await;
    assert_eq!(status, StatusCode::OK, "{rule:?}");
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "ls -l /srv", 45_000);
    let (status, reply) = host.ask(&service, held).await;
    assert_eq!(status, StatusCode::OK, "{reply:?}");
    let reply = reply.unwrap();
    assert_eq!((reply.next_seq, reply.asked.len()), (host.seq, 0));
    let first = reply.decision.unwrap();
    let statement = check(&host, held, &first);
    assert_eq!((statement.by, statement.decision), (DecidedBy::WhitelistRule(rule.unwrap().id), Choice::Approve));
    assert_eq!(statement.exp_ms, 45_000);
    let policy =
        service.get::<PolicyText>(&format!("/api/policies/{}", statement.policy), &host.token).await.1.unwrap();
    assert_eq!(statement.policy, sha256(policy.text.as_bytes()));
    assert!(policy.text.contains("\"exact\":\"ls -l /srv\""), "{}", policy.text);
    // Asked again: the very same decision.
    host.sent -= 1;
    assert_eq!(host.ask(&service, held).await.1.unwrap().decision, Some(first.clone()));
    assert_eq!(wait(&service, &host, held, 0).await, Some(first));
    // Nearly the same line, a redacted one, one in two parts: a person.
    for segments in [&[Some("ls -l /srv ")][..], &[Some("ls -l "), Some("/srv")], &[Some("ls -l /srv"), None]] {
        let held = host.hold_segments(login, segments, 45_000);
        let reply = host.ask(&service, held).await.1.unwrap();
        assert_eq!(reply.decision, None, "{segments:?}");
        assert_eq!(reply.asked, ["ops-lead".parse().unwrap()]);
    }
    assert_eq!(queue(&service, &reviewer).await[2].command, "ls -l /srv⟨hidden⟩");
}

#[tokio::test]
async fn a_person_decides_once_and_the_host_is_woken() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let second = service.reviewer("on-call");
    let mut host = Host::enrolled(&service, "web-1").await;
    for (choice, outcome, word) in
        [(Choice::Approve, Outcome::Approved, "approved"), (Choice::Deny, Outcome::Denied, "denied")]
    {
        let held = host.pending(&service, "systemctl restart nginx", 60_000).await;
        let waiting = queue(&service, &reviewer).await;
        let shown = waiting.last().unwrap();
        assert_eq!((shown.id, shown.entry, shown.command.as_str()), (held.id, held.leaf, "systemctl restart nginx"));
        assert_eq!((shown.agent.as_str(), shown.cwd.as_str()), ("deploy-agent", "/srv"));
        assert!(shown.left_ms > 50_000 && shown.left_ms <= 60_000);

        let other_entry = ReviewRequest { decision: choice, entry: Digest([1; 32]), comment: None, signed: None };
        assert_eq!(
            service.post::<ErrorBody>(&path(held), &reviewer, &other_entry).await.0,
            StatusCode::CONFLICT,
            "decided for changed bytes"
        );
        let long = ReviewRequest { decision: choice, entry: held.leaf, comment: Some("é".repeat(2001)), signed: None };
        assert_eq!(service.post::<ErrorBody>(&path(held), &reviewer, &long).await.0, StatusCode::BAD_REQUEST);

        let asked = Instant::now();
        let (signed, (status, reply)) = tokio::join!(wait(&service, &host, held, 20_000), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            review(&service, &reviewer, held, choice).await
        });
        assert!(asked.elapsed() < Duration::from_secs(15), "woken, not polled");
        assert_eq!((status, reply.unwrap().outcome), (StatusCode::OK, Some(outcome)));
        let signed = signed.unwrap();
        assert_eq!(signed.comment.as_deref(), Some("because"));
        let statement = check(&host, held, &signed);
        assert_eq!((statement.by.to_string().as_str(), statement.decision), ("ops-lead", choice));

        let (status, text) = review(&service, &second, held, Choice::Approve).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(text.unwrap_err().contains(&format!("ops-lead has {word} it already")));
        assert_eq!(wait(&service, &host, held, 0).await.unwrap(), signed);
    }
    assert!(queue(&service, &reviewer).await.is_empty());
    let mut stranger = Host::enrolled(&service, "web-2").await;
    let theirs = stranger.pending(&service, "id", 60_000).await;
    let (status, _) = service.get::<ErrorBody>(&path(theirs), &host.token).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "another host's answer");
}

#[tokio::test]
async fn two_at_the_same_moment_make_one_decision() {
    let service = Service::start();
    let reviewers: Vec<String> = ["a", "b", "c", "d"].iter().map(|n| service.reviewer(n)).collect();
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = host.pending(&service, "id", 60_000).await;
    let all = tokio::join!(
        review(&service, &reviewers[0], held, Choice::Approve),
        review(&service, &reviewers[1], held, Choice::Deny),
        review(&service, &reviewers[2], held, Choice::Approve),
        review(&service, &reviewers[3], held, Choice::Deny),
    );
    let mut statuses = [all.0.0, all.1.0, all.2.0, all.3.0].map(|s| s.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
}

#[tokio::test]
async fn no_answer_in_time_is_a_denial() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = host.pending(&service, "id", 400).await;
    let asked = Instant::now();
    let signed = wait(&service, &host, held, 20_000).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(300) && asked.elapsed() < Duration::from_secs(15));
    let statement = check(&host, held, &signed);
    assert_eq!((statement.by, statement.decision), (DecidedBy::Timeout, Choice::Deny));
    assert!(queue(&service, &reviewer).await.is_empty());
    let (status, text) = review(&service, &reviewer, held, Choice::Approve).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.unwrap_err().contains("nobody answered within 400 ms"));
}

#[tokio::test]
async fn a_cancelled_command_leaves_the_queue() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = host.pending(&service, "id", 60_000).await;
    host.decide(held, "cancelled", None, Some("hangup"));
    host.ship(&service).await;
    assert!(queue(&service, &reviewer).await.is_empty());
    let (status, text) = review(&service, &reviewer, held, Choice::Approve).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(text.unwrap_err().contains("cancelled"));
    assert_eq!(wait(&service, &host, held, 0).await, None);
}

#[tokio::test]
async fn pending_outlives_a_power_cut_with_its_remaining_time() {
    let mut service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let soon = host.pending(&service, "sleep 1", 600).await;
    let later = host.pending(&service, "sleep 2", 60_000).await;
    service.kill_and_restart();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let waiting = queue(&service, &reviewer).await;
    assert_eq!(waiting.iter().map(|p| p.id).collect::<Vec<_>>(), [later.id]);
    assert!(waiting[0].left_ms < 59_500, "{}", waiting[0].left_ms);
    let timed_out = wait(&service, &host, soon, 10_000).await.unwrap();
    assert_eq!(check(&host, soon, &timed_out).by, DecidedBy::Timeout);
    // Asked again after the restart: still pending, not a second submission.
    host.sent -= 1;
    let (status, reply) = host.ask(&service, later).await;
    assert_eq!((status, reply.unwrap().decision), (StatusCode::OK, None));
    assert_eq!(review(&service, &reviewer, later, Choice::Approve).await.0, StatusCode::OK);
    check(&host, later, &wait(&service, &host, later, 0).await.unwrap());
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test]
async fn eight_may_wait_and_no_more() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut last = None;
    for n in 0..8 {
        last = Some(host.pending(&service, &format!("echo {n}"), 60_000).await);
    }
    let login = host.open_login("deploy-agent", None);
    let ninth = host.hold(login, "echo 9", 60_000);
    let (status, reply) = host.ask(&service, ninth).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.unwrap_err().contains("wait for answers"));
    // Another agent is not held up.
    let login = host.open_login("data-agent", None);
    let theirs = host.hold(login, "echo 1", 60_000);
    assert_eq!(host.ask(&service, theirs).await.0, StatusCode::OK);
    // Room again.
    host.decide(last.unwrap(), "cancelled", None, Some("hangup"));
    host.ship(&service).await;
    let lines = vec![host.lines[usize::try_from(ninth_seq(&host, ninth)).unwrap()].clone()];
    let request = countersign_api::service::SubmitRequest { id: ninth.id, lines, rule: None };
    let (status, _) = service.post::<serde_json::Value>("/api/submissions", &host.token, &request).await;
    assert_eq!(status, StatusCode::OK);
}

fn ninth_seq(host: &Host, held: Held) -> u64 {
    let entries = host.lines.iter().map(|l| countersign_ledger::Entry::parse(l.as_bytes()).unwrap());
    entries.into_iter().find(|e| e.leaf == held.leaf).unwrap().seq
}

#[tokio::test]
async fn a_submission_must_be_the_last_line() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", None);
    let first = host.hold(login, "id", 60_000);
    let second = host.hold(login, "uptime", 60_000);
    let sent = host.sent;
    assert_eq!(host.ask(&service, first).await.0, StatusCode::BAD_REQUEST);
    host.sent = sent + 2;
    let (status, reply) = host.ask(&service, second).await;
    assert_eq!(status, StatusCode::CONFLICT, "a gap");
    let conflict: Conflict = serde_json::from_str(&reply.unwrap_err()).unwrap();
    assert_eq!((conflict.next_seq, conflict.fork), (2, false));
    host.sent = sent;
    assert_eq!(host.ask(&service, second).await.0, StatusCode::OK);
}

#[tokio::test]
async fn asking_twice_at_once_makes_one_submission() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "id", 60_000);
    let request = countersign_api::service::SubmitRequest { id: held.id, lines: host.unsent(), rule: None };
    let ask = async || service.post::<serde_json::Value>("/api/submissions", &host.token, &request).await.0;
    let statuses = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!([statuses.0, statuses.1, statuses.2, statuses.3], [StatusCode::OK; 4]);
    assert_eq!(queue(&service, &reviewer).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_those_who_wait() {
    let mut service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = host.pending(&service, "id", 60_000).await;
    let url = format!("{}?wait_ms=30000", path(held));
    let request = service.request(reqwest::Method::GET, &url, &host.token);
    let waiting = tokio::spawn(crate::running::answer::<DecisionReply>(request));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopped = Instant::now();
    assert_eq!(tokio::task::block_in_place(|| service.terminate()), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(15), "{:?}", stopped.elapsed());
    assert_eq!(waiting.await.unwrap().1.unwrap().decision, None);
}
