//! `countersign try`: the whole system on one machine, for one gated command.
//! Everything runs under the caller's uid, and the ledger says so.

pub mod attend;
mod daemon;
mod gate;
mod programs;
mod service;
mod state;
mod watch;

use crate::args::Try;
use crate::failure::Failure;
use crate::screen::note;
use crate::signals::{Stop, Stops};
use daemon::attended;
use gate::Gate;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use programs::Programs;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until};

pub use programs::{host as host_program, server as server_program};
pub use service::Service;
pub use state::StateDir;

/// How long the command may take to end after we were told to.
const END: Duration = Duration::from_secs(10);
/// How long a query that uses the same directory is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);

/// Runs a trial. Answers the command's own exit code.
pub async fn run(args: &Try, json: bool) -> Result<u8, Failure> {
    if args.line.is_none() && !std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "without -c a gated shell is started, which needs a terminal; name one command line: countersign try -c 'CMD'".into(),
        ));
    }
    let path = args.state.clone().map_or_else(StateDir::default_path, Ok)?;
    let state = StateDir::create(&path)?;
    let mut stops = Stops::take_over()?;
    let mut trial = Trial::default();
    let started = tokio::select! {
        started = trial.start(&state, args.timeout) => started,
        stop = stops.next() => Err(stop.into()),
    };
    let ended = match started {
        Ok(programs) => {
            let ended = trial.command(&state, &programs, args, json, &mut stops).await;
            if args.keep && ended.is_ok() {
                let dir = state.path().display();
                note(&format!("countersign: service and host go on in {dir}; Ctrl-C ends them"));
                stops.next().await;
            }
            ended
        }
        Err(failure) => Err(failure),
    };
    trial.end().await;
    ended
}

#[derive(Default)]
struct Trial {
    service: Option<Service>,
    gate: Option<Gate>,
}

impl Trial {
    async fn start(&mut self, state: &StateDir, wait_seconds: u32) -> Result<Programs, Failure> {
        let lock = lock(state).await?;
        let programs = programs::all().await?;
        let service = self.service.insert(Service::start(state, lock, &programs.own, programs.server.clone()).await?);
        self.gate = Some(Gate::start(state, &programs, service, wait_seconds).await?);
        service.write_trust(state).await?;
        Ok(programs)
    }

    async fn command(
        &self,
        state: &StateDir,
        programs: &Programs,
        args: &Try,
        json: bool,
        stops: &mut Stops,
    ) -> Result<u8, Failure> {
        let Some(gate) = &self.gate else { return Err(Failure::Internal("the host does not run".into())) };
        let mut watcher = watch::Watcher::new(state, programs, args.decide, json).await?;
        let mut arguments: Vec<OsString> = vec!["--trial".into(), "--socket".into(), gate.socket().into_os_string()];
        if let Some(path) = std::env::var_os("PATH") {
            arguments.extend(["--path".into(), path]);
        }
        match &args.line {
            Some(line) => arguments.extend(["-c".into(), line.clone()]),
            None => watcher.introduce(),
        }
        let child = attended(&programs.own, &programs.shell, &arguments)
            .spawn()
            .map_err(|e| Failure::io("start", programs.shell.display(), &e))?;
        let mut watching = std::pin::pin!(watcher.run(args.line.is_some()));
        let mut waiting = std::pin::pin!(wait(child, stops));
        tokio::select! {
            ended = &mut waiting => return ended,
            watched = &mut watching => {
                if let Err(failure) = watched {
                    crate::screen::complain(&failure);
                }
            }
        }
        waiting.await
    }

    /// Ends the host first: it still has something to tell the service.
    async fn end(self) {
        if let Some(gate) = self.gate {
            gate.end().await;
        }
        if let Some(service) = self.service {
            service.end().await;
        }
    }
}

async fn lock(state: &StateDir) -> Result<state::Lock, Failure> {
    let began = Instant::now();
    loop {
        if let Some(lock) = state.lock()? {
            return Ok(lock);
        }
        if began.elapsed() > PATIENCE {
            let dir = state.path().display();
            return Err(Failure::Unavailable(format!(
                "another `countersign try` is running in {dir}; wait until it ends, or use another directory with --state DIR"
            )));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits for the command, and hands on the signals that we get.
async fn wait(mut child: Child, stops: &mut Stops) -> Result<u8, Failure> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut deadline: Option<Instant> = None;
    loop {
        let patience = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400));
        tokio::select! {
            ended = child.wait() => return ended.map(code).map_err(|e| Failure::io("wait for", "the command", &e)),
            stop = stops.next() => {
                if let (Some(pid), true) = (pid, is_ours_alone(stop)) {
                    kill(pid, signal(stop)).unwrap_or_default();
                }
                if stop != Stop::Interrupt {
                    deadline = Some(Instant::now() + END);
                }
            }
            () = sleep_until(patience) => {
                child.kill().await.map_err(|e| Failure::io("kill", "the command", &e))?;
            }
        }
    }
}

/// Whether the command has not got the signal already: Ctrl-C reaches all
/// processes in the terminal's foreground.
fn is_ours_alone(stop: Stop) -> bool {
    let stdin = std::io::stdin();
    let foreground = stdin.is_terminal() && nix::unistd::tcgetpgrp(&stdin).is_ok_and(|g| g == nix::unistd::getpgrp());
    stop != Stop::Interrupt || !foreground
}

fn signal(stop: Stop) -> Signal {
    match stop {
        Stop::Interrupt => Signal::SIGINT,
        Stop::Terminate => Signal::SIGTERM,
        Stop::Hangup => Signal::SIGHUP,
    }
}

fn code(status: ExitStatus) -> u8 {
    let by_signal = status.signal().map(|number| number.saturating_add(128));
    status.code().or(by_signal).and_then(|number| u8::try_from(number).ok()).unwrap_or(255)
}

/// A path as it can be typed in another terminal.
fn typed(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_typed() {
        assert_eq!(typed(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(typed(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn signals_become_codes() {
        assert_eq!(code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }
}
