//! Lines that belong together: a private key, or a token that a terminal has
//! broken into rows. Which lines do follows from their bytes alone.

use super::clean::{is_plain, strip};
use std::borrow::Cow;

/// Lines of a key at most.
const KEY_LINES: usize = 300;
/// Rows of a wrapped token at most.
const ROWS: usize = 16;
/// Shortest row in the middle of a token.
const ROW: usize = 40;

/// What the next line may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Apart,
    Key(usize),
    Token(usize),
}

/// The state after a line, and whether that line belonged to the one before.
fn step(state: State, line: &[u8]) -> (State, bool) {
    let line = plain(line);
    match state {
        State::Key(_) if contains(&line, b"-----END ") => (State::Apart, true),
        State::Key(count) if count < KEY_LINES && is_key_line(&line) => (State::Key(count + 1), true),
        State::Token(count) if count < ROWS && line.len() >= ROW && line.iter().all(|b| is_token(*b)) => {
            (State::Token(count + 1), true)
        }
        State::Token(_) => (fresh(&line), true),
        State::Key(_) | State::Apart => (fresh(&line), false),
    }
}

fn fresh(line: &[u8]) -> State {
    if line.len() >= 11 && contains(line, b"-----BEGIN ") && !contains(line, b"-----END ") {
        return State::Key(0);
    }
    let run = line.iter().rev().take_while(|b| is_token(**b)).count();
    let tail = line.get(line.len() - run..).unwrap_or_default();
    if run >= 3 && super::super::provider::begins_in(tail) { State::Token(0) } else { State::Apart }
}

/// Where the group begins that the lines end in the middle of, or their end.
/// `lines` ends with a newline.
pub(super) fn open_from(lines: &[u8]) -> usize {
    // Mostly no group is open, and the last lines show it.
    let from = settled(lines);
    if from > 0 && begun(lines.get(from..).unwrap_or_default()).is_none() {
        return lines.len();
    }
    begun(lines).unwrap_or(lines.len())
}

/// Where the last line begins whose state is the same whatever was before it: it goes on with neither a key nor a
/// token, and ends no key.
fn settled(lines: &[u8]) -> usize {
    let mut end = lines.len();
    while end > 0 {
        let whole = lines.get(..end - 1).unwrap_or_default();
        let start = memchr::memrchr(b'\n', whole).map_or(0, |n| n + 1);
        let line = plain(whole.get(start..).unwrap_or_default());
        if !line.iter().all(|b| is_token(*b)) && !is_key_line(&line) && !contains(&line, b"-----END ") {
            return start;
        }
        end = start;
    }
    0
}

/// Where the group begins that lines end in the middle of, as far as they tell.
pub(super) fn begun(lines: &[u8]) -> Option<usize> {
    let mut state = State::Apart;
    let mut start = 0;
    let mut at = 0;
    for line in lines.split_inclusive(|b| *b == b'\n') {
        let (next, belongs) = step(state, line.strip_suffix(b"\n").unwrap_or(line));
        if !belongs {
            start = at;
        }
        state = next;
        at += line.len();
    }
    if state == State::Apart { None } else { Some(start) }
}

/// The end of the group that begins with the line at `start`.
pub(super) fn end_from(bytes: &[u8], start: usize) -> usize {
    let mut state = State::Apart;
    let mut at = start;
    for line in bytes.get(start..).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
        let (next, belongs) = step(state, line.strip_suffix(b"\n").unwrap_or(line));
        if !belongs && at > start {
            return at;
        }
        at += line.len();
        state = next;
        if state == State::Apart {
            return at;
        }
    }
    at
}

/// Rows of tokens: start and end in the text.
pub(super) fn wraps(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut state = State::Apart;
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let (next, belongs) = step(state, line.strip_suffix('\n').unwrap_or(line).as_bytes());
        let was_token = matches!(state, State::Token(_));
        at += line.len();
        if was_token && belongs {
            found.retain(|(from, _)| *from != start);
            found.push((start, at));
        }
        if !was_token || !matches!(next, State::Token(n) if n > 0) {
            start = at - line.len();
        }
        state = next;
    }
    found
}

/// Keys of which the end was not printed: from their first line to their last.
pub(super) fn keys(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(begin) = text.get(from..).and_then(|rest| rest.find("-----BEGIN ")).map(|n| from + n) {
        let rest = text.get(begin..).unwrap_or_default();
        let first = rest.split('\n').next().unwrap_or_default();
        from = begin + first.len().max(1);
        if !first.contains("PRIVATE KEY-----") {
            continue;
        }
        let mut end = begin + first.len();
        let mut lines = 0;
        for line in rest.split('\n').skip(1).take(KEY_LINES) {
            if !is_key_line(line.as_bytes()) {
                break;
            }
            end += 1 + line.len();
            lines += usize::from(line.len() >= ROW);
        }
        if lines > 0 {
            found.push((begin, end));
        }
    }
    found
}

fn is_key_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let header = line.starts_with(b"Proc-Type: ") || line.starts_with(b"DEK-Info: ");
    header || line.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b))
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_-.+/=~".contains(&b)
}

fn contains(line: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(line, wanted).is_some()
}

/// A line without escapes and without what ends it.
fn plain(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if is_plain(line) {
        return Cow::Borrowed(line);
    }
    let mut text = Vec::with_capacity(line.len());
    strip(line, &mut text);
    Cow::Owned(text)
}
