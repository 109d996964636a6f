//! Flags of `countersign-hostd`.

use crate::authority::Places;
use crate::config::{self, Settings};
use crate::enroll::{Enrolment, Former};
use crate::error::HostError;
use crate::removals::{Before, Declared, Erasure, Retention};
use crate::room::Limits;
use clap::{Args, Parser, Subcommand};
use countersign_core::{HostId, LoginId, Name, SubmissionId};
use countersign_ledger::Kind;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What the process is to do.
pub(crate) enum Task {
    Serve(Settings),
    Enroll(Enrolment),
    /// For the daemon that listens there.
    Register(PathBuf),
    Erase(Settings, Box<Erasure>),
    Prune(Settings, Box<Retention>),
}

#[derive(Parser)]
#[command(
    name = "countersign-hostd",
    version,
    about = "Holds the commands of gated accounts and keeps the host's ledger"
)]
struct CommandLine {
    #[command(subcommand)]
    task: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the logins of this host.
    Serve(Serve),
    /// Make this host's key and have a service know it.
    Enroll(Enroll),
    /// Tell the daemon whom sshd has let in: for a session line of pam_exec.so.
    Register(Register),
    /// Take private values out of the ledger, and say so in it. Stop the daemon first.
    Erase(Erase),
    /// The same, for a secret that was found in them later.
    Redact(Erase),
    /// Drop old entries and their recordings, and say so in the ledger. Stop the daemon first.
    Prune(Prune),
}

#[derive(Args)]
struct Prune {
    #[command(flatten)]
    place: Place,
    /// Entries before this: a seq, a date or a time in UTC, e.g. 2026-01-31 or 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "SEQ|TIME")]
    before: Before,
    #[command(flatten)]
    reason: Reason,
}

/// Whose ledger.
#[derive(Args)]
struct Place {
    /// Configuration file of the daemon.
    #[arg(long, default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// A trial's.
    #[arg(long, requires = "state", conflicts_with = "config")]
    trial: bool,
    /// State directory of a trial.
    #[arg(long, requires = "trial")]
    state: Option<PathBuf>,
}

impl Place {
    fn settings(self) -> Result<Settings, HostError> {
        match self.state {
            Some(state) => Ok(Settings::trial(state, PathBuf::new(), None, None, None, None)),
            None => Settings::load(&self.config),
        }
    }
}

/// Why something is taken out of the ledger, and who says so.
#[derive(Args)]
struct Reason {
    /// Why; stands in the ledger for good, so not what is taken out.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Write what administrators sign to FILE, and change nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "signature")]
    statement: Option<PathBuf>,
    /// Signatures of administrators on that, as `ssh-keygen -Y sign -n removal.v1@countersign` writes them.
    #[arg(long, value_name = "FILE")]
    signature: Vec<PathBuf>,
    /// The administrators' public keys, one a line, where the configuration names none.
    #[arg(long, value_name = "FILE")]
    admins: Option<PathBuf>,
    /// How many of them must sign.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "admins")]
    admins_needed: usize,
}

impl Reason {
    fn declared(self) -> Declared {
        Declared {
            reason: self.reason,
            statement: self.statement,
            signatures: self.signature,
            admins: self.admins.map(|file| (file, self.admins_needed)),
        }
    }
}

#[derive(Args)]
struct Erase {
    #[command(flatten)]
    place: Place,
    /// Private values of an entry: all of them, or those named, e.g. 42:cwd,cmd/1.
    #[arg(long, value_name = "SEQ[:PATH,…]")]
    entry: Vec<String>,
    /// Everything private of a command: its text, surroundings and the reviewer's comment.
    #[arg(long, value_name = "ID")]
    command: Vec<SubmissionId>,
    /// Everything private of a login, and its recording.
    #[arg(long, value_name = "ID")]
    login: Vec<LoginId>,
    /// The recording of a login.
    #[arg(long, value_name = "LOGIN")]
    recording: Vec<LoginId>,
    #[command(flatten)]
    reason: Reason,
}

impl Erase {
    fn task(self, kind: Kind) -> Result<Task, HostError> {
        let (entries, commands, logins, recordings) = (self.entry, self.command, self.login, self.recording);
        let declared = self.reason.declared();
        let settings = self.place.settings()?;
        Ok(Task::Erase(settings, Box::new(Erasure { kind, entries, commands, logins, recordings, declared })))
    }
}

