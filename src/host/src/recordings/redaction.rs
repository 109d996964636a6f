//! What stands between a spool and a recording, to keep secrets out of it.

use countersign_api::recording::Stream;
use std::borrow::Cow;

/// Takes secrets out of what was recorded. It may hold bytes back until it has
/// seen enough, but not beyond [`Redaction::finish`].
pub(crate) trait Redaction: Send + Sync {
    /// The word in the recording's header.
    fn name(&self) -> &'static str;
    /// Takes raw bytes, gives what may be stored.
    fn push<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> Cow<'a, [u8]>;
    /// How many of the last raw bytes of a stream the next output depends on.
    fn held(&self, stream: Stream) -> usize;
    /// Gives what was held back.
    fn finish(&mut self, stream: Stream) -> Vec<u8>;
    /// A marker as it may be stored.
    fn marker<'a>(&self, label: &'a str) -> Cow<'a, str>;
}

/// What is used for a new recording.
pub(crate) fn for_recordings() -> Box<dyn Redaction> {
    Box::new(Nothing)
}

/// Takes nothing out.
struct Nothing;

impl Redaction for Nothing {
    fn name(&self) -> &'static str {
        "none"
    }

    fn push<'a>(&mut self, _stream: Stream, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(bytes)
    }

    fn held(&self, _stream: Stream) -> usize {
        0
    }

    fn finish(&mut self, _stream: Stream) -> Vec<u8> {
        Vec::new()
    }

    fn marker<'a>(&self, label: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(label)
    }
}
