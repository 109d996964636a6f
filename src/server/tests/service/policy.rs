//! Rules with a life, people in numbers, grants: what decides without or with people.

use crate::host::{Held, Host};
use crate::running::{Service, run};
use countersign_api::rules::{Rule, RuleHistory, RuleVerdict, RulesFile, Suggestions};
use countersign_api::service::{AuditRow, DecisionReply, PendingSubmission, ReviewReply, ReviewRequest, SubmitReply};
use countersign_core::{Choice, DecidedBy, Name, Outcome};
use countersign_ledger::Statement;
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn add(service: &Service, token: &str, body: Value) -> (StatusCode, Result<Rule, String>) {
    service.post("/api/rules", token, &json!({ "body": body })).await
}

async fn act(service: &Service, token: &str, id: u64, act: &str) -> (StatusCode, Result<Rule, String>) {
    service.post(&format!("/api/rules/{id}/{act}"), token, &json!({})).await
}

async fn submit(service: &Service, host: &mut Host, line: &str) -> (Held, SubmitReply) {
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, line, 60_000);
    let (status, reply) = host.ask(service, held).await;
    assert_eq!(status, StatusCode::OK, "{line}: {reply:?}");
    (held, reply.unwrap())
}

/// Who decided at once; `person` where nobody did.
async fn by(service: &Service, token: &str, host: &mut Host, line: &str) -> String {
    let (held, reply) = submit(service, host, line).await;
    let Some(signed) = reply.decision else {
        // Out of the way: only so many may wait.
        let review = ReviewRequest { decision: Choice::Deny, entry: held.leaf, comment: None, signed: None };
        service.post::<ReviewReply>(&format!("/api/submissions/{}/decision", held.id), token, &review).await.1.unwrap();
        return "person".to_owned();
    };
    let statement = Statement::parse(&signed.statement).unwrap();
    assert!(statement.by.outcome(statement.decision).is_some());
    statement.by.to_string()
}

#[tokio::test]
async fn patterns_pass_what_they_say_and_deny_rules_refuse() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let allow = json!({"patterns": ["docker pull ghcr.io/myorg/api:*", "git status"], "match": ["git status"], "no_match": ["git status; id"]});
    let (status, rule) = add(&service, &ops, allow).await;
    let rule = rule.unwrap();
    assert_eq!((status, rule.state.as_str(), rule.effect.as_str()), (StatusCode::OK, "active", "allow"));
    assert_eq!(rule.approved_by, Some("ops-lead".parse().unwrap()), "nobody else was there");
    assert!(!rule.advice.is_empty());
    assert_eq!(add(&service, &ops, json!({"effect": "deny", "patterns": ["rm **"]})).await.1.unwrap().id, 2);
    for (line, want) in [
        ("docker pull ghcr.io/myorg/api:sha-1 && git status", "whitelist_rule:1"),
        ("sudo rm -rf /", "deny_rule:2"),
        ("git status $(rm x)", "deny_rule:2"),
        ("docker pull ghcr.io/evil/api:1", "person"),
        ("git status; id", "person"),
    ] {
        assert_eq!(by(&service, &ops, &mut host, line).await, want, "{line}");
    }
    for bad in [
        json!({"patterns": ["bash **"]}),
        json!({"patterns": ["git status"], "match": ["git log"]}),
        json!({"patterns": ["x"], "scope": "all"}),
        json!({}),
        json!({"exact": "uptime", "session": "a-1"}),
        json!("uptime"),
    ] {
        let (status, why) = add(&service, &ops, bad.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}: {why:?}");
    }
    let other = json!({"effect": "deny", "agents": ["other-*"]});
    assert_eq!(add(&service, &ops, other).await.1.unwrap().line, "every line of other-*");
    assert_eq!(by(&service, &ops, &mut host, "git status").await, "whitelist_rule:1");
    let stop = add(&service, &ops, json!({"effect": "deny", "agents": ["deploy-agent"]})).await.1.unwrap();
    assert_eq!(stop.state, "active");
    for line in ["git status", "make x", "$("] {
        assert_eq!(by(&service, &ops, &mut host, line).await, format!("deny_rule:{}", stop.id), "{line}");
    }
    act(&service, &ops, stop.id, "expire").await.1.unwrap();
    let test = json!({"line": "git status && docker pull ghcr.io/myorg/api:2", "target": "web-1"});
    let verdict = service.post::<RuleVerdict>("/api/rules/test", &ops, &test).await.1.unwrap();
    assert_eq!((verdict.decision, verdict.by.as_deref()), (Some(Choice::Approve), Some("whitelist_rule:1")));
    assert!(verdict.steps.iter().any(|step| step.found.contains("rule 1 allows `git status`")), "{verdict:?}");
}

