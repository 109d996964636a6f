//! Private values taken out of the ledger: gone from host and service, recorded, and never without the record.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{Ended, LIMIT, Running, eventually, run};
use countersign_tests::signing::{SshKey, leaf_hash};
use countersign_tests::trial::{second_verifier, verify};

/// What a person typed and must be forgotten.
const SECRET: &str = "jane-doe-4711";

/// A command with the secret in its text, its output and its comment, all of it sent and cosigned; the host is stopped.
fn case() -> (Parts, String) {
    let mut parts = Parts::new();
    let front = Running::start(&mut parts.front(&format!("echo {SECRET} > /dev/tty; echo {SECRET}")), None);
    let reviewer = parts.reviewer();
    let id = eventually("the command to wait", LIMIT, || Some(reviewer.pending().first()?["id"].as_str()?.to_owned()));
    reviewer.run(&["approve", &id, "--comment", &format!("for {SECRET}")]).expect(0);
    front.wait_open(LIMIT);
    reviewer.allow("echo other");
    run(&mut parts.front("echo other")).expect(0);
    parts.stop_host();
    (parts, id)
}

/// Files below a directory that hold these bytes.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[track_caller]
pub fn both_say(parts: &Parts, code: i32) -> String {
    second_verifier(&parts.host_dir(), &parts.trust()).expect(code);
    parts.verify().expect(code).out()
}

/// The `seq` of an entry of this kind.
pub fn seq_of(parts: &Parts, kind: &str) -> String {
    journal::of_kind(&parts.journal(), kind)[0]["seq"].to_string()
}

#[track_caller]
fn login_of(parts: &Parts) -> String {
    journal::of_kind(&parts.journal(), "session_opened")[0]["sess"]["id"].as_str().expect("an id").to_owned()
}

/// Starts the host and waits until the service holds the entry.
#[track_caller]
fn tell_service(parts: &mut Parts, kind: &str) {
    parts.start_host();
    let seq: usize = seq_of(parts, kind).parse().expect("a number");
    let dir = parts.host_dir();
    let check = || (parts.server(&["ledger"]).expect(0).out().contains("\"act\":\"removed\"")).then_some(());
    eventually(&format!("the service to take entry {seq} of {}", dir.display()), LIMIT, check);
}

#[test]
fn a_login_that_is_erased_is_gone_from_host_and_service() {
    let (mut parts, _) = case();
    both_say(&parts, 10);
    assert!(
        !holding(&parts.host_dir(), SECRET).is_empty() && !holding(&parts.scratch.join("service"), SECRET).is_empty()
    );
    let login = login_of(&parts);
    let told = run(&mut parts.hostd(&["erase", "--login", &login, "--reason", "request 17"])).expect(0).out();
    assert!(told.contains("erasure in entry") && told.contains("1 recording "), "{told}");
    assert_eq!(holding(&parts.host_dir(), SECRET), Vec::<String>::new());
    let told = both_say(&parts, 10);
    assert!(told.contains("Erased by the word of the host"), "{told}");
    // Asked again it is recorded again, and no harm.
    run(&mut parts.hostd(&["erase", "--login", &login, "--reason", "request 17"])).expect(0);
    both_say(&parts, 10);
    tell_service(&mut parts, "erasure");
    let audit = parts.reviewer().audit();
    let row = audit.iter().find(|row| row["decided_by"] == "ops-lead").expect("a row");
    assert!(!row.to_string().contains(SECRET) && row["outcome"] == "approved", "{row}");
    // Life goes on, also for what comes after.
    parts.reviewer().allow("echo again");
    assert_eq!(run(&mut parts.front("echo again")).expect(0).out(), "again\n");
    parts.stop_host();
    both_say(&parts, 10);
    parts.service.take().expect("a service").terminate();
    assert_eq!(holding(parts.scratch.path(), SECRET), Vec::<String>::new());
}

