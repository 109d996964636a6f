//! Fixed-length bytes as base64url without padding (RFC 4648 §5), the only
//! spelling the ledger has for bytes. Trailing bits must be zero, so that each
//! value has exactly one spelling.

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
                const WANT: BadEncoding = BadEncoding { want: $len };
                let mut bytes = [0; $len];
                if text.len() != ($len * 4usize).div_ceil(3) {
                    return Err(WANT);
                }
                let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| WANT)?;
                if length == $len { Ok(Self(bytes)) } else { Err(WANT) }
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
}
