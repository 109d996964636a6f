//! One line, read in every way there is, and what was found put in order.

use super::context::{self, Mode};
use super::input::{self, Reads};
use super::names::Says;
use super::obeyed::{Obeyed, obeyed};
use super::pasted::{self, Pasted};
use super::shell::{Command, Script, read};
use super::text::{Text, UNKNOWN};
use super::{Class, Finding, forms, grammar, named_pairs, personal, provider, shape, url};
use crate::line::Line;
use crate::programs::interpreter;
use crate::words::base_name;

/// Deepest nesting of scripts inside of words (`sh -c 'ssh h "…"'`).
const NESTED: usize = 4;

/// Shorter texts hold neither a name with a value nor a token.
const SHORTEST: usize = 8;
/// Nobody looks through the words of a longer command: they all count as code.
const MOST_WORDS: usize = 1000;

/// Whose quoting rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// sh, bash, dash, zsh.
    Posix,
    /// Any other: quotes may end elsewhere, so only what no shell could read
    /// as more than a word is hidden.
    Other,
}

impl Dialect {
    /// That of an inner shell named as in the ledger. One that is not known gets the narrow one.
    pub fn of_shell(name: &str) -> Self {
        match name {
            "bash" | "dash" | "zsh" | "sh" => Self::Posix,
            _ => Self::Other,
        }
    }
}

/// Finds secrets and personal data in a command line of a POSIX shell. In
/// order, without overlaps among those of the same `literal`.
pub fn find(line: &str) -> Vec<Finding> {
    find_for(line, Dialect::Posix)
}

/// The same for a shell with other quoting rules.
pub fn find_for(line: &str, dialect: Dialect) -> Vec<Finding> {
    find_in(&Line::new(line), dialect)
}

pub(crate) fn find_in(line: &Line<'_>, dialect: Dialect) -> Vec<Finding> {
    let mut search = Search {
        line: line.text,
        found: Vec::new(),
        strict: dialect == Dialect::Other,
        pasted: Pasted::No,
        functions: may_define(line.text),
        own: false,
    };
    search.script(&Text::line(line.text), 0, Care::Word);
    search.show_what_runs(line);
    search.in_order()
}

/// Finds them in text that nothing will run: output, comments, values. Every
/// finding is literal.
pub fn find_text(text: &str) -> Vec<Finding> {
    let mut search =
        Search { line: text, found: Vec::new(), strict: false, pasted: Pasted::No, functions: false, own: false };
    search.plain(&Text::line(text), Mode::Printed, Care::Shown);
    search.in_order()
}

/// What may be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Care {
    /// Nothing runs it: anything.
    Shown,
    /// A word that a program gets: anything that holds no expansion of any
    /// shell or language.
    Word,
    /// A piece of a document: also nothing that looks like code.
    Data,
    /// It may be read as code once more: only what is one inert token.
    Code,
    /// It stays in the shell, and a later line may run it, which is not looked at
    /// together with this one: only one inert token that names no program, whoever takes it.
    Kept,
    /// It is run: nothing.
    Run,
}

struct Search<'a> {
    line: &'a str,
    found: Vec<Finding>,
    strict: bool,
    /// What becomes of values that the line gives to variables.
    pasted: Pasted,
    /// The line may define a function.
    functions: bool,
    /// What is found is a program's own: it takes it for a password and for nothing else.
    own: bool,
}

/// Whether a line may define a function.
fn may_define(line: &str) -> bool {
    ["()", "function "].iter().any(|sign| line.contains(sign))
}

