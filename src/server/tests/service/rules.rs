use crate::host::Host;
use crate::running::Service;
use countersign_api::service::{AuditRow, ErrorBody, PendingSubmission, ProgramReply, Rule};
use reqwest::StatusCode;

#[tokio::test]
async fn lines_become_rules_once_and_only_if_they_say_what_runs() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let add =
        async |line: &str| service.post::<Rule>("/api/rules", &reviewer, &serde_json::json!({"line": line})).await;
    let (status, rule) = add("uptime").await;
    let rule = rule.unwrap();
    assert_eq!((status, rule.id, rule.added_by.as_str()), (StatusCode::OK, 1, "ops-lead"));
    assert_eq!((add("uptime").await.0, add("uptime ").await.0), (StatusCode::CONFLICT, StatusCode::OK));
    for bad in ["vim x", "bash -o pipefail", "bash", "python3", "bash -s", "sudo", "env", "cat | bash", "", "a\u{1b}b"]
    {
        let (status, body) = add(bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad:?}");
        assert!(body.unwrap_err().contains("cannot be a rule"));
    }
    let unknown = serde_json::json!({"line": "id", "scope": "all"});
    assert_eq!(service.post::<ErrorBody>("/api/rules", &reviewer, &unknown).await.0, StatusCode::BAD_REQUEST);
    let (_, rules) = service.get::<Vec<Rule>>("/api/rules", &reviewer).await;
    assert_eq!(rules.unwrap().iter().map(|r| r.line.as_str()).collect::<Vec<_>>(), ["uptime", "uptime "]);
}

/// `less /etc/services` with a terminal, then `!sh`: a shell that nobody decided on.
#[tokio::test]
async fn a_rule_is_no_shell_on_a_terminal_and_none_for_another_shell() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let add = async |rule: serde_json::Value| service.post::<Rule>("/api/rules", &reviewer, &rule).await;
    for line in ["less /etc/services", "git log", "systemctl status nginx"] {
        let (status, rule) = add(serde_json::json!({"line": line})).await;
        assert_eq!((status, rule.map(|r| (r.on_terminal, r.shell))), (StatusCode::OK, Ok((false, "bash".to_owned()))));
        let (status, why) = add(serde_json::json!({"line": line, "shell": "zsh", "on_terminal": true})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(why.unwrap_err().contains("on a terminal"));
    }
    assert_eq!(add(serde_json::json!({"line": "uptime", "on_terminal": true})).await.0, StatusCode::OK);
    assert_eq!(add(serde_json::json!({"line": "uptime"})).await.0, StatusCode::CONFLICT);
    assert_eq!(add(serde_json::json!({"line": "uptime", "shell": "sh -c"})).await.0, StatusCode::BAD_REQUEST);

    let mut host = Host::enrolled(&service, "web-1").await;
    host.env = "PATH=/usr/bin\nLANG=tr_TR.UTF-8\nLC_ALL=\nLC_TIME=C\nTERM=xterm";
    for (tty, shell, line, passes) in [
        (false, "bash", "less /etc/services", true),
        (true, "bash", "less /etc/services", false),
        (true, "bash", "git log", false),
        (true, "bash", "systemctl status nginx", false),
        (false, "fish", "git log", false),
        (true, "bash", "uptime", true),
        (false, "bash", "uptime", true),
        (false, "tcsh", "uptime", false),
    ] {
        (host.tty, host.shell) = (tty, shell);
        let login = host.open_login("deploy-agent", None);
        let held = host.hold(login, line, 60_000);
        let (status, reply) = host.ask(&service, held).await;
        assert_eq!((status, reply.unwrap().decision.is_some()), (StatusCode::OK, passes), "{tty} {shell} {line}");
    }
    let waiting = service.get::<Vec<PendingSubmission>>("/api/submissions", &reviewer).await.1.unwrap();
    let seen: Vec<_> = waiting.iter().map(|row| (row.tty, row.shell.as_str())).collect();
    assert_eq!(seen, [(true, "bash"), (true, "bash"), (true, "bash"), (false, "fish"), (false, "tcsh")]);
    assert_eq!(waiting[0].locale, ["LANG=tr_TR.UTF-8", "LC_TIME=C"]);
    let rows = service.get::<Vec<AuditRow>>("/api/audit", &reviewer).await.1.unwrap();
    assert_eq!((rows[0].tty, rows[0].shell.as_str(), rows[0].locale.len()), (false, "tcsh", 2));
}

#[tokio::test]
async fn no_rule_speaks_where_only_a_person_may() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    service.post::<Rule>("/api/rules", &reviewer, &serde_json::json!({"line": "uptime"})).await.1.unwrap();
    let mut host = Host::enrolled(&service, "web-1").await;
    for (flags, program, passes) in [
        (&[][..], None, true),
        (&["interactive_escape"][..], None, false),
        (&["opaque_code"][..], None, false),
        // One of a later version may mean the same.
        (&["of_a_later_version"][..], None, false),
        (&[][..], Some("id\n"), false),
    ] {
        (host.flags, host.program) = (flags, program);
        let login = host.open_login("deploy-agent", None);
        let held = host.hold(login, "uptime", 60_000);
        let (_, reply) = host.ask(&service, held).await;
        assert_eq!(reply.unwrap().decision.is_some(), passes, "{flags:?} {program:?}");
    }
    let waiting = service.get::<Vec<PendingSubmission>>("/api/submissions", &reviewer).await.1.unwrap();
    assert_eq!(waiting[0].flags, ["interactive_escape"]);
    let with = waiting.last().unwrap();
    assert_eq!(with.program.as_ref().unwrap().bytes, 3);
    let path = |id| format!("/api/submissions/{id}/program");
    let shown = service.get::<ProgramReply>(&path(with.id), &reviewer).await.1.unwrap();
    assert_eq!(shown.text, "id\n");
    assert_eq!(service.get::<ProgramReply>(&path(waiting[0].id), &reviewer).await.0, StatusCode::NOT_FOUND);
    assert_eq!(service.get::<ProgramReply>(&path(with.id), "no-token").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_rule_speaks_for_a_program_that_the_host_did_not_know() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let rule = serde_json::json!({"line": "uptime"});
    assert_eq!(service.post::<Rule>("/api/rules", &reviewer, &rule).await.0, StatusCode::OK);
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy", None);
    for (words, passes) in [("known", true), ("other", false), ("", false)] {
        host.words = words;
        let held = host.hold(login, "uptime", 60_000);
        let (status, reply) = host.ask(&service, held).await;
        assert_eq!((status, reply.unwrap().decision.is_some()), (StatusCode::OK, passes), "{words:?}");
    }
}
