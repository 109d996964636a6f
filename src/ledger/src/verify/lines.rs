//! Lines of a journal file, a block of them at a time, with a bounded buffer.

use crate::MAX_LINE_BYTES;
use std::io::{self, Read};

/// Shorter than any entry: what is found in a line takes more room than a line
/// that is too short to be one, so a block has no more lines than such ones would fill it with.
const LEAST: usize = 256;
/// Least bytes asked for at a time.
const STEP: usize = 64 * 1024;

/// One physical line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical<'b> {
    /// A line without its newline.
    Whole(&'b [u8]),
    /// Over the limit; it was skipped.
    TooLong,
    /// The end of the file with no newline: so many bytes.
    Torn(usize),
}

/// Lines that are in memory together.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Lines with their newlines.
    bytes: Vec<u8>,
    /// Where each line ends, behind its newline.
    ends: Vec<usize>,
    /// Bytes of the file before them.
    before: u64,
    /// What stands after them and is no whole line, and its bytes.
    tail: Option<(Physical<'static>, u64)>,
    /// Nothing comes after it.
    pub ended: Option<io::Result<()>>,
}

impl Block {
    /// The end of the last line.
    fn whole(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Each line, and how many bytes of the file there are up to its end.
    pub fn lines(&self) -> impl Iterator<Item = (Physical<'_>, u64)> {
        let mut from = 0;
        let whole = self.ends.iter().filter_map(move |end| {
            let line = self.bytes.get(from..end.saturating_sub(1))?;
            from = *end;
            Some((bounded(line), self.before.saturating_add(count(*end))))
        });
        let end = self.before.saturating_add(count(self.bytes.len()));
        whole.chain(self.tail.map(|(what, bytes)| (what, end.saturating_add(bytes))))
    }
}

fn bounded(line: &[u8]) -> Physical<'_> {
    if line.len() > MAX_LINE_BYTES { Physical::TooLong } else { Physical::Whole(line) }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Finds where the first lines end that are whole, `most` of them at most, and
/// says whether there are more.
fn whole_lines(bytes: &[u8], most: usize, ends: &mut Vec<usize>) -> bool {
    ends.clear();
    for newline in memchr::memchr_iter(b'\n', bytes) {
        if ends.len() == most {
            return true;
        }
        ends.push(newline + 1);
    }
    false
}

/// Reads blocks.
pub(super) struct Blocks<R> {
    reader: R,
    /// The beginning of a line, read with the block before.
    rest: Vec<u8>,
    done: u64,
}

impl<R: Read> Blocks<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, rest: Vec::new(), done: 0 }
    }

    /// Reads the next block: about `size` bytes, one line in any case. After
    /// one that has `ended` there is no other.
    pub fn fill(&mut self, block: &mut Block, size: usize) {
        block.bytes.clear();
        block.bytes.append(&mut self.rest);
        (block.before, block.tail, block.ended) = (self.done, None, None);
        let most = (size / LEAST).max(1);
        loop {
            let length = block.bytes.len();
            let more = whole_lines(&block.bytes, most, &mut block.ends);
            let whole = block.whole();
            if whole > 0 && (more || length >= size) {
                self.rest.extend_from_slice(block.bytes.get(whole..).unwrap_or_default());
                return self.give(block, whole);
            }
            if whole == 0 && length > MAX_LINE_BYTES {
                return self.skip(block);
            }
            let want = count(size.saturating_sub(length).max(STEP));
            match self.reader.by_ref().take(want).read_to_end(&mut block.bytes) {
                Ok(0) => {
                    block.ended = Some(Ok(()));
                    let torn = length - whole;
                    let what = if torn > MAX_LINE_BYTES { Physical::TooLong } else { Physical::Torn(torn) };
                    block.tail = (torn > 0).then(|| (what, count(torn)));
                    return self.give(block, whole);
                }
                Ok(_) => {}
                Err(error) => {
                    block.ended = Some(Err(error));
                    whole_lines(&block.bytes, usize::MAX, &mut block.ends);
                    let whole = block.whole();
                    return self.give(block, whole);
                }
            }
        }
    }

    fn give(&mut self, block: &mut Block, whole: usize) {
        block.bytes.truncate(whole);
        self.done = self.done.saturating_add(count(whole)).saturating_add(block.tail.map_or(0, |(_, bytes)| bytes));
    }

    /// Skips the line that the block begins with, which is too long.
    fn skip(&mut self, block: &mut Block) {
        let mut skipped = count(block.bytes.len());
        loop {
            block.bytes.clear();
            let read = self.reader.by_ref().take(count(STEP)).read_to_end(&mut block.bytes);
            let line = block.bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            skipped = skipped.saturating_add(count(line.unwrap_or(block.bytes.len())));
            match (read, line) {
                (Err(error), None) => {
                    block.ended = Some(Err(error));
                    return self.give(block, 0);
                }
                (Ok(0), _) => block.ended = Some(Ok(())),
                (Ok(_), None) => continue,
                // An error shows again at the next read.
                (Ok(_) | Err(_), Some(end)) => {
                    self.rest.extend_from_slice(block.bytes.get(end..).unwrap_or_default());
                }
            }
            block.tail = Some((Physical::TooLong, skipped));
            return self.give(block, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8], size: usize) -> Vec<(String, u64)> {
        let (mut blocks, mut block, mut told) = (Blocks::new(text), Block::default(), Vec::new());
        while block.ended.is_none() {
            blocks.fill(&mut block, size);
            told.extend(block.lines().map(|(what, done)| {
                let what = match what {
                    Physical::Whole(line) if line.len() > 9 => line.len().to_string(),
                    Physical::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                    Physical::TooLong => "too long".to_owned(),
                    Physical::Torn(bytes) => format!("torn {bytes}"),
                };
                (what, done)
            }));
        }
        told
    }

    #[test]
    fn lines_that_are_none_take_no_more_room() {
        let (text, size) = (vec![b'\n'; 300_000], 256 * 1024);
        let (mut blocks, mut block) = (Blocks::new(text.as_slice()), Block::default());
        let mut lines = 0;
        while block.ended.is_none() {
            blocks.fill(&mut block, size);
            assert!(block.lines().count() <= size / LEAST, "{}", block.lines().count());
            lines += block.lines().count();
        }
        assert_eq!(lines, text.len());
    }

    #[test]
    fn lines_are_bounded() {
        let line = |length: usize| vec![b'x'; length];
        let max = MAX_LINE_BYTES;
        for size in [1, 2, 1000, max, max + 1, 3 * max, usize::MAX] {
            let text = [b"a\n\n".as_slice(), &line(max + 1), b"\nb\n", &line(max), b"\nc"].concat();
            let end = u64::try_from(text.len()).unwrap();
            let whole: Vec<_> = told(&text, size);
            let words: Vec<_> = whole.iter().map(|(word, _)| word.as_str()).collect();
            assert_eq!(words, ["a", "", "too long", "b", &max.to_string(), "torn 1"], "{size}");
            let ends: Vec<_> = whole.iter().map(|(_, done)| *done).collect();
            let max = u64::try_from(max).unwrap();
            assert_eq!(ends, [2, 3, max + 5, max + 7, 2 * max + 8, end], "{size}");
            for (length, word) in [(max * 2 + 7, "too long".to_owned()), (max, format!("torn {max}"))] {
                let length = usize::try_from(length).unwrap();
                assert_eq!(told(&line(length), size), [(word, u64::try_from(length).unwrap())], "{size}");
            }
            assert_eq!(told(b"", size), []);
            assert_eq!(told(b"a\n", size), [("a".to_owned(), 2)]);
        }
    }
}