impl Search<'_> {
    /// Reads a text as a script.
    fn script(&mut self, text: &Text<'_>, depth: usize, care: Care) {
        let script = read(text);
        let care = match (script.more, script.doubt || self.strict) {
            (true, _) => Care::Run,
            (false, true) => Care::Code,
            (false, false) => care,
        };
        if depth == 0 {
            self.pasted = pasted::pasted(&script, depth);
        }
        let run = pasted::run_in_the_end(&script);
        for (at, command) in script.commands.iter().enumerate() {
            let care = if run.contains(&at) { Care::Run } else { care };
            self.command(&script, command, depth, care);
        }
        for comment in &script.comments {
            self.plain(comment, Mode::Written, Care::Code);
        }
        if depth == 0 {
            self.tokens(text, &script);
        }
    }

    /// Tokens with a form of their own, wherever they stand in the line.
    fn tokens(&mut self, text: &Text<'_>, script: &Script<'_>) {
        provider::scan(&text.s, |hit| {
            let inside = |(from, to): &(usize, usize)| hit.start < *to && *from < hit.end;
            if !hit.wide {
                let literal = !script.expansions.iter().any(inside);
                self.add(text, hit.start, hit.end, hit.kind, Class::Secret, Care::Code, literal);
            }
        });
        personal::scan(&text.s, |p| self.add(text, p.start, p.end, p.kind, Class::Personal, Care::Data, true));
    }

    fn command(&mut self, script: &Script<'_>, command: &Command, depth: usize, care: Care) {
        let many = command.words.len() > MOST_WORDS;
        let care = if many { Care::Code } else { care };
        let stays = pasted::sets(command) || pasted::only_sets(command);
        let variable = match self.pasted {
            Pasted::As => Care::Run,
            Pasted::No | Pasted::Into if stays => care.max(Care::Kept),
            Pasted::Into => care.max(Care::Code),
            Pasted::No => care,
        };
        // A function's words are variables of its body.
        let function = script.doubt || self.functions;
        let care = if pasted::sets(command) || function { variable } else { care };
        let reread = if many { grammar::Reread::default() } else { grammar::reread(command) };
        let care_of = |word: usize| {
            let care = if pasted::is_set(command, word) { variable } else { care };
            if reread.code.binary_search(&word).is_ok() { care.max(Care::Code) } else { care }
        };
        grammar::scan(command, |value, own| {
            self.own = own;
            if let Some(word) = command.words.get(value.word) {
                let care = care_of(value.word).max(if word.text.unfinished { Care::Code } else { Care::Shown });
                self.word_value(&word.text, value.start, value.end, value.kind, care);
            }
        });
        self.own = false;
        for (i, word) in command.words.iter().enumerate() {
            self.plain(&word.text, Mode::Written, care_of(i).max(if word.text.unfinished { Care::Code } else { care }));
            if depth < NESTED && reread.scripts.binary_search(&i).is_ok() {
                self.script(&word.text, depth + 1, care);
            }
            if !word.feeds.is_empty() && names_secret(command, i) {
                for feed in word.feeds.iter().filter_map(|f| script.commands.get(*f)) {
                    input::said(feed).for_each(|text| self.stdin(text, Reads::Secret("secret"), care));
                }
            }
        }
        for text in command.targets.iter().chain(&command.input) {
            self.plain(text, Mode::Written, care);
        }
        if let Some(reads) = input::reads(command) {
            self.own = command.words.first().is_some_and(|word| grammar::owns(&word.text.s));
            input::of(script, command, |text| self.stdin(text, reads, care));
            self.own = false;
        } else if input::may_read(command) {
            input::of(script, command, |text| {
                if input::looks_secret(&text.s) {
                    self.stdin(text, Reads::Secret("secret"), care);
                }
            });
        }
        if input::reads(command).is_none() && input::reads_something(command) {
            input::of(script, command, |text| {
                if input::is_generated(&text.s) {
                    self.stdin(text, Reads::Secret("secret"), care);
                }
            });
        }
        if input::encodes(command) {
            input::of(script, command, |text| {
                if let Some((start, end)) = input::user_and_password(&text.s) {
                    self.word_value(text, start, end, "password", care);
                }
            });
        }
        if input::writes_passwords(command) {
            for text in input::said(command).chain(&command.input) {
                for (start, end) in input::last_fields(&text.s) {
                    self.word_value(text, start, end, "password", care);
                }
            }
        }
        let shell = command.words.iter().any(|w| grammar::is_shell(&w.text.s));
        if shell && depth < NESTED {
            input::of(script, command, |text| self.script(text, depth + 1, care));
        }
    }

    fn stdin(&mut self, text: &Text<'_>, reads: Reads, care: Care) {
        let kind = match reads {
            Reads::Secret(kind) => kind,
            Reads::UserColon => "password",
        };
        // What has names inside is found by these.
        if grammar::named_inside(&text.s) || text.s.contains(",") && grammar::names_behind(&text.s) {
            return;
        }
        for (start, end) in input::secrets(&text.s, reads) {
            self.word_value(text, start, end, kind, care);
        }
    }

    /// Text that is not read as words.
    fn plain(&mut self, text: &Text<'_>, mode: Mode, care: Care) {
        let care = if care == Care::Word { Care::Data } else { care };
        if text.s.len() < SHORTEST {
            return;
        }
        self.own = true;
        url::scan(&text.s, |start, end, kind| self.add(text, start, end, kind, Class::Secret, care, true));
        self.own = false;
        if mode == Mode::Written {
            forms::scan(&text.s, |start, end, kind| self.add(text, start, end, kind, Class::Secret, care, true));
            named_pairs::scan(&text.s, care >= Care::Code, |start, end, kind| {
                self.add(text, start, end, kind, Class::Secret, care, true);
            });
        }
        context::scan(&text.s, mode, |v| {
            // Pieces of a text may be code for whoever reads it, unless quotes
            // or the one token they are made of keep them apart.
            self.add(text, v.start, v.end, v.kind, Class::Secret, care, true);
        });
        let whole = text.place(0, text.s.len()).is_some_and(|(from, to)| self.line.get(from..to) == Some(&*text.s));
        let wide_only = whole && mode == Mode::Written;
        // Its tokens were found in the line; only a key is left to be found.
        if wide_only && !provider::may_hold_key(&text.s) {
            return;
        }
        provider::scan(&text.s, |hit| {
            if hit.wide || !wide_only {
                let care = if hit.wide { Care::Shown } else { care };
                self.add(text, hit.start, hit.end, hit.kind, Class::Secret, care, true);
            }
        });
        if mode == Mode::Printed {
            personal::scan(&text.s, |p| self.add(text, p.start, p.end, p.kind, Class::Personal, care, true));
        }
    }

    /// A value that is a word or the end of one.
    fn word_value(&mut self, text: &Text<'_>, start: usize, end: usize, kind: &'static str, care: Care) {
        let globs = text.has_glob(start, end);
        self.add(text, start, end, kind, Class::Secret, care, !globs);
    }

    /// Whether a command substitution stands there.
    fn runs_something(&self, from: usize, to: usize) -> bool {
        let raw = self.line.get(from..to).unwrap_or_default();
        ["$(", "`", "<(", ">("].iter().any(|sign| raw.contains(sign))
    }

    #[allow(clippy::too_many_arguments, reason = "one finding with the three facts that decide whether it is hidden")]
    fn add(
        &mut self,
        text: &Text<'_>,
        start: usize,
        end: usize,
        kind: &'static str,
        class: Class,
        care: Care,
        literal: bool,
    ) {
        let value = text.get(start, end);
        let Some((from, to)) = text.place(start, end) else { return };
        // `-p"$PW"`: the secret is not in the line.
        if value.chars().all(|c| c == UNKNOWN) && !self.runs_something(from, to) {
            return;
        }
        // Noise between two names is no value.
        if care == Care::Shown && value.contains(|c: char| c == '\u{fffd}' || c.is_control() && !c.is_whitespace()) {
            return;
        }
        let calm = match care {
            Care::Shown => true,
            Care::Word => !value.contains(UNKNOWN) && !holds_expansion(value),
            Care::Data => !value.contains(UNKNOWN) && !looks_like_code(value),
            Care::Code => is_inert(value),
            Care::Kept => is_inert(value),
            Care::Run => false,
        };
        let own = self.own || care == Care::Shown || class == Class::Personal;
        let calm = calm && (own && care != Care::Kept || !may_name_a_program(value));
        let whole = self.line.is_char_boundary(from) && self.line.is_char_boundary(to);
        self.found.push(Finding { start: from, end: to, kind, class, literal: literal && calm && whole });
    }

    /// No program and no file of code is hidden, whatever it looks like, and no
    /// text that could become one.
    fn show_what_runs(&mut self, line: &Line<'_>) {
        if !self.found.iter().any(|finding| finding.literal) {
            return;
        }
        let runs = super::run::words(line.facts());
        let obeyed = obeyed(line.text, line.facts());
        for finding in &mut self.found {
            let value = line.text.get(finding.start..finding.end).unwrap_or_default();
            finding.literal &= match obeyed {
                _ if finding.class == Class::Personal => true,
                Obeyed::Followed => true,
                Obeyed::Files => is_inert(value) && !may_name_a_program(value),
                Obeyed::Any => is_inert(value) && shape::is_generated(value),
            };
            let after = runs.partition_point(|span| span.end <= finding.start);
            let run = runs.get(after).is_some_and(|span| span.start < finding.end);
            finding.literal &= !run;
        }
    }

    /// Joins what overlaps, the literal and the others apart.
    fn in_order(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|f| (!f.literal, f.class, f.start, std::cmp::Reverse(f.end)));
        let mut joined: Vec<Finding> = Vec::with_capacity(self.found.len());
        for f in self.found {
            match joined.last_mut() {
                Some(last) if last.literal == f.literal && last.class == f.class && f.start < last.end => {
                    if is_vague(last.kind) && !is_vague(f.kind) {
                        last.kind = f.kind;
                    }
                    last.end = last.end.max(f.end);
                }
                Some(_) | None => joined.push(f),
            }
        }
        joined.sort_by_key(|f| (f.start, f.end));
        joined
    }
}

