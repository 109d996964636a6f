//! The spawner: forked first, it alone can become the agent. It obeys the
//! orders in [`orders::Order`], in the states that allow them, and nothing
//! else; when the front's end of the socket closes it ends what it started and
//! goes.

pub mod orders;

use crate::end::Failure;
use crate::inner::InnerShell;
use countersign_api::frame;
use countersign_core::b64_decode;
use countersign_sys::signals::{Name, Signals};
use countersign_sys::spawn::Program;
use countersign_sys::{self as sys, Forked, Inherited, Uids, Wanted};
use orders::{MAX_ORDER, Order, Report, Spawner};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How long a command has between SIGHUP and SIGKILL.
const GRACE_MS: u32 = 300;

/// Forks the spawner. `uids` are those of a setuid start: the real one is the
/// agent's, the effective one ours.
pub fn start(uids: Uids, inherited: &Inherited) -> Result<Spawner, Failure> {
    let failed = |e: io::Error| Failure::system("cannot start the spawner", &e);
    let (ours, theirs) = sys::seqpacket_pair().map_err(failed)?;
    match sys::fork().map_err(failed)? {
        Forked::Parent(pid) => Ok(Spawner::new(ours, pid)),
        Forked::Child => {
            drop(ours);
            let done = Office::open(theirs, uids, inherited).and_then(Office::work);
            std::process::exit(i32::from(done.is_err()))
        }
    }
}

/// What the spawner has done so far; decides which orders it obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was started: one `Spawn` may come.
    Idle,
    /// The command runs.
    Running(i32),
    /// The command has ended.
    Over,
}

struct Office<'a> {
    front: OwnedFd,
    signals: Signals,
    agent: u32,
    inherited: &'a Inherited,
    state: State,
}

impl<'a> Office<'a> {
    fn open(front: OwnedFd, uids: Uids, inherited: &'a Inherited) -> io::Result<Self> {
        let signals = Signals::take_over(&[Name::SIGCHLD, Name::SIGHUP, Name::SIGINT, Name::SIGTERM, Name::SIGQUIT])?;
        sys::set_uids(Uids { real: uids.effective, effective: uids.real, saved: uids.effective })?;
        sys::dumpable_off()?;
        sys::subreaper()?;
        sys::descriptors::standard_to_null()?;
        Ok(Self { front, signals, agent: uids.real, inherited, state: State::Idle })
    }

    fn work(mut self) -> io::Result<()> {
        let done = self.serve();
        sys::process::signal_tree(Name::SIGHUP);
        sys::end_tree(|_, _| {});
        done
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            let wanted = [(self.front.as_fd(), Wanted::Read), (self.signals.as_fd(), Wanted::Read)];
            let ready = sys::poll(&wanted, None)?;
            while self.signals.next()?.is_some() {}
            while let Some((pid, status)) = sys::reap()? {
                self.ended(pid, status)?;
            }
            if ready.first().is_some_and(|front| front.readable || front.hangup) {
                let mut buffer = vec![0; MAX_ORDER];
                let (n, fds) = sys::recv_with_fds(self.front.as_fd(), &mut buffer)?;
                if n == 0 {
                    return Ok(());
                }
                self.obey(buffer.get(..n).unwrap_or_default(), fds)?;
            }
        }
    }

    /// The table of what the front may ask. Anything else ends the login.
    fn obey(&mut self, bytes: &[u8], fds: Vec<OwnedFd>) -> io::Result<()> {
        let mut decoder = frame::Decoder::default();
        decoder.push(bytes);
        let order: Option<Order> = decoder.next_message().map_err(io::Error::other)?;
        match (order, self.state, <[OwnedFd; 3]>::try_from(fds)) {
            (Some(Order::Spawn { shell, command, environment, terminal }), State::Idle, Ok(stdio)) => {
                let program = self.program(shell, &command, &environment, terminal, stdio);
                match program.and_then(sys::spawn::spawn) {
                    Ok(pid) => {
                        self.state = State::Running(pid);
                        self.tell(&Report::Spawned)
                    }
                    Err(error) => {
                        self.state = State::Over;
                        let number = error.raw_os_error().unwrap_or(nix::libc::EINVAL);
                        self.tell(&Report::Failed { errno: u16::try_from(number).unwrap_or(u16::MAX) })
                    }
                }
            }
            (Some(Order::Hangup), State::Running(_) | State::Over, Err(none)) if none.is_empty() => self.hang_up(),
            (Some(Order::Kill), State::Running(_) | State::Over, Err(none)) if none.is_empty() => self.kill(),
            (Some(Order::Spawn { .. } | Order::Hangup | Order::Kill) | None, _, _) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "an order that is not allowed now"))
            }
        }
    }

    fn program(
        &self,
        shell: InnerShell,
        command: &str,
        environment: &[(String, String)],
        terminal: bool,
        stdio: [OwnedFd; 3],
    ) -> io::Result<Program<'a>> {
        let file = shell.file().ok_or_else(|| io::Error::from_raw_os_error(nix::libc::ENOENT))?;
        let command = CString::new(b64_decode(command).map_err(io::Error::other)?)?;
        let environment: Result<Vec<CString>, _> =
            environment.iter().map(|(name, value)| CString::new(format!("{name}={value}"))).collect();
        Ok(Program {
            file: CString::new(file.as_os_str().as_bytes())?,
            arguments: shell.arguments(command),
            environment: environment?,
            stdio,
            uid: Some(self.agent),
            terminal,
            inherited: self.inherited,
        })
    }

    /// Hangs up on everything that was started, then kills what stays.
    fn hang_up(&mut self) -> io::Result<()> {
        sys::process::signal_tree(Name::SIGHUP);
        sys::process::signal_tree(Name::SIGCONT);
        for _ in 0..GRACE_MS / 10 {
            sys::poll(&[(self.signals.as_fd(), Wanted::Read)], Some(10))?;
            while self.signals.next()?.is_some() {}
            while let Some((pid, status)) = sys::reap()? {
                self.ended(pid, status)?;
            }
            if sys::children(nix::unistd::getpid().as_raw()).is_empty() {
                return Ok(());
            }
        }
        self.kill()
    }

    fn kill(&mut self) -> io::Result<()> {
        let mut seen = Vec::new();
        sys::end_tree(|pid, status| seen.push((pid, status)));
        seen.into_iter().try_for_each(|(pid, status)| self.ended(pid, status))
    }

    fn ended(&mut self, pid: i32, status: ExitStatus) -> io::Result<()> {
        if self.state != State::Running(pid) {
            return Ok(());
        }
        self.state = State::Over;
        let number = |n: Option<i32>| n.and_then(|n| u8::try_from(n).ok());
        match (number(status.code()), number(status.signal())) {
            (Some(code), _) => self.tell(&Report::Exited { code }),
            (None, Some(signal)) => self.tell(&Report::Signaled { signal }),
            (None, None) => Err(io::Error::other("a child that neither exited nor was signaled")),
        }
    }

    fn tell(&self, report: &Report) -> io::Result<()> {
        let bytes = frame::encode(report).map_err(io::Error::other)?;
        sys::send_with_fd(self.front.as_fd(), &bytes, &[]).map(|_| ())
    }
}