#[test]
fn a_secret_found_later_is_redacted_alone() {
    let (mut parts, id) = case();
    let seq = seq_of(&parts, "command_submitted");
    let segments =
        journal::of_kind(&parts.journal(), "command_submitted")[0]["body"]["cmd"].as_array().expect("cmd").len();
    let paths = (0..segments).map(|index| format!("cmd/{index}")).collect::<Vec<_>>().join(",");
    run(&mut parts.hostd(&["redact", "--entry", &format!("{seq}:{paths}"), "--reason", "password found"])).expect(0);
    let entry = &journal::of_kind(&parts.journal(), "command_submitted")[0];
    assert!(entry["vals"]["cwd"].is_array() && !entry["vals"]["cmd"].to_string().contains(SECRET), "{entry}");
    both_say(&parts, 10);
    tell_service(&mut parts, "redaction");
    let audit = parts.reviewer().audit();
    let row = audit.iter().find(|row| row["id"] == id.as_str()).expect("a row");
    assert!(row["command"].as_str().expect("text").contains("hidden"), "{row}");
}

#[test]
fn what_may_not_be_taken_out_is_refused_and_nothing_changes() {
    let (parts, _) = case();
    let before = journal::lines(&parts.journal());
    let seq = seq_of(&parts, "command_submitted");
    let last = seq_of(&parts, "host_stopped");
    let refused = |args: &[&str], says: &str| {
        run(&mut parts.hostd(&[args, &["--reason", "x"]].concat())).expect(78).says(&[says]);
        assert_eq!(journal::lines(&parts.journal()), before, "{args:?}");
    };
    let of = |path: &str| format!("{seq}:{path}");
    refused(&["erase"], "name what is to go");
    refused(&["erase", "--entry", "9999"], "no entry 9999");
    refused(&["erase", "--entry", &of("nonce")], "no private value nonce");
    refused(&["erase", "--entry", &of("cmd/99")], "no private value cmd/99");
    refused(&["erase", "--entry", &of("cmd/00")], "no private value cmd/00");
    refused(&["erase", "--entry", &last], "nothing private");
    refused(&["erase", "--login", "01234567890123456789012345"], "no login");
    run(&mut parts.hostd(&["erase", "--entry", &seq, "--reason", "say \"it\""]))
        .expect(78)
        .says(&["cannot be recorded"]);
    run(&mut parts.hostd(&["erase", "--entry", &seq, "--reason", " "])).expect(78).says(&["--reason is empty"]);
    assert_eq!(journal::lines(&parts.journal()), before);
}

#[test]
fn not_while_the_daemon_runs_and_not_before_the_service_has_cosigned_it() {
    let mut parts = Parts::new();
    parts.service.take().expect("a service").kill();
    run(&mut parts.front("echo nobody")).code();
    journal::wait_for(&parts.journal(), "session_closed", 1);
    let seq = seq_of(&parts, "command_submitted");
    let erase = |parts: &Parts| run(&mut parts.hostd(&["erase", "--entry", &seq, "--reason", "x"]));
    erase(&parts).expect(78).says(&["another countersign-hostd"]);
    parts.stop_host();
    erase(&parts).expect(78).says(&["not covered by a checkpoint"]);
    assert!(journal::of_kind(&parts.journal(), "erasure").is_empty());
}

/// A login of which the service has only the beginning: its recording goes when a checkpoint covers its end, not before.
#[test]
fn a_recording_waits_for_a_checkpoint_over_the_end_of_its_login() {
    let mut parts = Parts::new();
    let front = Running::start(&mut parts.front("echo shown; sleep 600"), None);
    parts.reviewer().allow("echo shown; sleep 600");
    journal::wait_for(&parts.journal(), "recording_chunk", 1);
    let login = login_of(&parts);
    let recording = parts.host_dir().join("recordings").join(format!("{login}.cast"));
    let erase = |parts: &Parts| {
        let ended = run(&mut parts.hostd(&["erase", "--recording", &login, "--reason", "request 17"]));
        assert_eq!(ended.code() == 0, !recording.exists(), "{}", ended.err());
        ended
    };
    let erasures = |parts: &Parts| journal::of_kind(&parts.journal(), "erasure").len();
    parts.host.take().expect("a host").kill();
    front.signal(nix::sys::signal::Signal::SIGKILL);
    front.wait_open(LIMIT);
    // Killed: nothing has closed it.
    erase(&parts).expect(78).says(&["has not ended", "stop it in order"]);
    let service = parts.service.take().expect("a service");
    let address = service.ready.strip_prefix("listening on http://").expect("an address").to_owned();
    service.kill();
    parts.start_host();
    journal::wait_for(&parts.journal(), "session_closed", 1);
    parts.stop_host();
    // Closed, and nobody besides the host has seen it.
    let end = seq_of(&parts, "session_closed");
    erase(&parts).expect(78).says(&[&format!("entry {end}, is not covered by a checkpoint"), "stop it in order"]);
    assert_eq!(erasures(&parts), 0);
    parts.start_service(&address);
    parts.start_host();
    eventually("the service to hear how it ended", LIMIT, || {
        parts.reviewer().audit().iter().any(|row| row["finished_at_ms"].is_u64()).then_some(())
    });
    parts.stop_host();
    erase(&parts).expect(0);
    assert_eq!(erasures(&parts), 1);
    both_say(&parts, 11);
    tell_service(&mut parts, "erasure");
}

