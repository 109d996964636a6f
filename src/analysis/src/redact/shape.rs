//! What a word looks like: made by a generator, made up by a person, or
//! neither. It says nothing by itself; where the word stands has to agree.

use super::text::UNKNOWN;
use super::values::{Starts, begins, is_motley, is_path, is_placeholder, is_reference, is_uuid, starts};
use std::sync::LazyLock;

/// How a word looks, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// A word with a digit or a sign, as people choose passwords: `hunter2`.
    Weak,
    /// Letters of both sizes and digits: `Summer2024`.
    Motley,
    /// Letters and digits change as no word, name or number has them.
    Generated,
}

/// Longest word that is looked at, in bytes.
const LONGEST: usize = 200;

/// The shape of a word, or nothing for other words.
pub(super) fn of(word: &str) -> Option<Shape> {
    if word.len() < 6 || word.len() > LONGEST {
        return None;
    }
    let seen = Seen::of(word);
    // Nearly every word ends here: it has no digit and no sign, or it is no token.
    if seen.digits + seen.signs + seen.inner_upper == 0 || !seen.token || seen.letters() < 2 {
        return None;
    }
    if harmless(word, &seen) {
        return None;
    }
    if seen.generated(word) {
        return Some(Shape::Generated);
    }
    if is_motley(word) && !word.contains(['/', '.', '=']) {
        return Some(Shape::Motley);
    }
    let chosen = word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && seen.letters() >= 3
        && seen.digits + seen.signs > word.bytes().filter(|byte| *byte == b'@').count()
        && !word.contains(SEPARATORS)
        && word.len() <= 40;
    chosen.then_some(Shape::Weak)
}

/// Signs that part the words of a name.
const SEPARATORS: [char; 7] = ['-', '_', '.', '/', '=', '+', '~'];
/// Signs that a token may hold.
const SIGNS: &[u8] = b"!@#$%^&*?";

/// Whether a text is a token that a generator made.
pub(super) fn is_generated(word: &str) -> bool {
    of(word) == Some(Shape::Generated)
}

/// What was counted in a word.
#[derive(Debug, Default)]
struct Seen {
    lower: usize,
    upper: usize,
    digits: usize,
    /// Signs that are no separators.
    signs: usize,
    /// Capitals behind the first letter.
    inner_upper: usize,
    /// Changes between letters and digits, and from small letters to capitals.
    turns: usize,
    /// Changes between letters and digits alone.
    steps: usize,
    /// Nothing in it that no token holds.
    token: bool,
    /// No letter beyond those of hexadecimal digits.
    hex: bool,
}

impl Seen {
    fn of(word: &str) -> Self {
        let mut seen = Self { token: true, hex: true, ..Self::default() };
        let mut before = b' ';
        for byte in word.bytes() {
            match byte {
                b'a'..=b'z' => seen.lower += 1,
                b'A'..=b'Z' => {
                    seen.upper += 1;
                    seen.inner_upper += usize::from(before.is_ascii_alphanumeric());
                    seen.turns += usize::from(before.is_ascii_lowercase());
                }
                b'0'..=b'9' => seen.digits += 1,
                _ if SIGNS.contains(&byte) => seen.signs += 1,
                _ if SEPARATORS.contains(&char::from(byte)) => {}
                _ => seen.token = false,
            }
            let step = byte.is_ascii_digit() && before.is_ascii_alphabetic()
                || byte.is_ascii_alphabetic() && before.is_ascii_digit();
            seen.turns += usize::from(step);
            seen.steps += usize::from(step);
            seen.hex &= byte.is_ascii_hexdigit() || !byte.is_ascii_alphanumeric();
            before = byte;
        }
        seen
    }

    fn letters(&self) -> usize {
        self.lower + self.upper
    }

    fn generated(&self, word: &str) -> bool {
        let size = self.letters() + self.digits;
        let core = word.trim_end_matches('=');
        if core.contains('=') || core.contains('/') && (is_path(core) || core.contains('@')) || size < 8 {
            return false;
        }
        let strange = is_strange(core);
        if self.lower >= 2 && self.upper >= 2 {
            let capitals = self.inner_upper >= 2 && self.turns >= 2;
            return self.digits > 0 && self.turns * 4 >= size
                || strange && (self.digits > 0 || capitals && size >= 10)
                || capitals && size >= 10 && self.turns * 10 >= size * 4;
        }
        let longest = core.split(SEPARATORS).map(str::len).max().unwrap_or_default();
        let broken = self.steps >= 3 && self.steps * 4 >= size;
        size >= 10 && longest >= 8 && self.digits >= 2 && (broken || strange && self.steps >= 2)
    }
}

/// The letters that often follow each letter in English, from `a` on.
const FOLLOW: [&str; 26] = [
    "bcdgiklmnprstuvwy",
    "aeiloruy",
    "acehikloruty",
    "adeiorsuy",
    "abcdefgilmnprstvwxy",
    "aefilorut",
    "aehilnoru",
    "aeiotruy",
    "abcdefglmnoprstvz",
    "aeou",
    "eilnsay",
    "adefiklostuvy",
    "aeimopbsuy",
    "acdefgiknostuvy",
    "abcdfgiklmnoprstuvw",
    "aehiloprstu",
    "u",
    "acdegiklmnoprstuvy",
    "acehiklmnopqstuwy",
    "acehilorstuwy",
    "abcdegilmnprst",
    "aeio",
    "aehinors",
    "aceipt",
    "aceilmopst",
    "aeiz",
];

