//! Wrong flags, wrong files, commands that cannot be shown: a clear error that says what to do, the documented exit
//! code, nothing lost and nothing run.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use countersign_tests::journal;
use countersign_tests::parts::{Parts, write_private};
use countersign_tests::programs::{CLI, HOSTD, SERVER, SHELL, program};
use countersign_tests::run::{random_bytes, run};
use countersign_tests::scratch::Scratch;
use countersign_tests::trial::Trial;

#[test]
fn wrong_flags() {
    for name in [CLI, HOSTD, SERVER] {
        run(Command::new(program(name)).arg("--no-such-flag")).expect(64).says(&["no-such-flag"]);
    }
    run(Command::new(program(SHELL)).args(["--trial", "--no-such-flag"])).expect(64).says(&["usage"]);
    // Neither a trial nor installed as it must be.
    run(Command::new(program(SHELL)).args(["-c", "true"])).expect(78).says(&["setuid"]);
    for args in
        [&["try", "--decide", "maybe", "-c", "true"][..], &["deny", "abcd"], &["audit", "-n", "0"], &["rules", "add"]]
    {
        run(Command::new(program(CLI)).args(args)).expect(64);
    }
    run(Command::new(program(HOSTD)).args(["serve", "--trial"])).expect(64).says(&["--state"]);
    run(Command::new(program(SHELL)).args(["--trial", "-c", "true"])).expect(64).says(&["--socket"]);
}

#[test]
fn missing_configuration() {
    let nothing = Path::new("/nonexistent/place.toml");
    run(Command::new(program(HOSTD)).args(["serve", "--config"]).arg(nothing)).expect(78).says(&["/nonexistent"]);
    run(Command::new(program(CLI)).args(["pending", "--config"]).arg(nothing))
        .expect(78)
        .says(&["/nonexistent/place.toml"]);
    let home = Scratch::new();
    let mut command = Command::new(program(CLI));
    command.arg("pending").env("HOME", home.path()).env_remove("COUNTERSIGN_CONFIG").env_remove("XDG_CONFIG_HOME");
    run(&mut command).expect(78).says(&["reviewer.toml"]);
}

#[test]
fn reviewer_files_that_are_not_to_be_trusted() {
    let scratch = Scratch::new();
    let file = scratch.join("reviewer.toml");
    let pending = || run(Command::new(program(CLI)).args(["pending", "--config"]).arg(&file));
    let token = format!("csr1.{}", "A".repeat(43));
    let good = format!("service = \"http://127.0.0.1:1\"\ntoken = \"{token}\"\nname = \"ops-lead\"\n");
    write_private(&file, &good);
    let ended = pending().expect(69);
    assert!(!ended.err().contains(&token), "a token is never printed");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
    pending().expect(78).says(&["600"]);
    for (text, hint) in [
        ("service = ", "reviewer.toml"),
        ("service = \"http://127.0.0.1:1\"", "token"),
        (good.replace("127.0.0.1", "192.0.2.1").as_str(), "loopback"),
        (good.replace("http://", "https://").as_str(), "fingerprint"),
    ] {
        write_private(&file, text);
        pending().expect(78).says(&[hint]);
    }
}

#[test]
fn configuration_of_the_host_that_is_not_to_be_trusted() {
    if !countersign_tests::namespace::may_enter() {
        return;
    }
    let _namespace = countersign_tests::namespace::Namespace::enter();
    let dir = Path::new("/etc/countersign");
    fs::create_dir(dir).expect("directory");
    let file = dir.join("hostd.toml");
    let good = "state_dir = \"/run/state\"\nsocket = \"/run/socket\"\nfront_user = \"nobody\"\n";
    let serve = || run(Command::new(program(HOSTD)).args(["serve", "--config"]).arg(&file));
    fs::write(&file, good).expect("file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
    let control = serve();
    assert!(control.err().contains("/run/state"), "the control: it gets as far as the state: {}", control.err());
    for mode in [0o666, 0o664] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("mode");
        serve().expect(78).says(&["hostd.toml"]);
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
    std::os::unix::fs::chown(&file, Some(65534), None).expect("owner");
    serve().expect(78).says(&["hostd.toml"]);
    std::os::unix::fs::chown(&file, Some(0), None).expect("owner");
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).expect("mode");
    serve().expect(78).says(&["/etc/countersign"]);
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("mode");
    fs::write(&file, format!("{good}wait_ms = 1\n")).expect("file");
    serve().expect(78).says(&["wait_ms"]);
}