#[tokio::test]
async fn a_text_that_was_swapped_is_not_approved() {
    let service = Service::start();
    let (ops, second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    assert_eq!(add(&service, &ops, json!({"exact": "uptime"})).await.1.unwrap().revision, 1);
    // Between the other's look and the approval.
    let toml = "fmt = \"cs-rules1\"\n[[rule]]\nid = 1\nexact = \"uname -a\"\n".to_owned();
    let swapped = service.post::<Vec<Rule>>("/api/rules/import", &ops, &RulesFile { toml }).await.1.unwrap();
    assert_eq!((swapped.len(), swapped[0].revision), (1, 2));
    for old in ["approve", "approve?revision=1", "approve?revision=3"] {
        let (status, why) = act(&service, &second, 1, old).await;
        assert_eq!(status, StatusCode::CONFLICT, "{old}");
        assert!(why.unwrap_err().contains("approve 1:2"), "{old}");
    }
    assert_eq!(by(&service, &ops, &mut host, "uname -a").await, "person");
    assert_eq!(act(&service, &ops, 1, "approve?revision=2").await.0, StatusCode::CONFLICT, "its author");
    assert_eq!(act(&service, &second, 1, "approve?revision=2").await.1.unwrap().state, "active");
    assert_eq!(by(&service, &ops, &mut host, "uname -a").await, "whitelist_rule:1");
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "person");
}

#[tokio::test]
async fn every_text_of_a_rule_is_kept() {
    let service = Service::start();
    let (ops, second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let text = |line: &str| RulesFile { toml: format!("fmt = \"cs-rules1\"\n[[rule]]\nid = 1\nexact = \"{line}\"\n") };
    add(&service, &ops, json!({"exact": "uptime"})).await.1.unwrap();
    act(&service, &second, 1, "approve?revision=1").await.1.unwrap();
    act(&service, &ops, 1, "review").await.1.unwrap();
    service.post::<Vec<Rule>>("/api/rules/import", &ops, &text("uname -a")).await.1.unwrap();
    act(&service, &second, 1, "approve?revision=2").await.1.unwrap();
    service.post::<Vec<Rule>>("/api/rules/import", &second, &text("id")).await.1.unwrap();
    service.post::<Vec<Rule>>("/api/rules/import", &second, &text("date")).await.1.unwrap();
    // First what is proposed is withdrawn, then the rule ends.
    for _ in 0..2 {
        act(&service, &ops, 1, "expire").await.1.unwrap();
    }
    let history = service.get::<RuleHistory>("/api/rules/1", &ops).await.1.unwrap();
    let texts: Vec<_> = history
        .texts
        .iter()
        .map(|text| (text.revision, text.line.as_str(), text.state.as_str(), text.ended_by.as_ref().map(Name::as_str)))
        .collect();
    let wanted = [
        (4, "date", "ended", Some("ops-lead")),
        (3, "id", "ended", Some("on-call")),
        (2, "uname -a", "ended", Some("ops-lead")),
        (1, "uptime", "replaced", Some("on-call")),
    ];
    assert_eq!(texts, wanted);
    assert!(history.texts.iter().all(|text| text.ended_at_ms >= Some(text.added_at_ms)));
    let looked: Vec<_> = history.reviews.iter().map(|review| (review.revision, review.by.as_str())).collect();
    assert_eq!(looked, [(2, "on-call"), (1, "ops-lead"), (1, "on-call")]);
    for (path, want) in [("/api/rules/2", StatusCode::NOT_FOUND), ("/api/rules/x", StatusCode::BAD_REQUEST)] {
        assert_eq!(service.get::<RuleHistory>(path, &ops).await.0, want, "{path}");
    }
    assert_eq!(service.get::<RuleHistory>("/api/rules/1", "nobody").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_two_reviewers_a_rule_needs_both() {
    let service = Service::start();
    let (ops, second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    let rule = add(&service, &ops, json!({"exact": "uptime"})).await.1.unwrap();
    assert_eq!((rule.state.as_str(), rule.approved_by), ("proposed", None));
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "person");
    assert_eq!(act(&service, &ops, 1, "approve").await.0, StatusCode::CONFLICT);
    let rule = act(&service, &second, 1, "approve").await.1.unwrap();
    assert_eq!((rule.state.as_str(), rule.approved_by), ("active", Some("on-call".parse().unwrap())));
    assert_eq!(act(&service, &second, 1, "approve").await.0, StatusCode::NOT_FOUND);
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "whitelist_rule:1");
    assert_eq!(act(&service, &ops, 1, "review").await.1.unwrap().last_reviewed_by.as_str(), "ops-lead");
    // A rule that only refuses is in force at once, and two must agree to its end.
    assert_eq!(add(&service, &ops, json!({"effect": "deny", "patterns": ["uptime"]})).await.1.unwrap().state, "active");
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "deny_rule:2");
    assert_eq!(act(&service, &ops, 2, "expire").await.1.unwrap().state, "active");
    assert_eq!(act(&service, &ops, 2, "expire").await.0, StatusCode::CONFLICT);
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "deny_rule:2");
    assert_eq!(act(&service, &second, 2, "expire").await.1.unwrap().state, "ended");
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "whitelist_rule:1");
    assert_eq!(act(&service, &second, 1, "expire").await.1.unwrap().state, "ended");
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "person");
    assert_eq!(act(&service, &second, 1, "expire").await.0, StatusCode::NOT_FOUND);
    assert_eq!(act(&service, &second, 1, "burn").await.0, StatusCode::BAD_REQUEST);
    let rows = service.get::<Vec<AuditRow>>("/api/audit?text=uptime", &ops).await.1.unwrap();
    assert!(rows.iter().all(|row| !row.steps.is_empty()), "every verdict says why");
}

