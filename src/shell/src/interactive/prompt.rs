//! At the prompt: what the driver says, and what is typed.

use super::driver::{self, Said};
use super::line::NOT_RUN;
use super::private::Heard;
use super::session::{Session, State, Stop};
use crate::editor::{Candidate, Event, PASTE_MARKS_ON, PartialWord, Row, Step};
use countersign_api::front::CommandEnd;
use countersign_core::Exit;
use countersign_sys as sys;
use std::io;

/// So many newlines a shell may read without a word: some signals make it begin its cycle anew.
const MOST_NEWLINES: u8 = 16;

impl Session {
    pub(super) fn heard_driver(&mut self) -> io::Result<()> {
        loop {
            match (self.wires.hear(), &self.state) {
                (Heard::Nothing, _) => break,
                (Heard::Said(Said::Taken(_)), State::Committing { id, .. }) => self.state = State::Running(*id),
                (Heard::Said(Said::Ready { status, prompt, told }), State::Starting | State::Running(_))
                    if self.ready.is_none() =>
                {
                    self.ready = Some((status, prompt));
                    (self.unread, self.newlines) = (true, 0);
                    // The first prompt comes before any line.
                    if matches!(self.state, State::Starting) {
                        self.baseline = told.set().clone();
                    }
                    self.told = *told;
                    self.wires.next_cycle()?;
                }
                // A late ^C made it begin its cycle again; it has its newline.
                (
                    Heard::Said(Said::Ready { .. }),
                    State::Starting
                    | State::Editing
                    | State::Pending(_)
                    | State::Committing { .. }
                    | State::Running(_)
                    | State::Replaced(None),
                ) => {}
                (Heard::Closed, State::Running(id)) => {
                    let id = *id;
                    if self.is_driven()? {
                        return self.let_go();
                    }
                    if !matches!(self.state, State::Over) {
                        self.state = State::Replaced(Some(id));
                    }
                }
                // The shell is on its way out; how it ended is told by the spawner.
                (Heard::Closed, State::Over | State::Replaced(_)) => break,
                (Heard::Closed, _) if self.end.is_some() => break,
                // It was sent the line; whether it took it nobody knows.
                (Heard::Closed, State::Committing { id, .. }) => {
                    self.state = State::Replaced(Some(*id));
                    return self.let_go();
                }
                (Heard::Closed, State::Starting | State::Editing | State::Pending(_)) => {
                    self.state = State::Replaced(None);
                    return self.let_go();
                }
                (Heard::Said(_) | Heard::Nonsense, _) => {
                    return self.stop(Stop::Said(
                        "the shell said something unknown; the login is ended".to_owned(),
                        Exit::Internal.code(),
                    ));
                }
            }
        }
        self.drain()
    }

    /// A shell reads its newline when it has left a line, and says that it is ready
    /// before it reads another one. What reads on and says nothing has lost the
    /// functions by which it does (`FUNCNEST=1`, a trap), and would read for ever.
    pub(super) fn look_for_gate(&mut self) -> io::Result<()> {
        self.unread = sys::waits_unread(self.wires.input())?;
        // One that has ended takes none; the spawner tells of that.
        if self.unread || self.stop.is_some() || self.wires.next_cycle().is_err() {
            return Ok(());
        }
        self.newlines += 1;
        if self.newlines < MOST_NEWLINES {
            return Ok(());
        }
        let text = "the shell does not come back to its gate; the login is ended";
        if let Err(error) = self.login.recorder.marker(text) {
            return self.stop(Stop::Recorder(error));
        }
        self.stop(Stop::Said(text.to_owned(), Exit::Refused.code()))
    }

    /// Whether the shell is as it was started. Where it has ended meanwhile, the
    /// login is over.
    pub(super) fn is_driven(&mut self) -> io::Result<bool> {
        let (is, ended) = self.login.spawner.is_driven()?;
        ended.map_or(Ok(()), |report| self.ended(report))?;
        Ok(is && !matches!(self.state, State::Over))
    }

    /// The shell closed what it hears us by, and is still the shell: what it
    /// reads next might be the terminal.
    pub(super) fn let_go(&mut self) -> io::Result<()> {
        let text = "the shell let go of its gate; the login is ended".to_owned();
        self.stop(Stop::Said(text, Exit::Refused.code()))
    }

    /// Once the driver is ready and all output is read: back to the prompt.
    fn drain(&mut self) -> io::Result<()> {
        if !self.marked || self.ready.is_none() || self.stop.is_some() {
            return Ok(());
        }
        let Some((status, prompt)) = self.ready.take() else { return Ok(()) };
        self.marked = false;
        if let State::Running(id) = self.state {
            self.finished(id, CommandEnd::Exited(status))?;
        }
        // What was typed while the line ran and no program read, then what came since.
        let unread: Vec<u8> = self.wires.take_back()?.into_iter().map(|b| if b == b'\n' { b'\r' } else { b }).collect();
        let typed = std::mem::take(self.login.outer.typed_mut());
        for bytes in [unread, typed] {
            self.wait_typed(&bytes)?;
        }
        self.status = status;
        self.prompt = prompt;
        self.say_away()?;
        self.edit()
    }

