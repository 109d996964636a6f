//! Fixed-length bytes as base64url without padding (RFC 4648 §5), the only
//! spelling the ledger has for bytes. Trailing bits must be zero, so that each
//! value has exactly one spelling.

use crate::digits::{NO_DIGIT, table};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// The text is not canonical base64url, or not of the wanted length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding of {want} bytes")]
pub struct BadEncoding {
    /// Bytes that were wanted; 0 where any length would do.
    pub want: usize,
}

/// Writes bytes as base64url without padding.
pub fn b64_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads canonical base64url without padding of any length.
pub fn b64_decode(text: &str) -> Result<Vec<u8>, BadEncoding> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BadEncoding { want: 0 })
}

/// Reads canonical base64url without padding of exactly `N` bytes. By hand: a
/// verifier reads some ten digests of every entry, and each is short.
pub fn b64_fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    let mut bytes = [0; N];
    let (fours, rest) = text.as_bytes().as_chunks::<4>();
    let (threes, end) = bytes.as_chunks_mut::<3>();
    let mut seen = 0;
    for (four, three) in fours.iter().zip(threes) {
        let bits = joined(*four);
        seen |= bits;
        let [_, a, b, c] = bits.to_be_bytes();
        *three = [a, b, c];
    }
    // Digits that are not there are zeros.
    let mut last = *b"AAAA";
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    let bits = joined(last);
    seen |= bits;
    let [_, a, b, c] = bits.to_be_bytes();
    // What a last digit has beyond the bytes must be zero.
    let left = match end {
        [] => a | b | c,
        [x] => {
            *x = a;
            b | c
        }
        [x, y] => {
            (*x, *y) = (a, b);
            c
        }
        _ => return None,
    };
    (seen & NO_DIGITS == 0 && left == 0).then_some(bytes)
}

/// Whether [`b64_fixed`] would read it. Looked at without a branch, so that the
/// compiler can look at many characters together.
pub fn b64_is_fixed<const N: usize>(text: &str) -> bool {
    let digit =
        |b: u8| b.is_ascii_uppercase() | b.is_ascii_lowercase() | b.is_ascii_digit() | (b == b'-') | (b == b'_');
    let Some(last) = text.as_bytes().last() else { return N == 0 };
    // What the last digit has beyond the bytes.
    let beyond = [0, 0b1111, 0b11].get(N % 3).copied().unwrap_or_default();
    let [.., fourth] = &PLACES;
    let value = fourth.get(usize::from(*last)).copied().unwrap_or(NO_DIGITS);
    text.len() == (N * 4).div_ceil(3) && text.bytes().fold(true, |all, b| all & digit(b)) && value & beyond == 0
}

/// Four digits as 24 bits; a bit of [`NO_DIGITS`] is set where one is none.
fn joined([a, b, c, d]: [u8; 4]) -> u32 {
    let of = |place: &[u32; 256], digit: u8| place.get(usize::from(digit)).copied().unwrap_or(NO_DIGITS);
    let [first, second, third, fourth] = &PLACES;
    of(first, a) | of(second, b) | of(third, c) | of(fourth, d)
}

const NO_DIGITS: u32 = 0xff00_0000;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What each byte stands for as the first to fourth digit.
static PLACES: [[u32; 256]; 4] = [
    shifted(&table(ALPHABET), 18),
    shifted(&table(ALPHABET), 12),
    shifted(&table(ALPHABET), 6),
    shifted(&table(ALPHABET), 0),
];

const fn shifted(values: &[u8; 256], bits: u32) -> [u32; 256] {
    let mut shifted = [NO_DIGITS; 256];
    let (mut from, mut to) = (values.as_slice(), shifted.as_mut_slice());
    while let ([value, rest @ ..], [slot, after @ ..]) = (from, to) {
        if *value != NO_DIGIT {
            *slot = (*value as u32) << bits;
        }
        (from, to) = (rest, after);
    }
    shifted
}

macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&b64_encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadEncoding;
            fn from_str(text: &str) -> Result<Self, BadEncoding> {
                b64_fixed(text).map(Self).ok_or(BadEncoding { want: $len })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes_type!(
    /// A SHA-256 digest or a commitment: 32 bytes, 43 characters.
    Digest, 32
);
bytes_type!(
    /// The salt of a commitment: 32 random bytes, 43 characters.
    Salt, 32
);
bytes_type!(
    /// What makes a submission answerable once: 16 random bytes, 22 characters.
    Nonce, 16
);

impl Digest {
    /// The `prev` of a first entry.
    pub const ZERO: Self = Self([0; 32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        let text = Digest([7; 32]).to_string();
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse(), Ok(Digest([7; 32])));
        let mut other = text.clone();
        other.pop();
        assert!(format!("{other}d").parse::<Digest>().is_err(), "non-zero trailing bits");
        assert!(format!("{text}=").parse::<Digest>().is_err(), "padding");
        assert!("".parse::<Nonce>().is_err());
    }

    /// One digit of a text changed to every byte, at every place.
    fn as_the_library<const N: usize>() {
        let bytes: Vec<u8> = (0..N).map(|at| u8::try_from(at * 37 % 251).unwrap()).collect();
        let text = b64_encode(&bytes);
        assert_eq!(b64_fixed::<N>(&text).map(|read| read.to_vec()), Some(bytes));
        for at in 0..text.len() {
            for byte in 0..0x80u8 {
                let mut changed = text.clone().into_bytes();
                changed[at] = byte;
                let changed = String::from_utf8(changed).unwrap();
                let library = b64_decode(&changed).ok().filter(|read| read.len() == N);
                assert_eq!(b64_is_fixed::<N>(&changed), library.is_some(), "{changed:?}");
                assert_eq!(b64_fixed::<N>(&changed).map(|read| read.to_vec()), library, "{changed:?}");
            }
        }
        for other in [&text[1..], &format!("{text}A"), ""] {
            assert_eq!((b64_fixed::<N>(other), b64_is_fixed::<N>(other)), (None, false));
        }
    }

    #[test]
    fn reads_what_the_library_reads() {
        as_the_library::<16>();
        as_the_library::<32>();
        as_the_library::<33>();
        as_the_library::<64>();
        assert_eq!(b64_fixed::<3>("AA\u{e9}"), None);
        assert_eq!(b64_fixed::<0>(""), Some([]));
        assert!(b64_is_fixed::<0>("") && !b64_is_fixed::<0>("A") && !b64_is_fixed::<3>("AA\u{e9}"));
    }
}
