//! The interactive login on a real terminal, with a reviewer who decides: the scenarios of the prototype's
//! `drive.py`, and what somebody who owns the agent's account would try.

mod attacks;
mod away;
mod context;
mod driver;
mod ends;
mod fuse;
mod held;
mod inner;
mod limits;
mod lines;
mod places;
mod programs;
mod tmux;
mod trial;

use std::path::PathBuf;
use std::process::Command;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::person::Person;
use countersign_tests::programs::{SHELL, program};
use countersign_tests::run::{LIMIT, eventually};
use countersign_tests::terminal::Terminal;

/// A login at its first prompt, with the person who decides.
struct Login {
    parts: Parts,
    /// Dropped before the service.
    person: Option<Person>,
    terminal: Terminal,
}

impl Login {
    fn new() -> Self {
        Self::on(&Parts::new, "xterm-256color")
    }

    fn on(parts: &dyn Fn() -> Parts, term: &str) -> Self {
        Self::with(parts, term, &[])
    }

    /// A login whose front gets these arguments, too.
    fn with(parts: &dyn Fn() -> Parts, term: &str, more: &[&str]) -> Self {
        let parts = parts();
        let person = Person::at_work(&parts.scratch.join("reviewer.toml"));
        let mut terminal = Terminal::start(shell(&parts, term).args(more), 120, 40);
        terminal.prompt();
        Self { parts, person: Some(person), terminal }
    }

    /// Types a line and waits until the prompt is back.
    #[track_caller]
    fn line(&mut self, line: &str) {
        self.ends(line, "");
    }

    /// Types a line, waits for this in its output, then for its end in the ledger and for the prompt after it.
    #[track_caller]
    fn ends(&mut self, line: &str, output: &str) {
        self.terminal.idle();
        let before = eventually("the lines before to have ended", LIMIT, || self.all_ended());
        self.terminal.send(&format!("{line}\r"));
        if !output.is_empty() {
            self.terminal.expect(output);
        }
        self.terminal.prompt();
        eventually(&format!("the end of {line:?}"), LIMIT, || self.all_ended().filter(|count| *count > before));
    }

    /// How many lines have ended or were refused, once that is all of them.
    fn all_ended(&self) -> Option<usize> {
        let ended = self.finished();
        (ended == self.submitted().len()).then_some(ended)
    }

    /// How many lines have ended or were refused.
    fn finished(&self) -> usize {
        let entries = journal::entries(&self.parts.journal());
        let refused = |e: &serde_json::Value| {
            e["kind"] == "decided" && !["approved", "whitelisted"].iter().any(|o| e["body"]["outcome"] == *o)
        };
        entries.iter().filter(|e| e["kind"] == "exec_finished" || refused(e)).count()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.parts.file(name)
    }

    /// The commands that were submitted.
    fn submitted(&self) -> Vec<String> {
        journal::of_kind(&self.parts.journal(), "command_submitted").iter().map(journal::command).collect()
    }

    /// Leaves by ^D, and checks the record.
    #[track_caller]
    fn leave(mut self) {
        // While a line runs ^D is its own.
        self.terminal.idle();
        self.terminal.send("\x04");
        self.terminal.end();
        self.check(&[10]);
    }

    /// The record is whole, and tells of nothing that ran without a decision.
    #[track_caller]
    fn check(mut self, codes: &[i32]) {
        drop(self.person.take());
        if codes == [10] {
            journal::wait_for(&self.parts.journal(), "session_closed", 1);
        }
        nothing_undecided(&self.parts);
        let verified = self.parts.verify();
        assert!(codes.contains(&verified.code()), "{}\n{}", verified.out(), verified.err());
    }
}

/// What ran was approved before.
#[track_caller]
fn nothing_undecided(parts: &Parts) {
    let mut approved = Vec::new();
    for entry in journal::entries(&parts.journal()) {
        let (kind, body) = (&entry["kind"], &entry["body"]);
        if kind == "decided" && body["outcome"] == "approved" {
            approved.push(body["id"].clone());
        }
        assert!(kind != "exec_started" || approved.contains(&body["id"]), "ran without a decision: {entry}");
    }
}

/// `countersign-sh` as a trial starts it, without a command: not yet run.
pub(crate) fn shell(parts: &Parts, term: &str) -> Command {
    let mut command = Command::new(program(SHELL));
    command.arg("--trial").arg("--socket").arg(parts.socket()).args(["--path", "/usr/local/bin:/usr/bin:/bin"]);
    command.args(["--inner-shell", "bash"]).current_dir(parts.scratch.join("work"));
    command.env("TERM", term).env("LANG", "C.UTF-8").env_remove("LC_ALL");
    command
}