/// Kinds that only repeat what a name said.
fn is_vague(kind: &str) -> bool {
    matches!(
        kind,
        "password"
            | "secret"
            | "token"
            | "api_key"
            | "secret_key"
            | "access_key"
            | "credentials"
            | "authorization"
            | "bearer_token"
            | "basic_auth"
            | "url_password"
            | "url_token"
            | "passphrase"
            | "private_key"
            | "session_cookie"
            | "signature"
            | "vault_token"
    )
}

/// What a shell or a language between quotes would expand.
fn holds_expansion(value: &str) -> bool {
    ["$(", "`", "${", "<(", ">(", "#{", "@{"].iter().any(|sign| value.contains(sign))
}

/// What a shell or a language could run.
fn looks_like_code(value: &str) -> bool {
    holds_expansion(value)
        || value.contains(char::is_whitespace)
            && value.contains(['(', ')', '{', '}', '[', ']', ';', '|', '&', '<', '>'])
}

/// One token that no shell and no language reads as more than that.
fn is_inert(value: &str) -> bool {
    !value.contains(|c: char| c.is_whitespace() || c.is_control() || "'\"\\`$;|&<>(){}[]".contains(c))
}

/// Whether a shell that takes this for a command may find a program: its first
/// word is a path, or a name as programs have them.
fn may_name_a_program(value: &str) -> bool {
    let apart = |c: char| c.is_whitespace() || c.is_control() || "\\,;:|&=".contains(c);
    let first = value.split(apart).find(|piece| !piece.is_empty()).unwrap_or_default();
    let name = first
        .trim_start_matches(['!', '@', '-', '+', '\'', '"', '(', '{', '`'])
        .trim_end_matches(['\'', '"', ')', '}', '`', '*', '?']);
    name.starts_with(['/', '.', '~'])
        || name.bytes().all(|b| b.is_ascii_lowercase() || b"._+-".contains(&b))
        || interpreter(base_name(name)).is_some()
}

/// Whether the word before says that this one is a secret.
fn names_secret(command: &Command, word: usize) -> bool {
    let before = word.checked_sub(1).and_then(|i| command.words.get(i)).map(|w| &*w.text.s);
    let own = command.words.get(word).map(|w| &*w.text.s).unwrap_or_default();
    let own = own.split(UNKNOWN).next().unwrap_or_default().trim_end_matches('=');
    let says = |name: &str| {
        let name = name.trim_start_matches('-');
        // `--password-file <(echo PASSWORD)`: the file is what the command says.
        let file = name.strip_suffix("file").map(|name| name.trim_end_matches(['-', '_']));
        let file = file.and_then(super::names::judge).filter(|says| matches!(says, Says::Secret(_)));
        super::names::judge(name).or(file).is_some()
    };
    before.is_some_and(says) || says(own)
}
