//! `countersign try -c`: one machine, nothing installed, no root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use countersign_tests::cast::Cast;
use countersign_tests::installation::make_dir;
use countersign_tests::journal;
use countersign_tests::programs::{CLI, HOSTD, SERVER, SHELL, program};
use countersign_tests::run::{LIMIT, Running, random_bytes, run, run_with};
use countersign_tests::scratch::Scratch;
use countersign_tests::trial::{Trial, verify};

#[test]
fn approved_command_gives_its_status() {
    let trial = Trial::new();
    trial.approve("true").expect(0);
    trial.approve("exit 7").expect(7);
    trial.approve("kill -TERM $$").expect(128 + 15);
    let outcomes: Vec<_> =
        journal::of_kind(&trial.journal(), "decided").iter().map(|entry| entry["body"]["outcome"].clone()).collect();
    assert_eq!(outcomes, ["approved", "approved", "approved"]);
}

#[test]
fn the_trial_reviewer_is_recorded_as_such() {
    let trial = Trial::new();
    trial.approve("true").expect(0);
    let decided = journal::of_kind(&trial.journal(), "decided");
    assert_eq!(decided[0]["body"]["by"], "trial-reviewer");
    let enrolled = journal::of_kind(&trial.journal(), "host_enrolled");
    assert_eq!(enrolled[0]["body"]["signer"], "same_uid");
}

#[test]
fn denied_command_does_not_run() {
    let trial = Trial::new();
    let made = trial.file("made");
    let line = format!("touch {}", made.display());
    let ended = trial.deny(&line).expect(126).says(&["countersign: denied"]);
    assert_eq!(ended.out(), "", "standard output stays clean");
    assert!(!made.exists());
    assert!(journal::of_kind(&trial.journal(), "exec_started").is_empty());
    trial.approve(&line).expect(0);
    assert!(made.exists(), "the control: the same line runs when it is approved");
}

#[test]
fn output_and_errors_stay_apart() {
    let ended = Trial::new().approve("echo to-out; echo to-err >&2").expect(0);
    assert_eq!(ended.out(), "to-out\n");
    assert!(ended.err().contains("to-err\n"));
    assert!(!ended.err().contains("to-out"));
}

#[test]
fn three_megabytes_of_anything_pass_both_ways() {
    let trial = Trial::new();
    let sent = random_bytes(3 << 20);
    let kept = trial.file("kept");
    let ended = run_with(&mut trial.decided(&format!("tee {}", kept.display()), "approve"), &sent).expect(0);
    assert!(
        ended.stdout == sent,
        "what came back is not what was sent ({} of {} bytes)",
        ended.stdout.len(),
        sent.len()
    );
    assert!(std::fs::read(&kept).expect("kept") == sent, "what arrived is not what was sent");
    let recordings = trial.recordings();
    assert_eq!(recordings.len(), 1);
    assert!(Cast::read(&recordings[0]).stdout() == sent, "the recording does not rebuild the bytes");
    trial.verify().expect(10);
}

#[test]
fn a_second_terminal_decides() {
    let trial = Trial::new();
    let mut waiting = Running::start(&mut trial.command("echo ran"), Some(b""));
    let reviewer = trial.reviewer();
    let line = "echo ran";
    countersign_tests::run::eventually("the trial to be up", LIMIT, || {
        trial.state().join("reviewer.toml").exists().then_some(())
    });
    let id = reviewer.wait_for(line);
    assert!(waiting.is_running());
    countersign_tests::run::eventually("the line for a second terminal", LIMIT, || {
        let said = waiting.err_so_far();
        let own_line = |verb: &str, end: &str| {
            let begin = format!("countersign {verb} --state {} {}", trial.state().display(), &id[..4]);
            said.lines().any(|line| line.contains(&begin) && line.ends_with(end) && !line.starts_with("countersign:"))
        };
        // Each can be selected by itself.
        (own_line("approve", "") && own_line("deny", " --reason …")).then_some(())
    });
    assert_eq!(waiting.out_so_far(), b"", "nothing runs before the decision");
    reviewer.run(&["approve", &id]).expect(0);
    assert_eq!(waiting.wait(LIMIT).expect(0).out(), "ran\n");

    let waiting = Running::start(&mut trial.command("echo ran-too"), Some(b""));
    reviewer.wait_for("echo ran-too");
    // Who comes too late is told what became of it, and by whom.
    reviewer.run(&["deny", &id[..6], "--reason", "late"]).expect(1).says(&[
        &id,
        "waits no more: approved",
        "reviewer ",
    ]);
    reviewer.deny("echo ran-too", "not today");
    let ended = waiting.wait(LIMIT).expect(126).says(&["not today"]);
    assert_eq!(ended.out(), "");
}

#[test]
fn nobody_answers() {
    let trial = Trial::new();
    let mut command = trial.command("true");
    command.args(["--timeout", "1"]);
    run(&mut command).expect(126).says(&["timed"]);
    assert_eq!(journal::wait_for(&trial.journal(), "decided", 1)["body"]["outcome"], "timed_out");
}

#[test]
fn what_is_kept_verifies() {
    let trial = Trial::new();
    trial.approve("echo one").expect(0);
    trial.deny("echo two").expect(126);
    let with_trust = trial.verify().expect(10);
    let out = with_trust.out();
    let lines: Vec<_> =
        out.lines().take(3).map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["INTEGRITY SOUND", "CONFORMANCE CONFORMS", "ASSURANCE SELF-ATTESTED"], "{out}");
    assert!(out.contains("1 approved"), "{out}");
    verify(&trial.state(), None).expect(20);
}

