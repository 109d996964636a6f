//! The spawner: forked first, it alone can become the agent. It obeys the
//! orders in [`orders::Order`], in the states that allow them, and nothing
//! else; when the front's end of the socket closes it ends what it started and
//! goes.

mod below;
mod look;
pub mod orders;
mod repository;

pub use repository::named;

use crate::end::Failure;
use crate::inner::InnerShell;
use crate::interactive::driver;
use crate::script::driver as script;
use below::Writes;
use countersign_api::frame;
use countersign_core::{Transfer, b64_decode, b64_encode};
use countersign_sys::errand::{Ending, errand};
use countersign_sys::signals::{Name, Signals};
use countersign_sys::spawn::{Controlling, Leave, Program};
use countersign_sys::{self as sys, Forked, Inherited, Uids, Wanted};
use orders::{Asked, Limits, MAX_HISTORY, MAX_ORDER, Names, Order, Report, Seen, Spawner};
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt as _};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Most entries of a directory that are looked at for completion, and most
/// bytes of names that are told.
const MAX_LOOKED_AT: usize = 20_000;
const MAX_NAMES_BYTES: usize = 16 * 1024;
/// How long a question about the agent's files may take, in µs.
const ERRAND_US: u64 = 1_000_000;
/// How long a program may take to start, in µs.
const START_US: u64 = 5_000_000;
/// How often everything of the agent is killed where it goes on forking: one of
/// its processes may have killed the one that was to do it.
const END_USER_TRIES: usize = 2;
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
    /// The limits that what is started has in the beginning.
    limits: String,
    /// Whether what is started is a shell that waits for lines of ours.
    is_driven: bool,
    state: State,
}

impl<'a> Office<'a> {
    fn open(front: OwnedFd, uids: Uids, inherited: &'a Inherited) -> io::Result<Self> {
        let signals = Signals::take_over(&[Name::SIGCHLD, Name::SIGHUP, Name::SIGINT, Name::SIGTERM, Name::SIGQUIT])?;
        sys::set_uids(Uids { real: uids.effective, effective: uids.real, saved: uids.effective })?;
        sys::dumpable_off()?;
        sys::subreaper()?;
        sys::descriptors::standard_to_null()?;
        let limits = inherited.limits()?;
        Ok(Self { front, signals, agent: uids.real, inherited, limits, is_driven: false, state: State::Idle })
    }

    fn work(mut self) -> io::Result<()> {
        let done = self.serve();
        sys::process::signal_tree(Name::SIGHUP);
        self.end_all();
        done
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut more = false;
        loop {
            let wanted = [(self.front.as_fd(), Wanted::Read), (self.signals.as_fd(), Wanted::Read)];
            let ready = sys::poll(&wanted, more.then_some(0))?;
            more = self.reap()?;
            if ready.first().is_some_and(|front| front.readable || front.hangup) {
                let (order, fds) = sys::recv_message(self.front.as_fd(), MAX_ORDER)?;
                if order.is_empty() {
                    return Ok(());
                }
                self.obey(&order, fds)?;
            }
        }
    }