/// The thief's way: openings go and nothing says so.
#[test]
fn openings_gone_without_a_record_are_found_and_the_host_does_not_go_on() {
    let (parts, _) = case();
    let file = journal::files(&parts.journal()).pop().expect("a file");
    let text = fs::read_to_string(&file).expect("journal");
    let line = text.lines().find(|line| line.contains("\"kind\":\"command_submitted\"")).expect("a command");
    let bare = line[..line.rfind(",\"vals\":{").expect("openings")].to_owned() + ",\"vals\":{}}";
    assert_eq!(leaf_hash(line), leaf_hash(&bare));
    fs::write(&file, text.replace(line, &bare)).expect("journal");
    assert!(both_say(&parts, 41).contains("commit.missing"));
    run(&mut parts.host_command()).expect(78).says(&["no erasure or redaction declares it"]);
    fs::write(&file, text.replace(SECRET, "john-doe-4711")).expect("journal");
    both_say(&parts, 40);
    run(&mut parts.host_command()).expect(78).says(&["does not match its commitment"]);
}

/// Killed at whatever moment: nothing is gone without its record, and what is recorded goes at the next start.
#[test]
fn killed_at_any_moment() {
    let (mut parts, id) = case();
    parts.service.take().expect("a service").kill();
    let trust = parts.trust();
    let whole = parts.scratch.join("whole");
    copy(&parts.host_dir(), &whole);
    let (mut recorded, mut not_recorded) = (0, 0);
    for round in 0..24u64 {
        fs::remove_dir_all(parts.host_dir()).expect("remove");
        copy(&whole, &parts.host_dir());
        let erase = Running::start(&mut parts.hostd(&["erase", "--command", &id, "--reason", "request 17"]), None);
        std::thread::sleep(Duration::from_millis(round * 3));
        erase.signal(nix::sys::signal::Signal::SIGKILL);
        erase.wait_open(LIMIT);
        let says = journal::of_kind(&parts.journal(), "erasure").len();
        let shows = journal::lines(&parts.journal()).iter().any(|line| line.contains(SECRET));
        assert!(says > 0 || shows, "round {round}: gone without a record");
        let code = verify(&parts.host_dir(), Some(&trust)).code();
        assert!([10, 11].contains(&code), "round {round}: exit {code}");
        // The next to open it finishes, whoever that is.
        run(&mut parts.hostd(&["erase", "--entry", "99999", "--reason", "x"])).expect(78);
        let left = journal::lines(&parts.journal()).iter().any(|line| line.contains(SECRET));
        assert_eq!(left, says == 0, "round {round}");
        verify(&parts.host_dir(), Some(&trust)).expect(10);
        if says > 0 { recorded += 1 } else { not_recorded += 1 }
    }
    println!("{recorded} recorded, {not_recorded} not");
}

pub fn copy(from: &Path, to: &Path) {
    run(std::process::Command::new("cp").arg("-a").arg(from).arg(to)).expect(0);
}

/// A command that was denied, so that nothing ran without administrators; cosigned. With an administrator's key.
pub fn denied() -> (Parts, SshKey) {
    let mut parts = Parts::new();
    let front = Running::start(&mut parts.front(&format!("echo {SECRET}")), None);
    parts.reviewer().deny(&format!("echo {SECRET}"), "no");
    front.wait_open(LIMIT).expect(126);
    parts.stop_host();
    let admin = SshKey::generate(parts.scratch.path(), "admin", "ed25519");
    (parts, admin)
}

