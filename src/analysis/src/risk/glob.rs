//! Patterns of words: `*` stands for any text.

/// What can be said of a text in two numbers: enough to know of most patterns,
/// without a look at their texts, that they do not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// The first eight bytes.
    head: u64,
    /// A bit for each byte that is in it (modulo 64).
    bytes: u64,
}

impl Shape {
    /// That of `text`.
    pub(super) fn of(text: &str) -> Self {
        Self { head: head(text), bytes: text.bytes().fold(0, |set, byte| set | 1 << (byte & 63)) }
    }
}

fn head(text: &str) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(text.bytes()).for_each(|(to, byte)| *to = byte);
    u64::from_le_bytes(first)
}

/// A text in which `*` stands for any text, cut at them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    parts: Vec<String>,
    /// The shape that a text must have …
    shape: Shape,
    /// … as far as this many of its first bytes are given.
    mask: u64,
}

impl Glob {
    pub(super) fn of(text: &str) -> Self {
        let parts: Vec<String> = text.split('*').map(str::to_owned).collect();
        let given = parts.first().map_or(0, String::len);
        // A text without stars is as long as it is: what follows is nothing.
        let given = if parts.len() == 1 { 8 } else { given.min(8) };
        let mask = (0..given).fold(0, |mask, byte| mask | 0xff << (8 * byte));
        let bytes = parts.iter().fold(0, |set, part| set | Shape::of(part).bytes);
        let first = parts.first().map_or(0, |first| head(first));
        Self { shape: Shape { head: first & mask, bytes }, mask, parts }
    }

    /// Whether it matches `text`, whose shape is `shape`.
    pub(super) fn matches(&self, text: &str, shape: Shape) -> bool {
        shape.head & self.mask == self.shape.head && self.shape.bytes & !shape.bytes == 0 && self.reads(text)
    }

    fn reads(&self, text: &str) -> bool {
        let Some((first, parts)) = self.parts.split_first() else { return text.is_empty() };
        let Some((last, inner)) = parts.split_last() else { return text == first };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        if !rest.ends_with(last.as_str()) {
            return false;
        }
        let mut rest = rest;
        for part in inner {
            match find(rest, part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

/// Where `part` begins in `text`. Words and parts are short: preparing a
/// search would cost more than it saves.
fn find(text: &str, part: &str) -> Option<usize> {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else { return Some(0) };
    memchr::memchr_iter(*first, text).find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (glob, yes, no) in [
            ("a", "a", "ab"),
            ("a*", "ab", "ba"),
            ("*a", "ba", "ab"),
            ("*a*", "bab", "bb"),
            ("a*a", "aa", "a"),
            ("a*b*c", "a-b-c", "a-c-b"),
            ("*", "", "never"),
            ("a*ab*b", "aabb", "aab"),
            ("*é*aab*", "xéaaab", "xeaaab"),
            ("", "", "a"),
            ("abcdefgh", "abcdefgh", "abcdefghi"),
            ("abcdefghi", "abcdefghi", "abcdefgh"),
            ("abcdefghi*j", "abcdefghij", "abcdefgij"),
        ] {
            assert!(matches(glob, yes), "{glob} {yes}");
            assert!(glob == "*" || !matches(glob, no), "{glob} {no}");
        }
    }

    fn matches(glob: &str, text: &str) -> bool {
        Glob::of(glob).matches(text, Shape::of(text))
    }

    #[test]
    fn shapes_only_spare_the_look() {
        let pieces = ["", "a", "b", "*", "ab", "**", "é", "/etc/", "0123456789"];
        for glob in pieces.iter().flat_map(|a| pieces.iter().map(move |b| format!("{a}{b}a*"))) {
            for text in pieces.iter().flat_map(|a| pieces.iter().map(move |b| format!("{a}{b}a"))) {
                assert_eq!(matches(&glob, &text), Glob::of(&glob).reads(&text), "{glob} {text}");
            }
        }
    }
}
