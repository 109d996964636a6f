//! Lines, and what each says by itself: its grammar, hash, body, openings and
//! members. What depends on the entries before is followed in order.
//!
//! Each core reads a block of lines, finds out what they say by themselves,
//! and waits for its turn to have them followed: nothing is handed from one
//! core to another, and buffers are used again.

use super::lines::{Block, Blocks, Physical};
use super::members::{self, Odd};
use crate::openings::{self, BadOpening, Shown};
use crate::scan::BadLine;
use crate::view::{Borrow, Token, View, emptied};
use crate::{Kind, Line};
use countersign_core::{Digest, LoginId};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, available_parallelism, scope};

/// Bytes of lines that one core has in memory.
const BLOCK: usize = 256 * 1024;

/// An entry that keeps the grammar, and what it says by itself.
pub(super) struct Prepared<'p, 'b> {
    pub line: &'p Line<'b>,
    pub leaf: Digest,
    pub kind: Option<Kind>,
    /// The login it belongs to.
    pub login: Option<LoginId>,
    pub body: View<'p>,
    pub openings: &'p Result<Shown<'b>, BadOpening>,
    pub odd: &'p [Odd],
}

/// One physical line.
pub(super) enum Piece<'p, 'b> {
    Entry(Prepared<'p, 'b>),
    Bad(&'p BadLine),
    TooLong,
    Torn(usize),
}

/// Who follows the lines: called with each, in order, and with how many bytes
/// there are up to its end.
pub(super) type Take<'t> = dyn FnMut(Piece<'_, '_>, u64) + Send + 't;

/// Calls `take` with each line in order.
pub(super) fn each_line(reader: impl Read + Send, take: &mut Take<'_>) -> io::Result<()> {
    each_line_by(reader, BLOCK, available_parallelism().map_or(1, std::num::NonZero::get), take)
}

fn each_line_by(reader: impl Read + Send, size: usize, cores: usize, take: &mut Take<'_>) -> io::Result<()> {
    let mut blocks = Blocks::new(reader);
    let mut first = Block::default();
    blocks.fill(&mut first, size);
    if let Some(ended) = first.ended.take() {
        Room::default().look(&first, |looked| looked.follow(take));
        return ended;
    }
    let feed = Mutex::new(Feed { blocks, given: 1, ended: None });
    let turns = Turns { state: Mutex::new(Turn { next: 0, broken: false, take }), changed: Condvar::new() };
    scope(|scope| {
        for _ in 1..cores {
            // One core is enough, where no other thread is to be had.
            if Builder::new().spawn_scoped(scope, || work(&feed, &turns, size, None)).is_err() {
                break;
            }
        }
        work(&feed, &turns, size, Some(first));
    });
    feed.into_inner().unwrap_or_else(PoisonError::into_inner).ended.unwrap_or(Ok(()))
}

/// Where the blocks come from.
struct Feed<R> {
    blocks: Blocks<R>,
    given: u64,
    ended: Option<io::Result<()>>,
}

impl<R: Read> Feed<R> {
    /// Fills a block and yields its number; `None` where there is none left.
    fn fill(&mut self, block: &mut Block, size: usize) -> Option<u64> {
        if self.ended.is_some() {
            return None;
        }
        self.blocks.fill(block, size);
        self.ended = block.ended.take();
        self.given += 1;
        Some(self.given - 1)
    }
}

/// Who is followed next.
struct Turns<'t, 'f> {
    state: Mutex<Turn<'t, 'f>>,
    changed: Condvar,
}

struct Turn<'t, 'f> {
    next: u64,
    /// A core has panicked: its block never has its turn.
    broken: bool,
    take: &'t mut Take<'f>,
}

impl<'t, 'f> Turns<'t, 'f> {
    /// Waits for the turn of a block; `None` where it does not come any more.
    fn wait(&self, number: u64) -> Option<MutexGuard<'_, Turn<'t, 'f>>> {
        let state = self.state.lock().ok()?;
        let state = self.changed.wait_while(state, |turn| turn.next != number && !turn.broken).ok()?;
        (!state.broken).then_some(state)
    }
}

/// Lets nobody wait for a core that has panicked.
struct Watch<'w, 't, 'f>(&'w Turns<'t, 'f>);

impl Drop for Watch<'_, '_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).broken = true;
            self.0.changed.notify_all();
        }
    }
}

/// What one core does. `first` is the first block, where this core has it.
fn work<R: Read>(feed: &Mutex<Feed<R>>, turns: &Turns<'_, '_>, size: usize, first: Option<Block>) {
    let _watch = Watch(turns);
    let mut number = first.as_ref().map(|_| 0);
    let (mut block, mut room) = (first.unwrap_or_default(), Room::default());
    loop {
        if number.is_none() {
            let Ok(mut feed) = feed.lock() else { return };
            number = feed.fill(&mut block, size);
        }
        let Some(here) = number.take() else { return };
        let followed = room.look(&block, |looked| {
            let Some(mut turn) = turns.wait(here) else { return false };
            looked.follow(turn.take);
            turn.next += 1;
            turns.changed.notify_all();
            true
        });
        if !followed {
            return;
        }
    }
}

