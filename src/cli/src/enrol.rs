//! `countersign enroll`: makes this host known, by the daemon that will hold its key.

use crate::args::Enroll;
use crate::failure::Failure;
use crate::reviewer::service_url;
use crate::screen::{show, show_json};
use crate::trial::host_program;
use countersign_core::legible;
use nix::unistd::{User, geteuid};
use serde::Serialize;
use std::fs::DirBuilder;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The account the daemon runs under.
const ACCOUNT: &str = "countersign-hostd";

#[derive(Serialize)]
struct Enrolled<'a> {
    name: &'a str,
    service: &'a str,
    state: String,
}

/// Runs `countersign-hostd enroll`, as its own account where we are root.
pub fn run(args: &Enroll, json: bool) -> Result<(), Failure> {
    service_url(&args.service).map_err(Failure::Usage)?;
    let program = host_program()?;
    let mut command = Command::new(&program);
    // The token goes by a pipe: every account can read the arguments of a process.
    command.args(["enroll", "--service", &args.service, "--token-file", "-", "--name", args.name.as_str()]);
    command.arg("--state").arg(&args.state).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(former) = &args.former {
        command.arg("--former").arg(former);
    }
    let token = token(args)?;
    if geteuid().is_root() {
        let account = account()?;
        make_state(&args.state, &account)?;
        as_daemon(&mut command, &account);
    }
    let failed = |e: std::io::Error| Failure::io("run", program.display(), &e);
    let mut running = command.spawn().map_err(failed)?;
    if let Some(mut input) = running.stdin.take() {
        // Where it is gone already, what it said tells why.
        input.write_all(token.as_bytes()).unwrap_or_default();
    }
    let ran = running.wait_with_output().map_err(failed)?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    if !ran.status.success() {
        let text = format!("this host was not enrolled; {ACCOUNT} said:\n{}", said.trim_end());
        return Err(match ran.status.code() {
            Some(64) => Failure::Usage(text),
            Some(78) => Failure::Config(text),
            Some(_) | None => Failure::Unavailable(text),
        });
    }
    let state = args.state.to_string_lossy().into_owned();
    if json {
        return show_json(&Enrolled { name: args.name.as_str(), service: &args.service, state });
    }
    show(&format!("enrolled {} with {}; its identity is in {}\n", args.name, legible(&args.service), legible(&state)))
}

fn token(args: &Enroll) -> Result<String, Failure> {
    let Some(path) = &args.token_file else { return Ok(args.token.clone().unwrap_or_default()) };
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_TOKEN).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
    };
    read.map_err(|e| Failure::io("read the token from", path.display(), &e))?;
    Ok(text)
}

/// Longest token file that is read, in bytes.
const MAX_TOKEN: u64 = 1024;

fn account() -> Result<User, Failure> {
    let account = User::from_name(ACCOUNT).map_err(|e| Failure::Config(format!("cannot look up {ACCOUNT}: {e}")))?;
    account.ok_or_else(|| {
        Failure::Config(format!(
            "there is no account {ACCOUNT}; install the package, or run systemd-sysusers, then try again"
        ))
    })
}

/// Makes the daemon's directory, which it cannot make itself: what is above belongs to root. One that is there stays as
/// it is, for the daemon to judge.
fn make_state(state: &Path, account: &User) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::io("make", state.display(), &e);
    if let Some(above) = state.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(above).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(state) {
        Ok(()) => lchown(state, Some(account.uid.as_raw()), Some(account.gid.as_raw())).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn as_daemon(command: &mut Command, account: &User) {
    // With both ids set, the standard library drops root's other groups as well.
    command.uid(account.uid.as_raw()).gid(account.gid.as_raw()).current_dir("/");
}
