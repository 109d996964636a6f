//! The secrets of lines, which the output of a login may repeat.

use countersign_analysis::redact::Known;
use countersign_analysis::{Held, Nested, Place as Input, hold};
use countersign_core::b64_decode;

/// The secrets of a line.
pub(crate) fn of(held: &Held) -> Known {
    let mut known = Known::default();
    learn(&mut known, held);
    known
}

/// The secrets of earlier lines of a bash, as its front tells them again.
pub(crate) fn of_earlier(lines: &[String]) -> Known {
    let mut known = Known::default();
    for line in lines {
        let Ok(sent) = b64_decode(line) else { continue };
        let total_bytes = u64::try_from(sent.len()).unwrap_or(u64::MAX);
        let input = Input { shell: "bash", terminal: true, nested: Nested::Ask };
        learn(&mut known, &hold(&sent, total_bytes, input));
    }
    known
}

fn learn(known: &mut Known, held: &Held) {
    for segment in held.segments.iter().filter(|segment| segment.kind.is_some_and(|kind| kind != "beyond")) {
        if let Ok(secret) = std::str::from_utf8(&segment.bytes) {
            known.add(secret);
        }
    }
}
