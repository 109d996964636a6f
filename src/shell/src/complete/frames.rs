//! The stack of what is open, and reading byte by byte.

use std::collections::HashMap;

use super::token::Token;
use super::{Completeness, MAX_FRAMES, Why};

/// Either go on, or the answer.
pub(super) type Step<T = ()> = Result<T, Completeness>;

/// The answer for a syntax error and for any doubt.
pub(super) const ENOUGH: Completeness = Completeness::Complete;

/// Steps a text may cost for each byte. Only nested `((` that are no
/// arithmetic read anything twice.
const STEPS_PER_BYTE: usize = 24;

/// One thing that is open.
#[derive(Debug)]
pub(super) enum Frame {
    /// A word being read.
    Word(Word),
    /// Brackets or quotes that bash reads to their partner.
    Pair(Pair),
    /// The words of `name=( … )`, with what was read before it.
    Array(Before),
    /// A list of commands.
    List(List),
    /// The words of `for`, `select`, `case`, `function`, `coproc`.
    Header(Header),
    /// `[[ … ]]`.
    Condition(Condition),
}

/// What an array or a substitution puts aside until it ends.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) last: Token,
    pub(super) before: Token,
    pub(super) assigning: bool,
    pub(super) here_documents: Vec<HereDocument>,
}

/// A word being read.
#[derive(Debug)]
pub(super) struct Word {
    /// Where it begins.
    pub(super) start: usize,
    /// Holds a quote, a backslash or an expansion.
    pub(super) quoted: bool,
    /// Holds `name=( … )`.
    pub(super) array: bool,
    /// A `=` has come: no later one can begin an array.
    pub(super) equals: bool,
    /// A `[` has come: no later one can begin a subscript.
    pub(super) bracket: bool,
    /// Where `name[…]` ended.
    pub(super) subscript_end: Option<usize>,
    /// Set where a pattern of `[[ ]]` may hold brackets.
    pub(super) brackets: Brackets,
}

/// Which brackets belong to a word of `[[ ]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brackets {
    None,
    /// After `==`, `=` and `!=`: `@(…)` and its family.
    Pattern,
    /// After `=~`: any `(…)`, and `|`.
    Regex,
}

/// Brackets or quotes that bash reads to their partner.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) kind: PairKind,
    /// The byte that closes it.
    pub(super) close: u8,
    /// Open ones, this included.
    pub(super) count: usize,
    /// The byte before was an unquoted `$`.
    pub(super) after_dollar: bool,
    /// The byte before was an unquoted `<` or `>`.
    pub(super) after_angle: bool,
}

/// How a pair is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairKind {
    /// `"…"`.
    Double,
    /// `${…}`: the first unquoted `}` closes it.
    Braces,
    /// `$((…))`, and the `(…)` inside it.
    Arithmetic,
    /// `((` in command position, begun at this offset.
    Command { start: usize, here_documents: usize },
    /// `((` after `for`.
    For,
    /// `$[…]`.
    Bracket,
    /// `name[…]`.
    Subscript,
    /// `(…)` in a pattern of `[[ ]]`.
    Pattern,
}

/// A list of commands and where in it we are.
#[derive(Debug)]
pub(super) struct List {
    pub(super) kind: ListKind,
    pub(super) state: ListState,
    /// For a substitution: what was read before it.
    pub(super) put_aside: Option<Before>,
}

/// What holds the list, hence what may end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListKind {
    Top,
    /// `$( … )`, `<( … )`.
    Substitution,
    Parens,
    Braces,
    IfTest,
    IfBody,
    ElseBody,
    LoopTest,
    LoopBody,
    CaseBody,
}

/// Where in a list we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListState {
    /// Before the first command.
    Begin,
    /// After a separator.
    Between,
    /// After `&&` or `||`: a command must come.
    AfterLogic,
    /// After `|` or `|&`: a command must come, without `!` and `time`.
    AfterPipe,
    /// After `!` or `time`.
    AfterPrefix,
    /// In a simple command; `words` counts those that are no redirection.
    Simple { words: usize, plain: bool },
    /// After a compound command: redirections may follow.
    Compound,
    /// After `name (`.
    FunctionParens,
    /// A compound command must come: the body of a function.
    FunctionBody,
    /// A redirection lacks its word; then the state is as it was.
    Target { simple: Option<(usize, bool)>, heredoc: Option<bool> },
}

