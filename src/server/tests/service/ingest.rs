use crate::host::{Held, Host};
use crate::running::{Service, run};
use countersign_api::service::{Conflict, EntriesReply, EntriesRequest, ErrorBody, HostState};
use countersign_core::{Digest, LoginId, SubmissionId, b64_encode};
use countersign_ledger::verify::{Require, verify};
use countersign_ledger::{Entry, Kind, Namespace, Openings, Signer as _, TrustFile, body, sha256};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::path::Path;

async fn send<T: DeserializeOwned>(
    service: &Service,
    token: &str,
    lines: &[String],
) -> (StatusCode, Result<T, String>) {
    service.post("/api/entries", token, &EntriesRequest { lines: lines.to_vec() }).await
}

fn stopped(host: &mut Host) {
    host.write(Kind::HostStopped, None, body([("why", "signal".into())]), Openings::new());
}

async fn database(service: &Service) -> SqlitePool {
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(service.state().join("service.db"))).await.unwrap()
}

#[tokio::test]
async fn each_entry_is_kept_exactly_once() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", None);
    host.hold(login, "uptime", 60_000);
    host.ship(&service).await;

    // The same again, all of it and a part.
    for from in [0, 2, 3] {
        let (status, reply) = send::<EntriesReply>(&service, &host.token, &host.lines[from..]).await;
        assert_eq!((status, reply.unwrap().next_seq), (StatusCode::OK, 4));
    }
    // The same leaf with its openings cut.
    let cut = host.lines[3].split_once(",\"vals\":").unwrap().0.to_owned() + ",\"vals\":{}}";
    let (status, reply) = send::<Conflict>(&service, &host.token, &[cut]).await;
    let reply = reply.unwrap();
    assert_eq!((status, reply.fork, reply.next_seq), (StatusCode::CONFLICT, false, 4), "{}", reply.error);
    // A gap.
    stopped(&mut host);
    stopped(&mut host);
    let (status, reply) = send::<Conflict>(&service, &host.token, &host.lines[5..]).await;
    let reply = reply.unwrap();
    assert_eq!((status, reply.fork, reply.next_seq), (StatusCode::CONFLICT, false, 4), "{}", reply.error);
    // Old and new together.
    let (status, reply) = send::<EntriesReply>(&service, &host.token, &host.lines[1..]).await;
    assert_eq!((status, reply.unwrap().next_seq), (StatusCode::OK, 6));
    let (_, state) = service.get::<HostState>("/api/host", &host.token).await;
    assert_eq!(state.unwrap().next_seq, 6);
    let db = database(&service).await;
    let lines: Vec<String> = sqlx::query_scalar("SELECT line FROM entries ORDER BY seq").fetch_all(&db).await.unwrap();
    assert_eq!(lines, host.lines);
}

#[tokio::test]
async fn a_fork_is_refused_and_both_lines_are_kept() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    stopped(&mut host);
    host.ship(&service).await;
    // The host's disk is set back by one entry, and it writes another history.
    let held = host.lines[2].clone();
    let before = countersign_ledger::Entry::parse(host.lines[1].as_bytes()).unwrap().leaf;
    (host.seq, host.prev, host.at_us) = (2, before, host.at_us + 1);
    stopped(&mut host);
    stopped(&mut host);
    for _ in 0..2 {
        let (status, reply) = send::<Conflict>(&service, &host.token, &host.lines[3..]).await;
        let reply = reply.unwrap();
        assert_eq!((status, reply.fork, reply.next_seq), (StatusCode::CONFLICT, true, 3), "{}", reply.error);
    }
    // Or it begins where the service wants it to, on another past.
    let (status, reply) = send::<Conflict>(&service, &host.token, &host.lines[4..]).await;
    assert_eq!((status, reply.unwrap().fork), (StatusCode::CONFLICT, true));
    let db = database(&service).await;
    let kept: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT seq, held_line, other_line FROM forks ORDER BY seq").fetch_all(&db).await.unwrap();
    assert_eq!(kept, [(2, held.clone(), host.lines[3].clone()), (3, held, host.lines[4].clone())]);
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM entries").fetch_one(&db).await.unwrap();
    assert_eq!(count, 3);
    evidence_convicts(&service);
}