#[test]
fn audit_and_sessions_show_what_happened() {
    let trial = Trial::new();
    trial.approve("echo one").expect(0);
    trial.deny("echo 'two\nlines'").expect(126);
    let reviewer = trial.reviewer();
    let mut waiting = Running::start(&mut trial.command("echo three"), Some(b""));
    reviewer.wait_for("echo three");
    let table = reviewer.run(&["audit", "--csv"]).expect(0).out();
    let lines: Vec<&str> = table.split_terminator("\r\n").collect();
    assert!(
        lines.len() == 4 && lines[0].starts_with("id,submitted_at,outcome,"),
        "a line of names and one a command: {table}"
    );
    assert!(lines[2].contains(",denied,trial-reviewer,") && lines[2].contains("echo 'two⏎lines'"), "{table}");
    let events = reviewer.run(&["audit", "--ocsf", "--decision", "denied"]).expect(0).out();
    let event: serde_json::Value = serde_json::from_str(events.trim_end()).expect("one event, one line");
    assert_eq!(event["process"]["cmd_line"], "echo 'two\nlines'");
    assert_eq!(
        (&event["class_uid"], &event["disposition"], &event["status"]),
        (&1007.into(), &"Rejected".into(), &"Failure".into())
    );
    let audit = reviewer.audit();
    let told: Vec<_> =
        audit.iter().map(|row| (row["command"].as_str().unwrap_or(""), row["risk"]["level"] == "low")).collect();
    assert_eq!(told, [("echo one", true), ("echo 'two\nlines'", true), ("echo three", true)], "oldest first, scored");
    let text = reviewer.run(&["audit", "-n", "5"]).expect(0).out();
    for part in ["✔ APPROVED", "✘ DENIED", "reviewer trial-reviewer", "risk low 0", "echo 'two⏎lines'"] {
        assert!(text.contains(part), "audit should hold {part:?}:\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colour where there is no terminal");
    let denied = audit[1]["id"].as_str().unwrap_or_default();
    let triaged = ["audit", "triage", &denied[..8], "--as", "malicious", "--note", "an attack\x1b[2K"];
    let told = reviewer.run(&triaged).expect(0).out();
    let said = "\"an attack⟨U+001B⟩[2K\"";
    assert!(told.contains("echo 'two⏎lines'") && told.contains("→ triaged malicious by "), "{told}");
    assert!(told.contains(said), "{told}");
    let found = reviewer.rows(&["audit", "--triage", "malicious"]);
    assert_eq!(found.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [denied]);
    assert_eq!(reviewer.rows(&["audit", "--triage", "none"]).len(), 2);
    assert!(reviewer.run(&["show", denied]).expect(0).out().contains(said));
    reviewer.run(&["audit", "triage", "0000000", "--as", "benign", "--note", "x"]).expect(66);
    reviewer.run(&["audit", "triage", denied, "--as", "fine", "--note", "x"]).expect(64);
    let sessions = reviewer.rows(&["sessions", "-n", "3"]);
    assert_eq!(sessions.len(), 1, "logins less than 30 minutes apart are one session");
    assert_eq!(sessions[0]["commands"], 3);
    assert_eq!(sessions[0]["logins"].as_array().map(Vec::len), Some(3));
    assert!(waiting.is_running() && waiting.out_so_far().is_empty());
    reviewer.approve("echo three");
    waiting.wait(LIMIT).expect(0);
}

#[test]
fn hang_up_while_pending_cancels() {
    let trial = Trial::new();
    let made = trial.file("made");
    let line = format!("touch {}", made.display());
    let waiting = Running::start(&mut trial.command(&line), None);
    countersign_tests::run::eventually("the command to be held", LIMIT, || {
        trial.journal().exists().then(|| journal::of_kind(&trial.journal(), "command_submitted").pop()).flatten()
    });
    waiting.signal(nix::sys::signal::Signal::SIGINT);
    assert_ne!(waiting.wait(LIMIT).code(), 0);
    let decided = journal::wait_for(&trial.journal(), "decided", 1);
    assert_eq!(decided["body"]["outcome"], "cancelled");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!made.exists());
    trial.verify().expect(10);
}

#[test]
fn needs_no_root() {
    if !countersign_tests::namespace::may_enter() {
        return;
    }
    // As `nobody`, with copies of the programs where nobody may reach them.
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    for name in [SHELL, HOSTD, SERVER, CLI] {
        fs::copy(program(name), scratch.join(name)).expect("copy");
    }
    make_dir(&scratch.join("home"), 65534, 0o700);
    let state = scratch.join("home/state");
    let countersign = |args: &[&str]| {
        let mut command = Command::new(scratch.join(CLI));
        command.args(args).uid(65534).gid(65534).current_dir("/").env_clear();
        run(command.env("HOME", scratch.join("home")).env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8"))
    };
    let place = state.to_str().expect("path");
    let ended = countersign(&["try", "--state", place, "-c", "id -un; exit 4", "--decide", "approve"]).expect(4);
    assert_eq!(ended.out(), "nobody\n");
    countersign(&["verify", place, "--trust", &format!("{place}/trust.json")]).expect(10);
    let ours: Vec<_> =
        fs::read_dir(scratch.join("home")).expect("home").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(ours, ["state"], "nothing is written elsewhere");
}