#[tokio::test]
async fn a_file_is_taken_whole_or_not_at_all() {
    let mut service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let import = async |service: &Service, toml: &str| {
        service.post::<Vec<Rule>>("/api/rules/import", &ops, &json!({ "toml": toml })).await
    };
    let good = "fmt = \"cs-rules1\"\n[[rule]]\npatterns = [\"ls **\"]\n[[rule]]\nexact = \"uptime\"\nuses = 2\n";
    for bad in [
        "[[rule]]\npatterns = [\"sudo *\"]",
        "[[rule]]\nid = 99\nexact = \"id\"",
        "[[rule]]\nexact = \"uptime\"",
        "x = 1",
    ] {
        let (status, why) = import(&service, &format!("{good}{bad}")).await;
        assert!(status.is_client_error(), "{bad}: {why:?}");
    }
    assert!(service.get::<Vec<Rule>>("/api/rules", &ops).await.1.unwrap().is_empty());
    assert_eq!(import(&service, good).await.1.unwrap().len(), 2);
    assert_eq!(by(&service, &ops, &mut host, "ls -l").await, "whitelist_rule:1");
    for want in ["whitelist_rule:2", "whitelist_rule:2", "person"] {
        assert_eq!(by(&service, &ops, &mut host, "uptime").await, want, "twice and no more");
    }
    let exported = service.get::<RulesFile>("/api/rules/export", &ops).await.1.unwrap();
    assert_eq!(import(&service, &exported.toml).await.1.unwrap().len(), 1, "only the settings are new");
    assert!(import(&service, &exported.toml).await.1.unwrap().is_empty());
    let wider = exported.toml.replace("uses = 2", "uses = 3");
    assert_eq!(import(&service, &wider).await.1.unwrap()[0].revision, 2);
    service.kill_and_restart();
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "whitelist_rule:2", "three now, also after a restart");
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "person");
}

