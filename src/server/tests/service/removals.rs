//! What a host takes out of its ledger goes here too, if it may.

use crate::checkpoints::{ask, head, note, stamp};
use crate::host::{Held, Host};
use crate::running::{Service, run};
use countersign_api::service::{Conflict, EntriesReply, EntriesRequest};
use countersign_core::{Digest, LoginId};
use countersign_ledger::{Entry, Erased, Kind, Openings, Removal, Value, body, cut_openings, sha256};
use reqwest::{Method, StatusCode};

const WHAT: &str = "echo jane-doe-4711";

/// A host with a denied command of a closed login, cosigned.
pub async fn case(service: &Service) -> (Host, Held) {
    let mut host = Host::enrolled(service, "web-1").await;
    let login = host.open_login("jane", Some("192.0.2.7 50022 192.0.2.1 22"));
    let held = host.hold(login, WHAT, 60_000);
    host.decide(held, "cancelled", None, Some("hangup"));
    record(&mut host, login);
    host.close(login, 3);
    host.ship(service).await;
    cosign(service, &mut host).await;
    (host, held)
}

/// Three bytes of a recording.
pub fn record(host: &mut Host, login: LoginId) {
    let chunk = [
        ("digest", sha256(b"abc").into()),
        ("index", 0u64.into()),
        ("length", 3u64.into()),
        ("offset", 0u64.into()),
        ("raw_bytes", 3u64.into()),
    ];
    host.write(Kind::RecordingChunk, Some(login), body(chunk), Openings::new());
}

/// The `checkpoint` entry over all that was sent.
async fn cosigned(service: &Service, host: &mut Host) -> Value {
    let checkpoint = head(host);
    let note = note(&checkpoint, &mut host.signer);
    let (status, reply) = ask(service, host, note, 0).await;
    assert_eq!(status, StatusCode::OK);
    stamp(host, &checkpoint, &reply).to_value()
}

async fn cosign(service: &Service, host: &mut Host) {
    let entry = cosigned(service, host).await;
    host.write(Kind::Checkpoint, None, entry, Openings::new());
    host.ship(service).await;
}

/// The `command_submitted` of the case.
pub const SEQ: usize = 3;

fn leaf(host: &Host, seq: usize) -> Digest {
    Entry::parse(host.lines[seq].as_bytes()).unwrap().leaf
}

pub async fn erase(
    service: &Service,
    host: &mut Host,
    seq: usize,
    of: Digest,
    paths: &[&str],
    recordings: Vec<LoginId>,
) {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let entries = vec![Erased { seq: u64::try_from(seq).unwrap(), of, paths }];
    host.write(Kind::Erasure, None, Removal { entries, recordings }.to_body("x"), Openings::new());
    host.ship(service).await;
}

/// Whether a file of the service holds these bytes.
fn holds(service: &Service, text: &str) -> bool {
    let files = std::fs::read_dir(service.state()).unwrap().flatten();
    files
        .filter_map(|file| std::fs::read(file.path()).ok())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

fn acts(service: &Service, act: &str) -> Vec<String> {
    let out = run(&["ledger", "--state", service.state().to_str().unwrap()]);
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|line| line.contains(&format!("\"act\":\"{act}\""))).map(str::to_owned).collect()
}

async fn send(service: &Service, host: &Host, line: String) -> StatusCode {
    let request = EntriesRequest { lines: vec![line] };
    service.post::<EntriesReply>("/api/entries", &host.token, &request).await.0
}