    /// The table of what the front may ask. Anything else ends the login.
    fn obey(&mut self, bytes: &[u8], fds: Vec<OwnedFd>) -> io::Result<()> {
        let mut decoder = frame::Decoder::default();
        decoder.push(bytes);
        let order: Option<Order> = decoder.next_message().map_err(io::Error::other)?;
        let Some(order) = order else { return Err(not_allowed()) };
        match (order, self.state) {
            (Order::Spawn { shell, command, environment, terminal, deadline_us }, State::Idle) => {
                let program = self.program(shell, &command, &environment, terminal, fds);
                self.start(program, Some(deadline_us))
            }
            (Order::Shell { environment }, State::Idle) => {
                let program = self.shell(&environment, fds);
                self.is_driven = true;
                self.start(program, None)
            }
            (Order::Script { environment }, State::Idle) => {
                let program = self.script(&environment, fds);
                self.is_driven = true;
                self.start(program, None)
            }
            (Order::Where, State::Running(pid)) if fds.is_empty() => {
                self.tell(&Report::Seen(self.stands(pid, Seen::default())))
            }
            (Order::Driven, State::Running(pid)) if fds.is_empty() => self.tell(&Report::Driven { is: is_driven(pid) }),
            (Order::Look(asked), State::Idle | State::Running(_)) if fds.is_empty() => self.look_around(&asked),
            (Order::List { directory, prefix }, State::Running(pid)) if fds.is_empty() => {
                let (names, _ending) =
                    self.errand(|| frame::encode(&names(pid, &directory, &prefix)).unwrap_or_default());
                let mut decoder = frame::Decoder::default();
                decoder.push(&names);
                let names: Option<Names> = decoder.next_message().unwrap_or_default();
                self.tell(&Report::Names { names: names.unwrap_or_default() })
            }
            (Order::History { file, text }, State::Running(_) | State::Over) if fds.is_empty() => {
                let agent = self.agent;
                let (text, _ending) =
                    self.errand(|| history(&file, text.as_deref(), agent).unwrap_or_default().into_bytes());
                self.tell(&Report::History { text: String::from_utf8(text).unwrap_or_default() })
            }
            // It ended while the front was asking.
            (Order::Where | Order::Driven | Order::Look(_) | Order::List { .. }, State::Over) if fds.is_empty() => {
                self.tell(&Report::Seen(Seen::default()))
            }
            (Order::Hangup, State::Running(_) | State::Over) if fds.is_empty() => self.hang_up(),
            (Order::Kill, State::Running(_) | State::Over) if fds.is_empty() => self.kill(),
            (
                Order::Spawn { .. }
                | Order::Shell { .. }
                | Order::Script { .. }
                | Order::Where
                | Order::Driven
                | Order::Look(_)
                | Order::List { .. }
                | Order::History { .. }
                | Order::Hangup
                | Order::Kill,
                _,
            ) => Err(not_allowed()),
        }
    }

    /// Looks at files around the line that is to run, or would.
    fn look_around(&self, asked: &Asked) -> io::Result<()> {
        // Before anything runs, this is where a line would start.
        let base = match self.state {
            State::Running(pid) => format!("/proc/{pid}/cwd"),
            State::Idle | State::Over => ".".to_owned(),
        };
        let place = match self.state {
            State::Running(pid) => sys::working_directory(pid),
            State::Idle | State::Over => std::env::current_dir(),
        };
        // Mostly there is a branch at most to be seen, and no child is needed to tell.
        let branch =
            if asked.paths.is_empty() { place.ok().and_then(|at| repository::branch_at_once(&at)) } else { None };
        let (seen, _ending) = match branch {
            Some(branch) => (Seen { branch: branch.filter(|_| asked.branch), ..Seen::default() }, None),
            None => {
                let look = || frame::encode(&look::look(base.as_ref(), asked)).unwrap_or_default();
                let (said, ending) = self.errand(look);
                let mut decoder = frame::Decoder::default();
                decoder.push(&said);
                (decoder.next_message().unwrap_or_default().unwrap_or_default(), ending)
            }
        };
        // Never what the errand says, which runs as the agent; and as it is afterwards.
        self.tell(&Report::Seen(match self.state {
            State::Running(pid) => self.stands(pid, seen),
            State::Idle | State::Over => Seen { here: String::new(), limits: Limits::default(), ..seen },
        }))
    }

    fn start(&mut self, program: io::Result<Program<'_>>, deadline_us: Option<u64>) -> io::Result<()> {
        let leave = Leave { watch: self.front.as_fd(), deadline_us, within_us: START_US };
        let below = program.as_ref().ok().and_then(|program| program.below.clone());
        match program.and_then(|program| sys::spawn::spawn(program, leave)) {
            Ok(started) => {
                self.state = State::Running(started.pid);
                let below = below.map(|path| path.to_string_lossy().into_owned());
                self.tell(&Report::Spawned { below })?;
                started.ended.map_or(Ok(()), |status| self.ended(started.pid, status))
            }
            Err(error) => {
                self.state = State::Over;
                let number = error.raw_os_error().unwrap_or(nix::libc::EINVAL);
                self.tell(&Report::Failed { errno: u16::try_from(number).unwrap_or(u16::MAX) })
            }
        }
    }

    /// Where a shell is, and under which limits.
    fn stands(&self, pid: i32, seen: Seen) -> Seen {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        Seen { here: here(pid), limits: Limits::compared(&self.limits, limits), ..seen }
    }

    /// Asks as the agent and nobody else, for a moment only: the paths are the
    /// agent's choice, and some never answer. The front waits for what is said, so
    /// the child's end comes after it was told.
    fn errand(&self, answer: impl FnOnce() -> Vec<u8>) -> (Vec<u8>, Option<Ending>) {
        match errand(self.agent, ERRAND_US, MAX_ORDER, self.front.as_fd(), answer) {
            Ok((said, ending)) => (said, Some(ending)),
            Err(_) => (Vec::new(), None),
        }
    }

