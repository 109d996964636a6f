//! Writing to the terminal or into a pipe. Everything that was recorded goes
//! through [`countersign_core::legible`] before it comes here; styles are cut
//! where the output is no terminal.

use crate::failure::Failure;
use crate::wrap::folded;
use countersign_core::legible;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use std::io::{self, ErrorKind, IsTerminal as _, Write};

/// Writes text to stdout; a line that is longer than the terminal is wide is broken here.
pub fn show(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let text = folded(text, columns());
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| written(&e))
}

/// Writes text for programs to stdout, as it is: whoever made it has taken care of what was recorded.
pub fn show_raw(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| written(&e))
}

/// Columns of the terminal that stdout is; `None` where it is none.
pub fn columns() -> Option<usize> {
    io::stdout().is_terminal().then(width)
}

fn width() -> usize {
    let asked = crossterm::terminal::size().map_or(0, |(columns, _)| usize::from(columns));
    if asked == 0 { 80 } else { asked }
}

/// Writes one line to stderr, broken as on stdout. A closed stderr is nobody's loss.
pub fn note(text: &str) {
    let columns = io::stderr().is_terminal().then(width);
    let mut err = anstream::stderr().lock();
    writeln!(err, "{}", folded(text, columns)).unwrap_or_default();
}

/// Writes one line to stderr that is there to be copied, and so is not broken. Nothing that an agent wrote may
/// stand in it.
pub fn note_to_copy(text: &str) {
    writeln!(anstream::stderr().lock(), "{text}").unwrap_or_default();
}

/// Writes a value as one line of JSON to stdout.
pub fn show_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let mut text = json(value)?;
    text.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| written(&e))
}

/// Prints a failure, each of its lines made visible.
pub fn complain(failure: &Failure) {
    if matches!(failure, Failure::Unread | Failure::Signal(_)) {
        return;
    }
    let text = failure.to_string();
    let lines: Vec<String> = text.lines().map(legible).collect();
    note(&format!("countersign: {}", lines.join("\n  ")));
}

/// A value as JSON of ASCII characters only: whatever a recorded text holds,
/// bidirectional marks included, stands there as `\uXXXX`.
pub fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, Ascii(CompactFormatter));
    value.serialize(&mut writer).map_err(|e| Failure::Internal(format!("cannot write JSON: {e}")))?;
    String::from_utf8(bytes).map_err(|e| Failure::Internal(format!("cannot write JSON: {e}")))
}

fn written(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe { Failure::Unread } else { Failure::io("write to", "stdout", error) }
}

struct Ascii(CompactFormatter);

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        // Runs of what stays as it is, and between them one character that does not.
        loop {
            let run = rest.bytes().position(|byte| !(b' '..=b'~').contains(&byte)).unwrap_or(rest.len());
            writer.write_all(rest.get(..run).unwrap_or_default().as_bytes())?;
            let after = rest.get(run..).unwrap_or_default();
            let Some(c) = after.chars().next() else { return Ok(()) };
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(c.len_utf8()..).unwrap_or_default();
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_only_ascii() {
        let text = json(&["a\u{202e}b\u{1f600}\u{7f}\x1b\"é"]).unwrap();
        assert_eq!(text, r#"["a\u202eb\ud83d\ude00\u007f\u001b\"\u00e9"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), ["a\u{202e}b\u{1f600}\u{7f}\x1b\"é"]);
    }
}
