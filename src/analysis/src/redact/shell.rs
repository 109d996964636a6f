//! Cuts a command line into commands and words as a POSIX shell would, well
//! enough to know which bytes are data and which are code. It also reads what
//! no shell would take: it never fails, it only doubts.

mod here;
mod quoting;

use super::text::{Decoder, Text};
use here::Pending;

/// Deepest nesting that is followed. Deeper text is shown whole.
const DEPTH: usize = 40;
/// Most commands of a text that are told apart: twice what the facts of a line hold.
const MOST_COMMANDS: usize = 1024;

/// What stands in a line.
#[derive(Debug, Default)]
pub(super) struct Script<'a> {
    /// Simple commands, those inside of substitutions before the one around.
    pub(super) commands: Vec<Command>,
    /// Comments.
    pub(super) comments: Vec<Text<'a>>,
    /// There are more commands than are told apart. Any of them may run what the others say.
    pub(super) more: bool,
    /// Ranges of the line that are parameter expansions or arithmetic.
    pub(super) expansions: Vec<(usize, usize)>,
    /// The words may be other than they look from here.
    pub(super) doubt: bool,
}

/// A simple command.
#[derive(Debug, Default)]
pub(super) struct Command {
    /// Its words, assignments and reserved words included.
    pub(super) words: Vec<Word>,
    /// Words of redirections.
    pub(super) targets: Vec<Text<'static>>,
    /// What it reads from here-strings and here-documents.
    pub(super) input: Vec<Text<'static>>,
    /// The command whose output it reads, as an index of [`Script::commands`].
    pub(super) reads: Option<usize>,
}

/// A word.
#[derive(Debug)]
pub(super) struct Word {
    /// What the command gets.
    pub(super) text: Text<'static>,
    /// The commands inside of its process substitutions `<(…)`.
    pub(super) feeds: Vec<usize>,
}

/// Reads a script.
pub(super) fn read<'a>(text: &'a Text<'a>) -> Script<'a> {
    let mut reader = Reader { text, at: 0, depth: 0, script: Script::default(), feeds: Vec::new() };
    while reader.at < text.s.len() {
        reader.list(None);
        if reader.peek() == Some(')') {
            reader.script.doubt = true;
            reader.at += 1;
        }
    }
    reader.script
}

struct Reader<'a> {
    text: &'a Text<'a>,
    at: usize,
    depth: usize,
    script: Script<'a>,
    /// Commands of the process substitutions of the word that is being read.
    feeds: Vec<usize>,
}

/// What the next word is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Argument,
    Target,
    HereString,
    HereDocument { strip: bool },
}

/// The list that is being read.
#[derive(Default)]
struct List {
    command: Command,
    pending: Vec<Pending>,
    /// Here-documents of commands of this line that have ended already.
    owners: Vec<usize>,
    last: Option<usize>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.text.s.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn rest_starts(&self, with: &str) -> bool {
        self.text.s.get(self.at..).is_some_and(|rest| rest.starts_with(with))
    }

    /// Reads commands to the end of the text or to `until`, which is taken.
    /// Returns the index of the last command.
    fn list(&mut self, until: Option<char>) -> Option<usize> {
        let mut list = List::default();
        let mut place = Place::Argument;
        while let Some(c) = self.peek() {
            if self.script.commands.len() >= MOST_COMMANDS {
                self.stop();
                break;
            }
            if Some(c) == until {
                self.at += 1;
                self.end_command(&mut list, false);
                self.here_left(&mut list);
                return list.last;
            }
            match c {
                ' ' | '\t' | '\r' => self.at += 1,
                '\n' => {
                    self.at += 1;
                    self.end_command(&mut list, false);
                    self.here_documents(&mut list);
                    place = Place::Argument;
                }
                '#' => self.comment(),
                ';' | '&' | '|' => {
                    self.operator(&mut list, c);
                    place = Place::Argument;
                }
                '(' => {
                    self.at += 1;
                    self.parenthesis(&mut list);
                }
                ')' => break,
                '<' | '>' if !(self.rest_starts("<(") || self.rest_starts(">(")) => place = self.redirection(&mut list),
                _ => {
                    let word = self.word();
                    self.take(&mut list, word, place);
                    place = Place::Argument;
                }
            }
        }
        self.script.doubt |= until.is_some();
        self.end_command(&mut list, false);
        self.here_left(&mut list);
        list.last
    }