/// What the service writes out about the forks of the test above.
fn evidence_convicts(service: &Service) {
    let (state, out) = (service.state(), service.dir.path().join("evidence"));
    let (state, folder) = (state.to_str().unwrap(), out.to_str().unwrap());
    let listed = run(&["forks", "--state", state]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 2);
    let told = String::from_utf8(run(&["forks", "--state", state, "--out", folder]).stdout).unwrap();
    let files: Vec<&str> = told.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    let trust = TrustFile::parse(&run(&["trust", "--state", state]).stdout).unwrap();
    let report = |file: &str| verify(Path::new(file), Some(&trust), Require::SelfAttested, &mut |_| {});
    // Two lines for one place; then one that names another past: the hash that it must go on from.
    let found: Vec<_> = files.iter().map(|file| report(file)).collect();
    assert_eq!((found[0].exit_code, found[0].totals["fork.seq"]), (30, 1), "{}", found[0].text());
    assert_eq!((found[1].exit_code, found[1].totals["chain.prev"]), (40, 1), "{}", found[1].text());
    // What is there is not written over.
    assert!(!run(&["forks", "--state", state, "--out", folder]).status.success());
}

#[tokio::test]
async fn what_is_not_the_hosts_own_signed_chain_is_refused() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut other = Host::enrolled(&service, "web-2").await;
    stopped(&mut host);
    let good = host.lines[2].clone();

    let (status, _) = send::<ErrorBody>(&service, &other.token, std::slice::from_ref(&good)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "another host's token");
    let changed = good.replace("\"why\":\"signal\"", "\"why\":\"sugnal\"");
    let no_signature = good.replace("\"sig\":\"", "\"sog\":\"");
    let padded = format!("{good} ");
    let mut impostor = Host::unknown("web-1");
    (impostor.id, impostor.seq, impostor.prev) =
        (host.id, 2, countersign_ledger::Entry::parse(good.as_bytes()).unwrap().prev);
    stopped(&mut impostor);
    for bad in [changed, no_signature, padded, impostor.lines[0].clone(), String::new(), "{}".to_owned()] {
        let (status, body) = send::<ErrorBody>(&service, &host.token, std::slice::from_ref(&bad)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(body.is_ok());
    }
    // Openings that do not open.
    let login = other.open_login("deploy-agent", None);
    let held = other.hold(login, "uptime", 60_000);
    other.ship(&service).await;
    other.decide(held, "cancelled", None, Some("hangup"));
    let forged = other
        .lines
        .last()
        .unwrap()
        .replace("\"vals\":{}", "\"vals\":{\"comment\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"x\"]}");
    assert_eq!(send::<ErrorBody>(&service, &other.token, &[forged]).await.0, StatusCode::BAD_REQUEST);
    // Two lines that do not follow each other, and nothing of them kept.
    stopped(&mut host);
    host.prev = Digest([1; 32]);
    stopped(&mut host);
    let (status, _) = send::<ErrorBody>(&service, &host.token, &host.lines[2..]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (_, state) = service.get::<HostState>("/api/host", &host.token).await;
    assert_eq!(state.unwrap().next_seq, 2);
    // Facts that contradict the ledger before them.
    let mut lost = Host::enrolled(&service, "web-3").await;
    let login = lost.open_login("deploy-agent", None);
    let held = lost.hold(login, "uptime", 60_000);
    lost.decide(held, "denied", Some("ops-lead"), None);
    lost.decide(held, "approved", Some("ops-lead"), None);
    let (status, body) = send::<ErrorBody>(&service, &lost.token, &lost.lines[2..]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}");
    let (_, state) = service.get::<HostState>("/api/host", &lost.token).await;
    assert_eq!(state.unwrap().next_seq, 2, "all of a request or nothing");
}

/// Everything that entries fill.
async fn all_rows(db: &SqlitePool) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["entries", "sessions", "logins", "submissions", "decisions", "submission_flags", "rule_uses"] {
        let sql = format!("SELECT '{table}', COUNT(*) FROM {table}");
        let (table, count): (String, i64) = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(db).await.unwrap();
        rows.push(format!("{table} {count}"));
    }
    for sql in [
        "SELECT json_group_array(json_array(name, last_at_ms)) FROM sessions",
        "SELECT json_group_array(json_array(id, closed_at_ms, recording_bytes)) FROM logins",
        "SELECT json_group_array(json_array(id, outcome, decided_by, denied, started_at_ms, finish)) FROM submissions",
        "SELECT json_group_array(json_array(login, announced)) FROM recordings",
        "SELECT json_group_array(json_array(login, number)) FROM recording_chunks",
    ] {
        rows.push(sqlx::query_scalar(sql).fetch_one(db).await.unwrap());
    }
    rows
}

