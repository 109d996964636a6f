//! What a command line is made of, as plain data: every simple command that
//! could run, wherever it stands, and every place where one cannot know.
//!
//! Two rules make these facts safe to decide on. A word is exact or it is not
//! ([`Word::exact`]): nothing is guessed. And [`CommandLine::opaque`] is empty
//! only when every program word that a shell would run is in
//! [`CommandLine::commands`]: whoever lets a line pass must look at both.

mod word;

pub use word::{Unknown, Word};

/// A run of bytes of the line as it was submitted: `start..end`, in bytes. What
/// comes out of a nested text (`sh -c '…'`) points at the bytes that hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Where a line would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place<'a> {
    /// The working directory, absolute, where it is known.
    pub cwd: Option<&'a str>,
    /// The home directory of the account, absolute, where it is known.
    pub home: Option<&'a str>,
    /// The shell that reads the line.
    pub shell: Shell,
}

/// The shell that reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shell {
    /// GNU bash.
    #[default]
    Bash,
    /// A POSIX shell (sh, dash, ash): a text that uses what only bash knows is opaque there.
    Posix,
    /// Any other (zsh, fish, csh …): every line is opaque; the facts are those that bash would give.
    Other,
}

/// A command line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// Every simple command, in the order of the text; one that another one
    /// runs comes after it.
    pub commands: Vec<SimpleCommand>,
    /// Why the commands may not be all that would run. Empty: they are.
    pub opaque: Vec<OpaqueFact>,
    /// How many stages each pipeline has, by the number in [`Context::Pipe`].
    pub pipelines: Vec<usize>,
    /// Redirections of compound commands (`{ …; } > file`), which apply to all inside.
    pub shared_redirections: Vec<Redirection>,
    /// Names of the functions that the line defines.
    pub functions: Vec<String>,
    /// Loops over words.
    pub loops: Vec<Loop>,
    /// Whether it turns the success of a command round (`! cd x && …`).
    pub negates: bool,
}

/// `for NAME in WORDS; do … done`, or `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loop {
    /// The variable.
    pub name: String,
    /// The words, at most [`Loop::MOST`]; none where it goes over `"$@"`.
    pub words: Vec<Word>,
    /// Where its body stands.
    pub body: Span,
}

impl Loop {
    /// Most words that are kept.
    pub const MOST: usize = 64;
}

/// One program or builtin with its words, or a command of assignments or
/// redirections alone (no words).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleCommand {
    /// From its first byte to its last.
    pub span: Span,
    /// The program and its arguments.
    pub words: Vec<Word>,
    /// `A=1` before the program.
    pub assignments: Vec<Assignment>,
    /// Its own redirections. Of a command behind a wrapper: those of the wrapper.
    pub redirections: Vec<Redirection>,
    /// Where it stands, outermost first.
    pub context: Vec<Context>,
    /// Who runs it.
    pub origin: Origin,
}

/// Who runs a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The shell that reads the line.
    Typed,
    /// Another command of the line.
    Command {
        /// Its index in [`CommandLine::commands`].
        parent: usize,
        /// How.
        by: Runs,
    },
}

/// How one command runs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runs {
    /// Its own arguments are the other command (`env`, `nice`, `timeout` …).
    Wrapper,
    /// The same, as another user, root unless said otherwise (`sudo`, `doas`, `su -c`).
    AsUser,
    /// A text handed to a shell (`sh -c`, `bash <<EOF`).
    ShellText,
    /// A text that this shell evaluates (`eval`, `trap`).
    Eval,
    /// Its arguments, with more from its input (`xargs`, `parallel`).
    Xargs,
    /// `find -exec` and its like.
    FindExec,
    /// On another host (`ssh`).
    Remote,
    /// In a container, namespace or other root directory (`docker exec`, `nsenter`, `chroot`).
    Contained,
    /// Later (`at`, `systemd-run --on-calendar`, `crontab`).
    Later,
}