#[derive(Args)]
struct Register {
    /// Configuration file of the daemon.
    #[arg(long, default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

#[derive(Args)]
struct Serve {
    /// Configuration file; root's, and writable by nobody else.
    #[arg(long, default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Everything under one uid, as `countersign try` does. Recorded as such.
    #[arg(long, requires_all = ["state", "socket"], conflicts_with = "config")]
    trial: bool,
    /// State directory of a trial.
    #[arg(long, requires = "trial")]
    state: Option<PathBuf>,
    /// Socket of a trial.
    #[arg(long, requires = "trial")]
    socket: Option<PathBuf>,
    /// Where a trial's service listens now.
    #[arg(long, requires = "trial")]
    service: Option<String>,
    /// How long an answer counts, in ms.
    #[arg(long, requires = "trial", value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    wait_ms: Option<u64>,
    /// Submissions of one agent a minute.
    #[arg(long, requires = "trial", value_parser = clap::value_parser!(u64).range(1..))]
    submissions_per_minute: Option<u64>,
    /// Time between two heartbeats, in ms.
    #[arg(long, requires = "trial", hide = true, value_parser = clap::value_parser!(u64).range(50..=3_600_000))]
    heartbeat_ms: Option<u64>,
    /// How long a front may take to come back after a start, in ms.
    #[arg(long, requires = "trial", hide = true, value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    grace_ms: Option<u64>,
    /// How much may be recorded: the four numbers of `[recording]`, with commas.
    #[arg(long, requires = "trial", hide = true, value_parser = Limits::parse)]
    recording_limits: Option<Limits>,
    /// The administrators' document of a trial, its signatures in FILE.sig.
    #[arg(long, requires_all = ["trial", "admins"], value_name = "FILE")]
    authority: Option<PathBuf>,
    /// The administrators' public keys, one a line.
    #[arg(long, requires = "authority", value_name = "FILE")]
    admins: Option<PathBuf>,
}

#[derive(Args)]
struct Enroll {
    /// State directory; made if missing.
    #[arg(long)]
    state: PathBuf,
    /// The service's address, e.g. https://countersign.example:8443
    #[arg(long)]
    service: String,
    /// The one-time token of `countersign-server enroll-token`. Every account
    /// on this machine can read the arguments of a process: prefer --token-file.
    #[arg(long, required_unless_present = "token_file", conflicts_with = "token_file")]
    token: Option<String>,
    /// A file that holds the token; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What people call this host.
    #[arg(long)]
    name: Name,
    /// Record that signer and agent share one uid.
    #[arg(long)]
    trial: bool,
    /// State directory of the host that has lost its identity key and whose place this one takes.
    #[arg(long, value_name = "DIR", conflicts_with = "former_host")]
    former: Option<PathBuf>,
    /// The id of that host, where nothing else is left of it.
    #[arg(long, value_name = "ID")]
    former_host: Option<HostId>,
}

/// Reads the command line; prints help and usage errors itself (exit 64).
pub(crate) fn parse() -> Result<Task, HostError> {
    let line = CommandLine::try_parse().unwrap_or_else(|error| {
        let usage = error.use_stderr();
        error.print().ok();
        std::process::exit(if usage { i32::from(countersign_core::Exit::Usage.code()) } else { 0 })
    });
    match line.task {
        Command::Erase(erase) => erase.task(Kind::Erasure),
        Command::Redact(erase) => erase.task(Kind::Redaction),
        Command::Prune(Prune { place, before, reason }) => {
            let retention = Retention { before, declared: reason.declared() };
            Ok(Task::Prune(place.settings()?, Box::new(retention)))
        }
        Command::Register(Register { config }) => Settings::load_for(&config, true).map(|s| Task::Register(s.socket)),
        Command::Enroll(e) => Ok(Task::Enroll(Enrolment {
            token: match (e.token, e.token_file) {
                (Some(token), _) => token,
                (None, Some(path)) => read_token(&path)?,
                (None, None) => String::new(),
            },
            state: e.state,
            service: e.service,
            name: e.name,
            trial: e.trial,
            former: e.former.map(Former::State).or(e.former_host.map(Former::Host)),
        })),
        Command::Serve(Serve {
            trial: true,
            state: Some(state),
            socket: Some(socket),
            service,
            wait_ms,
            submissions_per_minute,
            heartbeat_ms,
            grace_ms,
            recording_limits,
            authority,
            admins,
            ..
        }) => {
            let mut settings = Settings::trial(state, socket, service, wait_ms, submissions_per_minute, heartbeat_ms);
            settings.grace_ms = grace_ms.unwrap_or(settings.grace_ms);
            settings.recording = recording_limits.unwrap_or(settings.recording);
            settings.authority = authority.zip(admins).map(|(document, admins)| Places::of_trial(document, admins));
            Ok(Task::Serve(settings))
        }
        Command::Serve(Serve { config, .. }) => Settings::load(&config).map(Task::Serve),
    }
}

fn read_token(path: &Path) -> Result<String, HostError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_TOKEN).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
    };
    read.map_err(|why| HostError::config("read the token from", path, why))?;
    Ok(text.trim().to_owned())
}

/// Longest token file that is read, in bytes.
const MAX_TOKEN: u64 = 1024;
