//! Lists and pipelines.

use super::{Parse, Reader};
use crate::facts::Context;

/// How one pipeline is joined to the next.
enum Joint {
    And,
    Or,
    Sequence,
    Background,
    End,
}

impl Reader<'_> {
    /// Reads commands up to the end of the text or to one of the words or
    /// operators in `ends`, which is left to be taken. `[")"]` and the words of
    /// `case` are operators.
    pub(super) fn statements(&mut self, ends: &[&str]) -> Parse<usize> {
        let mut count = 0;
        loop {
            self.newlines()?;
            if self.at >= self.text.len() || self.at_end_of(ends) {
                return Ok(count);
            }
            self.and_or()?;
            count += 1;
            self.blanks();
            if !matches!(self.peek(), None | Some(b'\n')) && !self.at_end_of(ends) && !self.separated() {
                return self.stop();
            }
        }
    }

    /// Whether the operator just taken ended a command.
    fn separated(&self) -> bool {
        matches!(self.text.get(..self.at).map(str::trim_end), Some(before) if before.ends_with([';', '&']))
    }

    fn at_end_of(&self, ends: &[&str]) -> bool {
        ends.iter().any(|end| match *end {
            ")" | ";;" | ";&" => self.starts(end),
            word => self.next_is_reserved(word),
        })
    }

    /// Whether the next word is this reserved word, bare.
    pub(super) fn next_is_reserved(&self, word: &str) -> bool {
        let Some(rest) = self.rest().strip_prefix(word) else { return false };
        match rest.as_bytes().first() {
            None => true,
            Some(b'\\') => rest.starts_with("\\\n"),
            Some(c) => b" \t\n;&|<>()".contains(c),
        }
    }

    fn and_or(&mut self) -> Parse<()> {
        let first = self.out.commands.len();
        let depth = self.context.len();
        let mut joined = None;
        loop {
            match joined.take() {
                None => self.pipeline()?,
                Some(context) => self.within(context, Self::pipeline)?,
            }
            match self.joint() {
                Joint::And => joined = Some(Context::AfterSuccess),
                Joint::Or => joined = Some(Context::AfterFailure),
                Joint::Background => {
                    for command in self.out.commands.iter_mut().skip(first) {
                        let at = depth.min(command.context.len());
                        command.context.insert(at, Context::Background);
                    }
                    return Ok(());
                }
                Joint::Sequence | Joint::End => return Ok(()),
            }
            self.newlines()?;
        }
    }

    fn joint(&mut self) -> Joint {
        self.blanks();
        if self.take("&&") {
            Joint::And
        } else if self.take("||") {
            Joint::Or
        } else if self.starts(";;") || self.starts(";&") {
            Joint::End
        } else if self.take(";") {
            Joint::Sequence
        } else if self.starts("&>") || !self.take("&") {
            Joint::End
        } else {
            Joint::Background
        }
    }

    fn pipeline(&mut self) -> Parse<()> {
        loop {
            self.blanks();
            if self.next_is_reserved("!") {
                self.at += 1;
            } else if self.next_is_reserved("time") {
                self.at += 4;
                self.out.bash_only = true;
                self.blanks();
                if self.next_is_reserved("-p") {
                    self.at += 2;
                    self.blanks();
                }
                if self.next_is_reserved("--") {
                    self.at += 2;
                }
            } else {
                break;
            }
        }
        self.stages()
    }

    fn stages(&mut self) -> Parse<()> {
        let depth = self.context.len();
        let first = self.out.commands.len();
        self.deeper(Self::command)?;
        if !self.pipe_follows() {
            return Ok(());
        }
        let id = self.out.pipelines.len();
        self.out.pipelines.push(1);
        for command in self.out.commands.iter_mut().skip(first) {
            let at = depth.min(command.context.len());
            command.context.insert(at, Context::Pipe { id, stage: 0 });
        }
        let mut stage = 0;
        while self.pipe_follows() {
            self.at += 1;
            if self.peek() == Some(b'&') {
                self.at += 1;
                self.out.bash_only = true;
            }
            self.newlines()?;
            stage += 1;
            self.within(Context::Pipe { id, stage }, Self::command)?;
        }
        if let Some(stages) = self.out.pipelines.get_mut(id) {
            *stages = stage + 1;
        }
        Ok(())
    }

    fn pipe_follows(&mut self) -> bool {
        self.blanks();
        self.starts("|") && !self.starts("||")
    }
}
