//! The spool: what a front writes of a login while it runs, before any of it
//! is shown. `countersign-hostd` turns it into a recording piece by piece and
//! drops what it has turned.
//!
//! ```text
//! kind u8 | length u24 | at_us u64 | length bytes          big-endian
//!   1 standard output, or the terminal     raw bytes
//!   2 standard error                       raw bytes
//!   3 the terminal's new size              columns u16 | rows u16
//!   4 a marker                             UTF-8
//! ```
//! `at_us` counts from the start of the recording, and is no later than a
//! reader of recordings takes ([`MAX_AT_US`]). A record is at most [`MAX_DATA`]
//! long. Behind the last one there may be zeros, which a front reserves ahead;
//! a record that is written there gets its kind last. To its reader every byte
//! is foreign: [`take`] refuses what is not exactly a record.

use crate::recording::{MAX_AT_US, Stream};

/// Bytes before the data of a record.
pub const HEAD: usize = 12;
/// Longest data of a record, in bytes.
pub const MAX_DATA: usize = 64 * 1024;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// µs since the recording began.
    pub at_us: u64,
    /// What happened.
    pub what: What<'a>,
}

/// What a record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    /// Output, as raw bytes.
    Output(Stream, &'a [u8]),
    /// The terminal's new size in columns and rows.
    Resize(u16, u16),
    /// A marker.
    Marker(&'a str),
}

/// Bytes that no front of this version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSpool {
    /// The first byte names no kind.
    #[error("a record of kind {0}")]
    Kind(u8),
    /// The data is longer than [`MAX_DATA`], or empty, or not as long as its
    /// kind wants it.
    #[error("a record of {0} bytes")]
    Length(usize),
    /// The time is beyond all sense.
    #[error("a record at {0} µs")]
    Time(u64),
    /// A marker that is not UTF-8.
    #[error("a marker that is not UTF-8")]
    Marker,
}

/// The head of an output record; the raw bytes follow it. `None` where so many
/// bytes do not fit into one record.
pub fn output_head(at_us: u64, stream: Stream, length: usize) -> Option<[u8; HEAD]> {
    let kind = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    head(kind, at_us, length)
}

/// A whole record of a new size.
pub fn resize(at_us: u64, columns: u16, rows: u16) -> Option<Vec<u8>> {
    let [a, b] = columns.to_be_bytes();
    let [c, d] = rows.to_be_bytes();
    Some([head(3, at_us, 4)?.as_slice(), &[a, b, c, d]].concat())
}

/// A whole record of a marker; `None` where the text is empty or too long.
pub fn marker(at_us: u64, label: &str) -> Option<Vec<u8>> {
    Some([head(4, at_us, label.len())?.as_slice(), label.as_bytes()].concat())
}

fn head(kind: u8, at_us: u64, length: usize) -> Option<[u8; HEAD]> {
    let length = u32::try_from(length).ok().filter(|_| (1..=MAX_DATA).contains(&length))?;
    let [_, a, b, c] = length.to_be_bytes();
    let [t0, t1, t2, t3, t4, t5, t6, t7] = at_us.min(MAX_AT_US).to_be_bytes();
    Some([kind, a, b, c, t0, t1, t2, t3, t4, t5, t6, t7])
}

/// How long a record is at most that begins so, with zero for its kind: one that
/// is being written through memory.
pub fn without_kind(head: &[u8; HEAD]) -> usize {
    let [_, a, b, c, ..] = *head;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    // Where that is not all there, nothing behind it is.
    HEAD + if length <= MAX_DATA { length } else { 0 }
}

/// Takes the first record of `bytes`, with its whole length; `None` where it
/// is not complete yet. Refuses what can never become a record.
pub fn take(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, BadSpool> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if !(1..=4).contains(&kind) {
        return Err(BadSpool::Kind(kind));
    }
    let Some((&[_, a, b, c, time @ ..], rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    if !(1..=MAX_DATA).contains(&length) || (kind == 3 && length != 4) {
        return Err(BadSpool::Length(length));
    }
    let at_us = u64::from_be_bytes(time);
    if at_us > MAX_AT_US {
        return Err(BadSpool::Time(at_us));
    }
    let Some(data) = rest.get(..length) else { return Ok(None) };
    let what = match (kind, data) {
        (1, data) => What::Output(Stream::Stdout, data),
        (2, data) => What::Output(Stream::Stderr, data),
        (3, &[a, b, c, d]) => What::Resize(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        (_, data) => What::Marker(std::str::from_utf8(data).map_err(|_| BadSpool::Marker)?),
    };
    Ok(Some((Record { at_us, what }, HEAD + length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_survive_any_split() {
        let bytes = [
            [output_head(7, Stream::Stderr, 3).unwrap().as_slice(), b"a\xff\n"].concat(),
            resize(8, 120, 40).unwrap(),
            marker(9, "finished: exit 0").unwrap(),
        ]
        .concat();
        let expected = [
            Record { at_us: 7, what: What::Output(Stream::Stderr, b"a\xff\n") },
            Record { at_us: 8, what: What::Resize(120, 40) },
            Record { at_us: 9, what: What::Marker("finished: exit 0") },
        ];
        for end in 0..=bytes.len() {
            let (mut rest, mut seen) = (&bytes[..end], Vec::new());
            while let Some((record, length)) = take(rest).unwrap() {
                seen.push(record);
                rest = &rest[length..];
            }
            assert_eq!(seen, expected[..seen.len()]);
            assert!(rest.len() < bytes.len(), "nothing was taken of {end} bytes");
            assert_eq!(seen.len() == 3, end == bytes.len());
        }
    }

    #[test]
    fn what_no_front_writes_is_refused() {
        let good = output_head(1, Stream::Stdout, 1).unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = [good.as_slice(), b"x\0\0\0"].concat();
            bytes[at] = byte;
            bytes
        };
        assert_eq!(take(&with(0, 0)), Err(BadSpool::Kind(0)));
        assert_eq!(take(&[5]), Err(BadSpool::Kind(5)));
        assert_eq!(take(&with(3, 0)), Err(BadSpool::Length(0)));
        assert_eq!(take(&with(1, 2)), Err(BadSpool::Length(0x20001)));
        assert!(matches!(take(&with(4, 0xff)), Err(BadSpool::Time(_))));
        assert_eq!(take(&with(0, 3)), Err(BadSpool::Length(1)));
        assert_eq!(take(&[&marker(0, "ab").unwrap()[..HEAD], b"a\xff"].concat()), Err(BadSpool::Marker));
        assert_eq!(marker(0, ""), None);
        assert_eq!(output_head(0, Stream::Stdout, MAX_DATA + 1), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..6) {
            let bytes = [vec![kind, 0, 0], bytes].concat();
            let mut rest = bytes.as_slice();
            while let Ok(Some((_, length))) = take(rest) {
                prop_assert!(length > HEAD && length <= rest.len());
                rest = &rest[length..];
            }
        }
    }
}
