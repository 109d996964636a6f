//! Texts that are to be signed one after the other, each with the hashes of
//! those before it in it.
//!
//! The hash of an entry covers its signature, and the next entry's `prev` is
//! that hash: so a batch is signed in one go only by who fills in the hashes as
//! they come to be. In such a text a place is kept for each of them.

use crate::commit::sha256_of;
use crate::entry::signed_digest;
use countersign_core::{Digest, b64_encode};

/// What stands in a place until the hash is known: as long as one.
const PLACE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Bytes that a signature adds to a text: `,"sig":"…"`.
pub(crate) const SIGNATURE_BYTES: usize = 95;

/// The hash of an entry before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    /// It is signed.
    Known(Digest),
    /// It comes to be when the entry of this index in the batch is signed.
    Of(usize),
}

impl Hash {
    /// Once it is known.
    pub(crate) fn known(self) -> Option<Digest> {
        if let Self::Known(digest) = self { Some(digest) } else { None }
    }
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Where in the text, in bytes.
    at: usize,
    /// Whose hash it takes: an index in the batch.
    of: usize,
}

/// The signed text T of an entry without its closing brace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenText {
    text: String,
    places: Vec<Place>,
}

/// Such a text with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    /// T with the signature, without the closing brace.
    pub(crate) text: String,
    /// The signature.
    pub(crate) sig: [u8; 64],
    /// L: the hash of the entry.
    pub(crate) leaf: Digest,
}

impl OpenText {
    pub(crate) fn new(text: String) -> Self {
        Self { text, places: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// What is written at the end next.
    pub(crate) fn end(&mut self) -> &mut String {
        &mut self.text
    }

    /// Writes a hash at the end, or keeps its place.
    pub(crate) fn push_hash(&mut self, hash: Hash) {
        let at = self.text.len();
        self.text.push_str(PLACE);
        self.put(at, hash);
    }

    /// Puts a hash where there is a place for one.
    pub(crate) fn put(&mut self, at: usize, hash: Hash) {
        match hash {
            Hash::Known(digest) => write(&mut self.text, at, &digest),
            Hash::Of(of) => self.places.push(Place { at, of }),
        }
    }

    /// Fills in the hashes that are known, by index in the batch.
    pub(crate) fn fill(&mut self, known: impl Fn(usize) -> Option<Digest>) {
        let text = &mut self.text;
        self.places.retain(|place| match known(place.of) {
            Some(digest) => {
                write(text, place.at, &digest);
                false
            }
            None => true,
        });
    }

    /// What is to be signed; `None` while a hash is missing.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        self.places.is_empty().then(|| signed_digest(&self.text))
    }

    /// With this signature; `None` while a hash is missing.
    pub(crate) fn signed(self, sig: [u8; 64]) -> Option<SignedText> {
        if !self.places.is_empty() {
            return None;
        }
        let mut text = self.text;
        text.push_str(",\"sig\":\"");
        text.push_str(&b64_encode(&sig));
        text.push('"');
        let leaf = sha256_of(&[&[0], text.as_bytes(), b"}"]);
        Some(SignedText { text, sig, leaf })
    }

    /// How many bytes [`OpenText::write_to`] writes.
    pub(crate) fn written_bytes(&self) -> usize {
        3 + 4 * self.places.len() + self.text.len()
    }

    /// Writes it down: its length (u16), how many places (u8), of each where it
    /// is and whose hash it takes, counted from `first` (u16 each), the text.
    /// Numbers are big-endian. `None` where one of them is too large.
    pub(crate) fn write_to(&self, first: usize, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(&u16::try_from(self.text.len()).ok()?.to_be_bytes());
        out.push(u8::try_from(self.places.len()).ok()?);
        for place in &self.places {
            out.extend_from_slice(&u16::try_from(place.at).ok()?.to_be_bytes());
            out.extend_from_slice(&u16::try_from(place.of.checked_sub(first)?).ok()?.to_be_bytes());
        }
        out.extend_from_slice(self.text.as_bytes());
        Some(())
    }

    /// Reads what [`OpenText::write_to`] has written at the beginning, and what
    /// comes after it. `None` where it is something else.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (length, bytes) = number(bytes)?;
        let (count, mut bytes) = bytes.split_first()?;
        let mut places = Vec::with_capacity(usize::from(*count));
        for _ in 0..*count {
            let ((at, rest), of);
            (at, rest) = number(bytes)?;
            (of, bytes) = number(rest)?;
            places.push(Place { at, of });
        }
        let (text, bytes) = bytes.split_at_checked(length)?;
        let text = std::str::from_utf8(text).ok()?.to_owned();
        // Nothing but what keeps a place is overwritten.
        let fits = |place: &Place| text.get(place.at..place.at + PLACE.len()) == Some(PLACE);
        places.iter().all(fits).then_some((Self { text, places }, bytes))
    }
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_be_bytes(*number)), rest))
}

fn write(text: &mut String, at: usize, digest: &Digest) {
    text.replace_range(at..at + PLACE.len(), &digest.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again_and_nothing_else() {
        let mut text = OpenText::new("{\"prev\":\"".to_owned());
        text.push_hash(Hash::Of(7));
        text.end().push_str("\",\"was\":\"");
        text.push_hash(Hash::Known(Digest([9; 32])));
        text.end().push('"');
        let mut written = Vec::new();
        text.write_to(5, &mut written).unwrap();
        assert_eq!(written.len(), text.written_bytes());
        assert_eq!(text.write_to(8, &mut Vec::new()), None, "a hash of an earlier batch");
        let (mut read, rest) = OpenText::read(&written).unwrap();
        assert!(rest.is_empty());
        assert_eq!(read.places, [Place { at: 9, of: 2 }]);
        assert_eq!((read.digest(), read.clone().signed([0; 64])), (None, None));
        read.fill(|of| (of == 2).then_some(Digest([3; 32])));
        assert_eq!(read.text, format!("{{\"prev\":\"{}\",\"was\":\"{}\"", Digest([3; 32]), Digest([9; 32])),);
        for length in 0..written.len() {
            assert_eq!(OpenText::read(&written[..length]), None, "{length}");
        }
        // A place where something else stands, or none is.
        for (at, byte) in [(4, 10), (4, 99), (3, 255), (2, 2), (20, b'B'), (10, 0xff)] {
            let mut bad = written.clone();
            bad[at] = byte;
            assert_eq!(OpenText::read(&bad), None, "{at}");
        }
    }
}