    fn stop(&mut self) {
        self.script.more = true;
        self.script.doubt = true;
        self.at = self.text.s.len();
    }

    fn take(&mut self, list: &mut List, word: Decoder, place: Place) {
        let feeds = std::mem::take(&mut self.feeds);
        self.script.doubt |= word.unfinished;
        match place {
            Place::Argument => {
                let text = word.finish();
                self.script.doubt |= matches!(&*text.s, "[[" | "case" | "esac" | "coproc" | "select" | "function");
                list.command.words.push(Word { text, feeds });
            }
            Place::Target => list.command.targets.push(word.finish()),
            Place::HereString => list.command.input.push(word.finish()),
            Place::HereDocument { strip } => list.pending.push(Pending::new(word, strip)),
        }
    }

    /// Commands in parentheses: a subshell, or something this reader does not
    /// follow (a function, an array, arithmetic), which it then doubts.
    fn parenthesis(&mut self, list: &mut List) {
        let subshell = list.command.words.is_empty() && !self.rest_starts("(");
        self.script.doubt |= !subshell;
        if self.depth >= DEPTH {
            self.script.doubt = true;
            return;
        }
        self.depth += 1;
        if let Some(last) = self.list(Some(')')) {
            list.last = Some(last);
        }
        self.depth -= 1;
    }

    fn comment(&mut self) {
        let end =
            self.text.s.get(self.at..).and_then(|rest| rest.find('\n')).map_or(self.text.s.len(), |n| self.at + n);
        self.script.comments.push(self.text.part(self.at, end));
        self.at = end;
    }

    fn operator(&mut self, list: &mut List, c: char) {
        if self.rest_starts("&>") {
            self.at += 1;
            return;
        }
        self.at += 1;
        let pipe = c == '|' && self.peek() != Some('|');
        if self.peek() == Some(c) || (c == '|' && self.peek() == Some('&')) {
            self.at += 1;
        }
        self.end_command(list, pipe);
    }

    /// Ends the command; the next one reads from it where `pipe`.
    fn end_command(&mut self, list: &mut List, pipe: bool) {
        let empty = list.command.words.is_empty() && list.command.input.is_empty() && list.command.targets.is_empty();
        if !empty || !list.pending.is_empty() {
            let command = std::mem::take(&mut list.command);
            let index = self.script.commands.len();
            self.script.commands.push(command);
            list.owners.resize(list.pending.len(), index);
            list.last = Some(index);
        }
        list.command.reads = if pipe { list.last } else { None };
    }

    fn redirection(&mut self, list: &mut List) -> Place {
        let digits = |w: &Word| !w.text.s.is_empty() && w.text.s.bytes().all(|b| b.is_ascii_digit());
        let touching =
            self.at.checked_sub(1).and_then(|i| self.text.s.as_bytes().get(i)).is_some_and(u8::is_ascii_digit);
        if touching && list.command.words.last().is_some_and(digits) {
            list.command.words.pop();
        }
        for (sign, place) in [
            ("<<<", Place::HereString),
            ("<<-", Place::HereDocument { strip: true }),
            ("<<", Place::HereDocument { strip: false }),
            (">>", Place::Target),
            (">|", Place::Target),
            (">&", Place::Target),
            ("<&", Place::Target),
            ("<>", Place::Target),
        ] {
            if self.rest_starts(sign) {
                self.at += sign.len();
                return place;
            }
        }
        self.at += 1;
        Place::Target
    }
}
