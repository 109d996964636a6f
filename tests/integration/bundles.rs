//! `countersign bundle` of a part, from a host's state and from the service.

use std::fs;
use std::path::Path;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{LIMIT, eventually, run};
use countersign_tests::trial::verify;

/// Two logins, all of it at the service.
fn case() -> Parts {
    let mut parts = Parts::new();
    let reviewer = parts.reviewer();
    for line in ["echo first", "echo second"] {
        reviewer.allow(line);
        run(&mut parts.front(line)).expect(0);
    }
    parts.stop_host();
    parts
}

/// What `verify` says of a bundle, with the keys that the service vouches for.
#[track_caller]
fn verdict(parts: &Parts, bundle: &Path, code: i32) -> serde_json::Value {
    let mut command =
        std::process::Command::new(countersign_tests::programs::program(countersign_tests::programs::CLI));
    command.args(["verify", "--json", "--trust"]).arg(parts.trust()).arg(bundle);
    serde_json::from_str(&run(&mut command).expect(code).out()).expect("a report")
}

/// Makes a bundle of what the service holds, and answers how many bytes came.
#[track_caller]
fn moved(reviewer: &countersign_tests::reviewer::Reviewer, words: &[&str], out: &Path) -> u64 {
    let out = out.display().to_string();
    let said = reviewer.run(&[words, &["--json", "-o", &out]].concat()).expect(0).out();
    let said: serde_json::Value = serde_json::from_str(&said).expect("what was packed");
    said["fetched"].as_u64().expect("how much was fetched")
}

fn logins(parts: &Parts) -> Vec<String> {
    let opened = journal::of_kind(&parts.journal(), "session_opened");
    opened.iter().map(|entry| entry["sess"]["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_login_and_a_time_are_taken_out_of_a_hosts_state() {
    let parts = case();
    let (ids, state) = (logins(&parts), parts.host_dir().display().to_string());
    let bundle = parts.scratch.join("one.tar");
    let out = bundle.display().to_string();
    parts.reviewer().run(&["bundle", &state, "--login", &ids[1], "-o", &out]).expect(0);
    let report = verdict(&parts, &bundle, 10);
    assert_eq!(report["counts"]["logins"], 1, "{report}");
    let bytes = fs::read(&bundle).expect("bundle");
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    // The rules in force go with it, and name both lines.
    assert!(has(&ids[1]) && !has(&ids[0]));
    let again = parts.reviewer().run(&["bundle", &state, "-o", &out]).expect(64);
    assert!(again.err().contains("exists already"), "{}", again.err());

    let since = parts.scratch.join("since.tar");
    let out = since.display().to_string();
    let seq = journal::of_kind(&parts.journal(), "session_opened")[1]["seq"].to_string();
    parts.reviewer().run(&["bundle", &state, "--since", &seq, "-o", &out]).expect(0);
    assert_eq!(verdict(&parts, &since, 10)["counts"]["logins"], 1);
    let late = parts.scratch.join("late.tar").display().to_string();
    let refused = parts.reviewer().run(&["bundle", &state, "--since", "999999", "-o", &late]).expect(66);
    assert!(refused.err().contains("no entry since then"), "{}", refused.err());
    let refused = parts.reviewer().run(&["bundle", &state, "--login", &"0".repeat(26), "-o", &late]);
    assert_ne!(refused.code(), 0, "a login that is not there");
    assert!(!Path::new(&late).exists());
}

#[test]
fn a_session_and_a_host_are_fetched_from_the_service() {
    let parts = case();
    let reviewer = parts.reviewer();
    let sessions: serde_json::Value =
        serde_json::from_str(&reviewer.run(&["sessions", "--json"]).expect(0).out()).expect("sessions");
    let name = sessions[0]["name"].as_str().expect("a name").to_owned();
    let host = sessions[0]["host_name"].as_str().expect("a host").to_owned();
    let bundle = parts.scratch.join("session.tar");
    let out = bundle.display().to_string();
    eventually("the service to hold the end of both logins", LIMIT, || {
        let (Ok(()) | Err(_)) = fs::remove_file(&bundle);
        reviewer.run(&["bundle", &name, "-o", &out]).expect(0);
        let mut command =
            std::process::Command::new(countersign_tests::programs::program(countersign_tests::programs::CLI));
        let code = run(command.args(["verify", "--trust"]).arg(parts.trust()).arg(&bundle)).code();
        (code == 10).then_some(())
    });
    let report = verdict(&parts, &bundle, 10);
    assert_eq!(report["counts"]["logins"], 2, "{report}");
    assert!(!parts.scratch.join("session.tar.fetched").exists());

    let whole = parts.scratch.join("host.tar");
    reviewer.run(&["bundle", "--host", &host, "-o", &whole.display().to_string()]).expect(0);
    let report = verdict(&parts, &whole, 10);
    let own = verify(&parts.host_dir(), Some(&parts.trust())).out();
    assert!(report["counts"]["entries"].as_u64().expect("a count") > 10, "{report}\n{own}");
    let month = parts.scratch.join("month.tar");
    let all = moved(&reviewer, &["bundle", "--host", &host, "--since", "30d"], &month);
    verdict(&parts, &month, 10);

    // What is fetched of a part is what a host makes of its own state, and less is moved.
    let seq = journal::of_kind(&parts.journal(), "session_opened")[1]["seq"].to_string();
    let (theirs, ours) = (parts.scratch.join("theirs.tar"), parts.scratch.join("ours.tar"));
    let some = moved(&reviewer, &["bundle", "--host", &host, "--since", &seq], &theirs);
    assert!(some < all, "{some} bytes of {all}");
    let state = parts.host_dir().display().to_string();
    reviewer.run(&["bundle", &state, "--since", &seq, "-o", &ours.display().to_string()]).expect(0);
    assert_eq!(fs::read(&theirs).expect("fetched"), fs::read(&ours).expect("made here"));
    let late = parts.scratch.join("late.tar");
    let out = late.display().to_string();
    for since in ["999999", "2199-01-01"] {
        let refused = reviewer.run(&["bundle", "--host", &host, "--since", since, "-o", &out]).expect(66);
        assert!(refused.err().contains("no entry since then"), "{}", refused.err());
        assert!(!late.exists() && !parts.scratch.join("late.tar.fetched").exists());
    }

    // Who takes a ledger away is in the service's own.
    let own = parts.server(&["ledger"]).expect(0).out();
    for act in ["ledger", "entries", "part"] {
        assert!(own.contains(&format!("\"act\":\"{act}\"")), "{act}: {own}");
    }
    let none = reviewer
        .run(&["bundle", "no-such-session", "-o", &parts.scratch.join("no.tar").display().to_string()])
        .expect(66);
    assert!(none.err().contains("no session and no host"), "{}", none.err());
    assert!(!parts.scratch.join("no.tar").exists() && !parts.scratch.join("no.tar.fetched").exists());
}