#[tokio::test]
async fn what_is_erased_leaves_no_trace_in_the_database() {
    let mut service = Service::start();
    let (mut host, held) = case(&service).await;
    let path = format!("/api/recordings/{}?offset=0", held.login);
    let upload = || service.request(Method::POST, &path, &host.token).body("abc").send();
    assert_eq!(upload().await.unwrap().status(), StatusCode::OK);
    let file = service.state().join("recordings").join(host.id.to_string()).join(format!("{}.cast", held.login));
    assert!(file.exists() && holds(&service, "jane"));
    let opened = leaf(&host, 2);
    erase(&service, &mut host, 2, opened, &["agent", "source"], vec![held.login]).await;
    erase(&service, &mut host, SEQ, held.leaf, &["cmd", "cwd", "env"], vec![]).await;
    assert!(!file.exists(), "the recording is gone");
    assert_eq!(
        service.request(Method::POST, &path, &host.token).body("abc").send().await.unwrap().status(),
        StatusCode::NOT_FOUND,
        "and is not taken again"
    );
    assert_eq!(acts(&service, "removed").len(), 2);
    // Whole or cut, the entry is the one that is held; nothing comes back.
    let cut = cut_openings(&host.lines[SEQ], &["cmd".into(), "cwd".into(), "env".into()]).unwrap();
    assert_eq!(send(&service, &host, cut).await, StatusCode::OK);
    assert_eq!(send(&service, &host, host.lines[SEQ].clone()).await, StatusCode::OK);
    let half = cut_openings(&host.lines[SEQ], &["cmd".into()]).unwrap();
    assert_eq!(send(&service, &host, half).await, StatusCode::OK);
    // The tree over the entries is the same.
    cosign(&service, &mut host).await;
    assert_eq!(service.terminate(), Some(0));
    assert!(!holds(&service, WHAT), "the text of the command");
    // The name of a work session holds the account's name, and stays.
    assert!(!holds(&service, "192.0.2.7"));
}

#[tokio::test]
async fn what_may_not_go_stays_and_the_entry_is_kept_as_evidence() {
    let service = Service::start();
    let (mut host, held) = case(&service).await;
    let mut refused = 0;
    let other = leaf(&host, 2);
    let login = host.open_login("jane", None);
    let late = host.hold(login, WHAT, 60_000);
    let late_seq = host.lines.len() - 1;
    host.ship(&service).await;
    for (seq, of, paths, recordings) in [
        (SEQ, other, &["cmd"][..], vec![]),
        (SEQ, held.leaf, &["cmd", "id"][..], vec![]),
        (late_seq, late.leaf, &["cmd"][..], vec![]),
        (9_999, held.leaf, &["cmd"][..], vec![]),
        (SEQ, held.leaf, &[][..], vec![login]),
    ] {
        erase(&service, &mut host, seq, of, paths, recordings).await;
        refused += 1;
    }
    assert_eq!(acts(&service, "removed").len(), refused);
    let db = sqlx::sqlite::SqlitePool::connect_with(
        sqlx::sqlite::SqliteConnectOptions::new().filename(service.state().join("service.db")),
    );
    let db = db.await.unwrap();
    let lines: Vec<String> = sqlx::query_scalar("SELECT line FROM entries ORDER BY seq").fetch_all(&db).await.unwrap();
    assert_eq!(lines, host.lines, "nothing was taken out");
    // Cut openings that nothing has declared are refused as before.
    let cut = cut_openings(&host.lines[late_seq], &["cmd".into()]).unwrap();
    let request = EntriesRequest { lines: vec![cut] };
    let (status, reply) = service.post::<Conflict>("/api/entries", &host.token, &request).await;
    assert_eq!((status, reply.unwrap().fork), (StatusCode::CONFLICT, false));
    // Other rows than those that are named cannot be changed, nor grow, nor be named by hand and changed.
    for sql in ["UPDATE entries SET line = 'x'", "DELETE FROM removed_openings"] {
        let done = sqlx::query(sql).execute(&db).await;
        let empty = sql.starts_with("DELETE") && done.as_ref().is_ok_and(|done| done.rows_affected() == 0);
        assert!(empty || done.unwrap_err().to_string().contains("append-only"), "{sql}");
    }
}

