//! Identifiers: 128 random bits as 26 characters.
//!
//! Alphabet: Crockford base32 in lower case (no `i l o u`), so that an id read
//! aloud or typed at 3 am has one spelling. All 128 bits are random; people may
//! therefore name one by any unambiguous prefix.

use crate::digits::{NO_DIGIT, table};
use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters in an id: 26 × 5 = 130 bits, the two highest always zero.
const ID_LEN: usize = 26;

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: want 26 characters of 0-9 a-z without i, l, o, u; first character 0-7")]
pub struct BadId;

fn encode(bits: u128) -> [u8; ID_LEN] {
    let mut text = [b'0'; ID_LEN];
    let mut rest = bits;
    for slot in text.iter_mut().rev() {
        let index = usize::try_from(rest & 31).unwrap_or(0);
        *slot = ALPHABET.get(index).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    text
}

fn decode(text: &str) -> Result<u128, BadId> {
    let bytes = text.as_bytes();
    if bytes.len() != ID_LEN || !bytes.first().is_some_and(|b| (b'0'..=b'7').contains(b)) {
        return Err(BadId);
    }
    // In parts that fit into a register: 63 bits, 60 bits, and the last digit's 5.
    let (first, rest) = bytes.split_at_checked(13).ok_or(BadId)?;
    let (second, last) = rest.split_at_checked(12).ok_or(BadId)?;
    let mut seen = 0;
    let mut number = |digits: &[u8]| {
        digits.iter().fold(0u64, |bits, byte| {
            let value = VALUES.get(usize::from(*byte)).copied().unwrap_or(NO_DIGIT);
            seen |= value;
            (bits << 5) | u64::from(value)
        })
    };
    let [first, second, last] = [first, second, last].map(|digits| u128::from(number(digits)));
    if seen & NO_DIGIT == 0 { Ok((first << 65) | (second << 5) | last) } else { Err(BadId) }
}

/// What each byte stands for.
const VALUES: [u8; 256] = table(ALPHABET);

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u128);

        impl $name {
            /// Makes an id of 16 random bytes; the caller brings the randomness.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode(self.0).iter().try_for_each(|b| write!(f, "{}", char::from(*b)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                decode(text).map(Self)
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

id_type!(
    /// An enrolled host (a *target*).
    HostId
);
id_type!(
    /// One connection of an agent (a *login*); also the `sess.id` of its entries.
    LoginId
);
id_type!(
    /// One command line waiting or decided (a *submission*, `command_id`).
    SubmissionId
);
id_type!(
    /// An approval service.
    ServiceId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_the_extremes() {
        for bytes in [[0u8; 16], [0xff; 16], [0x5a; 16]] {
            let id = HostId::from_random(bytes);
            assert_eq!(id.to_string().len(), 26);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn every_bit_and_every_place_counts() {
        for bit in 0..128 {
            let id = HostId::from_random((1u128 << bit).to_be_bytes());
            let text = id.to_string();
            assert_eq!(text.parse(), Ok(id), "{bit}");
            for place in 0..text.len() {
                let mut bad = text.clone();
                bad.replace_range(place..=place, "u");
                assert_eq!(bad.parse::<HostId>(), Err(BadId), "{bad}");
            }
        }
    }

    #[test]
    fn each_letter_stands_for_its_place() {
        for byte in 0..=0xff_u8 {
            let place = ALPHABET.iter().position(|a| *a == byte).map_or(usize::from(NO_DIGIT), |place| place);
            assert_eq!(usize::from(VALUES[usize::from(byte)]), place);
        }
    }

    #[test]
    fn refuses_other_spellings() {
        for text in [
            "",
            "0",
            "80000000000000000000000000",
            "0000000000000000000000000O",
            "0000000000000000000000000I",
            "00000000000000000000000000 ",
        ] {
            assert_eq!(text.parse::<LoginId>(), Err(BadId), "{text:?}");
        }
    }
}
