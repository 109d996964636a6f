//! Code that stands in the line and runs what the line does not show: what it reads, or what a file of the working
//! directory says. It is no parser of these languages: code that is not understood counts as such.

use crate::programs::{Source, interpreter};
use crate::words::has_letter;

const AWKS: &[&str] = &["awk", "gawk", "mawk", "nawk", "original-awk"];
/// What code of a language starts programs with, or other code. What takes in files is in `CODE_WORDS`.
const STARTS: &[(&str, &[&str])] = &[
    (
        "perl",
        &[
            "system", "exec", "eval", "open", "readpipe", "qx", "`", "require", "use lib", "do ", "do(", "glob", "&{",
            "?{",
        ],
    ),
    ("ruby", &["system", "spawn", "popen", "open", "%x", "`", "send", "fork"]),
    ("php", &["system", "passthru", "popen", "proc_open", "`", "assert", "pcntl"]),
    ("lua", &["popen"]),
    ("tclsh", &["open", "spawn"]),
    ("expect", &["open", "spawn", "system"]),
    ("node", &["spawn", "process.binding"]),
    ("scala", &["process", "Process", "Runtime", "!"]),
    ("R", &["system", "pipe", "shell", "eval"]),
    ("julia", &["run", "`", "pipeline", "open", "ccall"]),
    ("elixir", &["cmd", "shell", "Port.", "Code."]),
    ("python", &["__builtins__", "compile"]),
];
/// Programs that awk may hand lines to: they run nothing.
const TAKES_LINES: &[&str] = &["sort", "sort -u", "sort -n", "sort -rn", "uniq", "uniq -c", "cat", "cat 1>&2", "wc -l"];

/// Whether code among the words of a program may run what the line does not show.
pub(super) fn runs_what_it_reads(name: &str, texts: &[&str]) -> bool {
    if AWKS.contains(&name) {
        return awk_words(texts).any(awk_starts);
    }
    if name == "java" {
        return reads_classes_here(texts);
    }
    let Some(known) = interpreter(name).filter(|known| !known.is_shell()) else { return false };
    let Source::Word(at) = known.reading(texts).source else { return false };
    let Some((language, starts)) = STARTS.iter().find(|(language, _)| name.starts_with(language)) else { return false };
    let code =
        |text: &&str| starts.iter().any(|word| text.contains(word)) || *language == "perl" && evaluates_twice(text);
    known.is_text(texts, at) && texts.iter().any(code)
}

/// Whether a perl with code in the line opens files by names that something else decides about: `x|` is a command to it.
pub(super) fn opens_by_name(name: &str, texts: &[&str]) -> bool {
    let loops = |text: &&str| has_letter(text, &['n', 'p']);
    name.starts_with("perl") && texts.iter().any(|text| loops(text) || text.contains("<>") || text.contains("ARGV"))
}

/// A `java` that is told of no place where its classes are looks for them in the working directory.
fn reads_classes_here(texts: &[&str]) -> bool {
    let places = ["-jar", "-cp", "-classpath", "--class-path", "-p", "--module-path"];
    let told = |text: &&str| places.iter().any(|place| text.split('=').next() == Some(place));
    !texts.iter().any(told) && texts.iter().any(|text| !text.starts_with(['-', '@']))
}

/// `s/x/y/ee`: what comes of it is run.
fn evaluates_twice(text: &str) -> bool {
    let flags = |run: &str| {
        run.len() > 1 && run.matches('e').count() > 1 && run.bytes().all(|b| b"msixpodualngcer".contains(&b))
    };
    let replaces = text.as_bytes().windows(2).any(|pair| matches!(pair, [b's', after] if after.is_ascii_punctuation()));
    replaces && text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').skip(1).any(flags)
}

