//! What the grammar sees: words, operators and reserved words.

/// One token of bash's grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Nothing read yet.
    Start,
    /// The start of a command substitution, where `time` is no reserved word.
    Substitution,
    Word,
    Assignment,
    Newline,
    Semicolon,
    Ampersand,
    AndAnd,
    OrOr,
    Bar,
    BarAnd,
    Open,
    Close,
    /// `;;`, `;&` or `;;&`.
    CaseEnd,
    /// A redirection that takes a word.
    Redirect,
    /// `<&` or `>&`, which also take `-`.
    Duplicate,
    /// `<<` or `<<-`.
    HereDoc {
        strip_tabs: bool,
    },
    /// `-` after `<&` or `>&`.
    Dash,
    /// `(( … ))` as a command.
    Arithmetic,
    /// `(( … ))` after `for`.
    ForArithmetic,
    If,
    Then,
    Elif,
    Else,
    Fi,
    While,
    Until,
    Do,
    Done,
    For,
    Select,
    Case,
    Esac,
    In,
    Function,
    Time,
    /// `-p` or `--` after `time`.
    TimeOption,
    Bang,
    OpenBrace,
    CloseBrace,
    OpenCondition,
    CloseCondition,
    Coproc,
}

/// The reserved word that a word is, where one may stand.
pub(super) fn reserved(word: &[u8]) -> Option<Token> {
    Some(match word {
        b"if" => Token::If,
        b"then" => Token::Then,
        b"elif" => Token::Elif,
        b"else" => Token::Else,
        b"fi" => Token::Fi,
        b"while" => Token::While,
        b"until" => Token::Until,
        b"do" => Token::Do,
        b"done" => Token::Done,
        b"for" => Token::For,
        b"select" => Token::Select,
        b"case" => Token::Case,
        b"esac" => Token::Esac,
        b"in" => Token::In,
        b"function" => Token::Function,
        b"time" => Token::Time,
        b"!" => Token::Bang,
        b"{" => Token::OpenBrace,
        b"}" => Token::CloseBrace,
        b"[[" => Token::OpenCondition,
        b"]]" => Token::CloseCondition,
        b"coproc" => Token::Coproc,
        _ => return None,
    })
}

impl Token {
    /// Whether a reserved word may follow (`reserved_word_acceptable`), given
    /// also the token before this one.
    pub(super) fn lets_reserved_follow(self, before: Token) -> bool {
        match self {
            Token::Start
            | Token::Substitution
            | Token::Newline
            | Token::Semicolon
            | Token::Ampersand
            | Token::AndAnd
            | Token::OrOr
            | Token::Bar
            | Token::BarAnd
            | Token::Open
            | Token::Close
            | Token::CaseEnd
            | Token::If
            | Token::Then
            | Token::Elif
            | Token::Else
            | Token::Fi
            | Token::While
            | Token::Until
            | Token::Do
            | Token::Done
            | Token::Esac
            | Token::Time
            | Token::TimeOption
            | Token::Bang
            | Token::OpenBrace
            | Token::CloseBrace
            | Token::Arithmetic
            | Token::CloseCondition
            | Token::Coproc => true,
            Token::Word => matches!(before, Token::Coproc | Token::Function),
            Token::Assignment
            | Token::Redirect
            | Token::Duplicate
            | Token::HereDoc { .. }
            | Token::Dash
            | Token::ForArithmetic
            | Token::For
            | Token::Select
            | Token::Case
            | Token::In
            | Token::Function
            | Token::OpenCondition => false,
        }
    }

    /// Whether `time` is a reserved word after this token.
    pub(super) fn lets_time_follow(self, before: Token) -> bool {
        match self {
            Token::Newline | Token::Semicolon => before != Token::Bar,
            Token::Start
            | Token::Ampersand
            | Token::AndAnd
            | Token::OrOr
            | Token::Open
            | Token::Close
            | Token::If
            | Token::Then
            | Token::Elif
            | Token::Else
            | Token::While
            | Token::Until
            | Token::Do
            | Token::Time
            | Token::TimeOption
            | Token::Bang
            | Token::OpenBrace => true,
            Token::Substitution
            | Token::Word
            | Token::Assignment
            | Token::Bar
            | Token::BarAnd
            | Token::CaseEnd
            | Token::Redirect
            | Token::Duplicate
            | Token::HereDoc { .. }
            | Token::Dash
            | Token::Arithmetic
            | Token::ForArithmetic
            | Token::Fi
            | Token::Done
            | Token::For
            | Token::Select
            | Token::Case
            | Token::Esac
            | Token::In
            | Token::Function
            | Token::CloseBrace
            | Token::OpenCondition
            | Token::CloseCondition
            | Token::Coproc => false,
        }
    }

    /// Whether a word after this token may be an assignment
    /// (`command_token_position`).
    pub(super) fn lets_assignment_follow(self, before: Token) -> bool {
        self == Token::Assignment || (self != Token::CaseEnd && self.lets_reserved_follow(before))
    }
}