/// A command no reviewer could read: refused unasked, recorded, not run, and the next one works.
#[track_caller]
fn unfit(command: &[u8], why: &str) {
    let parts = Parts::new();
    let mut front = parts.front("");
    // The last argument is the command; make it these bytes.
    let words: Vec<_> = front.get_args().map(OsStr::to_owned).collect();
    front = Command::new(front.get_program());
    front.args(&words[..words.len() - 1]).arg(OsStr::from_bytes(command)).current_dir(parts.scratch.join("work"));
    let ended = run(&mut front).expect(126).says(&["countersign:"]);
    assert_eq!(ended.out(), "");
    let decided = journal::wait_for(&parts.journal(), "decided", 1);
    assert_eq!((&decided["body"]["outcome"], &decided["body"]["why"]), (&"error".into(), &why.into()));
    assert!(journal::of_kind(&parts.journal(), "exec_started").is_empty());
    assert!(parts.reviewer().pending().is_empty(), "nobody is asked");
    parts.reviewer().allow("echo next");
    assert_eq!(run(&mut parts.front("echo next")).expect(0).out(), "next\n");
    parts.verify().expect(10);
}

#[test]
fn empty_command() {
    unfit(b"", "command_empty");
    unfit(b" \n\t", "command_empty");
}

#[test]
fn command_that_is_not_utf8() {
    unfit(b"echo \xff > made", "command_not_utf8");
}

#[test]
fn command_with_control_characters() {
    unfit(b"echo safe\x1b[2K\rrm -rf x", "command_control_character");
}

#[test]
fn command_over_the_limit() {
    // 64 KiB may be asked about; an argument may have 128 KiB.
    unfit(format!("true {}", "a".repeat(100_000)).as_bytes(), "command_too_long");
}

#[test]
fn command_of_two_megabytes() {
    // No argument can be that long: the kernel refuses it (E2BIG) before anything of ours runs.
    let trial = Trial::new();
    let long = format!("true {}", "a".repeat(2 << 20));
    let error = trial.decided(&long, "approve").spawn().expect_err("an argument of 2 MiB");
    assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::E2BIG as i32));
    trial.approve("true").expect(0);
}

#[test]
fn commands_that_are_unusual_and_fine() {
    let trial = Trial::new();
    trial.approve("printf 'a\\tb\\n'\nprintf '%s' \"zw\u{f6}lf \u{1f44d}\"").expect(0);
    let longest = format!("true {}", "a".repeat(64 * 1024 - 5));
    trial.approve(&longest).expect(0);
    let kept: Vec<_> = journal::of_kind(&trial.journal(), "command_submitted").iter().map(journal::command).collect();
    assert_eq!(kept[0], "printf 'a\\tb\\n'\nprintf '%s' \"zw\u{f6}lf \u{1f44d}\"");
    assert!(kept[1] == longest);
    trial.verify().expect(10);
}

#[test]
fn journal_that_is_corrupt() {
    let mut parts = Parts::new();
    parts.reviewer().allow("true");
    run(&mut parts.front("true")).expect(0);
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    let file = journal::files(&parts.journal()).pop().expect("a file");
    let good = fs::read(&file).expect("journal");
    let mut bad = good.clone();
    // In the leaf of a line in the middle, of which the next one tells the hash.
    let leaf = good[..good.len() / 2].windows(8).rposition(|bytes| bytes == b"\"prev\":\"").expect("a line");
    bad[leaf + 10] ^= 1;
    fs::write(&file, &bad).expect("journal");
    let ended = run(&mut parts.host_command());
    assert!([69, 70, 78, 65].contains(&ended.code()), "exit {}", ended.code());
    ended.says(&[file.file_name().and_then(OsStr::to_str).expect("a name"), "verify"]);
    assert!(fs::read(&file).expect("journal") == bad, "nothing is changed");
    parts.verify().expect(40);
    fs::write(&file, &good).expect("journal");
    parts.start_host();
    run(&mut parts.front("true")).expect(0);
    parts.verify().expect(10);
}

