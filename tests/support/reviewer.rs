//! A reviewer who works through the command people type.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::programs::{CLI, program};
use crate::run::{Ended, LIMIT, run};

/// A person with a `reviewer.toml`.
#[derive(Clone)]
pub struct Reviewer {
    flag: &'static str,
    place: PathBuf,
}

impl Reviewer {
    /// One who uses `--config FILE`.
    pub fn with_config(file: &Path) -> Self {
        Self { flag: "--config", place: file.to_owned() }
    }

    /// One who uses `--state DIR`, as a trial's second terminal does.
    pub fn with_state(dir: &Path) -> Self {
        Self { flag: "--state", place: dir.to_owned() }
    }

    /// `countersign ARGS --config FILE`, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program(CLI));
        command.args(args).arg(self.flag).arg(&self.place).env_remove("COUNTERSIGN_CONFIG");
        command
    }

    /// Runs `countersign ARGS`.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ended {
        run(&mut self.command(args))
    }

    /// Rows of a listing with `--json`.
    #[track_caller]
    pub fn rows(&self, args: &[&str]) -> Vec<Value> {
        let mut args = args.to_vec();
        args.push("--json");
        rows(&self.run(&args).expect(0).out())
    }

    /// What waits.
    #[track_caller]
    pub fn pending(&self) -> Vec<Value> {
        self.rows(&["pending"])
    }

    /// The audit, newest first.
    #[track_caller]
    pub fn audit(&self) -> Vec<Value> {
        self.rows(&["audit", "-n", "100"])
    }

    /// Waits until this command waits; its id. Where it waits in vain, the audit tells what came of it.
    #[track_caller]
    pub fn wait_for(&self, command: &str) -> String {
        let begun = Instant::now();
        loop {
            let pending = self.pending();
            if let Some(row) = pending.iter().find(|row| row["command"] == command) {
                return row["id"].as_str().expect("an id").to_owned();
            }
            if begun.elapsed() > LIMIT {
                let audit = self.run(&["audit", "-n", "5"]).out();
                panic!("waited {LIMIT:?} in vain for {command:?} to be pending; the audit:\n{audit}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the command and approves it.
    #[track_caller]
    pub fn approve(&self, command: &str) {
        self.run(&["approve", &self.wait_for(command)]).expect(0);
    }

    /// Waits for the command and denies it.
    #[track_caller]
    pub fn deny(&self, command: &str, reason: &str) {
        self.run(&["deny", &self.wait_for(command), "--reason", reason]).expect(0);
    }

    /// Lets this exact line pass from now on.
    #[track_caller]
    pub fn allow(&self, line: &str) {
        self.run(&["rules", "add", "--exact", line]).expect(0);
    }

    /// Approves everything that comes until the answer is dropped.
    pub fn approving(&self) -> Approving {
        self.deciding(None)
    }

    /// The same, but denies lines with this word.
    pub fn approving_but(&self, word: &'static str) -> Approving {
        self.deciding(Some(word))
    }

    fn deciding(&self, denied: Option<&'static str>) -> Approving {
        let stop = Arc::new(AtomicBool::new(false));
        let (reviewer, told) = (self.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let listed = reviewer.run(&["pending", "--json"]);
                for row in rows(&listed.out()) {
                    let (id, line) = (row["id"].as_str().expect("an id"), row["command"].as_str().expect("a command"));
                    // It may have been cancelled since.
                    match denied.filter(|word| line.contains(word)) {
                        Some(_) => reviewer.run(&["deny", id, "--reason", "it says so"]),
                        None => reviewer.run(&["approve", id]),
                    };
                }
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        Approving { stop, thread: Some(thread) }
    }
}

/// A reviewer at work; stops when dropped.
pub struct Approving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Approving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the approving reviewer failed");
        }
    }
}

/// A listing: one array, or one object a line.
fn rows(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(rows)) => rows,
        _ => text.lines().map(|line| serde_json::from_str(line).expect("a row of JSON")).collect(),
    }
}
