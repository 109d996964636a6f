//! Generated lines, run by a real bash in a directory of their own: no program
//! runs that the facts do not list, with the words that they say, unless the
//! line is opaque.
//!
//! In the first test nothing exists that could be run: bash hands every
//! command that it does not find to a function that writes down its words. In
//! the second the wrappers are the real ones and the programs are stubs.
//! `COUNTERSIGN_DIFFERENTIAL_LINES` sets how many lines, `…_SEED` which.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why"
)]

mod generator;

use countersign_analysis::facts::{CommandLine, Place};
use countersign_analysis::parse;
use generator::Generator;
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Writes down its words, each ended by US, with RS as the last. A file for each process: bash writes line by line, and others write too.
const RECORD: &str = "() { printf '%s\\037' \"$@\" \"$CS_END\" >> \"$CS_LOG/$BASHPID\"; }";

struct Bench {
    directory: PathBuf,
    lines: Cell<u32>,
    path: PathBuf,
}

impl Bench {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("countersign-bash-{name}-{}", std::process::id()));
        let path = directory.join("programs");
        fs::create_dir_all(directory.join("work")).unwrap();
        fs::create_dir_all(&path).unwrap();
        Self { directory, lines: Cell::new(0), path }
    }

    /// The words of every command that `line` ran; `None`: it did not end in time.
    fn run(&self, line: &str) -> Option<Vec<Vec<String>>> {
        // What a line leaves in the background writes to that line's log, however late.
        self.lines.set(self.lines.get() + 1);
        let log = self.directory.join(format!("log{}", self.lines.get()));
        fs::create_dir(&log).unwrap();
        let mut child = Command::new("/bin/bash")
            .args(["--norc", "--noprofile", "-c", line])
            .env_clear()
            .env("PATH", &self.path)
            .env("CS_LOG", &log)
            .env("CS_END", "\u{1e}")
            .env("FUNCNEST", "8")
            .env("LC_ALL", "C.UTF-8")
            .env("BASH_FUNC_command_not_found_handle%%", RECORD)
            .current_dir(self.directory.join("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(3);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                child.kill().unwrap();
                child.wait().unwrap();
                return None;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        Some(fs::read_dir(&log).unwrap().flat_map(|file| records(&file.unwrap().path())).collect())
    }
}

/// The records of a file that are complete: one may be in the making.
fn records(file: &Path) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    let whole = text.rfind("\u{1e}\u{1f}").map_or("", |end| &text[..end]);
    let records = whole.split("\u{1e}\u{1f}").filter(|record| !record.is_empty());
    records.map(|record| record.split_terminator('\u{1f}').map(str::to_owned).collect()).collect()
}

impl Drop for Bench {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap_or_default();
    }
}

/// Whether `ran` is one of the commands of `facts`, with these words.
fn listed(facts: &CommandLine, ran: &[String]) -> bool {
    facts.commands.iter().any(|command| {
        let same = |(word, value): (&countersign_analysis::facts::Word, &String)| {
            word.exact().is_none_or(|exact| exact == value)
        };
        let name = command.program().and_then(|word| word.exact());
        let all = if command.is_exact() {
            command.words.len() == ran.len() && command.words.iter().zip(ran).all(same)
        } else {
            true
        };
        name == ran.first().map(String::as_str) && all
    })
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn compare(bench: &Bench, lines: impl Iterator<Item = String>) {
    let (mut total, mut opaque, mut ran_some, mut late) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for line in lines {
        total += 1;
        let facts = parse(&line, &Place::default());
        if !facts.opaque.is_empty() {
            opaque += 1;
            if std::env::var_os("COUNTERSIGN_DIFFERENTIAL_OPAQUE").is_some() {
                eprintln!("{} {line:?}", facts.opaque[0].what.code());
            }
            continue;
        }
        let Some(ran) = bench.run(&line) else {
            late += 1;
            continue;
        };
        ran_some += usize::from(!ran.is_empty());
        if let Some(missed) = ran.iter().find(|ran| !listed(&facts, ran)) {
            wrong.push(format!("{line:?}\n  bash ran {missed:?}"));
        }
    }
    eprintln!("{total} lines: {opaque} opaque, {ran_some} of the others ran something, {late} did not end");
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran_some * 4 > total, "too few lines ran anything: the comparison would prove little");
}

#[test]
fn bash_runs_nothing_that_is_not_listed() {
    let bench = Bench::new("grammar");
    let mut generator = Generator::new(number("COUNTERSIGN_DIFFERENTIAL_SEED", 7));
    compare(&bench, (0..number("COUNTERSIGN_DIFFERENTIAL_LINES", 2000)).map(|_| generator.line()));
}

#[test]
fn wrappers_run_nothing_that_is_not_listed() {
    let bench = Bench::new("wrappers");
    for program in ["aa", "bb", "cc", "dd"] {
        stub(&bench.path.join(program));
    }
    for real in [
        "env", "nice", "nohup", "timeout", "setsid", "stdbuf", "xargs", "find", "sh", "bash", "flock", "ionice",
        "chrt", "time",
    ] {
        let at = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(real)).into_iter().find(|path| path.exists());
        if let Some(at) = at {
            std::os::unix::fs::symlink(at, bench.path.join(real)).unwrap();
        }
    }
    let mut generator = Generator::new(number("COUNTERSIGN_DIFFERENTIAL_SEED", 7) + 1);
    compare(&bench, (0..number("COUNTERSIGN_DIFFERENTIAL_LINES", 2000) / 6).map(|_| generator.wrapped()));
}

fn stub(path: &Path) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let script = format!("#!/bin/sh\nprintf '%s\\037' '{name}' \"$@\" \"$CS_END\" >> \"$CS_LOG/$$\"\n");
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
