//! A command line to its facts: the one entrance.

use crate::facts::{CommandLine, Opaque, OpaqueFact, Place, Shell, Span};
use crate::launch;
use crate::meaning;
use crate::shell::{self, Gathered};
use crate::starts::negates;
use countersign_core::MAX_COMMAND_BYTES;
use std::sync::OnceLock;

/// Up to so many openings both parsers are content with half a MiB of stack,
/// however they read the text (`tests/stack.rs`); from there on they get their own.
const SHALLOW: usize = 100;
/// A stack that neither of them exhausts at its greatest depth: ours stops at
/// 100 levels, rable, which might see them where we see data, at 1000.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// A line of bash and its facts, which are made once, when somebody first asks for them.
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    facts: OnceLock<CommandLine>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, facts: OnceLock::new() }
    }

    /// One whose facts are there already, for whatever shell.
    pub(crate) fn with(text: &'a str, facts: CommandLine) -> Self {
        Self { text, facts: OnceLock::from(facts) }
    }

    pub(crate) fn into_facts(self) -> CommandLine {
        let text = self.text;
        self.facts.into_inner().unwrap_or_else(|| parse(text, &Place::default()))
    }

    /// Its facts, where nothing else was said as [`parse`] has them for bash.
    pub(crate) fn facts(&self) -> &CommandLine {
        self.facts.get_or_init(|| parse(self.text, &Place::default()))
    }
}

/// Takes `line` apart. Never fails: what cannot be known is in
/// [`CommandLine::opaque`], and a line that cannot be read at all has that and
/// nothing else.
pub fn parse(line: &str, place: &Place<'_>) -> CommandLine {
    let whole = Span { start: 0, end: line.len() };
    let nothing = |what| CommandLine { opaque: vec![OpaqueFact { what, span: whole }], ..CommandLine::default() };
    if line.len() > MAX_COMMAND_BYTES {
        return nothing(Opaque::TooLong);
    }
    let nesting = shell::Nesting::of(line);
    if nesting.levels > shell::MAX_DEPTH {
        return nothing(Opaque::TooDeep);
    }
    if nesting.openings <= SHALLOW {
        return on_this_stack(line, place);
    }
    std::thread::scope(|scope| {
        let work =
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || on_this_stack(line, place));
        work.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| nothing(Opaque::TooMuch))
    })
}

fn on_this_stack(line: &str, place: &Place<'_>) -> CommandLine {
    let mut gathered = Gathered { shell: place.shell, ..Gathered::default() };
    // What was read before it stopped stays: bash runs the lines before one that it cannot read.
    if let Err(fact) = shell::read(line, &[(0, 0)], Vec::new(), 0, &mut gathered) {
        gathered.opaque.push(fact);
    }
    let whole = Span { start: 0, end: line.len() };
    match place.shell {
        Shell::Bash => {}
        Shell::Posix if !gathered.bash_only => {}
        Shell::Posix | Shell::Other => gathered.opaque.push(OpaqueFact { what: Opaque::ForeignShell, span: whole }),
    }
    launch::follow(&mut gathered);
    meaning::doubt(line, &mut gathered);
    gathered.opaque.sort_by_key(|fact| (fact.span.start, fact.what));
    gathered.opaque.dedup();
    CommandLine {
        commands: gathered.commands,
        opaque: gathered.opaque,
        pipelines: gathered.pipelines,
        shared_redirections: gathered.shared_redirections,
        functions: gathered.functions,
        loops: gathered.loops,
        negates: negates(line),
    }
}
