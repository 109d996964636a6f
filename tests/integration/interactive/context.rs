//! What names mean in an interactive login, and who then decides.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use countersign_tests::journal;
use countersign_tests::run::{LIMIT, eventually};

use super::Login;

impl Login {
    /// Lets this line pass by rule, on a terminal too.
    fn allow(&self, line: &str) {
        self.parts.reviewer().run(&["rules", "add", "--on-terminal", "--exact", line]).expect(0);
    }

    /// Who decided the line that was submitted last.
    fn outcome(&self) -> String {
        let decided = journal::of_kind(&self.parts.journal(), "decided").pop().expect("a decision");
        decided["body"]["outcome"].as_str().expect("a word").to_owned()
    }
}

#[test]
fn a_name_with_another_meaning_is_for_a_person() {
    let mut login = Login::new();
    login.allow("uname");
    let evil = login.file("uname");
    fs::write(&evil, "#!/bin/sh\necho evil\n").expect("file");
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).expect("mode");
    let place = evil.parent().expect("directory").display().to_string();
    login.line("uname");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    for (spoil, mend) in [
        (format!("PATH={place}:$PATH"), "PATH=/usr/local/bin:/usr/bin:/bin"),
        ("alias uname=id".to_owned(), "unalias uname"),
        (format!("hash -p {place}/uname uname"), "hash -r"),
        ("export LD_PRELOAD=/tmp/x.so".to_owned(), "unset LD_PRELOAD"),
        ("export PATH=".to_owned(), "PATH=/usr/local/bin:/usr/bin:/bin"),
    ] {
        login.line(&spoil);
        login.line("uname");
        assert_eq!(login.outcome(), "approved", "{spoil}");
        login.line(mend);
        login.line("uname");
        assert_eq!(login.outcome(), "whitelisted", "{mend}");
    }
    // After code was put into the shell it is believed no more, whatever it reports.
    login.line("uname() { id; }");
    login.line("uname");
    assert_eq!(login.outcome(), "approved");
    login.line("unset -f uname");
    login.line("uname");
    assert_eq!(login.outcome(), "approved", "it may have kept something");
    login.terminal.send("\x04");
    login.terminal.end();
    let verified = login.parts.verify();
    assert_eq!(verified.code(), 10, "{}", verified.out());
}

/// What the shell runs by itself later on, and the descriptors that our driver hears and speaks on.
#[test]
fn after_a_prompt_that_runs_something_no_rule_speaks() {
    for spoil in ["PS4='$(touch made)'", "read -t 0 -u 63 x; true"] {
        let mut login = Login::new();
        login.allow("uname");
        login.line("PS2='> '; PS4='+ '; exec 3</dev/null");
        for (line, outcome) in [("uname", "whitelisted"), (spoil, "approved"), ("uname", "approved")] {
            login.line(line);
            assert_eq!(login.outcome(), outcome, "{line} and {spoil}");
        }
        login.terminal.send("\x04");
        login.terminal.end();
        let verified = login.parts.verify();
        assert_eq!(verified.code(), 10, "{}", verified.out());
    }
}

#[test]
fn a_script_swapped_at_the_prompt_does_not_run() {
    let mut login = Login::new();
    let script = login.file("x.sh");
    fs::write(&script, "echo go''od\n").expect("file");
    login.ends("bash x.sh", "good");
    login.terminal.send("bash x.sh # LATER\r");
    login.terminal.expect("countersign: held ");
    fs::write(&script, "touch made\n").expect("file");
    let reviewer = login.parts.reviewer();
    let id = reviewer.wait_for("bash x.sh # LATER");
    reviewer.run(&["approve", &id]).expect(0);
    login.terminal.expect("changed after it was submitted");
    login.terminal.prompt();
    login.ends("echo st=$?", "st=126");
    assert!(!login.file("made").exists());
    let drifted = |e: &serde_json::Value| e["body"]["why"] == "drifted";
    let ends = journal::of_kind(&login.parts.journal(), "exec_finished");
    assert!(ends.iter().any(drifted), "{ends:?}");
    login.leave();
}

#[test]
fn the_branch_and_the_directory_are_the_shells_own() {
    let mut login = Login::new();
    let repository = login.file("repo");
    fs::create_dir_all(repository.join(".git")).expect("directory");
    fs::write(repository.join(".git/HEAD"), "ref: refs/heads/feature-7\n").expect("HEAD");
    login.line("cd repo");
    login.line("PWD=/lie; true");
    let submitted = || {
        login.terminal.send("true # LATER\r");
        journal::of_kind(&login.parts.journal(), "command_submitted")
            .pop()
            .filter(|e| journal::command(e).contains("LATER"))
    };
    let entry = eventually("the submission", LIMIT, submitted);
    assert_eq!(entry["vals"]["cwd"][1], repository.display().to_string());
    let context: serde_json::Value =
        serde_json::from_str(entry["vals"]["context"][1].as_str().expect("text")).expect("JSON");
    assert_eq!(context["branch"], "feature-7");
}
