//! Lines of a journal file with a bounded buffer.

use crate::MAX_LINE_BYTES;
use std::io::{self, BufRead, Read};

/// One physical line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical<'a> {
    /// A line without its newline.
    Whole(&'a [u8]),
    /// Over the limit; it was skipped.
    TooLong,
    /// The end of the file with no newline: so many bytes.
    Torn(usize),
}

/// Reads lines.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes read so far.
    pub done: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), done: 0 }
    }

    /// The next line, `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Physical<'_>>> {
        let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        self.buffer.clear();
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
        self.count(read);
        if read == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            return Ok(Some(Physical::Whole(self.buffer.strip_suffix(b"\n").unwrap_or_default())));
        }
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
        assert_eq!(lines.next().unwrap(), Some(Physical::Whole(b"a")));
        assert_eq!(lines.next().unwrap(), Some(Physical::Whole(b"")));
        assert_eq!(lines.next().unwrap(), Some(Physical::TooLong));
        assert_eq!(lines.next().unwrap(), Some(Physical::Whole(b"b")));
        assert_eq!(lines.next().unwrap(), Some(Physical::Torn(1)));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.done, u64::try_from(text.len()).unwrap());
    }
}