    fn program(
        &self,
        shell: InnerShell,
        command: &str,
        environment: &[(String, String)],
        terminal: bool,
        fds: Vec<OwnedFd>,
    ) -> io::Result<Program<'a>> {
        let command = b64_decode(command).map_err(io::Error::other)?;
        // What it reads and writes is the client's to say, in the agent's name: also `/proc/PID/mem`.
        // Hooks of a push and filters of an archive are programs that may need more.
        let apart = Transfer::of(&command).is_some_and(|one| !matches!(one, Transfer::GitPush | Transfer::GitArchive));
        let below = self.place_of(&command);
        let command = CString::new(command)?;
        Ok(Program {
            apart,
            below,
            file: file_of(shell)?,
            arguments: shell.arguments(command),
            environment: variables(environment)?,
            stdio: fds.try_into().map_err(|_| not_allowed())?,
            further: Vec::new(),
            uid: Some(self.agent),
            terminal: if terminal { Controlling::Input } else { Controlling::None },
            inherited: self.inherited,
        })
    }

    /// The directory that a transfer is to write below, where that can be told
    /// and the kernel can see to it.
    fn place_of(&self, command: &[u8]) -> Option<PathBuf> {
        let Writes::Below(place) = Writes::of(command) else { return None };
        if !sys::apart::is_possible() {
            return None;
        }
        let (path, _ending) =
            self.errand(|| below::directory(&place).map_or_else(Vec::new, |found| found.into_os_string().into_vec()));
        (!path.is_empty()).then(|| PathBuf::from(OsString::from_vec(path)))
    }

    /// The interactive shell: its input is a socket that yields newlines only,
    /// its commands come over a private one.
    fn shell(&self, environment: &[(String, String)], fds: Vec<OwnedFd>) -> io::Result<Program<'a>> {
        let [terminal, input, private, start_file] = <[OwnedFd; 4]>::try_from(fds).map_err(|_| not_allowed())?;
        let move_up = sys::descriptors::move_up;
        let mut environment = environment.to_vec();
        environment.push((driver::START.0.to_owned(), driver::START.1.to_owned()));
        Ok(Program {
            file: file_of(InnerShell::Bash)?,
            arguments: driver::arguments(),
            environment: variables(&environment)?,
            stdio: [input, terminal.try_clone()?, terminal.try_clone()?],
            further: vec![
                (move_up(start_file)?, driver::START_FILE),
                (move_up(terminal)?, driver::TERMINAL),
                (move_up(private)?, driver::PRIVATE),
            ],
            uid: Some(self.agent),
            terminal: Controlling::Output,
            apart: false,
            below: None,
            inherited: self.inherited,
        })
    }

    /// The shell of a script: it reads nothing by itself, and its commands come
    /// over its private socket.
    fn script(&self, environment: &[(String, String)], fds: Vec<OwnedFd>) -> io::Result<Program<'a>> {
        let [output, error, input, private, program] = <[OwnedFd; 5]>::try_from(fds).map_err(|_| not_allowed())?;
        let move_up = sys::descriptors::move_up;
        Ok(Program {
            file: file_of(InnerShell::Bash)?,
            arguments: script::arguments(),
            environment: variables(environment)?,
            stdio: [std::fs::File::open("/dev/null")?.into(), output, error],
            further: vec![
                (move_up(input)?, script::INPUT),
                (move_up(private)?, script::PRIVATE),
                (move_up(program)?, script::PROGRAM),
            ],
            uid: Some(self.agent),
            terminal: Controlling::None,
            apart: false,
            below: None,
            inherited: self.inherited,
        })
    }

    /// Reaps some of what has ended; whether there may be more. Never all: what
    /// forks and ends all the time must not keep the front's orders waiting.
    fn reap(&mut self) -> io::Result<bool> {
        for _ in 0..sys::process::REAPED_AT_ONCE {
            if self.signals.next()?.is_none() {
                break;
            }
        }
        if let State::Running(pid) = self.state
            && self.is_driven
            && sys::process::was_stopped(pid)?
        {
            self.tell(&Report::Stopped)?;
        }
        for _ in 0..sys::process::REAPED_AT_ONCE {
            let Some((pid, status)) = sys::reap()? else { return Ok(false) };
            self.ended(pid, status)?;
        }
        Ok(true)
    }

    /// Hangs up on everything that was started, then kills what stays.
    fn hang_up(&mut self) -> io::Result<()> {
        sys::process::signal_tree(Name::SIGHUP);
        sys::process::signal_tree(Name::SIGCONT);
        for _ in 0..GRACE_MS / 10 {
            sys::poll(&[(self.signals.as_fd(), Wanted::Read)], Some(10))?;
            self.reap()?;
            if sys::children(nix::unistd::getpid().as_raw()).is_empty() {
                return Ok(());
            }
        }
        self.kill()
    }

    fn kill(&mut self) -> io::Result<()> {
        self.end_all().into_iter().try_for_each(|(pid, status)| self.ended(pid, status))
    }

    /// Kills everything that was started; what ended. Where that forks faster
    /// than it is found, everything that runs as the agent goes with it: the
    /// agent's other logins too, but nothing outlives this one.
    fn end_all(&self) -> Vec<(i32, ExitStatus)> {
        let mut seen = Vec::new();
        let mut over = sys::end_tree(|pid, status| seen.push((pid, status)));
        for _ in 0..END_USER_TRIES {
            // In a trial that user is the person who tries it.
            if over || sys::uids().is_ok_and(|own| own.real == self.agent) {
                break;
            }
            let (Ok(()) | Err(_)) = sys::process::end_user(self.agent, |pid, status| seen.push((pid, status)));
            over = sys::end_tree(|pid, status| seen.push((pid, status)));
        }
        seen
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

/// Where a process is, base64url; empty where that is not known. The kernel
/// knows; the shell's own PWD may lie.
fn here(pid: i32) -> String {
    let path = sys::working_directory(pid).unwrap_or_default();
    b64_encode(path.as_os_str().as_bytes())
}

/// Whether a process is the interactive shell as we started it.
fn is_driven(pid: i32) -> bool {
    let ours: Vec<u8> = driver::arguments().iter().flat_map(|word| word.to_bytes_with_nul().to_vec()).collect();
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|found| found == ours)
}

