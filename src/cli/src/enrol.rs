//! `countersign enroll`: makes this host known, by the daemon that will hold its key.

use crate::args::Enroll;
use crate::failure::Failure;
use crate::reviewer::service_url;
use crate::screen::{show, show_json};
use crate::trial::host_program;
use countersign_core::visible;
use nix::unistd::{User, geteuid};
use serde::Serialize;
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
    command.args(["enroll", "--service", &args.service, "--token", &args.token, "--name", args.name.as_str()]);
    command.arg("--state").arg(&args.state).stdin(Stdio::null());
    if geteuid().is_root() {
        as_daemon(&mut command)?;
    }
    let ran = command.output().map_err(|e| Failure::io("run", program.display(), &e))?;
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
    show(&format!("enrolled {} with {}; its identity is in {}\n", args.name, visible(&args.service), visible(&state)))
}

fn as_daemon(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    let account = User::from_name(ACCOUNT).map_err(|e| Failure::Config(format!("cannot look up {ACCOUNT}: {e}")))?;
    let Some(account) = account else {
        return Err(Failure::Config(format!(
            "there is no account {ACCOUNT}; install the package, or run systemd-sysusers, then try again"
        )));
    };
    // With both ids set, the standard library drops root's other groups as well.
    command.uid(account.uid.as_raw()).gid(account.gid.as_raw()).current_dir("/");
    Ok(())
}