/// Memory that is used for one block after the other.
#[derive(Default)]
struct Room {
    tokens: Vec<Token<'static>>,
    pieces: Vec<(Ahead<'static>, u64)>,
}

impl Room {
    /// Looks at the lines of a block and yields what `then` makes of that.
    fn look<T>(&mut self, block: &Block, then: impl FnOnce(&Looked<'_>) -> T) -> T {
        let tokens = emptied(std::mem::take(&mut self.tokens));
        let pieces = emptied(std::mem::take(&mut self.pieces));
        let mut looked = Looked { tokens, pieces };
        for (physical, done) in block.lines() {
            let piece = match physical {
                Physical::Whole(bytes) => prepare(bytes, &mut looked.tokens),
                Physical::TooLong => Ahead::TooLong,
                Physical::Torn(length) => Ahead::Torn(length),
            };
            looked.pieces.push((piece, done));
        }
        let result = then(&looked);
        (self.tokens, self.pieces) = (emptied(looked.tokens), emptied(looked.pieces));
        result
    }
}

/// The lines of a block, as far as each can be judged by itself.
struct Looked<'b> {
    tokens: Vec<Token<'b>>,
    pieces: Vec<(Ahead<'b>, u64)>,
}

impl Looked<'_> {
    /// Has every line followed, in order.
    fn follow(&self, take: &mut Take<'_>) {
        for (piece, done) in &self.pieces {
            let piece = match piece {
                Ahead::Entry { line, leaf, kind, body, openings, odd } => {
                    let body = View::of(self.tokens.get(body.clone()).unwrap_or_default());
                    let login = line.sess.as_ref().map(|sess| sess.login);
                    Piece::Entry(Prepared { line, leaf: *leaf, kind: *kind, login, body, openings, odd })
                }
                Ahead::Bad(error) => Piece::Bad(error),
                Ahead::TooLong => Piece::TooLong,
                Ahead::Torn(length) => Piece::Torn(*length),
            };
            take(piece, *done);
        }
    }
}

/// A [`Piece`] while more tokens are added.
#[allow(clippy::large_enum_variant, reason = "nearly all are entries; a box each would cost an allocation each")]
enum Ahead<'b> {
    Entry {
        line: Line<'b>,
        leaf: Digest,
        kind: Option<Kind>,
        body: Range<usize>,
        openings: Result<Shown<'b>, BadOpening>,
        odd: Vec<Odd>,
    },
    Bad(BadLine),
    TooLong,
    Torn(usize),
}

fn prepare<'b>(bytes: &'b [u8], tokens: &mut Vec<Token<'b>>) -> Ahead<'b> {
    let from = tokens.len();
    let line = match Line::parse_with(bytes, &mut Borrow(tokens)) {
        Ok((line, _)) => line,
        Err(error) => return Ahead::Bad(error),
    };
    let range = from..tokens.len();
    let body = View::of(tokens.get(from..).unwrap_or_default());
    let leaf = line.leaf_hash();
    let kind: Option<Kind> = line.kind.parse().ok();
    let private = kind.map(Kind::private_members).unwrap_or_default();
    let openings = openings::check(body, private, line.vals);
    let odd = kind.map(|kind| members::check(kind, &body)).unwrap_or_default();
    Ahead::Entry { line, leaf, kind, body: range, openings, odd }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::golden;

    /// What each line is, where it ends, and its seq.
    fn told(text: &[u8], size: usize, cores: usize) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        let done = each_line_by(text, size, cores, &mut |piece, done| {
            let what = match piece {
                Piece::Entry(entry) => {
                    let body = entry.body.to_value().encode().unwrap();
                    assert_eq!(body.as_bytes(), entry.line.body_bytes());
                    assert_eq!(entry.body.object_bytes(), Some(entry.line.body_bytes()));
                    format!("{} {} {}", entry.line.seq, entry.leaf, entry.odd.len())
                }
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
    fn blocks_and_cores_change_nothing() {
        let day = golden("day.jsonl").into_bytes();
        let long = vec![b'x'; crate::MAX_LINE_BYTES + 1];
        let text = [&day, b"\n\nbad\n".as_slice(), &day, &long, b"\n", &day, b"{\"at\"".as_slice()].concat();
        let whole = told(&text, usize::MAX, 1);
        assert_eq!(whole.len(), 14 * 3 + 5);
        assert_eq!(whole.last(), Some(&("torn 5".to_owned(), u64::try_from(text.len()).unwrap())));
        for (size, cores) in [(1, 1), (1, 5), (2000, 2), (5000, 3), (9000, 1), (20_000, 9), (usize::MAX, 4)] {
            assert_eq!(told(&text, size, cores), whole, "{size} {cores}");
        }
        assert_eq!(told(b"", 10, 2), []);
    }

    #[test]
    fn a_panic_of_one_core_ends_all() {
        let text = golden("day.jsonl").repeat(50);
        let lines = std::sync::atomic::AtomicUsize::new(0);
        let run = || {
            each_line_by(text.as_bytes(), 3000, 4, &mut |_, _| {
                assert!(lines.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 100, "a defect");
            })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    }

    #[test]
    fn an_error_comes_after_the_lines_before_it() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        for (size, cores) in [(1, 1), (1, 3), (3, 2), (100, 2)] {
            let mut lines = 0;
            let mut count = |_: Piece<'_, '_>, _| lines += 1;
            let reader = io::BufReader::new(io::Read::chain(b"a\nb\n".as_slice(), Broken));
            assert!(each_line_by(reader, size, cores, &mut count).is_err(), "{size}");
            assert_eq!(lines, 2, "{size}");
        }
    }
}
