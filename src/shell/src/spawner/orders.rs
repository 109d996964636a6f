//! What the front may ask of the spawner, and what it hears back. One packet
//! is one message.

use crate::inner::InnerShell;
use countersign_api::context::{FileSeen, Unread};
use countersign_api::frame;
use countersign_api::front::{CommandEnd, NotReleased};
use countersign_core::b64_decode;
use countersign_sys::{self as sys, Wanted};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Largest order in bytes: a command of 128 KiB in base64 and its environment.
pub const MAX_ORDER: usize = 256 * 1024;
/// Largest report in bytes: names or history, each byte escaped.
const MAX_REPORT: usize = 256 * 1024;
/// Most bytes of history that are kept.
pub const MAX_HISTORY: usize = 32 * 1024;
/// How long an answer may take: longer than the spawner's own patience with a
/// program that does not start, and with its end.
const ANSWER_MS: u32 = 15_000;
/// Width of the column of names in `/proc/PID/limits`.
const NAME: usize = 26;
/// SIGKILL.
pub const KILLED: u8 = 9;
/// What stands for an error without a number (EIO).
pub const NO_NUMBER: u16 = 5;
/// How long the end of everything is waited for: a flood of processes may leave the
/// spawner a small part of the processors only, and the agent may lower its
/// scheduling. It goes on by itself then, and ends what is left when it gets a turn.
const END: Duration = Duration::from_secs(30);

/// From front to spawner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Start this line, once. Comes with three descriptors.
    Spawn {
        /// The shell that parses it.
        shell: InnerShell,
        /// Its bytes, base64url.
        command: String,
        /// Its environment.
        environment: Vec<(String, String)>,
        /// Whether standard input becomes its controlling terminal.
        terminal: bool,
        /// Until when it may start, CLOCK_BOOTTIME in µs.
        deadline_us: u64,
    },
    /// Start the interactive shell, once. Comes with four descriptors: its
    /// terminal, its standard input, its private socket, its start-up file.
    Shell {
        /// Its environment.
        environment: Vec<(String, String)>,
    },
    /// Start the shell of a script, once. Comes with five descriptors: its
    /// standard output and error, the input of its commands, its private
    /// socket, and the file of a program.
    Script {
        /// Its environment.
        environment: Vec<(String, String)>,
    },
    /// Say where the shell is, and under which limits.
    Where,
    /// Say whether what was started is the interactive shell as it was started.
    Driven,
    /// Look at files around a line with the agent's rights.
    Look(Asked),
    /// List the names in a directory that begin with a prefix, with the agent's
    /// rights. A relative path is relative to the shell's working directory.
    List {
        /// The directory; empty for the working directory.
        directory: String,
        /// The beginning of the names.
        prefix: String,
    },
    /// Read the agent's history of lines, or put this text in its place.
    History {
        /// The file, below the agent's home.
        file: String,
        /// What to write; nothing to read.
        text: Option<String>,
    },
    /// Hang up on everything that was started, then kill what stays.
    Hangup,
    /// Kill everything that was started.
    Kill,
}

/// What to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Whether the branch that is checked out is wanted.
    pub branch: bool,
    /// Files; a relative path starts at the working directory.
    pub paths: Vec<String>,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The branch, where there is one.
    pub branch: Option<String>,
    /// What each file is, in the order of [`Asked::paths`].
    pub files: Vec<FileSeen>,
    /// The shell's working directory after all that, base64url; the spawner's
    /// own word. Empty where it is not known.
    #[serde(default)]
    pub here: String,
    /// Its limits; the spawner's own word, too.
    #[serde(default)]
    pub limits: Limits,
}

/// The limits of a shell, as the kernel tells them: a program of the agent's may
/// change them, and the shell is not told (prlimit(2)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// `/proc/PID/limits`; empty where it cannot be read.
    pub now: String,
    /// Names of those that are not what the shell was started with.
    pub changed: Vec<String>,
}

