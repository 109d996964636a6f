//! The front: takes stock, forks the spawner, gives the agent's rights up for
//! good and holds the command. After that it can neither start nor signal a
//! program of the agent.

use crate::end::{Ending, Failure};
use crate::inner::InnerShell;
use crate::login::Login;
use crate::outer::Outer;
use crate::pty::Pty;
use crate::request::Request;
use crate::settings::{Settings, Sftp};
use crate::start::{self, Start};
use crate::{environment, interactive, script, spawner, unserved};
use countersign_api::front::{Hello, LoginKind, PROTOCOL, RefusedLogin, Terminal};
use countersign_core::{Exit, SFTP_SERVERS, Transfer, sftp_line};
use countersign_ledger::ResumeChain;
use countersign_sys::terminal::{self, Exclusive, Raw};
use countersign_sys::{self as sys, Account, Uids};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

/// The whole program.
pub fn run() -> ExitCode {
    // Before anything that takes time: until then the agent's programs can open the terminal.
    let exclusive = Exclusive::take();
    let ending = begin().unwrap_or_else(Ending::from);
    drop(exclusive);
    ending.finish()
}

fn begin() -> Result<Ending, Failure> {
    let start = Start::take()?;
    let account = account(&start)?;
    let mut settings = Settings::find(&start, &account.name)?;
    if !settings.trial {
        start::must_be_login_shell(&account)?;
    }
    let spawner = spawner::start(start.uids, &start.inherited)?;

    let mut outer = Outer::take().map_err(|e| Failure::system("cannot take over the terminal", &e))?;
    let request = request(&start, &settings, &account, outer.tty);
    let sftp = match request {
        Request::Sftp { read_only } => sftp(&start, &settings, read_only)?,
        Request::Run(..) | Request::Shell | Request::Script => Err(RefusedLogin::SftpRefused),
    };
    let kind = request.kind();
    if matches!(kind, LoginKind::Exec | LoginKind::Transfer) {
        // What is around its only line, while it is let in.
        spawner.begin_branch().map_err(|e| Failure::system("cannot look around", &e))?;
    }
    // A transfer has its descriptors to itself, whatever they are.
    outer.tty &= kind != LoginKind::Transfer;
    // Only a shell at a prompt outlives a restart of the host.
    let chain = if kind == LoginKind::Interactive { Some(ResumeChain::random()) } else { None };
    let chain = chain.transpose().map_err(|_| Failure::new(Exit::Internal, "no randomness; nothing ran"))?;
    let hello = Hello { resume: chain.as_ref().map(ResumeChain::anchor), ..hello(&start, &account, kind, &outer) };
    let relayed = outer.tty && matches!(kind, LoginKind::Exec | LoginKind::Interactive);
    let pty = if relayed { Some(open_pty(&outer, start.uids)) } else { None };
    let pty = pty.transpose().map_err(|e| Failure::system("cannot open a terminal for the command", &e))?;
    if relayed {
        outer.screen = as_agent(start.uids, || Ok(terminal::open_again(outer.output.as_fd()).ok()))
            .map_err(|e| Failure::system("cannot change user", &e))?;
    }
    if matches!(kind, LoginKind::Exec | LoginKind::Stdin) && !relayed {
        let failed = |e| Failure::system("cannot make pipes for the command", &e);
        outer.pipes = Some(as_agent(start.uids, || Ok([sys::pipe()?, sys::pipe()?])).map_err(failed)?);
        outer.feed = Some(as_agent(start.uids, sys::pipe_read_twice).map_err(failed)?);
    }
    give_up_agent(start.uids).map_err(|e| Failure::system("cannot change user", &e))?;
    let raw = if relayed { Some(sys::duplicate(0).and_then(Raw::enter)) } else { None };
    let raw = raw.transpose().map_err(|e| Failure::system("cannot take over the terminal", &e))?;

    let transfer = request.transfer();
    if transfer.is_some_and(Transfer::is_rsync) {
        // It is not told of the home (`environment`), and `~` means something without to bash only.
        settings.inner = InnerShell::Bash;
    }
    let inner = pty.as_ref().map(|p| p.name.as_path());
    let environment = environment::build(&start, &settings, &account, inner, transfer);
    let login = Login::open(&settings, environment, hello, spawner, outer, pty, chain);
    let asks_sftp = matches!(request, Request::Sftp { .. });
    let ending = match (login, request) {
        (Ok(login), Request::Run(kind, command)) => login.submit(kind, command),
        (Ok(login), Request::Shell) => interactive::run(login),
        (Ok(login), Request::Sftp { .. }) => match sftp {
            Ok(line) => login.submit(LoginKind::Transfer, line.into_bytes()),
            Err(refused) => login.refuse(refused),
        },
        (Ok(login), Request::Script) => script::run(login),
        (Err(failure), Request::Run(..) | Request::Sftp { .. } | Request::Shell | Request::Script) => Err(failure),
    };
    let ending = ending.unwrap_or_else(Ending::from);
    drop(raw);
    if let Some(line) = ending.unstarted().filter(|_| asks_sftp) {
        unserved::tell(line);
    }
    Ok(ending)
}

