//! `countersign try`, as the README has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{CLI, program};
use crate::reviewer::Reviewer;
use crate::run::{Ended, run};
use crate::scratch::Scratch;

/// A trial's state directory, and a directory for its commands.
pub struct Trial {
    scratch: Scratch,
}

impl Trial {
    /// Makes empty ones.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.join("work")).expect("work directory");
        Self { scratch }
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.scratch.join("state")
    }

    /// The host's journal.
    pub fn journal(&self) -> PathBuf {
        self.state().join("host/journal")
    }

    /// A path for commands to leave something at.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.join("work").join(name)
    }

    /// `countersign try -c LINE --state DIR`, not yet run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program(CLI));
        // It finds its siblings next to itself; only under cargo would it build them.
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
            command.env_remove(name);
        }
        command.arg("try").arg("-c").arg(line).arg("--state").arg(self.state()).current_dir(self.scratch.join("work"));
        command
    }

    /// The same with a trial reviewer who says `approve` or `deny`.
    pub fn decided(&self, line: &str, decision: &str) -> Command {
        let mut command = self.command(line);
        command.args(["--decide", decision]);
        command
    }

    /// Runs a line that the trial reviewer approves.
    #[track_caller]
    pub fn approve(&self, line: &str) -> Ended {
        run(&mut self.decided(line, "approve"))
    }

    /// Runs a line that the trial reviewer denies.
    #[track_caller]
    pub fn deny(&self, line: &str) -> Ended {
        run(&mut self.decided(line, "deny"))
    }

    /// The person at the second terminal.
    pub fn reviewer(&self) -> Reviewer {
        Reviewer::with_state(&self.state())
    }

    /// `countersign verify STATE --trust STATE/trust.json`.
    #[track_caller]
    pub fn verify(&self) -> Ended {
        verify(&self.state(), Some(&self.state().join("trust.json")))
    }

    /// The recordings, in no order.
    pub fn recordings(&self) -> Vec<PathBuf> {
        let dir = self.state().join("host/recordings");
        std::fs::read_dir(dir).expect("recordings").map(|entry| entry.expect("recording").path()).collect()
    }
}

impl Default for Trial {
    fn default() -> Self {
        Self::new()
    }
}

/// What the second verifier says, which shares no code with ours.
#[track_caller]
pub fn second_verifier(place: &Path, trust: &Path) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("second_verifier.py");
    run(Command::new("python3").arg(script).arg("--trust").arg(trust).arg(place))
}

/// `countersign verify PLACE [--trust FILE]`.
#[track_caller]
pub fn verify(place: &Path, trust: Option<&Path>) -> Ended {
    let mut command = Command::new(program(CLI));
    command.arg("verify").arg(place);
    if let Some(trust) = trust {
        command.arg("--trust").arg(trust);
    }
    run(&mut command)
}
