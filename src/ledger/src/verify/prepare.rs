//! Lines, and what each says by itself: its grammar, hash, body, openings and
//! members. Other threads find that out ahead; what depends on the entries
//! before is followed by one thread, in order.

use super::lines::{Lines, Physical};
use super::members::{self, Odd};
use crate::openings::{self, BadOpening, Shown};
use crate::scan::BadLine;
use crate::view::{Borrow, View};
use crate::{Kind, Line};
use countersign_core::Digest;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::{available_parallelism, scope};

/// Bytes of lines that are looked at together: what is held is this twice, and
/// what was found in it.
const ROUND: usize = 1024 * 1024;
/// Shorter than any entry: so many lines at most are looked at together for so many bytes.
const LEAST: usize = 256;
/// Bytes of lines that one thread takes at a time.
const SHARE: usize = 64 * 1024;

/// An entry that keeps the grammar, and what it says by itself.
pub(super) struct Prepared<'b> {
    pub line: Line<'b>,
    pub leaf: Digest,
    pub kind: Option<Kind>,
    pub body: View<'b>,
    pub openings: Result<Shown<'b>, BadOpening>,
    pub odd: Vec<Odd>,
}

/// One physical line.
#[allow(clippy::large_enum_variant, reason = "nearly all are entries; a box each would cost an allocation each")]
pub(super) enum Piece<'b> {
    Entry(Prepared<'b>),
    Bad(BadLine),
    TooLong,
    Torn(usize),
}

/// Calls `take` with each line in order, and with how many bytes were read up
/// to its end.
pub(super) fn each_line(reader: impl BufRead + Send, take: &mut dyn FnMut(Piece<'_>, u64)) -> io::Result<()> {
    each_line_by(reader, ROUND, SHARE, take)
}

fn each_line_by(
    reader: impl BufRead + Send,
    round: usize,
    share: usize,
    take: &mut dyn FnMut(Piece<'_>, u64),
) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let (mut now, mut next) = (Round::default(), Round::default());
    now.fill(&mut lines, round);
    while !now.marks.is_empty() {
        let ended = now.ended.is_some();
        now.run(share, take, || {
            if !ended {
                next.fill(&mut lines, round);
            }
        });
        if ended {
            break;
        }
        std::mem::swap(&mut now, &mut next);
    }
    now.ended.unwrap_or(Ok(()))
}

/// A physical line in a [`Round`].
struct Mark {
    what: Physical,
    at: Range<usize>,
    done: u64,
}

/// Lines that are in memory together.
#[derive(Default)]
struct Round {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    /// Nothing comes after it.
    ended: Option<io::Result<()>>,
}

impl Round {
    fn fill<R: BufRead>(&mut self, lines: &mut Lines<R>, round: usize) {
        self.bytes.clear();
        self.marks.clear();
        while self.bytes.len() < round {
            let start = self.bytes.len();
            match lines.next(&mut self.bytes) {
                Ok(Some(what)) => self.marks.push(Mark { what, at: start..self.bytes.len(), done: lines.done }),
                Ok(None) => return self.ended = Some(Ok(())),
                Err(error) => return self.ended = Some(Err(error)),
            }
            // What is found in a line takes more room than a line too short to be one.
            if self.marks.len() > round / LEAST {
                return;
            }
        }
    }

    /// The lines in shares of about so many bytes.
    fn shares(&self, share: usize) -> Vec<&[Mark]> {
        let mut start = 0;
        self.marks
            .chunk_by(|_, next| {
                let goes_on = next.at.start - start < share;
                if !goes_on {
                    start = next.at.start;
                }
                goes_on
            })
            .collect()
    }

    /// Takes every line in order. Meanwhile `ahead` is called once.
    fn run(&self, share: usize, take: &mut dyn FnMut(Piece<'_>, u64), ahead: impl FnOnce() + Send) {
        let shares = self.shares(share);
        if shares.len() < 2 {
            shares.into_iter().flatten().for_each(|mark| take(self.piece(mark), mark.done));
            return ahead();
        }
        let (claimed, shares) = (AtomicUsize::new(0), &shares);
        let (tell, ready) = channel();
        let work = || {
            let tell = tell.clone();
            let claimed = &claimed;
            move || {
                while let Some((index, share)) = claim(claimed, shares) {
                    if tell.send((index, self.pieces(share))).is_err() {
                        return;
                    }
                }
            }
        };
        scope(|scope| {
            let first = work();
            scope.spawn(move || {
                ahead();
                first();
            });
            for _ in 1..available_parallelism().map_or(1, std::num::NonZero::get) {
                scope.spawn(work());
            }
            let mut early = BTreeMap::new();
            for (index, share) in shares.iter().enumerate() {
                while !early.contains_key(&index) {
                    let Ok((index, pieces)) = ready.recv() else { break };
                    early.insert(index, pieces);
                }
                let pieces: Vec<_> = early.remove(&index).unwrap_or_else(|| self.pieces(share));
                share.iter().zip(pieces).for_each(|(mark, piece)| take(piece, mark.done));
            }
        });
    }

    fn pieces(&self, marks: &[Mark]) -> Vec<Piece<'_>> {
        marks.iter().map(|mark| self.piece(mark)).collect()
    }

    fn piece(&self, mark: &Mark) -> Piece<'_> {
        match mark.what {
            Physical::Whole => prepare(self.bytes.get(mark.at.clone()).unwrap_or_default()),
            Physical::TooLong => Piece::TooLong,
            Physical::Torn(length) => Piece::Torn(length),
        }
    }
}