type Writes = fn(&mut Host, Held);

#[tokio::test]
async fn what_contradicts_the_ledger_before_it_leaves_nothing_behind() {
    let contradictions: [(&str, Writes); 10] = [
        ("decided entry for", |host, held| {
            host.decide(held, "denied", Some("ops-lead"), None);
        }),
        ("decided entry for", |host, held| {
            host.decide(unknown(held), "denied", Some("ops-lead"), None);
        }),
        ("exec_started entry for", |host, held| host.run(held, Digest([1; 32]), 0)),
        ("exec_started entry for", |host, held| host.run(unknown(held), Digest([1; 32]), 0)),
        ("exec_finished entry for", |host, held| {
            let finished = [("code", 0u64.into()), ("end", "exited".into()), ("id", held.id.into())];
            host.write(Kind::ExecFinished, Some(held.login), body(finished), Openings::new());
        }),
        ("does not follow the chunk", |host, held| chunk(host, held.login, 1, 11)),
        ("does not follow the chunk", |host, held| chunk(host, held.login, 2, 10)),
        ("was never opened", |host, _| chunk(host, LoginId::from_random([7; 16]), 0, 0)),
        ("was never opened", |host, _| {
            host.hold(LoginId::from_random([7; 16]), "uptime", 60_000);
        }),
        ("was opened before", |host, held| {
            let opened = body([("kind", "exec".into()), ("tty", false.into())]);
            host.write(Kind::SessionOpened, Some(held.login), opened, Openings::new());
        }),
    ];
    let service = Service::start();
    let db = database(&service).await;
    for (n, (why, write)) in contradictions.into_iter().enumerate() {
        let mut host = Host::enrolled(&service, &format!("web-{n}")).await;
        let login = host.open_login("deploy-agent", None);
        let held = host.hold(login, "uptime", 60_000);
        let decided = host.decide(held, "denied", Some("ops-lead"), None);
        host.run(held, decided, 0);
        chunk(&mut host, login, 0, 0);
        host.ship(&service).await;
        let before = all_rows(&db).await;
        host.at_us += 60_000_000;
        write(&mut host, held);
        let lines = host.unsent();
        let (status, body) = send::<ErrorBody>(&service, &host.token, &lines[..1]).await;
        let told = body.unwrap().error;
        assert!(status == StatusCode::BAD_REQUEST && told.contains(why), "{n}: {status} {told}");
        assert_eq!(all_rows(&db).await, before, "{n}");
    }
    // A question about a command of a login that was never opened.
    let mut host = Host::enrolled(&service, "web-99").await;
    host.ship(&service).await;
    let before = all_rows(&db).await;
    let held = host.hold(LoginId::from_random([8; 16]), "uptime", 60_000);
    assert_eq!(host.ask(&service, held).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(all_rows(&db).await, before);
}

fn unknown(held: Held) -> Held {
    Held { id: SubmissionId::from_random([7; 16]), ..held }
}

/// Announces ten bytes of a recording.
fn chunk(host: &mut Host, login: LoginId, index: u64, offset: u64) {
    let members = [
        ("digest", Digest([3; 32]).into()),
        ("index", index.into()),
        ("length", 10u64.into()),
        ("offset", offset.into()),
    ];
    host.write(Kind::RecordingChunk, Some(login), body(members), Openings::new());
}

#[tokio::test]
async fn the_tables_refuse_to_forget() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let held = host.pending(&service, "uptime", 60_000).await;
    let choice = serde_json::json!({"decision": "deny", "entry": held.leaf});
    let path = format!("/api/submissions/{}/decision", held.id);
    assert_eq!(service.post::<serde_json::Value>(&path, &reviewer, &choice).await.0, StatusCode::OK);
    let db = database(&service).await;
    for sql in [
        "UPDATE entries SET line = ''",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries SELECT host, seq, leaf, 'x', login, at_us, line, 0 FROM entries",
        "UPDATE decisions SET choice = 'approve'",
        "DELETE FROM decisions",
        "INSERT OR REPLACE INTO decisions SELECT submission, 'approve', decided_by, statement, sig, comment, 0, reviews FROM decisions",
    ] {
        let error = sqlx::query(sql).execute(&db).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
}

/// A host that has learned another's ids can neither take them nor say anything of what is theirs.
#[tokio::test]
async fn nothing_of_another_host_can_be_named() {
    let says: [(&str, Writes); 8] = [
        ("was opened before", |host, held| {
            let opened = body([("kind", "exec".into()), ("tty", false.into())]);
            host.write(Kind::SessionOpened, Some(held.login), opened, Openings::new());
        }),
        ("was never opened", |host, held| {
            host.hold(held.login, "uptime", 60_000);
        }),
        ("was never opened", |host, held| chunk(host, held.login, 0, 0)),
        ("session_closed entry for", |host, held| host.close(held.login, 0)),
        ("decided entry for", |host, held| {
            host.decide(held, "approved", Some("ops-lead"), None);
        }),
        // From a login of its own.
        ("decided entry for", |host, held| {
            let login = host.open_login("deploy-agent", None);
            host.decide(Held { login, ..held }, "approved", Some("ops-lead"), None);
        }),
        ("exec_started entry for", |host, held| host.run(held, held.leaf, 0)),
        ("exec_started entry for", |host, held| {
            let login = host.open_login("deploy-agent", None);
            host.run(Held { login, ..held }, held.leaf, 0);
        }),
    ];
    let service = Service::start();
    let db = database(&service).await;
    let mut theirs = Host::enrolled(&service, "web-1").await;
    let held = theirs.pending(&service, "uptime", 60_000).await;
    for (n, (why, write)) in says.into_iter().enumerate() {
        let mut host = Host::enrolled(&service, &format!("other-{n}")).await;
        let before = all_rows(&db).await;
        write(&mut host, held);
        let lines = host.unsent();
        let to = lines.iter().position(|line| !line.contains("session_opened")).map_or(1, |at| at + 1);
        let (status, told) = send::<ErrorBody>(&service, &host.token, &lines[..to]).await;
        let told = told.unwrap().error;
        assert!(status == StatusCode::BAD_REQUEST && told.contains(why), "{n}: {status} {told}");
        assert_eq!(all_rows(&db).await, before, "{n}");
    }
    // Its submission under their id.
    let mut host = Host::enrolled(&service, "other").await;
    let login = host.open_login("deploy-agent", None);
    host.hold(login, "uptime", 60_000);
    let last = host.lines.pop().unwrap();
    let own = serde_json::from_str::<serde_json::Value>(&last).unwrap()["body"]["id"].as_str().unwrap().to_owned();
    let taken = resigned(&mut host, &last, &own, &held.id.to_string());
    host.lines.push(taken);
    let before = all_rows(&db).await;
    let (status, told) = send::<ErrorBody>(&service, &host.token, &host.lines[2..]).await;
    let told = told.unwrap().error;
    assert!(status == StatusCode::BAD_REQUEST && told.contains("was made before"), "{status} {told}");
    assert_eq!(all_rows(&db).await, before);
}

/// The line with one text in place of another, signed anew.
fn resigned(host: &mut Host, line: &str, from: &str, to: &str) -> String {
    let old = Entry::parse(line.as_bytes()).unwrap().sig;
    let changed = line.replace(from, to);
    let (text, _) = changed.split_once(&format!(",\"sig\":\"{old}\"")).unwrap();
    let sig = host.signer.sign(Namespace::Entry, sha256(format!("{text}}}").as_bytes()).0).unwrap();
    changed.replace(&old, &b64_encode(&sig))
}