    /// Keeps input for the editor, which is closed now.
    pub(super) fn wait_typed(&mut self, bytes: &[u8]) -> io::Result<()> {
        let step = self.editor.feed(bytes);
        if self.editor.take_dropped() {
            // It was too much, and is gone: so is what is still to come of it.
            self.dropping_us = Some(sys::boottime_us()?);
        }
        self.show(step.output.as_bytes())
    }

    /// Shows the prompt and takes up what was typed ahead.
    pub(super) fn edit(&mut self) -> io::Result<()> {
        if self.dropping_us.is_some() {
            // Whoever waits for the prompt is heard from then on: it comes when nothing is dropped any more.
            self.state = State::Editing;
            return Ok(());
        }
        self.begin()?;
        self.feed(&[])
    }

    fn begin(&mut self) -> io::Result<()> {
        self.state = State::Editing;
        let mut shown = self.editor.begin(&self.prompt, Row::Unknown);
        if !self.plain {
            shown.push_str(PASTE_MARKS_ON);
        }
        self.show(shown.as_bytes())
    }

    /// Feeds the editor until it has read everything or a line was entered.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        let step = self.editor.feed(bytes);
        self.acted(step)
    }

    /// Does what the editor's steps ask for.
    pub(super) fn acted(&mut self, mut step: Step) -> io::Result<()> {
        loop {
            self.show(step.output.as_bytes())?;
            match step.event {
                Event::None | Event::Bell => return Ok(()),
                Event::Submit(line) if line.trim().is_empty() => self.begin()?,
                Event::Submit(line) if self.is_exit(&line) && self.stays() => self.say_stopped("")?,
                Event::Submit(line) => {
                    self.leaves = line.trim() == "jobs" || self.is_exit(&line);
                    return self.submit(line);
                }
                Event::Interrupt => self.status = 130,
                Event::EndOfFile if self.stays() => self.say_stopped("exit\r\n")?,
                Event::EndOfFile => {
                    self.show(if self.plain { "exit\r\n" } else { "\x1b[?2004lexit\r\n" }.as_bytes())?;
                    self.wires.order(&driver::exit(self.status));
                    self.state = State::Replaced(None);
                    return Ok(());
                }
                Event::CompleteRequest { word, .. } => {
                    let candidates = word.map_or(Ok(Vec::new()), |word| self.candidates(&word))?;
                    let shown = self.editor.complete(&candidates);
                    self.show(shown.as_bytes())?;
                }
                // The editor has said why.
                Event::Refused(_) => {
                    self.drop_ahead()?;
                    self.status = NOT_RUN;
                }
            }
            if self.stop.is_some() || !matches!(self.state, State::Editing) {
                return Ok(());
            }
            step = self.editor.resume();
        }
    }

    /// Whether a line does nothing but end the shell.
    fn is_exit(&self, line: &str) -> bool {
        let mut words = line.split_ascii_whitespace();
        let plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        words.next() == Some("exit")
            && words.next().is_none_or(plain)
            && words.next().is_none()
            && !self.told.renames("exit")
    }

    /// Whether the login goes on, this once: jobs are stopped, and nobody has been told. An interactive bash sees to
    /// that by itself, but not where its lines are evaluated as they are here.
    fn stays(&mut self) -> bool {
        !std::mem::replace(&mut self.leaves, true) && self.told.has_stopped_jobs()
    }

    /// In bash's words, with its status.
    fn say_stopped(&mut self, before: &str) -> io::Result<()> {
        self.show(format!("{before}There are stopped jobs.\r\n").as_bytes())?;
        self.status = 1;
        self.begin()
    }

    /// Names that a word could become: read from directories with the agent's
    /// rights, never through the shell.
    fn candidates(&mut self, word: &PartialWord) -> io::Result<Vec<Candidate>> {
        let variable = |wanted: &str| {
            self.login.environment.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
        };
        let places: Vec<String> = match word.directory.strip_prefix("~/") {
            Some(rest) => vec![format!("{}/{rest}", variable("HOME"))],
            None if word.directory.is_empty() && word.command => {
                variable("PATH").split(':').map(str::to_owned).collect()
            }
            None => vec![word.directory.clone()],
        };
        let mut found = Vec::new();
        for place in places {
            let (names, ended) = self.login.spawner.names(&place, &word.prefix)?;
            if let Some(report) = ended {
                self.ended(report)?;
                return Ok(Vec::new());
            }
            found.extend(names.into_iter().map(|(name, directory)| Candidate { name, directory }));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        Ok(found)
    }
}
