//! One command as the rules see it: what it is, what it touches, where it goes.

use super::{grammar, inert};
use crate::facts::{CommandLine, Context, Origin, Place, Redirect, Redirection, Runs, SimpleCommand, Span, Word};
use crate::hosts::{self, Reach};
use crate::paths::{self, Class};
use crate::starts::{SOMEWHERE, is_relative, whereabouts};
use crate::words::base_name;

/// How a path is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Opened for reading, as far as one can tell.
    Read,
    /// Written, or its mode or owner changed.
    Write,
    /// Removed.
    Delete,
    /// Only looked at from outside: listed, tested, named.
    Look,
}

/// A path in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The path, as far as it is known.
    pub path: String,
    /// What it is.
    pub class: Class,
    /// Whether it is known to be below the directory in which the line begins.
    pub inside: bool,
    /// How it is touched.
    pub touch: Touch,
    /// Where it stands.
    pub span: Span,
}

/// A host in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Its name or address.
    pub host: String,
    /// Where it is.
    pub reach: Reach,
    /// Where it stands.
    pub span: Span,
}

/// A command as the rules see it.
#[derive(Debug)]
pub struct View<'l> {
    /// The command.
    pub command: &'l SimpleCommand,
    /// The program's name without directory and version.
    pub name: &'l str,
    /// Its index in the line.
    pub index: usize,
    /// As root, by `sudo` and its like.
    pub root: bool,
    /// On another host.
    pub remote: bool,
    /// Its arguments, without those that are only text (messages).
    pub arguments: Vec<&'l Word>,
    /// The arguments that are no options.
    pub operands: Vec<&'l str>,
    /// All of `arguments` in lower case, joined by spaces: what code is looked for in.
    pub text: String,
    /// Paths.
    pub touched: Vec<Touched>,
    /// Hosts.
    pub reached: Vec<Reached>,
    /// The pipelines that it is in, each with its stage: picked out once, since
    /// commands are compared with each other and a context can be long.
    pub(super) pipes: Vec<(usize, usize)>,
    /// Where it may run, as [`whereabouts`] has it.
    stands: Option<Vec<String>>,
}

impl<'l> View<'l> {
    /// The views of all commands of a line.
    pub fn all(line: &'l CommandLine, place: &Place<'_>) -> Vec<View<'l>> {
        // What a wrapper is given belongs to the command that it runs, which begins there.
        let mut wrappers = vec![Inner::default(); line.commands.len()];
        for command in &line.commands {
            if let Origin::Command { parent, by } = command.origin
                && let Some(inner) = wrappers.get_mut(parent)
            {
                inner.is = true;
                if by == Runs::Contained {
                    inner.contained = command.program().map(|word| word.span.start);
                }
            }
        }
        let commands = line.commands.iter().zip(wrappers).zip(whereabouts(line)).enumerate();
        let views =
            commands.map(|(index, ((command, inner), stands))| Self::of(line, (index, command), inner, stands, place));
        views.collect()
    }

    fn of(
        line: &'l CommandLine,
        (index, command): (usize, &'l SimpleCommand),
        inner: Inner,
        stands: Option<Vec<String>>,
        place: &Place<'_>,
    ) -> Self {
        let name = program(command);
        let mut arguments = grammar::arguments(name, command.arguments());
        // Behind the name of a container even options are another program's.
        if let Some(start) = inner.contained.filter(|_| ENGINES.contains(&name)) {
            arguments.retain(|word| word.span.start < start);
        }
        let operands = arguments.iter().map(|word| word.text.as_str()).filter(|text| !text.starts_with('-')).collect();
        let text = lower_case(name, &arguments);
        let mut view = Self {
            command,
            name,
            index,
            root: runs(line, command, Runs::AsUser),
            remote: runs(line, command, Runs::Remote),
            arguments,
            operands,
            text,
            touched: Vec::new(),
            reached: Vec::new(),
            pipes: pipes(command),
            stands,
        };
        if !inner.is || name == "find" || name == "ssh" {
            view.touch_arguments(place);
        }
        command.redirections.iter().for_each(|redirection| view.touch_redirection(redirection, place));
        view
    }

    fn touch_arguments(&mut self, place: &Place<'_>) {
        let arguments = std::mem::take(&mut self.arguments);
        let mut operand = 0usize;
        let last = self.operands.len();
        let mut previous = "";
        let dry = grammar::only_tries(self.name, &arguments);
        for word in &arguments {
            let text = word.text.as_str();
            operand += usize::from(!text.starts_with('-'));
            let touch = match grammar::touch(self.name, previous, text, operand, last, &self.text) {
                Touch::Write | Touch::Delete if dry => Touch::Look,
                touch @ (Touch::Read | Touch::Write | Touch::Delete | Touch::Look) => touch,
            };
            let data = grammar::is_data(self.name, previous, word) || inert::only_computes(self.name, text);
            if !data {
                // `/proc/$(pgrep -f x)/environ`: some process's.
                let plain = grammar::without_commands(word);
                for (at, piece) in grammar::pieces(self.name, plain.as_deref().unwrap_or(text)) {
                    let span = if plain.is_some() { word.span } else { word.span_from(at) };
                    self.touch(piece, touch, span, place);
                }
                if plain.is_some() {
                    for (at, piece) in grammar::pieces(self.name, text) {
                        self.touch(piece, touch, word.span_from(at), place);
                    }
                }
            }
            if let Some(host) = grammar::host(self.name, text, operand) {
                self.reached.push(Reached { host: host.to_owned(), reach: hosts::reach(host), span: word.span });
            }
            previous = text;
        }
        self.arguments = arguments;
    }

    fn touch(&mut self, text: &str, touch: Touch, span: Span, place: &Place<'_>) {
        if text.is_empty() || text.starts_with('-') {
            return;
        }
        let (here, nowhere) = ([String::new()], [SOMEWHERE.to_owned()]);
        let (places, anywhere) = match &self.stands {
            Some(stands) if is_relative(text) => (stands.as_slice(), Class::default()),
            None if is_relative(text) => (nowhere.as_slice(), ANYWHERE),
            Some(_) | None => (here.as_slice(), Class::default()),
        };
        for stands in places {
            let whole = if stands.is_empty() { text.to_owned() } else { format!("{stands}/{text}") };
            let unknown = Place { cwd: None, ..*place };
            let known = if stands.starts_with(SOMEWHERE) { &unknown } else { place };
            let Some((path, class)) = paths::reached(&whole, known) else { continue };
            let inside = place.cwd.is_some_and(|cwd| paths::is_below(&path, cwd));
            let class = class.or(anywhere);
            let path_like = text.contains('/') || class != Class::default() || touch != Touch::Read;
            if path_like {
                self.touched.push(Touched { path, class, inside, touch, span });
            }
        }
    }

    fn touch_redirection(&mut self, redirection: &Redirection, place: &Place<'_>) {
        let touch = match redirection.kind {
            Redirect::Write | Redirect::Append | Redirect::ReadWrite => Touch::Write,
            Redirect::Read => Touch::Read,
            Redirect::Duplicate | Redirect::HereDocument | Redirect::HereString => return,
        };
        let target = &redirection.target;
        self.touch(&target.text, touch, target.span, place);
        if let Some(host) = target.text.strip_prefix("/dev/tcp/").or_else(|| target.text.strip_prefix("/dev/udp/")) {
            let host = host.split('/').next().unwrap_or(host);
            self.reached.push(Reached { host: host.to_owned(), reach: hosts::reach(host), span: target.span });
        }
    }

    /// Whether one of `options` is among the arguments: `-r` also in `-rf`, `--recursive` also with a value.
    pub fn option(&self, options: &[String]) -> Option<Span> {
        let given = |word: &&&Word| options.iter().any(|option| has_option(&word.text, option));
        self.arguments.iter().find(given).map(|word| word.span)
    }
}

