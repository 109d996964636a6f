//! Finds the driver's mark in the terminal's output and takes it out. The mark
//! says that all output of a line has been read; it holds a random word, so
//! that a program's output cannot pretend to it by chance. If one did on
//! purpose, a line would be asked about too early: nothing runs by that.

/// What the mark begins with.
const ESCAPE: u8 = 0x1b;

/// Looks for one mark in a stream.
#[derive(Debug)]
pub struct Mark {
    mark: Vec<u8>,
    held: Vec<u8>,
}

impl Mark {
    /// Looks for the escape sequence that the driver writes for `word`.
    pub fn new(word: &str) -> Self {
        Self { mark: format!("\x1b]133;D;{word}\x07").into_bytes(), held: Vec::new() }
    }

    /// Takes output; returns what is to be shown, and whether the mark was
    /// seen. A beginning of the mark at the end is held back.
    pub fn push(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut seen = false;
        let mut from = 0;
        // The mark begins with an escape, which most output holds few of.
        while let Some(at) = all.iter().skip(from).position(|byte| *byte == ESCAPE).map(|at| from + at) {
            if all.get(at..).is_some_and(|rest| rest.starts_with(&self.mark)) {
                all.drain(at..at + self.mark.len());
                seen = true;
            } else {
                from = at + 1;
            }
        }
        let keep = (1..self.mark.len()).rev().find(|n| self.mark.get(..*n).is_some_and(|start| all.ends_with(start)));
        self.held = all.split_off(all.len() - keep.unwrap_or(0));
        (all, seen)
    }

    /// Gives up what is held: the stream has ended or stands still.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_taken_out_wherever_it_is_cut() {
        let stream = b"one\x1b]133;D;wo\x1b]133;D;word\x07two\x1b]133;";
        for cut in 0..=stream.len() {
            let mut mark = Mark::new("word");
            let (mut shown, first) = mark.push(&stream[..cut]);
            let (more, second) = mark.push(&stream[cut..]);
            shown.extend(more);
            assert!(first || second);
            assert_eq!(shown, b"one\x1b]133;D;wotwo", "{cut}");
            assert_eq!(mark.rest(), b"\x1b]133;");
        }
    }
}