/// A recording whose login's end no checkpoint covers is of what the service may yet be told.
#[tokio::test]
async fn a_recording_goes_only_after_a_checkpoint_over_the_end_of_its_login() {
    let service = Service::start();
    let (mut host, held) = case(&service).await;
    let login = host.open_login("jane", None);
    record(&mut host, login);
    host.ship(&service).await;
    let path = format!("/api/recordings/{login}?offset=0");
    let upload = service.request(Method::POST, &path, &host.token).body("abc").send().await;
    assert_eq!(upload.unwrap().status(), StatusCode::OK);
    let file = service.state().join("recordings").join(host.id.to_string()).join(format!("{login}.cast"));
    let mut tries = 0;
    let mut ask_for_it = async |host: &mut Host| {
        let of = held.leaf;
        erase(&service, host, SEQ, of, &[], vec![login]).await;
        tries += 1;
        let told = acts(&service, "removed").pop().unwrap();
        assert!(told.contains(&format!("{} things it names are not", u8::from(file.exists()))), "{told}");
        file.exists()
    };
    assert!(ask_for_it(&mut host).await, "it goes on");
    cosign(&service, &mut host).await;
    assert!(ask_for_it(&mut host).await, "it goes on, and what is there is cosigned");
    host.close(login, 3);
    assert!(ask_for_it(&mut host).await, "it has ended");
    // Neither what the service knows alone nor what the host says alone is a checkpoint.
    let entry = cosigned(&service, &mut host).await;
    assert!(ask_for_it(&mut host).await, "its end is cosigned, and no entry says so");
    let Value::Object(mut greater) = entry.clone() else { panic!("no object") };
    greater.insert("size".into(), 1_000_000u64.into());
    let unknown = host.open_login("jane", None);
    record(&mut host, unknown);
    host.close(unknown, 3);
    host.write(Kind::Checkpoint, None, Value::Object(greater), Openings::new());
    erase(&service, &mut host, SEQ, held.leaf, &[], vec![unknown]).await;
    assert!(acts(&service, "removed").pop().unwrap().contains("0 recordings are gone; 1 things"));
    host.write(Kind::Checkpoint, None, entry, Openings::new());
    assert!(!ask_for_it(&mut host).await, "a checkpoint covers its end");
    assert_eq!(acts(&service, "removed").len(), tries + 1);
}

/// A service that takes out only what somebody has signed.
pub fn with_administrators() -> Service {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("admin");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let public = key.with_extension("pub");
    Service::start_with(dir, &["--removal-admins", public.to_str().unwrap()])
}

#[tokio::test]
async fn a_service_with_administrators_takes_out_only_what_they_have_signed() {
    let service = with_administrators();
    let (mut host, held) = case(&service).await;
    erase(&service, &mut host, SEQ, held.leaf, &["cmd"], vec![]).await;
    assert_eq!((acts(&service, "removed").len(), acts(&service, "removal_refused").len()), (0, 1));
    assert!(holds(&service, WHAT));
}

/// A host's checkpoint rests on decisions about its own commands.
#[tokio::test]
async fn a_decision_about_another_command_is_not_ours_for_this_one() {
    taken_for(1, 0).await;
    taken_for(2, 2).await;
}

async fn taken_for(on: usize, with: usize) {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut signed = Vec::new();
    for choice in ["approve", "approve", "deny"] {
        let held = host.pending(&service, "uptime", 60_000).await;
        let path = format!("/api/submissions/{}/decision", held.id);
        let asked = serde_json::json!({"decision": choice, "entry": held.leaf});
        assert_eq!(service.post::<serde_json::Value>(&path, &reviewer, &asked).await.0, StatusCode::OK);
        let (_, told) =
            service.get::<countersign_api::service::DecisionReply>(&format!("{path}?wait_ms=1000"), &host.token).await;
        signed.push((held, told.unwrap().decision.unwrap()));
    }
    let good = |host: &mut Host, on: usize, with: usize| {
        let (held, (_, with)) = (signed[on].0, &signed[with]);
        let statement = countersign_ledger::Statement::parse(&with.statement).unwrap().to_value();
        let members = [
            ("by", "ops-lead".into()),
            ("id", held.id.into()),
            ("latency_ms", 1u64.into()),
            ("of", held.leaf.into()),
            ("outcome", "approved".into()),
            ("sig", with.sig.as_str().into()),
            ("statement", statement),
        ];
        host.write(Kind::Decided, Some(held.login), body(members), Openings::new());
    };
    good(&mut host, 0, 0);
    host.ship(&service).await;
    cosign(&service, &mut host).await;
    // The refusal of a command for its approval, or the decision on another command.
    good(&mut host, on, with);
    host.ship(&service).await;
    let note = note(&head(&host), &mut host.signer);
    let (status, why) = crate::checkpoints::refused(&service, &host, note, 0).await;
    assert!(status == StatusCode::CONFLICT && why.contains("without a decision of this service"), "{why}");
}
