//! A host that has lost its identity key is enrolled anew, and says so; there is no silent new key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::programs::{HOSTD, program};
use countersign_tests::run::{Ended, run};
use countersign_tests::signing::leaf_hash;
use countersign_tests::trial::{second_verifier, verify};

use crate::removals::both_say;

/// A host that has run something, is stopped, and has lost its key; its state is moved aside.
struct Case {
    parts: Parts,
    url: String,
    old: PathBuf,
    id: String,
}

fn case() -> Case {
    let mut parts = Parts::new();
    parts.reviewer().allow("echo ran");
    run(&mut parts.front("echo ran")).expect(0);
    parts.stop_host();
    let service = parts.service.as_ref().expect("a service");
    let url = service.ready.strip_prefix("listening on ").expect("an address").to_owned();
    let old = parts.scratch.join("old");
    fs::rename(parts.host_dir(), &old).expect("move");
    fs::create_dir(parts.host_dir()).expect("directory");
    fs::set_permissions(parts.host_dir(), fs::Permissions::from_mode(0o700)).expect("mode");
    let id = journal::entries(&old.join("journal"))[0]["host"].as_str().expect("an id").to_owned();
    Case { parts, url, old, id }
}

impl Case {
    fn lose(&self) {
        fs::remove_file(self.old.join("identity.key")).expect("the key");
    }

    fn token(&self, more: &[&str]) -> Ended {
        self.parts.server(&[&["enroll-token", "--name", "test-host"], more].concat())
    }

    fn enroll(&self, token: &str, more: &[&str]) -> Ended {
        let mut command = Command::new(program(HOSTD));
        command.args(["enroll", "--trial", "--service", &self.url, "--token", token, "--name", "test-host", "--state"]);
        run(command.arg(self.parts.host_dir()).args(more))
    }

    fn lost_token(&self) -> String {
        self.token(&["--lost", &self.id]).expect(0).out().trim().to_owned()
    }

    fn former(&self) -> String {
        self.old.display().to_string()
    }
}

#[test]
fn it_is_declared_and_never_better_than_incomplete() {
    let mut case = case();
    case.lose();
    let last = journal::lines(&case.old.join("journal")).pop().expect("a line");
    case.enroll(&case.lost_token(), &["--former", &case.former()]).expect(0);
    case.parts.start_host();
    let gap = &journal::of_kind(&case.parts.journal(), "gap")[0];
    assert_eq!(gap["body"]["former"], case.id.as_str());
    let enrolled = &journal::of_kind(&case.parts.journal(), "host_enrolled")[0];
    assert_eq!(enrolled["body"]["former"], case.id.as_str());
    assert_eq!(gap["body"]["head"], leaf_hash(&last));
    assert_eq!(gap["body"]["why"], "identity_lost");
    assert_ne!(gap["host"], case.id.as_str(), "another id");
    run(&mut case.parts.front("echo ran")).expect(0);
    case.parts.stop_host();
    case.parts.start_host();
    assert_eq!(journal::of_kind(&case.parts.journal(), "gap").len(), 1, "once");
    case.parts.stop_host();
    let told = both_say(&case.parts, 11);
    assert!(told.contains("gap.declared") && told.contains(&case.id), "{told}");
    // What was before stays what it is, under its own key.
    verify(&case.old, Some(&case.parts.trust())).expect(10);
    second_verifier(&case.old, &case.parts.trust()).expect(10);
    let own = case.parts.server(&["ledger"]).expect(0).out();
    assert!(own.contains("\"act\":\"host_key_lost\"") && own.contains(&case.id), "{own}");
}

#[test]
fn no_new_key_is_made_silently() {
    let mut case = case();
    // Nothing is lost: the key is there.
    case.enroll(&case.lost_token(), &["--former", &case.former()]).expect(78).says(&["nothing is lost"]);
    let copy = case.parts.scratch.join("copy");
    run(Command::new("cp").arg("-a").arg(&case.old).arg(&copy)).expect(0);
    case.lose();
    // On the spot: no.
    let mut on_the_spot = Command::new(program(HOSTD));
    on_the_spot.args(["enroll", "--trial", "--service", &case.url, "--token", &case.lost_token()]);
    run(on_the_spot.args(["--name", "test-host", "--state"]).arg(&case.old))
        .expect(78)
        .says(&["no new key is made silently"]);
    // Under the same name, without a word: no token is made for that.
    assert!(case.token(&[]).expect(64).err().contains("--lost"));
    assert!(case.token(&["--lost", "01234567890123456789012345"]).expect(64).err().contains("not 0123"));
    // A token that was made for a loss, and a host that does not say so; and the other way round.
    case.enroll(&case.lost_token(), &[]).expect(69).says(&["do not say the same"]);
    let other = case.parts.server(&["enroll-token", "--name", "other"]).expect(0).out();
    let mut command = Command::new(program(HOSTD));
    command.args(["enroll", "--trial", "--service", &case.url, "--token", other.trim(), "--name", "other", "--state"]);
    let ended = run(command.arg(case.parts.host_dir()).args(["--former", &case.former()])).expect(69);
    assert!(ended.err().contains("do not say the same"), "{}", ended.err());
    // The right way; then the token is used up, and the place taken.
    let (token, second) = (case.lost_token(), case.lost_token());
    case.enroll(&token, &["--former", &case.former()]).expect(0);
    fs::remove_dir_all(case.parts.host_dir()).expect("remove");
    fs::create_dir(case.parts.host_dir()).expect("directory");
    fs::set_permissions(case.parts.host_dir(), fs::Permissions::from_mode(0o700)).expect("mode");
    case.enroll(&token, &["--former", &case.former()]).expect(69).says(&["not good"]);
    case.enroll(&second, &["--former", &case.former()]).expect(69).says(&["taken its place"]);
    // Whoever has the old key speaks for nobody any more.
    fs::remove_dir_all(case.parts.host_dir()).expect("remove");
    fs::rename(&copy, case.parts.host_dir()).expect("move");
    case.parts.start_host();
    assert_eq!(run(&mut case.parts.front("echo ran")).code(), 69, "nothing runs on the old state");
}

/// A host that leaves its declaration out is not taken.
#[test]
fn a_gap_that_is_left_out_stops_the_host() {
    let mut case = case();
    case.lose();
    case.enroll(&case.lost_token(), &["--former-host", &case.id]).expect(0);
    let file = case.parts.host_dir().join("host.json");
    let text = fs::read_to_string(&file).expect("host.json");
    let mut identity: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let former = identity.as_object_mut().expect("an object").remove("former").expect("the declaration");
    assert!(former["last"].is_array(), "what the service holds of it: {former}");
    fs::write(&file, identity.to_string()).expect("host.json");
    case.parts.start_host();
    assert_ne!(run(&mut case.parts.front("echo ran")).code(), 0);
    assert!(journal::of_kind(&case.parts.journal(), "exec_started").is_empty(), "nothing ran");
    case.parts.stop_host();
    // Put back, it comes too late: after a login.
    fs::write(&file, text).expect("host.json");
    run(&mut case.parts.host_command()).expect(78).says(&["does not declare"]);
}