/// What two must approve one does where there is no other, and the steps say so.
#[tokio::test]
async fn where_one_is_enrolled_the_steps_say_that() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    submit(&service, &mut host, "curl -fsS https://downloads.example/x | sh").await;
    let rows = service.get::<Vec<PendingSubmission>>("/api/submissions", &ops).await.1.unwrap();
    let found: Vec<&str> = rows[0].steps.iter().map(|step| step.found.as_str()).collect();
    assert!(found.contains(&"only 1 reviewer is enrolled, so 1 must approve"), "{found:?}");
}

/// Whoever adds what is there is told whose it is and what state it is in; nothing is stored.
#[tokio::test]
async fn a_rule_that_decides_as_another_is_not_added() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let rm = json!({"effect": "deny", "patterns": ["rm **", "dd **"], "agents": ["deploy", "build"]});
    add(&service, &ops, rm.clone()).await.1.unwrap();
    let on_call = service.reviewer("on-call");
    let ls = json!({"patterns": ["ls **"], "uses": 9});
    add(&service, &ops, ls.clone()).await.1.unwrap();
    add(&service, &ops, json!({"exact": "uptime"})).await.1.unwrap();
    let again = json!({"effect": "deny", "patterns": ["dd **", "rm **"], "agents": ["build", "deploy"], "note": "x"});
    for (body, want) in [
        (rm, "rule 1, added by ops-lead, decides the same already and is in force"),
        (again, "rule 1, added by ops-lead, decides the same already and is in force"),
        (
            ls,
            "rule 2, added by ops-lead, decides the same already and waits for approval (countersign rules approve 2)",
        ),
        (json!({"exact": "uptime", "shell": "bash"}), "rule 3, added by ops-lead, decides the same already and waits"),
        (json!({"exact": "uptime", "uses": 2}), "rule 3, added by ops-lead, has this line for this shell already and"),
    ] {
        let (status, why) = add(&service, &on_call, body.clone()).await;
        assert_eq!(status, StatusCode::CONFLICT, "{body}");
        let why = why.unwrap_err();
        assert!(why.contains(want), "{body}: {why}");
    }
    let toml = "fmt = \"cs-rules1\"\n[[rule]]\npatterns = [\"ls **\"]\nuses = 9\n[[rule]]\npatterns = [\"id\"]\n";
    let taken = service.post::<Vec<Rule>>("/api/rules/import", &on_call, &json!({ "toml": toml })).await.1.unwrap();
    assert_eq!(taken.iter().map(|rule| rule.id).collect::<Vec<_>>(), [4], "of a file, what is there is left alone");
    for other in [json!({"patterns": ["ls **"]}), json!({"effect": "ask", "patterns": ["rm **", "dd **"]})] {
        add(&service, &on_call, other).await.1.unwrap();
    }
    assert_eq!(service.get::<Vec<Rule>>("/api/rules", &ops).await.1.unwrap().len(), 6);
}

/// What is only proposed, or is to end, keeps no rule out that stops somebody.
#[tokio::test]
async fn a_rule_that_denies_is_in_force_whatever_is_proposed() {
    let service = Service::start();
    let (ops, lead) = (service.reviewer("ops-lead"), service.reviewer("lead"));
    add(&service, &ops, json!({"exact": "ls"})).await.1.unwrap();
    act(&service, &lead, 1, "approve").await.1.unwrap();
    let deny = json!({"effect": "deny", "agents": ["evil"]});
    let file = |id: &str| json!({ "toml": format!("fmt = \"cs-rules1\"\n[[rule]]\n{id}effect = \"deny\"\nagents = [\"evil\"]\n") });
    let proposed = service.post::<Vec<Rule>>("/api/rules/import", &ops, &file("id = 1\n")).await.1.unwrap();
    assert_eq!(proposed.iter().map(|rule| rule.state.as_str()).collect::<Vec<_>>(), ["proposed"]);
    let taken = service.post::<Vec<Rule>>("/api/rules/import", &lead, &file("")).await.1.unwrap();
    assert_eq!(taken.iter().map(|rule| (rule.id, rule.state.as_str())).collect::<Vec<_>>(), [(2, "active")]);
    assert_eq!(add(&service, &ops, deny.clone()).await.0, StatusCode::CONFLICT, "it is in force");
    act(&service, &ops, 2, "expire").await.1.unwrap();
    assert_eq!(add(&service, &lead, deny).await.1.unwrap().state, "active", "its end was asked for");
}

