//! The secrets of lines, which the output of a login may repeat.

use crate::cut::dialect;
use countersign_analysis::redact::{Dialect, Known};
use countersign_analysis::{Nested, Place as Input, hold};
use countersign_api::front::Submit;
use countersign_core::b64_decode;

/// The secrets of a line.
pub(crate) fn of(submit: &Submit) -> Known {
    let mut known = Known::default();
    learn(&mut known, &submit.command, submit.total_bytes, dialect(&submit.inner_shell));
    known
}

/// The secrets of earlier lines of a bash, as its front tells them again.
pub(crate) fn of_earlier(lines: &[String]) -> Known {
    let mut known = Known::default();
    for line in lines {
        learn(&mut known, line, 0, Dialect::Posix);
    }
    known
}

fn learn(known: &mut Known, line: &str, total_bytes: u64, dialect: Dialect) {
    let Ok(sent) = b64_decode(line) else { return };
    let total_bytes = total_bytes.max(u64::try_from(sent.len()).unwrap_or(u64::MAX));
    let held = hold(&sent, total_bytes, Input { terminal: true, nested: Nested::Ask }, dialect);
    for segment in held.segments.iter().filter(|segment| segment.kind.is_some_and(|kind| kind != "beyond")) {
        if let Ok(secret) = std::str::from_utf8(&segment.bytes) {
            known.add(secret);
        }
    }
}