#[track_caller]
pub fn under_admins(parts: &Parts, admin: &SshKey) -> Ended {
    let trust = fs::read_to_string(parts.trust()).expect("trust").replacen(
        "{\"fmt\"",
        &format!("{{\"admins\":[\"{}\"],\"fmt\"", admin.public()),
        1,
    );
    let path = parts.scratch.join("trust-admins.json");
    fs::write(&path, trust).expect("trust");
    let ended = verify(&parts.host_dir(), Some(&path));
    second_verifier(&parts.host_dir(), &path).expect(ended.code());
    ended
}

#[test]
fn administrators_sign_offline_what_is_taken_out() {
    let (mut parts, admin) = denied();
    under_admins(&parts, &admin).expect(10);
    let seq = seq_of(&parts, "command_submitted");
    let args = ["erase", "--entry", &seq, "--reason", "request 17"];
    let whole = parts.scratch.join("whole");
    copy(&parts.host_dir(), &whole);
    // By the word of the host alone it is done, and does not count.
    run(&mut parts.hostd(&args)).expect(0);
    assert!(under_admins(&parts, &admin).expect(41).out().contains("removal.signature"));
    fs::remove_dir_all(parts.host_dir()).expect("remove");
    copy(&whole, &parts.host_dir());

    let (statement, keys) = (parts.scratch.join("statement"), parts.scratch.join("admins"));
    fs::write(&keys, admin.public()).expect("keys");
    let with = |more: &[(&str, &Path)]| {
        let mut command = parts.hostd(&args);
        for (flag, path) in more {
            command.arg(flag).arg(path);
        }
        run(&mut command)
    };
    let before = journal::lines(&parts.journal());
    with(&[("--admins", &keys)]).expect(78).says(&["not enough administrators"]);
    with(&[("--statement", &statement)]).expect(0);
    let text = fs::read_to_string(&statement).expect("statement");
    assert!(
        text.contains("\"fmt\":\"cs-removal1\"") && text.contains("request 17") && !text.contains(SECRET),
        "{text}"
    );
    assert_eq!(journal::lines(&parts.journal()), before, "writing the statement changes nothing");
    let signature = parts.scratch.join("signature");
    for (namespace, message) in [("file", text.as_str()), ("removal.v1@countersign", "something else")] {
        fs::write(&signature, admin.armored(namespace, message)).expect("signature");
        with(&[("--admins", &keys), ("--signature", &signature)]).expect(78).says(&["not enough administrators"]);
    }
    fs::write(&signature, admin.armored("removal.v1@countersign", &text)).expect("signature");
    with(&[("--admins", &keys), ("--signature", &signature)]).expect(0);
    let told = under_admins(&parts, &admin).expect(10).out();
    assert!(told.contains("Erased as administrators signed"), "{told}");
    assert!(!journal::lines(&parts.journal()).iter().any(|line| line.contains(SECRET)));
    tell_service(&mut parts, "erasure");
}

/// A host whose disk was set back writes a second history: the service gets to see it, and keeps both.
#[test]
fn a_host_that_was_set_back_convicts_itself() {
    let (mut parts, _) = case();
    let snapshot = parts.scratch.join("snapshot");
    copy(&parts.host_dir(), &snapshot);
    parts.reviewer().allow("echo more");
    parts.start_host();
    for _ in 0..3 {
        run(&mut parts.front("echo more")).expect(0);
    }
    parts.stop_host();
    fs::remove_dir_all(parts.host_dir()).expect("remove");
    copy(&snapshot, &parts.host_dir());
    parts.start_host();
    let forks = eventually("the evidence", LIMIT, || {
        let forks = parts.server(&["forks"]).expect(0).out();
        (!forks.is_empty()).then_some(forks)
    });
    let first_new = journal::lines(&snapshot.join("journal")).len();
    assert!(forks.contains(&format!("seq {first_new}")), "{forks}");
    assert_ne!(run(&mut parts.front("echo more")).code(), 0, "nothing runs on a host that has forked");
    let out = parts.scratch.join("evidence");
    parts.server(&["forks", "--out", out.to_str().expect("a path")]).expect(0);
    let file = fs::read_dir(&out).expect("evidence").flatten().next().expect("a file").path();
    verify(&file, Some(&parts.trust())).expect(30);
}
