//! `ssh agent@host CMD`.

use countersign_tests::cast::Cast;
use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, eventually, random_bytes, run};

#[test]
fn status_signal_and_denial() {
    let Some(host) = Installation::new(Options::default()) else { return };
    host.run("true").expect(0);
    host.run("exit 7").expect(7);
    // ssh itself exits 255 when the command ended by a signal.
    host.run("kill -TERM $$").expect(255);
    let finished = journal::wait_for(&host.journal(), "exec_finished", 3);
    assert_eq!((&finished["body"]["end"], &finished["body"]["signal"]), (&"signaled".into(), &15.into()));

    let made = host.home().join("made");
    let client = Running::start(&mut host.ssh("touch made"), Some(b""));
    host.reviewer().deny("touch made", "not on a Friday");
    let ended = client.wait(LIMIT).expect(126).says(&["countersign: denied", "by=ops-lead", "not on a Friday"]);
    assert_eq!(ended.out(), "");
    assert!(!made.exists());
    host.run("touch made").expect(0);
    assert!(made.exists());
    host.verify().expect(10);
}

#[test]
fn without_pam() {
    let Some(host) = Installation::new(Options { pam: false, ..Options::default() }) else { return };
    host.run("exit 3").expect(3);
    host.verify().expect(10);
}

#[test]
fn output_errors_and_input_stay_apart() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let ended = host.approved(&[], "cat; echo amiss >&2", Some(b"fed\n")).wait(LIMIT).expect(0);
    assert_eq!(ended.out(), "fed\n");
    assert_eq!(ended.err(), "amiss\n", "nothing of ours on an approved command's standard error");
}

#[test]
fn three_megabytes_pass_both_ways() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let sent = random_bytes(3 << 20);
    let ended = host.approved(&[], "tee kept", Some(&sent)).wait(LIMIT).expect(0);
    assert!(ended.stdout == sent, "{} bytes came back", ended.stdout.len());
    assert!(std::fs::read(host.home().join("kept")).expect("kept") == sent);
    let recording = std::fs::read_dir(host.host_dir().join("recordings")).expect("recordings").flatten().next();
    assert!(Cast::read(&recording.expect("one").path()).stdout() == sent);
    host.verify().expect(10);
}

#[test]
fn whitelisted_line_needs_nobody() {
    let Some(host) = Installation::new(Options::default()) else { return };
    host.reviewer().allow("echo listed");
    let ended = Running::start(&mut host.ssh("echo listed"), Some(b"")).wait(LIMIT).expect(0);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("listed\n", ""));
    let decided = journal::wait_for(&host.journal(), "decided", 1);
    assert_eq!(
        (&decided["body"]["outcome"], &decided["body"]["by"]),
        (&"whitelisted".into(), &"whitelist_rule:1".into())
    );
    let client = Running::start(&mut host.ssh("echo listed "), Some(b""));
    host.reviewer().deny("echo listed ", "not exactly that line");
    client.wait(LIMIT).expect(126);
}

#[test]
fn on_a_terminal() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let line = "test -t 0 && test -t 1 && tty > /dev/null && echo on-a-terminal; exit 5";
    let ended = host.approved(&["-tt"], line, None).wait_open(LIMIT).expect(5);
    assert!(ended.out().contains("on-a-terminal\r\n"), "{:?}", ended.out());
    let opened = journal::of_kind(&host.journal(), "session_opened");
    assert_eq!(opened[0]["body"]["tty"], true);

    let mut client = host.approved(&["-tt"], "read -r word; echo got:$word", None);
    std::thread::sleep(std::time::Duration::from_millis(300));
    client.write(b"typed\r");
    let ended = client.wait_open(LIMIT).expect(0);
    assert!(ended.out().contains("got:typed"), "{:?}", ended.out());

    let client = host.approved(&["-tt"], "echo begun; sleep 30", None);
    eventually("it to begin", LIMIT, || String::from_utf8_lossy(&client.out_so_far()).contains("begun").then_some(()));
    let mut client = client;
    client.write(b"\x03");
    let ended = client.wait_open(LIMIT);
    assert!([130, 255].contains(&ended.code()), "^C reaches the command: exit {}", ended.code());

    let waiting = Running::start(&mut host.ssh_as(AGENT, &["-tt"], &["echo never"]), None);
    host.reviewer().wait_for("echo never");
    let mut waiting = waiting;
    waiting.write(b"\x03");
    let ended = waiting.wait_open(LIMIT).expect(126);
    assert!(!ended.out().contains("never\r\n") || ended.out().contains("cancelled"), "{:?}", ended.out());
    let decided = journal::wait_for(&host.journal(), "decided", 4);
    assert_eq!(decided["body"]["outcome"], "cancelled");
    host.verify().expect(10);
}

