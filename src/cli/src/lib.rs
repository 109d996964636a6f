//! `countersign`: the command people type. Reads, asks the service, and shows
//! what it says, made visible; decides nothing by itself and holds no key.
//!
//! [`run`] is the program. The rest is open to this crate's own tests.
#![forbid(unsafe_code)]

mod about;
mod analyze;
pub mod args;
mod bundle;
mod choose;
mod client;
mod decide;
mod doctor;
mod enrol;
mod evaluate;
pub mod export;
pub mod failure;
mod fetch;
mod link;
mod look;
mod proof;
pub mod replay;
pub mod reviewer;
pub mod rows;
mod rules;
pub mod screen;
mod signals;
pub mod signing;
mod style;
mod triage;
mod trial;
pub mod words;
mod wrap;

use args::{Command, CommandLine};
use clap::{CommandFactory, Parser};
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line `arguments`, the program's name first.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    let name = arguments.next().unwrap_or_default();
    if arguments.next_if(|word| word == trial::attend::WORD).is_some() {
        return ended(Err(trial::attend::become_program(arguments)));
    }
    match CommandLine::try_parse_from(std::iter::once(name).chain(arguments)) {
        Ok(line) => ended(dispatch(&line)),
        Err(error) => {
            // Help goes to stdout; where even that is closed, nobody is left to tell.
            error.print().unwrap_or_default();
            ExitCode::from(if error.use_stderr() { 64 } else { 0 })
        }
    }
}

fn ended(result: Result<u8, Failure>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            screen::complain(&failure);
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(line: &CommandLine) -> Result<u8, Failure> {
    let json = line.json;
    let done = |result: Result<(), Failure>| result.map(|()| 0);
    match &line.command {
        Command::Verify(args) => proof::verify(args, json),
        Command::Bundle(args) => done(on_runtime(bundle::run(args, json))),
        Command::Enroll(args) => done(enrol::run(args, json)),
        Command::Doctor(args) => on_runtime(doctor::run(args, json)),
        Command::Analyze(args) => analyze::run(args),
        Command::Completions { shell } => done(completions(*shell)),
        Command::Try(args) => on_runtime(trial::run(args, json)),
        Command::Pending(at) => done(on_runtime(look::pending(at, json))),
        Command::Approve(args) => done(on_runtime(decide::approve(args, json))),
        Command::Deny(args) => done(on_runtime(decide::deny(args, json))),
        Command::Audit(args) => done(on_runtime(look::audit(args, json))),
        Command::Sessions(args) => done(on_runtime(look::sessions(args, json))),
        Command::Show(args) => done(on_runtime(look::one(args, json))),
        Command::Rules(args) => done(on_runtime(rules::run(args, json))),
        Command::Replay(args) => done(on_runtime(replay::run(args, json))),
    }
}

/// One thread: children that are to end with us are tied to the thread that started them.
fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Failure::Internal(format!("cannot start: {e}")))?.block_on(work)
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "countersign", &mut script);
    screen::show(&String::from_utf8_lossy(&script))
}