#[test]
fn journal_that_is_torn() {
    let mut parts = Parts::new();
    parts.reviewer().allow("true");
    run(&mut parts.front("true")).expect(0);
    parts.host.take().expect("a host").kill();
    let file = journal::files(&parts.journal()).pop().expect("a file");
    let good = fs::read(&file).expect("journal");
    let torn = b"{\"at\":\"2026-11-20T12:34:56.123456Z\",\"body\":{";
    fs::write(&file, [good.as_slice(), torn].concat()).expect("journal");
    parts.start_host();
    let started = journal::wait_for(&parts.journal(), "host_started", 2);
    assert_eq!(started["body"]["recovered"]["bytes"], torn.len());
    let kept = parts.journal();
    let aside = fs::read_dir(&kept)
        .expect("journal")
        .flatten()
        .any(|entry| fs::read(entry.path()).is_ok_and(|bytes| bytes == torn));
    assert!(aside, "the torn bytes are kept aside");
    run(&mut parts.front("true")).expect(0);
    let code = parts.verify().code();
    assert!([10, 11].contains(&code), "exit {code}");
}

#[test]
fn identity_key_that_others_can_read_or_that_is_gone() {
    let mut parts = Parts::new();
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    let key = parts.host_dir().join("identity.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("mode");
    run(&mut parts.host_command()).expect(78).says(&["identity.key"]);
    let bytes = fs::read(&key).expect("key");
    fs::remove_file(&key).expect("key");
    run(&mut parts.host_command()).expect(78).says(&["identity.key"]);
    assert!(!key.exists(), "never a silent new key");
    fs::write(&key, random_bytes(10)).expect("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("mode");
    run(&mut parts.host_command()).expect(78).says(&["identity.key"]);
    fs::remove_file(&key).expect("key");
    fs::write(&key, bytes).expect("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("mode");
    parts.start_host();
}

#[test]
fn host_that_is_not_enrolled() {
    let parts = Parts::without_service(1000);
    run(&mut parts.host_command()).expect(78).says(&["enroll"]);
}

#[test]
fn enrolment_tokens() {
    let parts = Parts::new();
    let url = parts.service.as_ref().expect("a service").ready.strip_prefix("listening on ").expect("url").to_owned();
    let other = Parts::without_service(1000);
    let wrong = format!("cse1.{}", "A".repeat(43));
    assert_ne!(other.enroll(&url, &wrong).code(), 0);
    assert_ne!(other.enroll(&url, "nonsense").code(), 0);
    let token = parts.server(&["enroll-token", "--name", "test-host"]).out();
    let named_other = parts.server(&["enroll-token", "--name", "web-2"]).expect(0).out();
    assert_ne!(other.enroll(&url, named_other.trim()).code(), 0, "a token is for one name: {token}");
    let third = Parts::without_service(1000);
    let by_name = parts.server(&["enroll-token", "--name", "test-host-2"]).expect(0).out();
    let enroll = |dir: &Path| {
        run(Command::new(program(HOSTD))
            .args([
                "enroll",
                "--trial",
                "--service",
                &url,
                "--token",
                by_name.trim(),
                "--name",
                "test-host-2",
                "--state",
            ])
            .arg(dir))
    };
    enroll(&third.host_dir()).expect(0);
    assert_ne!(enroll(&other.host_dir()).code(), 0, "a token is good once");
    run(Command::new(program(HOSTD))
        .args(["enroll", "--trial", "--service", "http://192.0.2.1:1", "--token", &wrong, "--name", "x", "--state"])
        .arg(other.host_dir()))
    .says(&["use https"]);
}

#[test]
fn ids_that_name_nothing_or_are_none() {
    let parts = Parts::new();
    for (id, code) in [("0000", 66), ("zz", 64), ("not an id", 66), ("00000000000000000000000000", 66)] {
        let ended = parts.reviewer().run(&["approve", id]);
        assert_eq!(ended.code(), code, "{id:?}: {}", ended.err());
    }
}

#[test]
fn a_service_that_would_listen_in_the_clear() {
    let scratch = Scratch::new();
    let mut command = Command::new(program(SERVER));
    command.args(["serve", "--plain", "--listen", "0.0.0.0:0", "--state"]).arg(scratch.path());
    run(&mut command).expect(64).says(&["loopback"]);
}
