//! How deep a text may be nested, seen in one pass and before anything
//! recursive looks at it.

/// Words that open a level of the grammar; each is closed by another word.
const OPENING: [&str; 7] = ["if", "while", "until", "for", "case", "select", "function"];

/// Whether the text could be nested deeper than `limit`. Counts every
/// opening bracket, backquote and word whether it is quoted or not, and takes
/// off what closes, so quoting can make it too careful, and at worst a text
/// with closing brackets in quotes is left to the parsers' own counts.
pub(crate) fn deeper_than(text: &str, limit: usize) -> bool {
    let (mut brackets, mut deepest) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' | b'[' => brackets += 1,
            b')' | b'}' | b']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(brackets);
    }
    let backquotes = backquote_levels(text);
    let (mut open, mut words) = (0usize, 0usize);
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
        if OPENING.contains(&word) {
            open += 1;
        } else if matches!(word, "fi" | "done" | "esac") {
            open = open.saturating_sub(1);
        }
        words = words.max(open);
    }
    deepest + backquotes > limit || words > limit || negations(text) > limit
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
