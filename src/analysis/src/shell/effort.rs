//! How much it is for the second parser to read a text, counted before it does.

/// What is open at a place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Double quotes.
    Quote,
    /// A substitution, by what closes it: its text is read again.
    Again(u8),
    /// A subshell, or brackets in arithmetic.
    Group,
    /// `(( … ))`, with or without `$`: its second bracket.
    Arithmetic,
    /// The elements of an array, which are one word to rable.
    Array,
    /// `${ … }`.
    Parameter,
}

impl Open {
    fn closed_by(self) -> u8 {
        match self {
            Self::Quote => b'"',
            Self::Again(close) => close,
            Self::Group | Self::Arithmetic | Self::Array => b')',
            Self::Parameter => b'}',
        }
    }
}

/// Most operators of one arithmetic expression: rable takes each for a level of its own.
const MAX_OPERATORS: usize = 256;

/// Most substitutions and arithmetic expressions of a text: each costs a reader of its own.
const MAX_OPENINGS: usize = 4096;

/// What of a word rable looks at again and again: for each brace that may
/// begin an expansion it goes through the word, and for each byte of it
/// through the quotes and expansions of the word.
#[derive(Debug, Default, Clone, Copy)]
struct Word {
    start: usize,
    braces: usize,
    unquoted: usize,
    parts: usize,
    /// Braces and parts of the words before it in the same substitution: of the word around that they are parts, too.
    before: (usize, usize),
}

impl Word {
    /// In the unit of [`work`]; one step takes rable about a hundredth of it.
    fn work(self, end: usize) -> usize {
        let length = end.saturating_sub(self.start);
        let search = self.unquoted.saturating_mul(length).saturating_mul(self.parts + 1) / 128;
        search.saturating_add(self.braces.saturating_mul(self.parts) / 64)
    }
}

/// How much it is to read `text`: its bytes, those in substitutions 3, 6, 10 …
/// times by their level, as measured, and what braces add. One is 5 to 100 ns.
/// Where the two parsers agree no level is over two; where they do not, this
/// is what keeps rable from reading one text a thousand times.
pub(super) fn work(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    // The word that is read, and those around it whose substitutions are.
    let (mut word, mut outer) = (Word::default(), Vec::new());
    let (mut work, mut at, mut expressions, mut operators) = (0usize, 0usize, 0usize, 0usize);
    let mut openings = 0;
    while let Some(&byte) = bytes.get(at) {
        let inside = open.last().copied();
        let quoted = inside == Some(Open::Quote);
        let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b' ');
        let from = at;
        at = match byte {
            b'\\' => at + 2,
            b'\'' if !quoted => end_of_quote(bytes, at + 1, before == b'$'),
            b'#' if !quoted && b" \t\n;&|(".contains(&before) => next(bytes, at, b'\n'),
            _ => at + 1,
        };
        let level = outer.len() + 1;
        work = work.saturating_add((at.min(bytes.len()) - from).saturating_mul(level * (level + 1) / 2));
        word.parts += usize::from(b"$'\"`\\".contains(&byte));
        word.braces += bytes.get(from..at).unwrap_or_default().iter().filter(|byte| **byte == b'{').count();
        if expressions > 0 {
            operators += usize::from(b"!~+-*/%=?:,<>&|^".contains(&byte));
            if operators > MAX_OPERATORS {
                return usize::MAX;
            }
        } else {
            operators = 0;
        }
        if inside.is_some_and(|open| open.closed_by() == byte) {
            open.pop();
            expressions -= usize::from(inside == Some(Open::Arithmetic));
            if let Some(Open::Again(_)) = inside {
                work = work.saturating_add(word.work(from));
                let inner = std::mem::replace(&mut word, outer.pop().unwrap_or_default());
                word.braces += inner.before.0 + inner.braces;
                word.parts += inner.before.1 + inner.parts;
            }
            continue;
        }
        let opens = match byte {
            b'"' => Some(Open::Quote),
            b'(' if before == b'$' || !quoted && b"<>".contains(&before) => Some(Open::Again(b')')),
            b'`' => Some(Open::Again(b'`')),
            b'(' if !quoted && before == b'=' => Some(Open::Array),
            b'(' if !quoted && before == b'(' => Some(Open::Arithmetic),
            b'(' if !quoted => Some(Open::Group),
            b'{' if before == b'$' => Some(Open::Parameter),
            _ => None,
        };
        openings += usize::from(matches!(opens, Some(Open::Again(_) | Open::Arithmetic)));
        if openings > MAX_OPENINGS {
            return usize::MAX;
        }
        if let Some(Open::Again(_)) = opens {
            word.parts += 1;
            outer.push(std::mem::replace(&mut word, Word { start: at, ..Word::default() }));
        }
        let bare = matches!(inside, None | Some(Open::Again(_) | Open::Group | Open::Arithmetic));
        word.unquoted += usize::from(byte == b'{' && opens.is_none() && (bare || inside == Some(Open::Array)));
        if bare && ends_word(byte, opens, bytes.get(at)) {
            work = work.saturating_add(word.work(from));
            let before = (word.before.0 + word.braces, word.before.1 + word.parts);
            word = Word { start: at, before, ..Word::default() };
        }
        expressions += usize::from(opens == Some(Open::Arithmetic));
        open.extend(opens);
    }
    work.saturating_add(
        outer.into_iter().chain([word]).map(|word| word.work(bytes.len())).fold(0, usize::saturating_add),
    )
}

