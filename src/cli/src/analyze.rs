//! `countersign analyze`: what is known about command lines, offline. One JSON
//! object for each line, in order; nothing is run, asked or stored.
//!
//! Offsets in the output count characters (Unicode scalar values), so that
//! they index strings in most languages; the library counts bytes.

mod output;

use crate::args::{Analyze, InnerShell};
use crate::failure::Failure;
use crate::screen::json;
use countersign_analysis::analyze;
use countersign_analysis::facts::{Place, Shell};
use serde::Deserialize;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _, Write};
use std::num::NonZero;
use std::thread;

/// Longest line of input that is read whole.
const MAX_LINE: usize = 1024 * 1024;
/// Lines that are read before they are answered, where they are at hand.
const BATCH: usize = 1024;
/// Fewer lines than these are not worth a thread.
const FEW: usize = 16;
/// Exit code where a line could not be read (EX_DATAERR).
const BAD_LINES: u8 = 65;

/// One line of input.
#[derive(Debug, Deserialize)]
struct Asked {
    command: String,
}

/// Analyses the arguments, or what stdin holds. The exit code says whether every line could be read.
pub fn run(args: &Analyze) -> Result<u8, Failure> {
    let place = Place { cwd: args.cwd.as_deref(), home: args.home.as_deref(), shell: shell(args.shell) };
    let answer = |line: &str| json(&output::Answer::of(line, &analyze(line, &place, &args.known)));
    if !args.lines.is_empty() {
        let answers = answered(&args.lines, &|line: &String| answer(line).map(|text| (text, true)))?;
        return answers.iter().try_for_each(|part| print(&part.text)).map(|()| 0);
    }
    let from_json = |line: &Line| {
        let read = line.as_ref().map_err(Clone::clone).and_then(|bytes| read(bytes));
        match read {
            Ok(line) => answer(&line).map(|text| (text, true)),
            Err(error) => json(&output::Unread { error: &error }).map(|text| (text, false)),
        }
    };
    let mut input = BufReader::with_capacity(MAX_LINE, io::stdin());
    let mut code = 0;
    loop {
        let batch = batch(&mut input)?;
        if batch.is_empty() {
            return Ok(code);
        }
        for part in answered(&batch, &from_json)? {
            print(&part.text)?;
            if !part.all_read {
                code = BAD_LINES;
            }
        }
    }
}

/// A line of input, or why it is none.
type Line = Result<Vec<u8>, String>;

/// The answers to neighbouring lines.
#[derive(Debug, Default)]
struct Part {
    /// A line of JSON each.
    text: String,
    /// Whether all of the lines could be read.
    all_read: bool,
}

fn shell(named: InnerShell) -> Shell {
    match named {
        InnerShell::Bash => Shell::Bash,
        InnerShell::Sh => Shell::Posix,
        InnerShell::Other => Shell::Other,
    }
}

/// The next lines: one, waited for, and those that have come with it.
fn batch(input: &mut BufReader<io::Stdin>) -> Result<Vec<Line>, Failure> {
    let mut batch = Vec::new();
    while batch.len() < BATCH && (batch.is_empty() || input.buffer().contains(&b'\n')) {
        match next_line(input).map_err(|e| Failure::io("read from", "stdin", &e))? {
            Some(line) => batch.push(line),
            None => break,
        }
    }
    Ok(batch)
}

/// A line without its end; `None` at the end of the input. One that is too long is read and thrown away.
fn next_line(input: &mut BufReader<io::Stdin>) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() == MAX_LINE {
        let mut rest = Vec::new();
        while rest.last() != Some(&b'\n') {
            rest.clear();
            if input.by_ref().take(limit).read_until(b'\n', &mut rest)? == 0 {
                break;
            }
        }
        return Ok(Some(Err(format!("the line is longer than {MAX_LINE} bytes; send shorter ones"))));
    }
    Ok(Some(Ok(line)))
}

fn read(line: &[u8]) -> Result<String, String> {
    let asked: Result<Asked, _> = serde_json::from_slice(line);
    asked.map(|asked| asked.command).map_err(|e| format!("not an object like {{\"command\": \"ls\"}}: {e}"))
}

/// The answers to all of them, in order, by as many threads as there are processors.
fn answered<T, F>(asked: &[T], answer: &F) -> Result<Vec<Part>, Failure>
where
    T: Sync,
    F: Fn(&T) -> Result<(String, bool), Failure> + Sync,
{
    let part = |asked: &[T]| {
        let mut part = Part { text: String::new(), all_read: true };
        for (text, read) in asked.iter().map(answer).collect::<Result<Vec<_>, _>>()? {
            part.text.push_str(&text);
            part.text.push('\n');
            part.all_read &= read;
        }
        Ok(part)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    if asked.len() < FEW || threads == 1 {
        return Ok(vec![part(asked)?]);
    }
    thread::scope(|scope| {
        let parts = asked.chunks(asked.len().div_ceil(threads));
        let work: Vec<_> = parts.map(|asked| scope.spawn(move || part(asked))).collect();
        let joined = work.into_iter().map(|thread| thread.join());
        let parts: Result<Vec<_>, _> = joined.collect();
        parts.map_err(|_| Failure::Internal("an analysis ended unexpectedly".to_owned()))?.into_iter().collect()
    })
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| {
        if e.kind() == ErrorKind::BrokenPipe { Failure::Unread } else { Failure::io("write to", "stdout", &e) }
    })
}