/// What has said all that it may is no reason to refuse it anew.
#[tokio::test]
async fn a_rule_that_is_used_up_may_be_added_again() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let once = json!({"patterns": ["git status"], "uses": 1});
    assert_eq!(add(&service, &ops, once.clone()).await.1.unwrap().id, 1);
    assert_eq!(by(&service, &ops, &mut host, "git status").await, "whitelist_rule:1");
    assert_eq!(by(&service, &ops, &mut host, "git status").await, "person");
    assert_eq!(add(&service, &ops, once).await.1.unwrap().id, 2);
    assert_eq!(by(&service, &ops, &mut host, "git status").await, "whitelist_rule:2");
    let once = json!({"exact": "uptime", "uses": 1});
    add(&service, &ops, once.clone()).await.1.unwrap();
    assert_eq!(by(&service, &ops, &mut host, "uptime").await, "whitelist_rule:3");
    let why = add(&service, &ops, once).await.1.unwrap_err();
    assert!(why.contains("is used up (countersign rules expire 3, then add it again)"), "{why}");
}

#[tokio::test]
async fn two_different_people_approve_on_a_critical_target_and_one_denies() {
    let service = Service::start();
    let (ops, second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let state = service.state();
    let state = state.to_str().unwrap();
    let out = run(&["enroll-token", "--name", "db-1", "--class", "critical", "--state", state]);
    let mut host = Host::unknown("db-1");
    host.enrol(&service, String::from_utf8(out.stdout).unwrap().trim()).await;
    let review = async |token: &str, held: Held, decision: Choice| {
        let request = ReviewRequest { decision, entry: held.leaf, comment: None, signed: None };
        service.post::<ReviewReply>(&format!("/api/submissions/{}/decision", held.id), token, &request).await
    };
    let decision = async |host: &Host, held: Held| {
        let path = format!("/api/submissions/{}/decision?wait_ms=0", held.id);
        service.get::<DecisionReply>(&path, &host.token).await.1.unwrap().decision
    };
    let (held, reply) = submit(&service, &mut host, "systemctl restart db").await;
    assert_eq!(reply.decision, None);
    let first = review(&ops, held, Choice::Approve).await.1.unwrap();
    assert_eq!((first.outcome, first.people, first.approvals.len()), (None, 2, 1));
    assert_eq!(decision(&host, held).await, None, "one of two signs nothing");
    assert_eq!(review(&ops, held, Choice::Approve).await.0, StatusCode::CONFLICT, "the same person counts once");
    let phone = service.reviewer_with("ops-phone", &["--person", "ops-lead"]);
    let (status, why) = review(&phone, held, Choice::Approve).await;
    assert_eq!(status, StatusCode::CONFLICT, "by a second name too");
    assert!(why.unwrap_err().contains("ops-lead has approved it already; 2 different people must"));
    assert_eq!(decision(&host, held).await, None);
    let row = service.get::<Vec<PendingSubmission>>("/api/submissions", &ops).await.1.unwrap().remove(0);
    assert_eq!((row.people, row.approvals), (2, vec!["ops-lead".parse().unwrap()]));
    let done = review(&second, held, Choice::Approve).await.1.unwrap();
    assert_eq!((done.outcome, done.approvals.len()), (Some(Outcome::Approved), 2));
    let signed = decision(&host, held).await.unwrap();
    assert_eq!(signed.comment.as_deref(), Some("approved by ops-lead too"));
    assert_eq!(Statement::parse(&signed.statement).unwrap().by, DecidedBy::Person("on-call".parse().unwrap()));

    let (held, _) = submit(&service, &mut host, "systemctl stop db").await;
    review(&ops, held, Choice::Approve).await.1.unwrap();
    assert_eq!(review(&second, held, Choice::Deny).await.1.unwrap().outcome, Some(Outcome::Denied));
    assert_eq!(review(&ops, held, Choice::Approve).await.0, StatusCode::CONFLICT);

    let grant = json!({"minutes": 15, "body": {"patterns": ["git status"], "agents": ["deploy-agent"], "targets": ["db-1"], "uses": 5}});
    assert_eq!(
        service.post::<Rule>("/api/grants", &ops, &grant).await.0,
        StatusCode::BAD_REQUEST,
        "not on a critical target"
    );
}

#[tokio::test]
async fn a_second_name_makes_no_second_person() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let phone = service.reviewer_with("ops-phone", &["--person", "ops-lead"]);
    let tablet = service.reviewer_with("ops-tablet", &["--person", "ops-phone"]);
    assert_eq!(
        add(&service, &phone, json!({"exact": "uptime"})).await.1.unwrap().state,
        "active",
        "alone by all names"
    );
    let second = service.reviewer("on-call");
    assert_eq!(add(&service, &ops, json!({"exact": "date"})).await.1.unwrap().state, "proposed");
    for token in [&ops, &phone, &tablet] {
        assert_eq!(act(&service, token, 2, "approve").await.0, StatusCode::CONFLICT, "its author by another name");
    }
    assert_eq!(act(&service, &second, 2, "approve").await.1.unwrap().state, "active");
    assert_eq!(add(&service, &ops, json!({"effect": "deny", "patterns": ["rm **"]})).await.1.unwrap().id, 3);
    assert_eq!(act(&service, &ops, 3, "expire").await.1.unwrap().state, "active", "another must agree to its end");
    assert_eq!(act(&service, &tablet, 3, "expire").await.0, StatusCode::CONFLICT);
    assert_eq!(act(&service, &second, 3, "expire").await.1.unwrap().state, "ended");

    let state = service.state();
    let state = state.to_str().unwrap();
    let out = run(&["reviewer", "add", "x", "--person", "nobody", "--url", "http://127.0.0.1:1", "--state", state]);
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success() && text.contains("there is no reviewer nobody; add them first"), "{text}");
}