/// The words that may be code of awk: not what separates fields.
fn awk_words<'w>(texts: &'w [&'w str]) -> impl Iterator<Item = &'w str> {
    let separates =
        |at: usize| at.checked_sub(1).and_then(|before| texts.get(before)).is_some_and(|text| *text == "-F");
    texts.iter().enumerate().filter(move |(at, text)| !text.starts_with("-F") && !separates(*at)).map(|(_, text)| *text)
}

/// Whether code of awk starts a program, or calls a function by a name that it reads.
fn awk_starts(text: &str) -> bool {
    let Some(bare) = without_literals(text) else { return true };
    let piped = bare.replace("||", "").contains('|');
    piped || bare.contains("system") || bare.contains('@')
}

/// Code of awk without its texts and patterns, and without pipes into a program that runs nothing; `None` where one of
/// them does not end.
fn without_literals(text: &str) -> Option<String> {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    // What stands last that is no blank.
    let mut before: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        let divides =
            before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ')' | ']' | '$' | '"' | '.'));
        match c {
            '"' => {
                let (literal, after) = ended_by(rest, '"')?;
                rest = after;
                let ends = after.trim_start_matches([' ', '\t']).starts_with([';', '}', '\n', ')']);
                if before == Some('|') && ends && TAKES_LINES.contains(&literal) {
                    bare.truncate(bare.trim_end().len() - 1);
                }
                bare.push('"');
            }
            '/' if !divides => {
                rest = ended_by(rest, '/')?.1;
                bare.push('"');
            }
            '#' => rest = rest.split_once('\n').map_or("", |(_, after)| after),
            c => bare.push(c),
        }
        before = bare.chars().next_back().filter(|c| !c.is_whitespace()).or(before);
    }
    Some(bare)
}

/// What stands before the character that ends a text, and what after it.
fn ended_by(text: &str, end: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    let at = text.char_indices().find_map(|(at, c)| {
        let ends = c == end && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })?;
    Some((text.get(..at)?, text.get(at + end.len_utf8()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_runs_what_it_reads_is_seen() {
        let runs = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            // A no-break space stands for a space within a word.
            let words: Vec<String> = words.iter().map(|word| word.replace('\u{a0}', " ")).collect();
            let texts: Vec<&str> = words.iter().map(String::as_str).collect();
            runs_what_it_reads(texts[0], &texts[1..])
        };
        for line in [
            "awk {system($0)} x",
            "awk {print|$1} x",
            "awk {print\u{a0}|\u{a0}\"sh\"} x",
            "awk {print\u{a0}|\u{a0}\"sort\"$1} x",
            "gawk {print|&\"sh\"} x",
            "awk {$0|getline} x",
            "awk {a=1/x|\"sh\"/1} x",
            "awk -e {@f()} x",
            "gawk @include\"x\"\u{a0}{} y",
            "awk {print\u{a0}\"a} x",
            "awk /a\\/|b/{system($1)} x",
            "perl -ne system\u{a0}$_ x",
            "perl -ne 1; -e `$_` x",
            "perl -pe s/x/y/ee x",
            "perl -lne open\u{a0}F,$_ x",
            "ruby -ne system\u{a0}$_ x",
            "php -r passthru($x);",
            "java Main",
            "java -Xmx1g Main",
        ] {
            assert!(runs(line), "{line}");
        }
        for line in [
            "awk {print\u{a0}$1} x",
            "awk -F| {print\u{a0}$1} x",
            "awk -F | {print\u{a0}$1} x",
            "awk /ERROR|WARN/ x",
            "awk $1>5\u{a0}||\u{a0}$2~/a|b/{print\u{a0}\"a|b\"} x",
            "awk {print|\"sort\"} x",
            "awk {print\u{a0}$1/$2\u{a0}\"@system\"} x",
            "perl -pe s/a/b/g x",
            "perl -ne print\u{a0}if\u{a0}/see/ x",
            "perl x.pl",
            "python3 -c print(1)",
            "java -jar x.jar",
            "java -cp /srv/x Main",
            "java -version",
        ] {
            assert!(!runs(line), "{line}");
        }
    }
}