/// Programs read what a login of one command writes: that it waits is said only where the host's settings say so,
/// never on standard output, and once.
#[test]
fn that_a_command_waits_is_said_where_the_host_says_so() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let file = "/etc/countersign/countersign-sh.toml";
    let before = std::fs::read_to_string(file).expect("configuration");
    for (setting, told) in [("", [false; 2]), ("terminal", [false, true]), ("always", [true; 2])] {
        let line = if setting.is_empty() { String::new() } else { format!("notice = \"{setting}\"\n") };
        std::fs::write(file, format!("{line}{before}")).expect("configuration");
        for (flag, told) in ["-T", "-tt"].into_iter().zip(told) {
            let client = Running::start(&mut host.ssh_as(AGENT, &[flag], &["echo ou''t"]), Some(b""));
            let id = host.reviewer().wait_for("echo ou''t");
            let said = |all: &[u8]| String::from_utf8_lossy(all).matches("countersign: held ").count();
            if told {
                let where_to = || if flag == "-T" { client.err_so_far().into_bytes() } else { client.out_so_far() };
                eventually("the notice", LIMIT, || (said(&where_to()) > 0).then_some(()));
            }
            host.reviewer().run(&["approve", &id]).expect(0);
            let ended = client.wait(LIMIT).expect(0);
            let all = format!("{}{}", ended.out(), ended.err());
            assert_eq!(said(all.as_bytes()), usize::from(told), "{setting} {flag}: {all}");
            assert!(!told || all.contains("; asking ops-lead; "), "{all}");
            let out = ended.out();
            assert!(if flag == "-T" { out == "out\n" } else { out.ends_with("out\r\n") }, "{out:?}");
        }
    }
    host.verify().expect(10);
}

/// Whatever it sends is refused unasked, and it is told by what; others go on, and so does it when that is over.
#[test]
fn an_agent_is_stopped_by_one_rule() {
    let Some(host) = Installation::new(Options::default()) else { return };
    host.reviewer().run(&["rules", "add", "--effect", "deny", "--agent", AGENT, "--note", "incident 12"]).expect(0);
    for line in ["true", "$(", "cat"] {
        let ended = Running::start(&mut host.ssh(line), Some(b"")).wait(LIMIT).expect(126);
        ended.says(&["blocked", "by=deny_rule:1", "a rule that your reviewers wrote refuses it; nobody was asked"]);
    }
    host.reviewer().run(&["rules", "expire", "1"]).expect(0);
    let client = Running::start(&mut host.ssh("true"), Some(b""));
    host.reviewer().approve("true");
    client.wait(LIMIT).expect(0);
    host.verify().expect(10);
}

#[test]
fn commands_that_cannot_be_shown() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for (line, why) in [
        (" ", "command_empty"),
        ("echo \u{1b}[2Kx", "command_control_character"),
        (&*format!("true {}", "a".repeat(100_000)), "command_too_long"),
    ] {
        Running::start(&mut host.ssh(line), Some(b"")).wait(LIMIT).expect(126).says(&["countersign:"]);
        let decided = journal::of_kind(&host.journal(), "decided").pop().expect("a decision");
        assert_eq!(decided["body"]["why"], why);
    }
    // Over ssh 1.9 megabytes (more is no argument list of ssh itself) do arrive, in pieces; sshd cannot hand them to any login shell (E2BIG).
    let piece = "a".repeat(100_000);
    let mut words = vec!["touch", "made;", "true"];
    words.extend(std::iter::repeat_n(piece.as_str(), 19));
    let submitted = journal::of_kind(&host.journal(), "command_submitted").len();
    assert_ne!(run(&mut host.ssh_as(AGENT, &[], &words)).code(), 0);
    assert!(!host.home().join("made").exists());
    assert_eq!(journal::of_kind(&host.journal(), "command_submitted").len(), submitted);
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
    host.verify().expect(10);
}

#[test]
fn a_line_of_an_interactive_login_waits_too() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let made = host.home().join("made");
    let mut client = Running::start(&mut host.ssh_as(AGENT, &["-tt"], &[]), None);
    let prompt = |client: &Running, count: usize| {
        eventually("a prompt", LIMIT, || {
            (String::from_utf8_lossy(&client.out_so_far()).matches(":~$ ").count() >= count).then_some(())
        });
    };
    prompt(&client, 1);
    client.write(b"touch made\r");
    host.reviewer().deny("touch made", "not today");
    prompt(&client, 2);
    assert!(!made.exists());
    client.write(b"touch made\r");
    host.reviewer().approve("touch made");
    eventually("the line to run", LIMIT, || made.exists().then_some(()));
    drop(client);
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.verify().expect(10);
}

#[test]
fn output_can_be_opened_by_name() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let ended = host.run("echo out > /dev/stdout; echo err > /dev/stderr").expect(0);
    assert_eq!((ended.out().as_str(), ended.err().contains("err\n")), ("out\n", true), "{}", ended.err());
}