#[tokio::test]
async fn a_grant_is_for_one_agent_and_target_a_while_and_so_many_times() {
    let service = Service::start();
    let (ops, _second) = (service.reviewer("ops-lead"), service.reviewer("on-call"));
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut other = Host::enrolled(&service, "web-2").await;
    let give = async |body: Value, minutes: u32| {
        service.post::<Rule>("/api/grants", &ops, &json!({ "minutes": minutes, "body": body })).await
    };
    let body = json!({"patterns": ["git status"], "agents": ["deploy-agent"], "targets": ["web-1"], "uses": 2});
    let rule = give(body.clone(), 15).await.1.unwrap();
    assert_eq!((rule.kind.as_str(), rule.state.as_str(), rule.uses), ("grant", "active", Some(2)));
    assert!(rule.expires_at_ms.is_some());
    assert_eq!(by(&service, &ops, &mut other, "git status").await, "person");
    assert_eq!(by(&service, &ops, &mut host, "git log").await, "person");
    for want in ["grant:1", "grant:1", "person"] {
        assert_eq!(by(&service, &ops, &mut host, "git status").await, want);
    }
    for (body, minutes) in [
        (json!({"patterns": ["git status"], "agents": ["*"], "targets": ["web-1"], "uses": 2}), 15),
        (json!({"patterns": ["git status"], "agents": ["a"], "targets": ["web-1"]}), 15),
        (json!({"patterns": ["git status"], "agents": ["a"], "uses": 2}), 15),
        (json!({"patterns": ["bash **"], "agents": ["a"], "targets": ["web-1"], "uses": 2}), 15),
        (body.clone(), 0),
        (body.clone(), 1441),
    ] {
        assert_eq!(give(body.clone(), minutes).await.0, StatusCode::BAD_REQUEST, "{body} {minutes}");
    }
    assert_eq!(give(body, 15).await.1.unwrap().id, 2, "another one");
    assert_eq!(act(&service, &ops, 2, "expire").await.1.unwrap().state, "ended");
    assert_eq!(by(&service, &ops, &mut host, "git status").await, "person");
}