/// Where a command stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// In a pipeline: its number (see [`CommandLine::pipelines`]) and its stage, from 0.
    Pipe {
        /// Which pipeline.
        id: usize,
        /// Which stage.
        stage: usize,
    },
    /// After `&&`.
    AfterSuccess,
    /// After `||`.
    AfterFailure,
    /// Before `&`.
    Background,
    /// The condition of `if`, `while` or `until`.
    Condition,
    /// A branch of `if` or `case`.
    Branch,
    /// The body of a loop.
    Loop,
    /// A subshell `( … )`.
    Subshell,
    /// A coprocess.
    Coprocess,
    /// The body of a function with this name.
    Function(String),
    /// `$( … )` or backquotes.
    Substitution,
    /// `<( … )` or `>( … )`.
    ProcessSubstitution,
    /// An expansion in the body of a here-document.
    HereDocument,
    /// An expansion in an arithmetic expression.
    Arithmetic,
}

/// `name=value`, `name+=value`, `name[i]=value` or `name=(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name, without a subscript.
    pub name: String,
    /// The value; the elements of an array.
    pub values: Vec<Word>,
    /// Whether it is none of an array, an element of one, and an addition (`+=`).
    pub plain: bool,
    /// The whole of it.
    pub span: Span,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// Operator and target.
    pub span: Span,
    /// The descriptor in front of the operator.
    pub fd: Option<u32>,
    /// What it does.
    pub kind: Redirect,
    /// The file, the descriptor, or the text that is read.
    pub target: Word,
}

/// What a redirection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// `<`
    Read,
    /// `>`, `>|`, `&>`
    Write,
    /// `>>`, `&>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<&`, `>&` to a descriptor or `-`
    Duplicate,
    /// `<<`: the target is the body.
    HereDocument,
    /// `<<<`: the target is the text.
    HereString,
}

/// One reason why not everything is known, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueFact {
    /// What.
    pub what: Opaque,
    /// Where.
    pub span: Span,
}

/// Why the commands of a line may not be all that would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opaque {
    /// Not a text that the parser takes for a complete program.
    Unparsed,
    /// The two parsers read it differently.
    Disputed,
    /// Longer than 64 KiB.
    TooLong,
    /// Nested deeper than 100 levels.
    TooDeep,
    /// More commands or nested text than the limits.
    TooMuch,
    /// The word that names the program is not exact.
    DynamicCommand,
    /// A text that a shell would run is not exact.
    UnknownText,
    /// A program comes from a pipe, a file descriptor or standard input.
    InputProgram,
    /// Not for a shell that this parser reads.
    ForeignShell,
    /// An option of a program that runs programs is not known, so that where the inner command begins is not either.
    UnknownOption,
    /// A value is evaluated once more (arithmetic, `${x@P}`, `unset 'a[$(…)]'`).
    Reevaluated,
    /// What a name means is changed first (aliases, `hash -p`, `enable -f`, `BASH_ENV`, extended globs).
    Redefined,
}

impl Context {
    /// The number of the pipeline and the stage, where it is one.
    pub fn pipe(&self) -> Option<(usize, usize)> {
        match self {
            Self::Pipe { id, stage } => Some((*id, *stage)),
            Self::AfterSuccess
            | Self::AfterFailure
            | Self::Background
            | Self::Condition
            | Self::Branch
            | Self::Loop
            | Self::Subshell
            | Self::Coprocess
            | Self::Function(_)
            | Self::Substitution
            | Self::ProcessSubstitution
            | Self::HereDocument
            | Self::Arithmetic => None,
        }
    }
}

impl Opaque {
    /// A word for it, for JSON and rules.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unparsed => "unparsed",
            Self::Disputed => "disputed",
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::TooMuch => "too_much",
            Self::DynamicCommand => "dynamic_command",
            Self::UnknownText => "unknown_text",
            Self::InputProgram => "input_program",
            Self::ForeignShell => "foreign_shell",
            Self::UnknownOption => "unknown_option",
            Self::Reevaluated => "reevaluated",
            Self::Redefined => "redefined",
        }
    }
}

impl SimpleCommand {
    /// The word that names the program, where there is one.
    pub fn program(&self) -> Option<&Word> {
        self.words.first()
    }

    /// The program's file name, where the word is exact: `/usr/bin/rm` → `rm`.
    pub fn program_name(&self) -> Option<&str> {
        let word = self.program()?.exact()?;
        Some(crate::words::base_name(word))
    }

    /// Whether all of its words are exact.
    pub fn is_exact(&self) -> bool {
        self.words.iter().all(|word| word.exact().is_some())
    }

    /// The arguments.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Its stage in the innermost pipeline it stands in, from 0, and that pipeline's number.
    pub fn pipe(&self) -> Option<(usize, usize)> {
        self.context.iter().rev().find_map(Context::pipe)
    }
}
