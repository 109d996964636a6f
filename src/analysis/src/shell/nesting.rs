//! How deep a text may be nested, seen in one pass and before anything
//! recursive looks at it.

/// What opens a level in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// How deep the text could be nested. Counts every opening bracket, backquote
    /// and word whether it is quoted or not, and takes off what closes, so quoting
    /// can make it too careful, and at worst a text with closing brackets in quotes
    /// is left to the parsers' own counts.
    pub levels: usize,
    /// How much of it opens a level, or could: it is never nested deeper.
    pub openings: usize,
}

impl Nesting {
    pub(crate) fn of(text: &str) -> Self {
        let (mut open, mut deepest, mut openings) = (0usize, 0usize, 0usize);
        for byte in text.bytes() {
            match byte {
                b'(' | b'{' | b'[' => {
                    open += 1;
                    openings += 1;
                    deepest = deepest.max(open);
                }
                b')' | b'}' | b']' => open = open.saturating_sub(1),
                b'`' => openings += 1,
                _ => {}
            }
        }
        let (words, opening) = if text.is_ascii() {
            open_words(text.as_bytes().split(|b| !b.is_ascii_alphanumeric() && *b != b'_' && *b != b'-'))
        } else {
            open_words(text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map(str::as_bytes))
        };
        let negations = negations(text);
        Self {
            levels: (deepest + backquote_levels(text)).max(words).max(negations),
            openings: openings + opening + negations,
        }
    }
}

/// The most levels that words of the grammar open, and how many of them there are.
fn open_words<'t>(words: impl Iterator<Item = &'t [u8]>) -> (usize, usize) {
    let (mut open, mut most, mut all) = (0usize, 0usize, 0usize);
    // None is shorter or longer than these.
    for word in words.filter(|word| (2..=8).contains(&word.len())) {
        match word {
            b"if" | b"while" | b"until" | b"for" | b"case" | b"select" | b"function" => {
                open += 1;
                all += 1;
                most = most.max(open);
            }
            b"fi" | b"done" | b"esac" => open = open.saturating_sub(1),
            _ => {}
        }
    }
    (most, all)
}

/// Nested backquotes double their backslashes at every level.
fn backquote_levels(text: &str) -> usize {
    let (mut run, mut longest) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'\\' => run += 1,
            b'`' => longest = longest.max(run + 1),
            _ => run = 0,
        }
    }
    longest
}

/// `! ! ! …` is a recursion as well.
fn negations(text: &str) -> usize {
    let (mut run, mut longest) = (0usize, 0usize);
    for word in text.split_ascii_whitespace() {
        run = if matches!(word, "!" | "time" | "coproc") { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