fn ends_word(byte: u8, opens: Option<Open>, next: Option<&u8>) -> bool {
    // `<(` is a part of the word that it touches.
    b" \t\n;&|)".contains(&byte)
        || b"<>".contains(&byte) && next != Some(&b'(')
        || matches!(opens, Some(Open::Group | Open::Arithmetic))
}

/// Where the quote that is open at `at` has ended.
fn end_of_quote(bytes: &[u8], mut at: usize, escapes: bool) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'\'' => return at + 1,
            b'\\' if escapes => 2,
            _ => 1,
        };
    }
    bytes.len()
}

fn next(bytes: &[u8], at: usize, wanted: u8) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| *byte == wanted).map_or(bytes.len(), |length| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_count_with_what_rable_goes_through_for_each() {
        for (much, text) in [
            (true, format!("echo {}{}", "{'}'".repeat(250), ",".repeat(1000))),
            (true, format!("echo {}{}", "{".repeat(90), "$x".repeat(5000))),
            (true, format!("echo {}{}", "{".repeat(90), "<(a)".repeat(480))),
            (true, format!("echo $(echo {}{})", "{'}'".repeat(250), ",".repeat(1000))),
            (true, format!("a=({}{})", "{'}' ".repeat(250), ", ".repeat(1000))),
            (true, format!("echo \"{}{}\"", "{".repeat(9000), "$x".repeat(9000))),
            (false, "echo {a,b}{c,d}/{e..f} ".repeat(300)),
            (false, format!("curl -d \"{{{}}}\"", "\\\"a\\\": {\\\"b\\\": \\\"$x\\\"}, ".repeat(200))),
            (false, format!("curl -d '{}'", "{\"a\": [{}]}, ".repeat(3000))),
            (false, "f() { if a; then { b; }; fi; }; ${x:-{}} awk '{ print $1 }' ; ".repeat(150)),
        ] {
            let work = work(&text);
            assert_eq!(work > 50_000, much, "{work} {text:.60}");
        }
    }

    #[test]
    fn so_are_many_substitutions() {
        for one in ["`a`", "$(a)", "<(a)", "((a))", "$((a))", "\"$(a)\""] {
            let text = |times: usize| work(&format!("{one} ").repeat(times));
            assert!(text(MAX_OPENINGS + 1) == usize::MAX && text(1000) < usize::MAX, "{one}");
        }
    }

    #[test]
    fn an_expression_of_many_operators_is_too_much() {
        for (open, close) in
            [("((", "))"), ("echo $((", "))"), ("echo $(( (", ") ))"), ("echo \"$((", "))\""), ("(($((", "))))")]
        {
            for operator in ["a?b:", "a=", "!", "-", "1+", "a,", "a**", "a= (b)+"] {
                let text = |times: usize| work(&format!("{open}{}a{close}", operator.repeat(times)));
                assert!(text(40) < 2000 && text(300) == usize::MAX, "{open}{operator}");
            }
        }
        assert!(work(&"((i+1)); [ $((i - 1)) = 2 ]; x=a=b,c; ".repeat(400)) < 40_000);
    }

    #[test]
    fn brackets_in_quotes_close_nothing() {
        let deep = |inside: &str| work(&format!("{}{}{}", "$(a ')' ".repeat(9), inside, ")".repeat(9)));
        assert!(deep(&"$x".repeat(500)) > 40 * 1000);
        assert_eq!(work("a 'b (c' \"d )\" # e (f\n"), 22);
        assert_eq!(work("$(a)"), 1 + 1 + 3 + 3);
    }
}
