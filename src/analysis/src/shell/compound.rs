//! Compound commands and functions.

use super::simple::is_name;
use super::word::Scanned;
use super::{Parse, Reader};
use crate::facts::{Context, Loop};

/// Reserved words that begin a compound command.
const COMPOUND: [&str; 9] = ["{", "if", "while", "until", "for", "select", "case", "[[", "function"];
/// Reserved words that cannot begin a command.
const MISPLACED: [&str; 10] = ["then", "elif", "else", "fi", "do", "done", "esac", "in", "}", "]]"];

impl Reader<'_> {
    /// Reads one command of any kind.
    pub(super) fn command(&mut self) -> Parse<()> {
        self.blanks();
        if self.compound()? {
            return self.shared_redirections();
        }
        if self.next_is_reserved("coproc") {
            self.at += 6;
            self.out.bash_only = true;
            return self.within(Context::Coprocess, Self::coprocess);
        }
        if MISPLACED.iter().any(|word| *word != "in" && *word != "]]" && self.next_is_reserved(word)) {
            return self.stop();
        }
        self.simple()
    }

    /// Reads a compound command, if one begins here.
    fn compound(&mut self) -> Parse<bool> {
        if self.starts("((") && self.is_arithmetic(2)? {
            self.at += 2;
            self.out.bash_only = true;
            self.within(Context::Arithmetic, |reader| reader.arithmetic(b')'))?;
            self.at += 1;
        } else if self.take("(") {
            self.within(Context::Subshell, |reader| reader.body(")"))?;
        } else if let Some(word) = COMPOUND.iter().find(|word| self.next_is_reserved(word)) {
            self.at += word.len();
            match *word {
                "{" => self.deeper(|reader| reader.body("}"))?,
                "if" => self.conditional()?,
                "while" | "until" => self.loop_with_condition()?,
                "for" => self.for_loop()?,
                "select" => self.select()?,
                "case" => self.case()?,
                "[[" => self.condition()?,
                _ => return self.function_keyword().map(|()| true),
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads at least one command and then the word `end`.
    fn body(&mut self, end: &str) -> Parse<()> {
        self.commands_until(&[end])?;
        self.at += end.len();
        Ok(())
    }

    fn commands_until(&mut self, ends: &[&str]) -> Parse<()> {
        let count = self.statements(ends)?;
        if count == 0 || self.at >= self.text.len() { self.stop() } else { Ok(()) }
    }

    fn conditional(&mut self) -> Parse<()> {
        loop {
            self.within(Context::Condition, |reader| reader.body("then"))?;
            self.within(Context::Branch, |reader| reader.commands_until(&["elif", "else", "fi"]))?;
            if self.next_is_reserved("elif") {
                self.at += 4;
                continue;
            }
            if self.next_is_reserved("else") {
                self.at += 4;
                self.within(Context::Branch, |reader| reader.commands_until(&["fi"]))?;
            }
            self.at += 2;
            return Ok(());
        }
    }

    fn loop_with_condition(&mut self) -> Parse<()> {
        self.within(Context::Condition, |reader| reader.body("do"))?;
        self.within(Context::Loop, |reader| reader.body("done"))
    }

    fn for_loop(&mut self) -> Parse<()> {
        self.blanks();
        if !self.take("((") {
            return self.each();
        }
        self.out.bash_only = true;
        for close in [b';', b';', b')'] {
            self.within(Context::Arithmetic, |reader| reader.arithmetic(close))?;
        }
        if !self.take(")") {
            return self.stop();
        }
        self.separator()?;
        self.loop_body()
    }

    fn select(&mut self) -> Parse<()> {
        self.out.bash_only = true;
        self.each()
    }

    /// `NAME [in words]; do … done`
    fn each(&mut self) -> Parse<()> {
        self.blanks();
        let name = self.expect_word()?;
        let Some(name) = name.bare().filter(|name| is_name(name)).map(str::to_owned) else { return self.stop() };
        self.newlines()?;
        let mut words = Vec::new();
        if self.next_is_reserved("in") {
            self.at += 2;
            loop {
                self.blanks();
                let Some(scanned) = self.word()? else { break };
                if words.len() < Loop::MOST {
                    words.push(scanned.word);
                }
            }
            if !matches!(self.peek(), Some(b';' | b'\n')) {
                return self.stop();
            }
        }
        self.separator()?;
        let start = self.at;
        self.loop_body()?;
        let body = self.span_from(start);
        self.out.loops.push(Loop { name, words, body });
        Ok(())
    }

    /// An optional `;` and newlines.
    fn separator(&mut self) -> Parse<()> {
        self.blanks();
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        self.newlines()
    }

    fn loop_body(&mut self) -> Parse<()> {
        let end = if self.next_is_reserved("do") {
            self.at += 2;
            "done"
        } else if self.next_is_reserved("{") {
            self.at += 1;
            "}"
        } else {
            return self.stop();
        };
        self.within(Context::Loop, |reader| reader.body(end))
    }

    fn case(&mut self) -> Parse<()> {
        self.blanks();
        self.expect_word()?;
        self.newlines()?;
        if !self.next_is_reserved("in") {
            return self.stop();
        }
        self.at += 2;
        loop {
            self.newlines()?;
            if self.next_is_reserved("esac") {
                self.at += 4;
                return Ok(());
            }
            self.blanks();
            self.take("(");
            self.patterns()?;
            self.within(Context::Branch, |reader| reader.statements(&[";;", ";&", "esac"]))?;
            if !(self.take(";;&") || self.take(";;") || self.take(";&") || self.next_is_reserved("esac")) {
                return self.stop();
            }
        }
    }

    fn patterns(&mut self) -> Parse<()> {
        loop {
            self.blanks();
            self.expect_word()?;
            self.blanks();
            if self.take(")") {
                return Ok(());
            }
            if !self.take("|") {
                return self.stop();
            }
        }
    }

    /// `NAME () …`: reads it, if the word just read is followed by brackets.
    pub(super) fn function_follows(&mut self, name: &Scanned) -> Parse<bool> {
        let before = self.at;
        self.blanks();
        if !self.take("(") {
            self.at = before;
            return Ok(false);
        }
        self.blanks();
        let Some(bare) = name.bare() else { return self.stop() };
        if bare.contains('=') {
            self.at = before;
            return Ok(false);
        }
        if !self.take(")") {
            return self.stop();
        }
        self.function_body(bare.to_owned()).map(|()| true)
    }

    fn function_keyword(&mut self) -> Parse<()> {
        self.out.bash_only = true;
        self.blanks();
        let name = self.expect_word()?;
        let Some(bare) = name.bare().map(str::to_owned) else { return self.stop() };
        self.blanks();
        if self.take("(") {
            self.blanks();
            if !self.take(")") {
                return self.stop();
            }
        }
        self.function_body(bare)
    }

    fn function_body(&mut self, name: String) -> Parse<()> {
        self.newlines()?;
        self.out.functions.push(name.clone());
        self.within(Context::Function(name), |reader| {
            if reader.next_is_reserved("function") || !reader.compound()? {
                return reader.stop();
            }
            reader.shared_redirections()
        })
    }

    fn coprocess(&mut self) -> Parse<()> {
        self.blanks();
        if self.compound()? {
            return self.shared_redirections();
        }
        let first = self.expect_word()?;
        self.blanks();
        // `coproc NAME { …; }`: only before a compound command is it a name.
        if first.bare().is_some_and(is_name) && self.compound()? {
            return self.shared_redirections();
        }
        self.simple_after(Some(first))
    }
}
