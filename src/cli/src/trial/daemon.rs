//! Children of a trial: started until they say they are ready, ended in order,
//! and never left behind.

use crate::failure::Failure;
use countersign_core::Exit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a child may take to say that it is ready.
const READY: Duration = Duration::from_secs(30);
/// How long a child may take to end before it is killed.
const END: Duration = Duration::from_secs(10);
/// How much of a child's log an error shows, in lines.
const LOG_LINES: usize = 20;

/// A long-running child. Dropped without [`Daemon::end`], it is killed.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    child: Child,
    /// Kept open: the child may still print.
    _stdout: Lines<BufReader<ChildStdout>>,
}

/// What to start.
pub struct Start<'a> {
    /// Ourselves: starts the program so that it ends when we do.
    pub own: &'a Path,
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its name in errors, and of its log.
    pub name: &'static str,
    /// Where its stderr goes.
    pub logs: PathBuf,
}

impl Daemon {
    /// Starts a child and waits for the line that `ready` takes an answer from.
    pub async fn start(start: Start<'_>, ready: impl Fn(&str) -> Option<String>) -> Result<(Self, String), Failure> {
        let log = start.logs.join(format!("{}.log", start.name));
        let err = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&log);
        let err = err.map_err(|e| Failure::io("write", log.display(), &e))?;
        // A process group of its own: Ctrl-C is for us, and we end the children in order.
        let mut child = attended(start.own, start.program, &start.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|e| Failure::io("start", start.program.display(), &e))?;
        let Some(stdout) = child.stdout.take() else {
            return Err(Failure::Internal(format!("{} has no stdout", start.name)));
        };
        let mut lines = BufReader::new(stdout).lines();
        let waited = tokio::time::timeout(READY, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(answer) = ready(&line) {
                    return Some(answer);
                }
            }
            None
        });
        let answer = waited.await;
        let mut daemon = Self { name: start.name, child, _stdout: lines };
        match answer {
            Ok(Some(answer)) => Ok((daemon, answer)),
            Ok(None) => {
                let ended = tokio::time::timeout(END, daemon.child.wait()).await.ok().and_then(Result::ok);
                let how = ended.map_or_else(|| "closed its stdout".to_owned(), describe);
                let text = format!("{} did not start: it {how}{}", start.name, last_words(&log));
                let config = ended.and_then(|status| status.code()) == Some(i32::from(Exit::Config.code()));
                Err(if config { Failure::Config(text) } else { Failure::Unavailable(text) })
            }
            Err(_) => {
                daemon.end().await;
                let secs = READY.as_secs();
                Err(Failure::Unavailable(format!("{} was not ready after {secs} s{}", start.name, last_words(&log))))
            }
        }
    }

    /// Asks the child to end, waits, and kills it where it does not.
    pub async fn end(mut self) {
        let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) else { return };
        // A child that has just ended cannot be signalled; it is reaped all the same.
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap_or_default();
        if tokio::time::timeout(END, self.child.wait()).await.is_err() {
            crate::screen::note(&format!("countersign: {} does not end; killing it", self.name));
            self.child.kill().await.unwrap_or_default();
        }
    }
}

/// A command that ends when we end, however we end.
pub fn attended(own: &Path, program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(own);
    command.arg(super::attend::WORD).arg(std::process::id().to_string()).arg(program).args(arguments);
    command.kill_on_drop(true);
    command
}

/// Runs a program to its end and answers what it printed.
pub async fn output(program: &Path, arguments: &[&OsStr]) -> Result<String, Failure> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let ran = ran.map_err(|e| Failure::io("run", program.display(), &e))?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let task = arguments.iter().take(2).map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ");
        return Err(Failure::Unavailable(format!("`{name} {task}` {}{}", describe(ran.status), tail(&said))));
    }
    String::from_utf8(ran.stdout).map_err(|_| Failure::Unavailable(format!("{name} printed what is not UTF-8")))
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

fn last_words(log: &Path) -> String {
    std::fs::read(log).map(|bytes| tail(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
    if last.is_empty() { String::new() } else { format!("; it said:\n{}", last.join("\n")) }
}