#[tokio::test]
async fn history_suggests_and_applies_nothing() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    for (line, decision) in [
        ("docker pull ghcr.io/myorg/api:a1", Choice::Approve),
        ("docker pull ghcr.io/myorg/api:b2", Choice::Approve),
        ("docker pull ghcr.io/myorg/api:c3", Choice::Approve),
        ("docker pull ghcr.io/evil/api:c3", Choice::Deny),
    ] {
        let (held, _) = submit(&service, &mut host, line).await;
        let request = ReviewRequest { decision, entry: held.leaf, comment: None, signed: None };
        let path = format!("/api/submissions/{}/decision", held.id);
        service.post::<ReviewReply>(&path, &ops, &request).await.1.unwrap();
        let outcome = if decision == Choice::Approve { "approved" } else { "denied" };
        host.decide(held, outcome, Some("ops-lead"), None);
        host.ship(&service).await;
    }
    let found = service.get::<Suggestions>("/api/rules/suggestions", &ops).await.1.unwrap();
    assert_eq!(found.suggestions.len(), 1, "{found:?}");
    let first = &found.suggestions[0];
    assert_eq!(first.body, json!({"patterns": ["docker pull ghcr.io/myorg/api:*"]}));
    assert_eq!((first.passes, first.approved, first.denied), (3, 3, 1));
    assert!(service.get::<Vec<Rule>>("/api/rules", &ops).await.1.unwrap().is_empty());
}

#[tokio::test]
async fn history_says_which_rules_deserve_a_second_look() {
    let service = Service::start();
    let ops = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    add(&service, &ops, json!({"patterns": ["systemctl stop nginx", "systemctl status nginx", "kill -9 4242"]}))
        .await
        .1
        .unwrap();
    for line in ["kill -9 4242", "systemctl stop nginx", "systemctl status nginx", "systemctl stop nginx"] {
        let (held, reply) = submit(&service, &mut host, line).await;
        assert!(reply.decision.is_some(), "{line}");
        host.decide(held, "whitelisted", Some("whitelist_rule:1"), None);
        host.ship(&service).await;
    }
    // Denied, and for all that submitted and approved again: that is an anomaly.
    for decision in [Choice::Deny, Choice::Approve] {
        let (held, _) = submit(&service, &mut host, "mount /srv/backup").await;
        let request = ReviewRequest { decision, entry: held.leaf, comment: None, signed: None };
        service.post::<ReviewReply>(&format!("/api/submissions/{}/decision", held.id), &ops, &request).await.1.unwrap();
        host.decide(held, if decision == Choice::Approve { "approved" } else { "denied" }, Some("ops-lead"), None);
        host.ship(&service).await;
    }
    let found = service.get::<Suggestions>("/api/rules/suggestions", &ops).await.1.unwrap();
    let risky: Vec<_> = found.risky_but_passed.iter().map(|one| (one.command.as_str(), one.times)).collect();
    assert_eq!(risky, [("systemctl stop nginx", 2), ("kill -9 4242", 1)], "{found:?}");
    assert!(found.risky_but_passed.iter().all(|one| one.by == "whitelist_rule:1" && one.score >= Some(25)));
    let [odd] = found.anomalous_but_approved.as_slice() else { panic!("{found:?}") };
    assert_eq!((odd.command.as_str(), odd.by.as_str(), odd.times), ("mount /srv/backup", "ops-lead", 1));
    assert!(odd.anomalies.iter().any(|flag| flag == "retry_after_denial"), "{odd:?}");
    let newest = service.get::<Vec<AuditRow>>("/api/audit?limit=1", &ops).await.1.unwrap();
    assert_eq!(odd.id, newest[0].id, "the newest of it, as `countersign show` takes it");
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_stops_the_service_until_the_rule_is_ended() {
    let mut service = Service::start();
    let ops = service.reviewer("ops-lead");
    add(&service, &ops, json!({"exact": "uptime"})).await.1.unwrap();
    assert_eq!(service.terminate(), Some(0));
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let db = sqlx::SqlitePool::connect_with(file).await.unwrap();
    sqlx::query("UPDATE rules SET body = '{\"exact\":\"bash\"}'").execute(&db).await.unwrap();
    db.close().await;
    let state = service.state();
    let state = state.to_str().unwrap();
    let out = run(&["serve", "--plain", "--listen", "127.0.0.1:0", "--state", state]);
    assert!(!out.status.success());
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(text.contains("rule 1"), "{text}");
    assert!(run(&["end-rule", "1", "--state", state]).status.success());
    assert!(!run(&["end-rule", "1", "--state", state]).status.success());
    service.kill_and_restart();
    assert!(service.get::<Vec<Rule>>("/api/rules", &ops).await.1.unwrap().is_empty());
}
