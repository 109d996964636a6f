//! What stands between a spool and a recording, to keep secrets out of it.

use countersign_analysis::redact::{self, Counts, Known};
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
    /// Learns secrets that the output may repeat.
    fn learn(&mut self, _known: &Known) {}
    /// What was taken out since the last call.
    fn take_counts(&mut self) -> Counts {
        Counts::default()
    }
}

/// What is used for a new recording.
pub(crate) fn for_recordings() -> Box<dyn Redaction> {
    Box::<Secrets>::default()
}

/// Takes out what [`redact::Stream`] finds, in each stream by itself.
#[derive(Default)]
struct Secrets {
    stdout: redact::Stream,
    stderr: redact::Stream,
}

impl Secrets {
    fn of(&mut self, stream: Stream) -> &mut redact::Stream {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

impl Redaction for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn push<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.of(stream).push(bytes)
    }

    fn held(&self, stream: Stream) -> usize {
        match stream {
            Stream::Stdout => self.stdout.held(),
            Stream::Stderr => self.stderr.held(),
        }
    }

    fn finish(&mut self, stream: Stream) -> Vec<u8> {
        self.of(stream).finish()
    }

    fn marker<'a>(&self, label: &'a str) -> Cow<'a, str> {
        redact::scrub_script(label).0.into()
    }

    fn learn(&mut self, known: &Known) {
        self.stdout.learn(known);
        self.stderr.learn(known);
    }

    fn take_counts(&mut self) -> Counts {
        let mut counts = self.stdout.take_counts();
        counts.add(&self.stderr.take_counts());
        counts
    }
}