fn account(start: &Start) -> Result<Account, Failure> {
    if start.secure && (start.uids.real == 0 || start.uids.effective == 0) {
        return Err(Failure::new(
            Exit::Config,
            "root is never gated: this program must be setuid countersign, not root",
        ));
    }
    let uid = start.uids.real;
    let found = sys::account_by_uid(uid).map_err(|e| Failure::system("cannot read the password database", &e))?;
    found.ok_or_else(|| Failure::new(Exit::Config, format!("uid {uid} has no account; create it with useradd")))
}

fn request(start: &Start, settings: &Settings, account: &Account, terminal: bool) -> Request {
    let own: Vec<OsString> = [start::own_path(), Some(account.shell.clone()).filter(|_| !settings.trial)]
        .into_iter()
        .flatten()
        .map(OsString::from)
        .collect();
    let original = start.claims.iter().find(|(name, _)| name == "SSH_ORIGINAL_COMMAND").map(|(_, v)| v.as_os_str());
    Request::read(settings.command.as_deref(), original.filter(|v| *v != OsStr::new("")), &own, terminal)
}

/// The line of an sftp session: a server of the system's, which nobody else
/// can have put there. An agent may ask for less than the host allows.
fn sftp(start: &Start, settings: &Settings, read_only: bool) -> Result<Result<String, RefusedLogin>, Failure> {
    let asked_less = read_only || start.claim("COUNTERSIGN_SFTP") == Some("read-only");
    let read_only = match settings.sftp {
        Sftp::Refuse => return Ok(Err(RefusedLogin::SftpRefused)),
        Sftp::ReadOnly => true,
        Sftp::ReadWrite => asked_less,
    };
    let server = SFTP_SERVERS.into_iter().find(|place| sys::open_trusted(Path::new(place), None).is_ok());
    let missing = || {
        let places = SFTP_SERVERS.join(", ");
        Failure::new(Exit::Config, format!("no sftp-server that belongs to root; looked for {places}"))
    };
    Ok(Ok(sftp_line(server.ok_or_else(missing)?, read_only)))
}

fn hello(start: &Start, account: &Account, kind: LoginKind, outer: &Outer) -> Hello {
    let size = outer.size();
    let term = environment::plain(start.claim("TERM")).unwrap_or("dumb").to_owned();
    Hello {
        protocol: PROTOCOL,
        agent: account.name.clone(),
        uid: account.uid,
        kind,
        terminal: outer.tty.then_some(Terminal { term, columns: size.columns, rows: size.rows }),
        ssh_connection: environment::plain(start.claim("SSH_CONNECTION")).map(str::to_owned),
        claims: environment::claims(start),
        resume: None,
    }
}

/// Opens the inner terminal as the agent, with the modes of the outer one.
fn open_pty(outer: &Outer, uids: Uids) -> io::Result<Pty> {
    let pty = as_agent(uids, || Pty::open(outer.size()))?;
    if let Some(slave) = &pty.slave {
        terminal::copy_modes(outer.input.as_fd(), slave.as_fd())?;
    }
    Ok(pty)
}

/// Makes something that is to belong to the agent.
fn as_agent<T>(uids: Uids, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    sys::set_effective_uid(uids.real)?;
    let made = make();
    sys::set_effective_uid(uids.effective)?;
    made
}

fn give_up_agent(uids: Uids) -> io::Result<()> {
    let own = uids.effective;
    sys::set_uids(Uids { real: own, effective: own, saved: own })?;
    sys::dumpable_off()
}