fn claim<'m>(claimed: &AtomicUsize, shares: &[&'m [Mark]]) -> Option<(usize, &'m [Mark])> {
    let index = claimed.fetch_add(1, Ordering::Relaxed);
    Some((index, *shares.get(index)?))
}

fn prepare(bytes: &[u8]) -> Piece<'_> {
    let (line, body) = match Line::parse_with::<Borrow>(bytes) {
        Ok(read) => read,
        Err(error) => return Piece::Bad(error),
    };
    let leaf = line.leaf_hash();
    let kind: Option<Kind> = line.kind.parse().ok();
    let private = kind.map(Kind::private_members).unwrap_or_default();
    let openings = openings::check(&body, private, line.vals);
    let odd = kind.map(|kind| members::check(kind, &body)).unwrap_or_default();
    Piece::Entry(Prepared { line, leaf, kind, body, openings, odd })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::golden;

    /// What each line is, where it ends, and its seq.
    fn told(text: &[u8], round: usize, share: usize) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        let done = each_line_by(text, round, share, &mut |piece, done| {
            let what = match piece {
                Piece::Entry(entry) => format!("{} {} {}", entry.line.seq, entry.leaf, entry.odd.len()),
                Piece::Bad(error) => error.to_string(),
                Piece::TooLong => "too long".to_owned(),
                Piece::Torn(length) => format!("torn {length}"),
            };
            told.push((what, done));
        });
        done.unwrap();
        told
    }

    #[test]
    fn rounds_and_shares_change_nothing() {
        let day = golden("day.jsonl").into_bytes();
        let long = vec![b'x'; crate::MAX_LINE_BYTES + 1];
        let text = [&day, b"\n\nbad\n".as_slice(), &day, &long, b"\n", &day, b"{\"at\"".as_slice()].concat();
        let whole = told(&text, usize::MAX, usize::MAX);
        assert_eq!(whole.len(), 14 * 3 + 5);
        assert_eq!(whole.last(), Some(&("torn 5".to_owned(), u64::try_from(text.len()).unwrap())));
        for (round, share) in [(1, 1), (2000, 1), (5000, 700), (9000, 4000), (usize::MAX, 1), (usize::MAX, 3000)] {
            assert_eq!(told(&text, round, share), whole, "{round} {share}");
        }
        assert_eq!(told(b"", 10, 10), []);
    }

    #[test]
    fn lines_that_are_none_take_no_more_room() {
        let text = vec![b'\n'; ROUND];
        let mut round = Round::default();
        round.fill(&mut Lines::new(text.as_slice()), ROUND);
        assert!(round.marks.len() <= ROUND / LEAST + 1, "{}", round.marks.len());
    }

    #[test]
    fn an_error_comes_after_the_lines_before_it() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        for round in [1, 3, 100] {
            let mut lines = 0;
            let mut count = |_: Piece<'_>, _| lines += 1;
            let reader = io::BufReader::new(io::Read::chain(b"a\nb\n".as_slice(), Broken));
            assert!(each_line_by(reader, round, 1, &mut count).is_err(), "{round}");
            assert_eq!(lines, 2, "{round}");
        }
    }
}