/// Reads or replaces the history file with the agent's rights: a regular file
/// of the agent's own, never through a link. One that has other names too could
/// be a file that something runs or reads its settings from, and lines that were
/// denied would be written there.
fn history(file: &str, text: Option<&str>, agent: u32) -> io::Result<String> {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let mut options = std::fs::OpenOptions::new();
    options.custom_flags(flags).mode(0o600);
    match text {
        Some(text) => {
            let mut open = options.write(true).create(true).open(file)?;
            if is_own_file(&open, agent)? {
                open.set_len(0)?;
                open.write_all(text.as_bytes())?;
            }
            Ok(String::new())
        }
        None => {
            let open = options.read(true).open(file)?;
            let mut text = String::new();
            if is_own_file(&open, agent)? {
                open.take(MAX_HISTORY as u64).read_to_string(&mut text)?;
            }
            Ok(text)
        }
    }
}

fn is_own_file(open: &std::fs::File, agent: u32) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let found = open.metadata()?;
    Ok(found.is_file() && found.uid() == agent && found.nlink() == 1)
}

/// Names below a directory, read with the agent's rights.
fn names(pid: i32, directory: &str, prefix: &str) -> Names {
    let here = format!("/proc/{pid}/cwd");
    let Ok(entries) = std::fs::read_dir(std::path::Path::new(&here).join(directory)) else { return Vec::new() };
    let mut bytes = 0;
    let wanted = entries.take(MAX_LOOKED_AT).flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let hidden = name.starts_with('.') && !prefix.starts_with('.');
        let directory = || std::fs::metadata(entry.path()).is_ok_and(|found| found.is_dir());
        (name.starts_with(prefix) && !hidden).then(|| (name, directory()))
    });
    wanted
        .take_while(|(name, _)| {
            bytes += name.len() + 16;
            bytes <= MAX_NAMES_BYTES
        })
        .collect()
}

fn not_allowed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an order that is not allowed now")
}

fn file_of(shell: InnerShell) -> io::Result<CString> {
    let file = shell.file().ok_or_else(|| io::Error::from_raw_os_error(nix::libc::ENOENT))?;
    Ok(CString::new(file.as_os_str().as_bytes())?)
}

fn variables(environment: &[(String, String)]) -> io::Result<Vec<CString>> {
    environment.iter().map(|(name, value)| Ok(CString::new(format!("{name}={value}"))?)).collect()
}
