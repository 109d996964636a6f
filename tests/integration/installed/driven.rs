//! An interactive login through sshd, driven by what agents drive logins with: pexpect, and tmux's `send-keys`.

use std::process::Command;

use countersign_tests::installation::{AGENT, HOMES, Installation, Options, UNGATED};
use countersign_tests::journal;
use countersign_tests::person::DENIED;
use countersign_tests::run::{LIMIT, Running, run};
use countersign_tests::tmux::Tmux;

const DRIVE: &str = include_str!("drive.py");
/// What [`DRIVE`] goes through.
const SCENARIOS: [&str; 11] = [
    "burst",
    "denied_text_runs_nothing",
    "type_ahead",
    "nested",
    "replaced",
    "hook_removed",
    "interrupted",
    "stopped",
    "pasted",
    "resized",
    "left",
];

/// `ssh -tt`, with its words.
fn ssh(host: &Installation, user: &str) -> Vec<String> {
    let command = host.ssh_as(user, &["-tt"], &[]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_str().expect("text").to_owned()).collect()
}

fn drive(host: &Installation, flags: &[&str], user: &str) -> Command {
    let script = host.scratch.join("drive.py");
    std::fs::write(&script, DRIVE).expect("script");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).args(flags).arg(format!("{HOMES}/{user}")).args(ssh(host, user));
    command.current_dir("/").env("TERM", "xterm-256color");
    command
}

#[test]
fn through_pexpect() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let control = run(&mut drive(&host, &["--control"], UNGATED)).expect(0);
    assert_eq!(control.out(), "a b c d e\n", "the control: without the gate the whole burst runs");
    let rule = host.reviewer().run(&["rules", "add", "--exact", "bash --norc"]);
    assert!(rule.code() != 0 && rule.err().contains("cannot be a rule"), "{}", rule.err());
    let deciding = host.reviewer().approving_but(DENIED);
    let ended = Running::start(&mut drive(&host, &[], AGENT), Some(b"")).wait(4 * LIMIT).expect(0);
    assert_eq!(ended.out().lines().collect::<Vec<_>>(), SCENARIOS, "{}", ended.err());
    drop(deciding);
    let journal = host.journal();
    let submitted = journal::of_kind(&journal, "command_submitted");
    let of = |text: &str| submitted.iter().filter(|entry| journal::command(entry) == text).collect::<Vec<_>>();
    let [nested] = of("bash --norc")[..] else { panic!("one nested shell: {submitted:?}") };
    assert_eq!(nested["body"]["flags"], serde_json::json!(["interactive_escape"]));
    let decided = journal::of_kind(&journal, "decided");
    let about = decided.iter().find(|entry| entry["body"]["id"] == nested["body"]["id"]).expect("a decision");
    assert_eq!((&about["body"]["by"], &about["body"]["outcome"]), (&"ops-lead".into(), &"approved".into()), "{about}");
    assert_eq!(of("echo fi''rst\necho sec''ond").len(), 1, "what is pasted is one line");
    assert!(of("touch d").is_empty() && of("touch replaced #NEVER").is_empty());
    journal::wait_for(&journal, "session_closed", SCENARIOS.len());
    host.verify().expect(10);
}

/// As an agent does that has a terminal in a window of tmux: keys are sent, and the screen of 80 by 24 is looked at.
#[test]
fn through_tmux() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let reviewer = host.reviewer();
    let tmux = Tmux::start(&format!("LANG=C.UTF-8 TERM=tmux-256color exec {}", ssh(&host, AGENT).join(" ")));
    let at_prompt = |screen: &str| screen.trim_end().ends_with('$');
    tmux.wait("a prompt", at_prompt);
    tmux.enter("PS1='p> '");
    reviewer.approve("PS1='p> '");
    let ready = |screen: &str| screen.trim_end().ends_with("p>");
    tmux.wait("the new prompt", ready);
    tmux.run(&["send-keys", "C-l"]);
    tmux.wait("an empty screen", |screen| screen.trim() == "p>");

    // Denied, with more behind it that is sent at once.
    tmux.run(&["send-keys", "-l", "touch denied"]);
    tmux.run(&["send-keys", "Enter", "touch Space behind", "Enter"]);
    let screen = tmux.wait("that it waits", |screen| screen.contains("asking ops-lead") && screen.contains("s left"));
    assert_eq!(held(&screen), 1, "{screen}");
    reviewer.deny("touch denied", "no");
    let screen = tmux.wait("the denial", |screen| screen.contains("was dropped") && ready(screen));
    let said = screen.strip_prefix("p> touch denied\ncountersign: denied id=");
    assert!(said.is_some_and(|said| said.contains("by=ops-lead reason=\"no\"")), "{screen}");
    assert_eq!((held(&screen), screen.matches("behind").count()), (0, 0), "what waited is gone from it:\n{screen}");
    tmux.run(&["send-keys", "C-l"]);
    tmux.wait("an empty screen", |screen| screen.trim() == "p>");

    // Longer than a row, with wide letters; mended in the middle before it is sent.
    tmux.run(&["send-keys", "-l", &format!("echo {}", "漢".repeat(45))]);
    tmux.run(&["send-keys", "C-a"]);
    for _ in 0..5 {
        tmux.run(&["send-keys", "Right"]);
    }
    tmux.run(&["send-keys", "-l", "字"]);
    tmux.run(&["send-keys", "Enter"]);
    let line = format!("echo 字{}", "漢".repeat(45));
    reviewer.approve(&line);
    // Twice 46 letters of two columns: 80 less the seven before it, and the rest.
    let screen = tmux.wait("the output", |screen| screen.matches('字').count() == 2 && ready(screen));
    assert_eq!((held(&screen), screen.lines().filter(|row| row.contains('漢')).count()), (0, 4), "{screen}");

    // Typed while something runs.
    tmux.enter("echo be''gun; sleep 1; echo en''ded");
    reviewer.approve("echo be''gun; sleep 1; echo en''ded");
    tmux.wait("it to run", |screen| screen.contains("\nbegun"));
    tmux.enter("touch ahead");
    reviewer.deny("touch ahead", "nor that");
    let screen = tmux.wait("the denial", |screen| screen.matches("countersign: denied").count() == 1 && ready(screen));
    assert!(screen.contains("\nended\n"), "{screen}");

    // Given up.
    tmux.enter("touch later");
    tmux.wait("that it waits", |screen| held(screen) == 1 && screen.contains("s left"));
    tmux.run(&["send-keys", "C-c"]);
    let screen = tmux.wait("the end of it", |screen| screen.contains("cancelled") && ready(screen));
    assert_eq!(held(&screen), 0, "{screen}");
    tmux.run(&["send-keys", "C-d"]);
    tmux.wait_for_the_end();
    for name in ["denied", "behind", "ahead", "later"] {
        assert!(!host.home().join(name).exists(), "{name}");
    }
    let submitted = journal::of_kind(&host.journal(), "command_submitted");
    let submitted: Vec<_> = submitted.iter().map(journal::command).collect();
    let told =
        ["PS1='p> '", "touch denied", &line, "echo be''gun; sleep 1; echo en''ded", "touch ahead", "touch later"];
    assert_eq!(submitted, told);
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.verify().expect(10);
}

/// Rows that say that a line is held.
fn held(screen: &str) -> usize {
    screen.lines().filter(|row| row.contains("countersign: held")).count()
}
