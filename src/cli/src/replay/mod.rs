//! `countersign replay`: a recording from a file, a trial's directory or the service.

mod player;
mod sanitiser;

use crate::args::{RawStream, Replay};
use crate::choose::choose;
use crate::failure::Failure;
use crate::link::Link;
use crate::look::may_be_id;
use crate::screen::{note, show_json};
use crate::trial::StateDir;
use countersign_api::recording::{Recording, What};
use countersign_core::LoginId;
use player::{Pace, play};
use serde::Serialize;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

pub use sanitiser::Sanitiser;

/// Longest recording that is read from a file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// How many sessions are looked through for a login.
const SESSIONS: u32 = 1000;

/// What `--json` tells of a recording.
#[derive(Serialize)]
struct Summary {
    login: LoginId,
    agent: String,
    started_s: Option<i64>,
    duration_us: u64,
    columns: u32,
    rows: u32,
    tty: bool,
    stdout_bytes: usize,
    stderr_bytes: usize,
    torn: bool,
    markers: Vec<Marker>,
}

#[derive(Serialize)]
struct Marker {
    at_us: u64,
    label: String,
}

/// Plays, unless the exact bytes or a summary were asked for.
pub async fn run(args: &Replay, json: bool) -> Result<(), Failure> {
    let Found { bytes, before } = find(args).await?;
    let tape = Recording::parse(&bytes)
        .map_err(|e| Failure::BadFile(format!("{} is not a recording of countersign: {e}", args.what)))?;
    if tape.torn {
        note("countersign: the recording ends within a line; what is left of it is not shown");
    }
    if let Some(stream) = args.raw {
        return raw(&tape, stream);
    }
    if json {
        return show_json(&summary(&tape));
    }
    let begun = before.and_then(|before| last_us(bytes.get(..before)?));
    let asked = args.from.map(|from| Duration::try_from_secs_f64(from).unwrap_or(Duration::MAX));
    let from = asked.or(begun.map(Duration::from_micros)).unwrap_or_default();
    play(&tape, Pace { speed: args.speed, idle: args.idle, markers: args.markers, from }).await
}

/// When the last of what stands in the beginning of a recording was.
fn last_us(beginning: &[u8]) -> Option<u64> {
    Some(Recording::parse(beginning).ok()?.events.last()?.at_us)
}

fn summary(tape: &Recording) -> Summary {
    let bytes = tape.rebuild();
    let marker = |at_us: u64, what: &What| match what {
        What::Marker(label) => Some(Marker { at_us, label: label.clone() }),
        What::Output(_) | What::Raw(_) | What::Stream(_) | What::Resize(..) | What::Other(..) => None,
    };
    let (columns, rows) = tape.header.size();
    Summary {
        login: tape.header.countersign.login,
        agent: tape.header.countersign.agent.clone(),
        started_s: tape.header.started_s(),
        duration_us: tape.events.last().map_or(0, |event| event.at_us),
        columns,
        rows,
        tty: tape.header.countersign.tty,
        stdout_bytes: bytes.stdout.len(),
        stderr_bytes: bytes.stderr.len(),
        torn: tape.torn,
        markers: tape.events.iter().filter_map(|event| marker(event.at_us, &event.what)).collect(),
    }
}

fn raw(tape: &Recording, stream: RawStream) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "recorded bytes can do anything to a terminal; send them elsewhere: countersign replay --raw … > FILE"
                .into(),
        ));
    }
    let bytes = tape.rebuild();
    let (wanted, other, name) = match stream {
        RawStream::Stdout => (bytes.stdout, bytes.stderr, "stderr"),
        RawStream::Stderr => (bytes.stderr, bytes.stdout, "stdout"),
    };
    if !other.is_empty() {
        note(&format!("countersign: {} bytes of {name} are apart: --raw={name}", other.len()));
    }
    let mut out = io::stdout().lock();
    out.write_all(&wanted).and_then(|()| out.flush()).map_err(|e| {
        if e.kind() == io::ErrorKind::BrokenPipe { Failure::Unread } else { Failure::io("write to", "stdout", &e) }
    })
}

/// A recording, and how many bytes of it stand before the command that was named.
struct Found {
    bytes: Vec<u8>,
    before: Option<usize>,
}

impl From<Vec<u8>> for Found {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, before: None }
    }
}

async fn find(args: &Replay) -> Result<Found, Failure> {
    let path = Path::new(&args.what);
    if args.what.contains('/') || path.is_file() {
        return read(path).map(Found::from);
    }
    let login = args.what.parse::<LoginId>().ok();
    if let (Some(login), Some(state)) = (login, &args.at.state) {
        let kept = StateDir::open(state)?.host().join("recordings").join(format!("{login}.cast"));
        if kept.is_file() {
            return read(&kept).map(Found::from);
        }
    }
    let link = Link::open(&args.at).await?;
    let fetched = match fetch(&link, &args.what, login).await {
        Err(Failure::NotFound(none)) => of_command(&link, &args.what).await.unwrap_or(Err(Failure::NotFound(none))),
        fetched => fetched.map(Found::from),
    };
    link.close().await;
    fetched
}

/// The login of a command; `None` where there is no such command.
async fn of_command(link: &Link, what: &str) -> Option<Result<Found, Failure>> {
    may_be_id(what).ok()?;
    let record = link.client().record(what).await.ok()?;
    let before = record.recording.and_then(|place| usize::try_from(place.offset?).ok());
    Some(link.client().recording(record.row.login).await.map(|bytes| Found { bytes, before }))
}

async fn fetch(link: &Link, what: &str, login: Option<LoginId>) -> Result<Vec<u8>, Failure> {
    let login = match login {
        Some(login) => login,
        None => {
            let sessions = link.client().sessions(SESSIONS).await?;
            let logins: Vec<LoginId> = sessions.into_iter().flat_map(|session| session.logins).collect();
            *choose(&logins, LoginId::to_string, what, "login")?
        }
    };
    link.client().recording(login).await
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let file = File::open(path).map_err(|e| {
        let gone = e.kind() == io::ErrorKind::NotFound;
        if gone { Failure::NotFound(format!("there is no file {shown}")) } else { Failure::io("read", &shown, &e) }
    })?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Failure::io("read", &shown, &e))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(Failure::BadFile(format!("{shown} is longer than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}