/// What a wrapper runs: whether it is one, and where a command in a container begins.
#[derive(Debug, Clone, Copy, Default)]
struct Inner {
    is: bool,
    contained: Option<usize>,
}

/// Programs that run others in containers.
const ENGINES: [&str; 9] = ["docker", "podman", "nerdctl", "kubectl", "oc", "crictl", "lxc", "incus", "docker-compose"];

/// What may be touched where it cannot be told at all where a command runs.
const ANYWHERE: Class = Class::SYSTEM.or(Class::DATA);

fn pipes(command: &SimpleCommand) -> Vec<(usize, usize)> {
    let pipe = |context: &Context| if let Context::Pipe { id, stage } = context { Some((*id, *stage)) } else { None };
    command.context.iter().filter_map(pipe).collect()
}

/// The arguments in lower case, joined by spaces, without what only is data.
fn lower_case(name: &str, arguments: &[&Word]) -> String {
    let mut text = String::with_capacity(arguments.iter().map(|word| word.text.len() + 1).sum());
    for (index, word) in arguments.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        let part = inert::acting(name, &word.text);
        if part.is_ascii() {
            text.extend(part.chars().map(|c| c.to_ascii_lowercase()));
        } else {
            text.push_str(&part.to_lowercase());
        }
    }
    text
}

/// The program's name without directory, version and what makes it a login shell.
fn program(command: &SimpleCommand) -> &str {
    let Some(word) = command.program() else { return "" };
    let name = base_name(&word.text);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let versioned = [
        "python", "perl", "ruby", "lua", "php", "pypy", "node", "gcc", "clang", "pip", "tclsh", "pg_dump", "psql",
        "julia", "guile",
    ];
    if versioned.contains(&bare) { bare } else { name }
}

/// Whether the command is run that way, at any distance.
fn runs(line: &CommandLine, command: &SimpleCommand, way: Runs) -> bool {
    let mut origin = &command.origin;
    for _ in 0..line.commands.len() {
        match origin {
            Origin::Typed => return false,
            Origin::Command { by, .. } if *by == way => return true,
            Origin::Command { parent, .. } => match line.commands.get(*parent) {
                Some(command) => origin = &command.origin,
                None => return false,
            },
        }
    }
    false
}

fn has_option(text: &str, option: &str) -> bool {
    if text == option {
        return true;
    }
    if option.starts_with("--") || option.len() != 2 || !option.starts_with('-') {
        return text.strip_prefix(option).is_some_and(|rest| rest.starts_with('='));
    }
    let letter = option.get(1..).unwrap_or_default();
    text.starts_with('-')
        && !text.starts_with("--")
        && text.len() <= 8
        && text.get(1..).is_some_and(|rest| rest.contains(letter) && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}