/// Whether its letters follow each other as in no word: six pairs of them and
/// more, of which less than two thirds are common. By chance it would be 44 %.
pub(super) fn is_strange(word: &str) -> bool {
    let (mut pairs, mut common) = (0, 0);
    for (first, second) in word.bytes().zip(word.bytes().skip(1)) {
        let (first, second) = (first.to_ascii_lowercase(), second.to_ascii_lowercase());
        if !first.is_ascii_lowercase() || !second.is_ascii_lowercase() {
            continue;
        }
        pairs += 1;
        let follow = FOLLOW.get(usize::from(first - b'a')).copied().unwrap_or_default();
        common += usize::from(follow.as_bytes().contains(&second));
    }
    pairs >= 6 && common * 3 < pairs * 2
}

/// Digests, ids, places, references, encoded prose.
fn harmless(word: &str, seen: &Seen) -> bool {
    // The longer a word of hexadecimal digits, the more likely it is a digest; a short one is no word either.
    seen.hex && (seen.upper == 0 || seen.lower == 0)
        || word.contains(UNKNOWN)
        || is_uuid(word)
        || is_placeholder(word)
        || is_reference(word)
        || word.starts_with("AAAA")
        || known(word)
        || word.contains('/') && is_path(word)
        || is_host_or_file(word)
        || is_encoded_prose(word)
}

/// Names of formats, versions and machines that look like weak passwords.
fn known(word: &str) -> bool {
    const NAMES: &[&str] = &[
        "sha1", "sha2", "sha3", "sha5", "sha-", "aes1", "aes2", "aes-", "hmac-", "utf8", "utf-", "utf1", "base64",
        "base32", "x86_64", "i386", "i686", "amd64", "arm64", "armv", "aarch64", "ed25519", "x25519", "secp",
        "prime256", "rsa4096", "rsa2048", "oauth2", "http2", "ipv4", "ipv6", "python", "ubuntu", "debian", "centos",
        "fedora", "alpine", "windows", "argon2", "bcrypt", "pbkdf2", "scram", "md5sum", "latin1", "ripemd", "blake",
        "chacha", "iso-8859", "iso8859",
    ];
    static STARTS: Starts = LazyLock::new(|| starts(NAMES));
    begins(word, &STARTS)
}

/// `db1.example.org`, `report-2024.tar.gz`, `v1.2.3-rc1`: dots between short words and numbers.
fn is_host_or_file(word: &str) -> bool {
    let dots = word.bytes().filter(|byte| *byte == b'.').count();
    if dots == 0 || word.contains(['!', '@', '#', '$', '%', '^', '&', '*', '?', '~', '+', '=']) {
        return false;
    }
    let parts = || word.split('.');
    let last = parts().next_back().unwrap_or_default();
    let file = dots == 1 && (2..=4).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_lowercase());
    let ending = (1..=6).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    file || ending && parts().all(|part| part.bytes().all(|b| !b.is_ascii_uppercase()))
}

/// Base64 whose content is readable text.
pub(super) fn is_encoded_prose(word: &str) -> bool {
    let core = word.trim_end_matches('=');
    if core.len() < 8 || core.len() % 4 == 1 || core.len() == word.len() && !core.len().is_multiple_of(4) {
        return false;
    }
    let mut bits = 0u32;
    let mut held = 0u32;
    for byte in core.bytes() {
        let Some(value) = sextet(byte) else { return false };
        held = (held << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let decoded = held >> bits & 0xff;
            if !(0x20..0x7f).contains(&decoded) && decoded != 0x0a {
                return false;
            }
        }
    }
    true
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_words() {
        for word in [
            "Xq7vTr2k",
            "n3xptackjomo50q",
            "SgxBgw3_-9xQ",
            "pxjhBtqRDiWk",
            "GtQCUE7uSz4aC7rX1KGYjOu+OdWfWgL3GgxbWEJLN2I=",
        ] {
            assert_eq!(of(word), Some(Shape::Generated), "{word}");
        }
        for word in ["Summer2024", "Redsox2004", "TestSecretRotation2", "CorrectHorse7"] {
            assert_eq!(of(word), Some(Shape::Motley), "{word}");
        }
        for word in ["hunter2", "p@ssw0rd", "sunshine88", "Friday13"] {
            assert!(of(word).is_some(), "{word}");
        }
        for word in [
            "",
            "password",
            "getUserName",
            "8fa3c1d2e4b5a69788776655443322110f0e0d0c",
            "60ccb24e-5fc9-403d-814b-9c6aee69dee0",
            "x86_64",
            "sha256:Xq7vTr2kXq7vTr2k",
            "release-2024.tar.gz",
            "db1.example.org",
            "v1.2.3-rc1",
            "/srv/Data2024/x",
            "YOUR_API_KEY1",
            "aGVsbG8gd29ybGQ=",
            "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZw==",
            "a b1C2d3E4f5",
            "12345678",
            "\0Xq7vTr2k",
        ] {
            assert_eq!(of(word), None, "{word}");
        }
    }

    #[test]
    fn encoded_prose_is_told_from_keys() {
        assert!(is_encoded_prose("SGVsbG8sIHdvcmxkIQ=="));
        assert!(!is_encoded_prose("cHrYEvq0aRFP98SI3qJUgSN1cHAFLLEFAD2GjY4YR5J="));
    }
}