impl Limits {
    /// What a shell has now that was started with others.
    pub fn compared(began: &str, now: String) -> Self {
        let mut lines = began.lines().zip(now.lines());
        // In each line the name comes first, in a column of its own.
        let is_named = lines.by_ref().clone().all(|(was, is)| was.get(..NAME) == is.get(..NAME));
        let changed = if is_named && !now.is_empty() && began.lines().count() == now.lines().count() {
            let other = lines.filter(|(was, is)| was != is).filter_map(|(was, _)| was.get(..NAME));
            other.map(|name| name.trim_start_matches("Max ").trim_end().to_owned()).collect()
        } else {
            vec!["not known".to_owned()]
        };
        Self { now, changed }
    }
}

impl Seen {
    /// The shell's working directory, as bytes; `None` where it is not known.
    pub fn place(&self) -> Option<Vec<u8>> {
        b64_decode(&self.here).ok().filter(|path| !path.is_empty())
    }
}

/// Names in a directory, each with whether it is a directory itself.
pub type Names = Vec<(String, bool)>;

/// From spawner to front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    /// The program runs.
    Spawned {
        /// The directory below which it may write, and nowhere else; `None`
        /// where it may write wherever the agent may.
        below: Option<String>,
    },
    /// It could not be started.
    Failed {
        /// The error number.
        errno: u16,
    },
    /// Whether it is the interactive shell as it was started: not ended, and not
    /// replaced by `exec`.
    Driven {
        /// Whether it is.
        is: bool,
    },
    /// What was seen; without files where there was no answer, and empty where
    /// the program has ended.
    Seen(Seen),
    /// Names in a directory, and whether each is one itself.
    Names {
        /// Bounded in number and length.
        names: Names,
    },
    /// The history, or nothing where it was written or cannot be read.
    History {
        /// At most [`MAX_HISTORY`] bytes, the newest lines.
        text: String,
    },
    /// A signal has stopped the shell (SIGSTOP). It does nothing more by itself.
    Stopped,
    /// It exited.
    Exited {
        /// Its code.
        code: u8,
    },
    /// A signal ended it.
    Signaled {
        /// The signal.
        signal: u8,
    },
}

impl Report {
    /// How what was started has ended; `None` where it says something else.
    pub fn end(self) -> Option<CommandEnd> {
        match self {
            Self::Exited { code } => Some(CommandEnd::Exited(code)),
            Self::Signaled { signal } => Some(CommandEnd::Signaled(signal)),
            Self::Spawned { .. }
            | Self::Failed { .. }
            | Self::Driven { .. }
            | Self::Seen(_)
            | Self::Names { .. }
            | Self::History { .. }
            | Self::Stopped => None,
        }
    }
}

/// The front's end.
#[derive(Debug)]
pub struct Spawner {
    socket: OwnedFd,
    pid: i32,
    /// Whether it was waited for, or is left to itself.
    reaped: Cell<bool>,
}

/// Why a line does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstarted {
    /// It never ran and never will: the error number.
    Never(u16),
    /// The spawner was lost: whatever it had started is killed.
    Lost,
}

impl Unstarted {
    /// The end of the line, as it is recorded: what may have run for a moment
    /// is not called "not started".
    pub fn end(self) -> CommandEnd {
        match self {
            Self::Never(errno) if i32::from(errno) == nix::libc::ETIME => CommandEnd::NotReleased(NotReleased::Late),
            Self::Never(errno) => CommandEnd::NotStarted(errno),
            Self::Lost => CommandEnd::Signaled(KILLED),
        }
    }
}

impl std::fmt::Display for Unstarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost => f.write_str("the program that starts it was lost and killed"),
            Self::Never(errno) => match i32::from(*errno) {
                nix::libc::ETIME => f.write_str("its time was over before it had started; nothing ran"),
                nix::libc::ETIMEDOUT => f.write_str("it was held up before it had started, and killed; nothing ran"),
                nix::libc::ECANCELED => f.write_str("it was given up before it had started; nothing ran"),
                nix::libc::ECHILD => f.write_str("it was killed before it had started; nothing ran"),
                number => write!(f, "{}", io::Error::from_raw_os_error(number)),
            },
        }
    }
}

impl Spawner {
    /// Holds the front's end of the socket pair.
    pub fn new(socket: OwnedFd, pid: i32) -> Self {
        Self { socket, pid, reaped: Cell::new(false) }
    }