/// The words of a compound command before its first list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// `for` or `select`.
    LoopName,
    /// After the name.
    LoopIn {
        newline: bool,
    },
    /// After `in`.
    LoopWords,
    /// `do` or `{` must come.
    LoopDo,
    /// After `for ((…))`.
    AfterArithmetic,
    CaseWord,
    CaseIn,
    /// A pattern, or `esac`.
    CasePattern,
    /// After `(`, or after `|`: a word must come.
    CaseAlternative,
    /// After a word: `|` or `)`.
    CaseBar,
    /// After `function`.
    FunctionName,
    /// After `function name`.
    AfterFunctionName,
    /// After `function name (`.
    FunctionClose,
    /// A body must come.
    FunctionBody,
    /// After `coproc`.
    Coproc,
    /// After `coproc name`.
    AfterCoprocName,
}

/// Where in `[[ … ]]` we are, with the brackets open in it.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) state: ConditionState,
    pub(super) open: usize,
}

/// Where in `[[ … ]]` we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConditionState {
    Term,
    UnaryArgument,
    AfterWord,
    RightSide(Brackets),
    AfterTerm,
}

/// A here-document whose body has not been read.
#[derive(Debug)]
pub(super) struct HereDocument {
    pub(super) delimiter: Vec<u8>,
    pub(super) quoted: bool,
    pub(super) strip_tabs: bool,
}

/// The text and everything that is open in it.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) stack: Vec<Frame>,
    pub(super) last: Token,
    pub(super) before: Token,
    /// `declare` and its kin came: every word may assign.
    pub(super) assigning: bool,
    pub(super) here_documents: Vec<HereDocument>,
    /// For `((` at an offset: where it ends when it is arithmetic.
    pub(super) arithmetic: HashMap<usize, Option<usize>>,
    steps: usize,
}

impl List {
    /// The whole text.
    pub(super) fn top() -> Self {
        Self::new(ListKind::Top)
    }

    pub(super) fn new(kind: ListKind) -> Self {
        Self { kind, state: ListState::Begin, put_aside: None }
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            stack: Vec::new(),
            last: Token::Start,
            before: Token::Start,
            assigning: false,
            here_documents: Vec::new(),
            arithmetic: HashMap::new(),
            steps: bytes.len().saturating_add(64).saturating_mul(STEPS_PER_BYTE),
        }
    }

    /// Puts aside what was read, for something that is read on its own.
    pub(super) fn put_aside(&mut self, last: Token) -> Before {
        let before = Before {
            last: self.last,
            before: self.before,
            assigning: std::mem::take(&mut self.assigning),
            here_documents: std::mem::take(&mut self.here_documents),
        };
        (self.last, self.before) = (last, Token::Start);
        before
    }

    /// Takes up again what was put aside.
    pub(super) fn take_up(&mut self, mut aside: Before) {
        (self.last, self.before, self.assigning) = (aside.last, aside.before, aside.assigning);
        aside.here_documents.append(&mut self.here_documents);
        self.here_documents = aside.here_documents;
    }

    /// Reads one byte of a word or a pair, or one token.
    pub(super) fn step(&mut self) -> Step {
        self.steps = self.steps.checked_sub(1).ok_or(ENOUGH)?;
        match self.stack.last() {
            None => Err(ENOUGH),
            Some(Frame::Word(_)) => self.word_byte(),
            Some(Frame::Pair(_)) => self.pair_byte(),
            Some(Frame::Array(_) | Frame::List(_) | Frame::Header(_) | Frame::Condition(_)) => self.token(),
        }
    }

    /// Opens something.
    pub(super) fn push(&mut self, frame: Frame) -> Step {
        if self.stack.len() >= MAX_FRAMES {
            return Err(ENOUGH);
        }
        self.stack.push(frame);
        Ok(())
    }

    /// The byte at `at`, counting the newline that ends the text.
    pub(super) fn byte_at(&self, at: usize) -> Option<u8> {
        if at == self.bytes.len() { Some(b'\n') } else { self.bytes.get(at).copied() }
    }

    /// Steps over backslash-newlines.
    pub(super) fn skip_joins(&mut self) -> Step {
        while self.bytes.get(self.at) == Some(&b'\\') && self.byte_at(self.at + 1) == Some(b'\n') {
            if self.at + 1 == self.bytes.len() {
                return Err(Completeness::NeedsMore(Why::Backslash));
            }
            self.at += 2;
        }
        Ok(())
    }

    /// The next byte after any backslash-newlines, not taken.
    pub(super) fn peek(&mut self) -> Step<Option<u8>> {
        self.skip_joins()?;
        Ok(self.byte_at(self.at))
    }

    /// Takes the next byte when it is `wanted`.
    pub(super) fn take_if(&mut self, wanted: u8) -> Step<bool> {
        let there = self.peek()? == Some(wanted);
        self.at += usize::from(there);
        Ok(there)
    }
}
