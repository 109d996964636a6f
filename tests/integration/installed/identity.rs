//! Who is behind a login: registered by root out of PAM, and by nobody else.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS};
use countersign_tests::journal;
use countersign_tests::programs::HOSTD;
use countersign_tests::run::{LIMIT, Running, run};
use countersign_tests::skips::skipped;

/// A line of the documentation, with the path of this test.
fn pam_line() -> String {
    format!("session optional pam_exec.so quiet {PROGRAMS}/{HOSTD} register\n")
}

fn opened(host: &Installation, count: usize) -> serde_json::Value {
    let entry = journal::wait_for(&host.journal(), "session_opened", count);
    let identity = entry["vals"]["identity"][1].as_str().map(|text| serde_json::from_str(text).expect("JSON"));
    assert_eq!(entry["body"]["identity_source"] == "verified", identity.is_some());
    identity.unwrap_or_default()
}

#[test]
fn what_sshd_verified_is_in_the_record() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let audit = Path::new("/proc/self/loginuid").exists();
    if !audit || !Path::new("/etc/pam.d/sshd").exists() {
        skipped("this kernel has no audit sessions, or there is no PAM for sshd");
        return;
    }
    host.approved(&[], "true", Some(b"")).wait(LIMIT).expect(0);
    assert!(opened(&host, 1).is_null(), "nobody registered anybody");
    let pam = fs::read_to_string("/etc/pam.d/sshd").expect("pam");
    fs::write("/etc/pam.d/sshd", format!("{pam}\n{}", pam_line())).expect("pam");
    let client = Running::start(&mut host.ssh("true"), Some(b""));
    let id = host.reviewer().wait_for("true");
    let text = host.reviewer().run(&["show", &id]).expect(0).out();
    host.reviewer().approve("true");
    client.wait(LIMIT).expect(0);
    let key = host.scratch.join("client/id.pub");
    let printed = run(Command::new("ssh-keygen").arg("-lf").arg(&key)).expect(0).out();
    let fingerprint = printed.split_whitespace().nth(1).expect("fingerprint");
    let identity = opened(&host, 2);
    assert_eq!((&identity["user"], &identity["credential"]), (&fingerprint.into(), &fingerprint.into()));
    assert_eq!((&identity["method"], &identity["source"]), (&"publickey".into(), &"127.0.0.1".into()));
    assert!(text.contains(&format!("verified user {fingerprint}")), "{text}");
    // A certificate names its user.
    let ca = host.scratch.join("client/ca");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&ca)).expect(0);
    let mut sign = Command::new("ssh-keygen");
    run(sign.arg("-qs").arg(&ca).args(["-I", "alice@example", "-n", AGENT]).arg(&key)).expect(0);
    let authority = fs::read_to_string(host.scratch.join("client/ca.pub")).expect("ca");
    let keys = format!("cert-authority {authority}");
    fs::write(format!("/etc/ssh/authorized_keys.d/{AGENT}"), keys).expect("authorized keys");
    host.approved(&[], "true", Some(b"")).wait(LIMIT).expect(0);
    let identity = opened(&host, 3);
    assert_eq!((&identity["user"], &identity["credential"]), (&"alice@example".into(), &fingerprint.into()));
    assert_eq!(identity["principals"], serde_json::json!([AGENT]));
    host.verify().expect(10);
}

#[test]
fn an_agent_can_register_nobody() {
    let Some(host) = Installation::new(Options::default()) else { return };
    if !Path::new("/proc/self/loginuid").exists() {
        skipped("this kernel has no audit sessions");
        return;
    }
    let public = fs::read_to_string(host.scratch.join("client/id.pub")).expect("key");
    let register = |become_agent: &str| {
        let script = format!("echo 0 > /proc/self/loginuid; exec {become_agent} {PROGRAMS}/{HOSTD} register");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env("PAM_TYPE", "open_session").env("PAM_USER", AGENT);
        run(command.env("SSH_AUTH_INFO_0", format!("publickey {public}")))
    };
    let agent = format!("setpriv --reuid {0} --regid {0} --clear-groups", host.uids.agent);
    register("").expect(0);
    register(&agent).expect(69);
    // Not even where the socket's mode is forgotten: the daemon asks the kernel who connects.
    let socket = Path::new("/run/countersign/register.sock");
    run(Command::new("chmod").arg("0666").arg(socket)).expect(0);
    register("").expect(0);
    register(&agent).expect(69);
    let client = Running::start(&mut host.ssh("true"), Some(b""));
    host.reviewer().approve("true");
    client.wait(LIMIT).expect(0);
    assert!(opened(&host, 1).is_null());
}