    /// Starts a line; the directory below which it may write, where the kernel
    /// lets it write nowhere else. That it was not started is believed only where the
    /// spawner says so; one that says nothing is told to end what it may have
    /// started, and is not killed: nobody else could end what that had started.
    pub fn spawn(&self, order: &Order, stdio: &[BorrowedFd<'_>]) -> Result<Option<String>, Unstarted> {
        if let Err(error) = self.send(order, stdio) {
            // The order did not arrive, not even in part: packets are whole.
            let number = error.raw_os_error().and_then(|n| u16::try_from(n).ok());
            return Err(Unstarted::Never(number.unwrap_or(NO_NUMBER)));
        }
        match self.answer() {
            Ok(Some(Report::Spawned { below })) => Ok(below),
            Ok(Some(Report::Failed { errno })) => Err(Unstarted::Never(errno)),
            Ok(
                Some(
                    Report::Driven { .. }
                    | Report::Seen(_)
                    | Report::Names { .. }
                    | Report::History { .. }
                    | Report::Stopped
                    | Report::Exited { .. }
                    | Report::Signaled { .. },
                )
                | None,
            )
            | Err(_) => {
                self.finish();
                Err(Unstarted::Lost)
            }
        }
    }

    /// Waits for a report; `None` where the spawner is gone or stays silent.
    fn answer(&self) -> io::Result<Option<Report>> {
        let until = Instant::now() + Duration::from_millis(u64::from(ANSWER_MS));
        loop {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            let ready = sys::poll(&[(self.fd(), Wanted::Read)], Some(u32::try_from(left).unwrap_or(ANSWER_MS)))?;
            if ready.first().is_some_and(|r| r.readable || r.hangup) {
                return self.report();
            }
            if left == 0 {
                return Ok(None);
            }
        }
    }

    /// Makes sure that the spawner is gone and reaped. Its child dies with it
    /// (`parent_death_signal`) or never got leave to become a program.
    pub fn put_down(&self) {
        if !self.reaped.replace(true) {
            // Where it cannot be signaled it is gone already, and the wait says the same.
            let (Ok(()) | Err(_)) = sys::process::kill_child(self.pid);
            let (Ok(()) | Err(_)) = sys::process::wait(self.pid);
        }
    }

    /// Says that nothing more comes, and waits until the spawner has ended
    /// what is left and is gone. Done at the latest when this is dropped.
    pub fn finish(&self) {
        self.finish_within(END);
    }

    fn finish_within(&self, within: Duration) {
        if self.reaped.replace(true) {
            return;
        }
        let until = sys::finish_sending(self.socket.as_fd()).map(|()| Instant::now() + within);
        while until.as_ref().is_ok_and(|until| Instant::now() < *until) {
            let ready = sys::poll(&[(self.socket.as_fd(), Wanted::Read)], Some(100)).unwrap_or_default();
            // What it still reports is of no interest now; an error or nothing read is its end.
            if ready.first().is_some_and(|r| r.readable || r.hangup) && !matches!(self.report(), Ok(Some(_))) {
                // Its socket closes while it exits, so this takes no time; it leaves no zombie behind.
                let (Ok(()) | Err(_)) = sys::process::wait(self.pid);
                return;
            }
        }
        // Never killed: nobody else can end what is left.
    }

    /// Where the shell is and under which limits; empty where the spawner does
    /// not know it any more. An end that is reported meanwhile is handed back, and
    /// so, in what follows, is that a signal has stopped it.
    pub fn place(&self) -> io::Result<(Seen, Option<Report>)> {
        Ok(match self.ask(&Order::Where)? {
            (Report::Seen(seen), ended) => (seen, ended),
            (_, ended) => (Seen::default(), ended),
        })
    }

    /// Whether the interactive shell is as it was started. The spawner knows: where
    /// `/proc` is hidden (`hidepid`), the front sees no process of the agent's.
    pub fn is_driven(&self) -> io::Result<(bool, Option<Report>)> {
        Ok(match self.ask(&Order::Driven)? {
            (Report::Driven { is }, ended) => (is, ended),
            (_, ended) => (false, ended),
        })
    }

    /// What is around a line, as the agent sees it. A file of which nothing was
    /// heard in time counts as not read.
    pub fn look(&self, branch: bool, paths: &[String]) -> io::Result<(Seen, Option<Report>)> {
        let (report, ended) = self.ask(&Order::Look(Asked { branch, paths: paths.to_vec() }))?;
        let mut seen = if let Report::Seen(seen) = report { seen } else { Seen::default() };
        let silent = FileSeen::Unread { why: Unread::NoAnswer, stamp: String::new() };
        seen.files.resize(paths.len(), silent);
        Ok((seen, ended))
    }

    /// Has the spawner look for the branch while the front does something else.
    /// Nothing else may be asked before [`Spawner::branch`].
    pub fn begin_branch(&self) -> io::Result<()> {
        self.send(&Order::Look(Asked { branch: true, paths: Vec::new() }), &[])
    }

    /// The branch that is checked out in the working directory, as the agent sees it.
    pub fn branch(&self) -> io::Result<Option<String>> {
        Ok(if let (Report::Seen(seen), _) = self.heard()? { seen.branch } else { None })
    }

    /// Names in a directory that begin with `prefix`, as the agent sees them.
    pub fn names(&self, directory: &str, prefix: &str) -> io::Result<(Names, Option<Report>)> {
        let order = Order::List { directory: directory.to_owned(), prefix: prefix.to_owned() };
        Ok(match self.ask(&order)? {
            (Report::Names { names }, ended) => (names, ended),
            (_, ended) => (Vec::new(), ended),
        })
    }

    /// Reads the history file, or writes it. Missing or unfit files read as
    /// empty: history is a convenience, and every line of it is held again.
    pub fn history(&self, file: &str, text: Option<String>) -> io::Result<(String, Option<Report>)> {
        Ok(match self.ask(&Order::History { file: file.to_owned(), text })? {
            (Report::History { text }, ended) => (text, ended),
            (_, ended) => (String::new(), ended),
        })
    }

    /// Asks and waits for the answer; an end that is reported meanwhile comes
    /// beside it.
    fn ask(&self, order: &Order) -> io::Result<(Report, Option<Report>)> {
        self.send(order, &[])?;
        self.heard()
    }

    fn heard(&self) -> io::Result<(Report, Option<Report>)> {
        let mut ended = None;
        loop {
            match self.answer()? {
                Some(
                    answer @ (Report::Driven { .. } | Report::Seen(_) | Report::Names { .. } | Report::History { .. }),
                ) => {
                    return Ok((answer, ended));
                }
                Some(end @ (Report::Stopped | Report::Exited { .. } | Report::Signaled { .. })) => ended = Some(end),
                Some(Report::Spawned { .. } | Report::Failed { .. }) | None => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }

    /// Ends everything that was started, by `Hangup` or `Kill`.
    pub fn end(&self, order: &Order) -> io::Result<()> {
        self.send(order, &[])
    }

    /// Reads a report; `None` when the spawner is gone.
    pub fn report(&self) -> io::Result<Option<Report>> {
        let (report, _) = sys::recv_message(self.fd(), MAX_REPORT)?;
        let mut decoder = frame::Decoder::default();
        decoder.push(&report);
        decoder.next_message().map_err(io::Error::other)
    }

    /// To wait for a report.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn send(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = frame::encode(order).map_err(io::Error::other)?;
        sys::send_with_fd(self.fd(), &bytes, fds).map(|_| ())
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Somebody may have lowered its scheduling; what is left it ends when it gets a turn, and nobody else could.
    #[test]
    fn a_spawner_that_takes_long_is_left_to_itself() {
        let mut late = Command::new("sleep").arg("60").spawn().unwrap();
        let (ours, _theirs) = sys::seqpacket_pair().unwrap();
        let spawner = Spawner::new(ours, i32::try_from(late.id()).unwrap());
        spawner.finish_within(Duration::from_millis(10));
        drop(spawner);
        assert!(late.try_wait().unwrap().is_none(), "it was killed");
        late.kill().unwrap();
        late.wait().unwrap();
    }
}
