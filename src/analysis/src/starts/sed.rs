//! Whether a script of sed runs what it reads: its command `e`, and the flag
//! `e` of `s` (`sed e x` is `sh x`). What is not understood counts as if it did.

/// Whether one of the scripts among the words of sed may do so.
pub(super) fn runs_what_it_reads(arguments: &[&str]) -> bool {
    let (mut scripts, mut operands) = (Vec::new(), Vec::new());
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        let mut next = || rest.next().copied().unwrap_or_default();
        if let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            if "expression".starts_with(name) {
                scripts.push(value.unwrap_or_else(next));
            } else if "line-length".starts_with(name) && value.is_none() {
                next();
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty() && *letters != "-") {
            match letters.find(['e', 'l', 'i', 'f']).map(|at| (letters.as_bytes().get(at), letters.get(at + 1..))) {
                Some((Some(b'e'), attached)) => scripts.push(attached.filter(|a| !a.is_empty()).unwrap_or_else(next)),
                Some((Some(b'l' | b'f'), Some(""))) => drop(next()),
                Some(_) | None => {}
            }
        } else {
            operands.push(*word);
        }
    }
    let given = if scripts.is_empty() { operands.first().copied().into_iter().collect() } else { scripts };
    given.into_iter().any(|script| is_harmless(script).is_none())
}

/// `None` where it runs something, or is not understood.
fn is_harmless(script: &str) -> Option<()> {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}'));
        if rest.is_empty() {
            return Some(());
        }
        rest = address(rest)?;
        let mut after = rest.trim_start_matches([' ', '\t', '!']).chars();
        let command = after.next()?;
        let text = after.as_str();
        rest = match command {
            '{' => text,
            '}' | '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' | 'F' => ends(text)?,
            'q' | 'Q' | 'l' => ends(text.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()))?,
            's' | 'y' => {
                let separator = text.chars().next().filter(|c| !matches!(c, '\\' | '\n'))?;
                let pattern = text.get(separator.len_utf8()..)?;
                let flags = delimited(delimited(pattern, separator)?, separator)?;
                let own = flags
                    .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, 'g' | 'p' | 'i' | 'I' | 'm' | 'M'));
                match own.strip_prefix('w') {
                    Some(file) => line_end(file),
                    None => ends(own)?,
                }
            }
            'a' | 'i' | 'c' => added(text)?,
            // A label ends at a semicolon or a blank too, but in old versions.
            ':' | 'b' | 't' | 'T' => ends(label_end(text))?,
            '#' | 'r' | 'R' | 'w' | 'W' => line_end(text),
            _ => return None,
        };
    }
}

/// What follows the addresses of a command.
fn address(text: &str) -> Option<&str> {
    let one = |text: &str| -> Option<Option<usize>> {
        let number = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '~' | '+')).unwrap_or(text.len());
        let end = match text.chars().next()? {
            '$' => 1,
            '/' => text.len() - delimited(text.get(1..)?, '/')?.len(),
            '\\' => {
                let separator = text.get(1..)?.chars().next()?;
                text.len() - delimited(text.get(1 + separator.len_utf8()..)?, separator)?.len()
            }
            _ if number > 0 => number,
            _ => return Some(None),
        };
        let flags = text.get(end..)?.find(|c: char| !matches!(c, 'I' | 'M'))?;
        Some(Some(end + flags))
    };
    let Some(first) = one(text)? else { return Some(text) };
    let rest = text.get(first..)?.trim_start_matches([' ', '\t']);
    let Some(second) = rest.strip_prefix(',') else { return Some(rest) };
    let second = second.trim_start_matches([' ', '\t']);
    second.get(one(second)??..)
}

/// What follows a text up to its separator, which a backslash or brackets keep
/// from ending it; where brackets could make two readings of it, none.
fn delimited(text: &str, separator: char) -> Option<&str> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()?),
            '[' if text.get(at..)?.split(']').next()?.contains(separator) => return None,
            c if c == separator => return text.get(at + c.len_utf8()..),
            _ => {}
        }
    }
    None
}

/// A command without an operand ends at a line end, a semicolon or a brace.
fn ends(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t']);
    (text.is_empty() || text.starts_with([';', '\n', '}', '#'])).then_some(text)
}

/// What follows a text that is put in: lines that end with a backslash go on.
fn added(text: &str) -> Option<&str> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    match line.len() - line.trim_end_matches('\\').len() {
        0 => Some(rest),
        1 => added(rest),
        _ => None,
    }
}

fn label_end(text: &str) -> &str {
    let label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.trim_start_matches([' ', '\t']).trim_start_matches(label)
}

fn line_end(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::runs_what_it_reads;

    #[test]
    fn what_sed_runs_is_seen() {
        for script in [
            "e",
            "1e",
            "1!e",
            "$e",
            "1~2e",
            "/a/e",
            "/a/Ie",
            "/a/,+1e",
            "t;e",
            ":a;e",
            ":a e",
            "tx\n:x;e",
            "p;e",
            "{p;e}",
            "n\ne",
            "\\,a,e",
            "s/a/b/e",
            "s/a/b/ge",
            "s|a|b|e",
            "sxaxbxe",
            "s/[/]/b/e",
            "s/a/b/we\ne",
            "y/a/b/;e",
            "e id",
            "a\\\nx\ne",
            "?",
            "s/a/b",
            "b;e\ne",
            "#x\ne",
            "1 e",
            "s/a/b/;e",
            "s/\\//b/e",
        ] {
            for words in [vec![script], vec!["-n", script, "x"], vec!["-ne", script], vec!["--expr", script, "x"]] {
                assert!(runs_what_it_reads(&words), "{words:?}");
            }
        }
        assert!(runs_what_it_reads(&["-es/a/b/", "-ee", "x"]) && runs_what_it_reads(&["--expression=e"]));
        assert!(runs_what_it_reads(&["-l", "5", "e"]) && runs_what_it_reads(&["-i", "e", "x"]));
    }

    #[test]
    fn other_scripts_are_no_code() {
        for script in [
            "1,20p",
            "$d",
            "s/where/here/",
            "s/a/b/gI",
            "s|/srv/e|/srv/f|g",
            "/re/d",
            "/a/,/b/!d",
            "s/a/b/;s/c/d/",
            "1d;$d",
            "/^e/{s/e/f/;p}",
            "10q",
            "$!N;s/\\n/ /",
            "s/a/b/w out",
            "\\,e,p",
            "s/[^e]*$//",
            "=",
            "/a/I,+2p",
            "s/a/b/ # e",
            ":a;N\n$!ba\ns/e/f/g",
            "y/abe/ABE/",
            "2~3p",
            "1i e",
            "/x/a\\\ne\\\ne",
            "$c\\e",
        ] {
            assert!(!runs_what_it_reads(&["-n", script, "e"]), "{script}");
        }
        assert!(!runs_what_it_reads(&["-i.e", "-e", "s/a/b/", "-e", "p", "e"]) && !runs_what_it_reads(&["--version"]));
    }
}
