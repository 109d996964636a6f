//! Lines of a journal file with a bounded buffer.

use crate::MAX_LINE_BYTES;
use std::io::{self, BufRead, Read};

/// One physical line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical {
    /// A line; it was added without its newline.
    Whole,
    /// Over the limit; it was skipped.
    TooLong,
    /// The end of the file with no newline: so many bytes.
    Torn(usize),
}

/// Reads lines.
pub(super) struct Lines<R> {
    reader: R,
    /// Bytes read so far.
    pub done: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, done: 0 }
    }

    /// Adds the next line to `buffer`; `None` at the end. Of a line that is no
    /// whole one nothing is added.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Physical>> {
        let start = buffer.len();
        let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let read = self.reader.by_ref().take(limit).read_until(b'\n', buffer)?;
        self.count(read);
        if read == 0 {
            return Ok(None);
        }
        if buffer.last() == Some(&b'\n') {
            buffer.pop();
            return Ok(Some(Physical::Whole));
        }
        buffer.truncate(start);
        if read <= MAX_LINE_BYTES {
            return Ok(Some(Physical::Torn(read)));
        }
        self.skip()?;
        Ok(Some(Physical::TooLong))
    }

    fn count(&mut self, read: usize) {
        self.done = self.done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }

    fn skip(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.reader.fill_buf()?;
            let newline = chunk.iter().position(|b| *b == b'\n');
            let used = newline.map_or(chunk.len(), |at| at.saturating_add(1));
            let end = chunk.is_empty() || newline.is_some();
            self.reader.consume(used);
            self.count(used);
            if end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let long = vec![b'x'; MAX_LINE_BYTES + 2];
        let text = [b"a\n\n".as_slice(), &long, b"\nb\nc"].concat();
        let mut lines = Lines::new(text.as_slice());
        let mut buffer = Vec::new();
        let mut next = || (lines.next(&mut buffer).unwrap(), String::from_utf8(buffer.clone()).unwrap());
        assert_eq!(next(), (Some(Physical::Whole), "a".to_owned()));
        assert_eq!(next(), (Some(Physical::Whole), "a".to_owned()));
        assert_eq!(next(), (Some(Physical::TooLong), "a".to_owned()));
        assert_eq!(next(), (Some(Physical::Whole), "ab".to_owned()));
        assert_eq!(next(), (Some(Physical::Torn(1)), "ab".to_owned()));
        assert_eq!(next(), (None, "ab".to_owned()));
        assert_eq!(lines.done, u64::try_from(text.len()).unwrap());
    }
}
