//! The second opinion: rable, a parser by other people, must find the same
//! commands in the same order. Two independent readings that agree leave
//! little room for a form that both take for something it is not.

use super::effort::work;
use crate::facts::{Context, Opaque, SimpleCommand};
use countersign_core::MAX_COMMAND_BYTES;
use rable::{Node, NodeKind};
use std::borrow::Cow;
use std::ops::Range;

/// How much may be read twice, in bytes outside of brackets: twice the longest
/// line. One such byte costs some 5 to 100 ns, whatever it is.
const BUDGET: usize = 2 * MAX_COMMAND_BYTES;
/// What stands for commands that are given by themselves.
const PLACE: &str = ":";

/// What is left to be read twice, for a line and every text in it.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(BUDGET)
    }
}

impl Budget {
    /// How much was read twice.
    #[cfg(test)]
    pub(crate) fn spent(&self) -> usize {
        BUDGET - self.0
    }
}

/// A part of a text, and what the second parser gets in its place.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    pub place: Range<usize>,
    pub by: &'static str,
}

/// What a text holds that is read by itself.
#[derive(Debug)]
pub(crate) struct Hole {
    /// What is cut out of it where it is given as a part of the text around it.
    pub cuts: Vec<Cut>,
    /// What it is cut out by where that is a part of another text once more.
    pub whole: Cut,
}

impl Hole {
    /// A substitution whose commands stand at `body`, with what they hold.
    pub(crate) fn substitution(body: Range<usize>, inside: Vec<Self>) -> Self {
        Self { cuts: inside.into_iter().map(|hole| hole.whole).collect(), whole: Cut { place: body, by: PLACE } }
    }

    /// Commands of which only the place is given, since they are unescaped before they are read.
    pub(crate) fn unescaped(body: Range<usize>) -> Self {
        let whole = Cut { place: body, by: PLACE };
        Self { cuts: vec![whole.clone()], whole }
    }

    /// The body of a here-document up to its delimiter. Where it ends is
    /// beyond doubt, or our reader stops; to rable a delimiter with blanks
    /// behind it would be its end, and the rest of the body commands.
    pub(crate) fn here_document(body: Range<usize>) -> Self {
        let whole = Cut { place: body, by: "" };
        Self { cuts: vec![whole.clone()], whole }
    }
}

/// A text for the second parser. rable reads a nested text again from each
/// level around it, so of what is nested twice only the place is left: each
/// text is given by itself, and seen once more where it stands in its parent,
/// which is where the two must agree on its end.
#[derive(Debug)]
pub(crate) struct Given<'t>(Cow<'t, str>);

impl<'t> Given<'t> {
    /// `text`, which begins at `start` of the text that `holes` are told of.
    pub(crate) fn new(text: &'t str, start: usize, holes: &[Hole]) -> Self {
        let mut cuts = holes.iter().flat_map(|hole| &hole.cuts).peekable();
        if cuts.peek().is_none() {
            return Self(Cow::Borrowed(text));
        }
        let (mut given, mut at) = (String::with_capacity(text.len()), 0);
        for Cut { place, by } in cuts {
            let (from, to) = (place.start.saturating_sub(start), place.end.saturating_sub(start));
            let Some(before) = text.get(at..from).filter(|_| from < to) else { continue };
            given.push_str(before);
            given.push_str(by);
            at = to;
        }
        given.push_str(text.get(at..).unwrap_or_default());
        Self(Cow::Owned(given))
    }
}

/// Reads `given` again. `Some` is why the line is opaque.
pub(crate) fn check(given: &Given<'_>, found: &[SimpleCommand], outer: usize, budget: &mut Budget) -> Option<Opaque> {
    let text: &str = &given.0;
    match budget.0.checked_sub(work(text)) {
        None => Some(Opaque::TooMuch),
        Some(left) => {
            budget.0 = left;
            (!is_plain(text, found) && !agrees(text, found, outer)).then_some(Opaque::Disputed)
        }
    }
}

/// Whether `text` is one command that nobody can read in two ways: words of
/// letters that mean nothing to a shell, between single spaces, the first of
/// them no reserved word; and `found` is just that. Half of all lines are so.
fn is_plain(text: &str, found: &[SimpleCommand]) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b" _./:,+-@%".contains(&byte);
    let [command] = found else { return false };
    let first = text.split(' ').next().unwrap_or("");
    text.bytes().all(letter)
        && first.contains(['.', '/', '-', '_', '%', '+', ':', '@', ','])
            | first.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && !RESERVED.contains(&first)
        && command.words.iter().map(|word| word.text.as_str()).eq(text.split(' '))
}

/// Words of letters that begin something other than a simple command, or may.
const RESERVED: [&str; 18] = [
    "if", "then", "elif", "else", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "select",
    "function", "time", "coproc", "",
];

/// Whether rable reads `text` as the commands in `found` (those of its top
/// level, not of substitutions): as many, with as many words each, and
/// with the same bare program words.
fn agrees(text: &str, found: &[SimpleCommand], outer: usize) -> bool {
    let nodes = match rable::parse(text, false) {
        Ok(nodes) => nodes,
        Err(_) => match rable::parse(text, true) {
            Ok(nodes) => nodes,
            Err(_) => return false,
        },
    };
    let mut theirs = Vec::new();
    nodes.iter().for_each(|node| walk(node, &mut theirs));
    let mut ours = found.iter().filter(|command| top_level(command, outer));
    let same = theirs.iter().all(|(words, program)| {
        ours.next().is_some_and(|command| {
            command.words.len() == *words
                && command.program().is_none_or(|word| {
                    word.quoted || word.exact().is_none() || program.is_none_or(|theirs| plain(theirs) == word.text)
                })
        })
    });
    same && ours.next().is_none()
}

/// A joined line is no part of a word.
fn plain(word: &str) -> String {
    word.replace("\\\n", "")
}

/// Whether rable's tree has this command as a node, not as the inside of a word.
fn top_level(command: &SimpleCommand, outer: usize) -> bool {
    command.context.iter().skip(outer).all(|context| {
        !matches!(
            context,
            Context::Substitution | Context::ProcessSubstitution | Context::HereDocument | Context::Arithmetic
        )
    })
}

fn walk<'n>(node: &'n Node, found: &mut Vec<(usize, Option<&'n str>)>) {
    let mut all = |nodes: &[&'n Node]| nodes.iter().for_each(|node| walk(node, found));
    match &node.kind {
        NodeKind::Command { words, .. } => found.push((words.len(), words.first().and_then(value))),
        NodeKind::Pipeline { commands, .. } => all(&commands.iter().collect::<Vec<_>>()),
        NodeKind::List { items } => all(&items.iter().map(|item| &item.command).collect::<Vec<_>>()),
        NodeKind::If { condition, then_body, else_body, .. } => {
            all(&[condition, then_body]);
            if let Some(body) = else_body {
                walk(body, found);
            }
        }
        NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => all(&[condition, body]),
        NodeKind::For { body, .. }
        | NodeKind::ForArith { body, .. }
        | NodeKind::Select { body, .. }
        | NodeKind::Function { body, .. }
        | NodeKind::Subshell { body, .. }
        | NodeKind::BraceGroup { body, .. } => all(&[body]),
        NodeKind::Case { patterns, .. } => all(&patterns.iter().filter_map(|p| p.body.as_ref()).collect::<Vec<_>>()),
        NodeKind::Coproc { command, .. } => all(&[command]),
        NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => all(&[pipeline]),
        // These hold no commands of their own level.
        NodeKind::Word { .. }
        | NodeKind::WordLiteral { .. }
        | NodeKind::Redirect { .. }
        | NodeKind::HereDoc { .. }
        | NodeKind::ParamExpansion { .. }
        | NodeKind::ParamLength { .. }
        | NodeKind::ParamIndirect { .. }
        | NodeKind::CommandSubstitution { .. }
        | NodeKind::ProcessSubstitution { .. }
        | NodeKind::AnsiCQuote { .. }
        | NodeKind::LocaleString { .. }
        | NodeKind::BraceExpansion { .. }
        | NodeKind::ArithmeticExpansion { .. }
        | NodeKind::ArithmeticCommand { .. }
        | NodeKind::ArithNumber { .. }
        | NodeKind::ArithVar { .. }
        | NodeKind::ArithBinaryOp { .. }
        | NodeKind::ArithUnaryOp { .. }
        | NodeKind::ArithPreIncr { .. }
        | NodeKind::ArithPostIncr { .. }
        | NodeKind::ArithPreDecr { .. }
        | NodeKind::ArithPostDecr { .. }
        | NodeKind::ArithAssign { .. }
        | NodeKind::ArithTernary { .. }
        | NodeKind::ArithComma { .. }
        | NodeKind::ArithSubscript { .. }
        | NodeKind::ArithEmpty
        | NodeKind::ArithEscape { .. }
        | NodeKind::ArithDeprecated { .. }
        | NodeKind::ArithConcat { .. }
        | NodeKind::ConditionalExpr { .. }
        | NodeKind::UnaryTest { .. }
        | NodeKind::BinaryTest { .. }
        | NodeKind::CondAnd { .. }
        | NodeKind::CondOr { .. }
        | NodeKind::CondNot { .. }
        | NodeKind::CondParen { .. }
        | NodeKind::CondTerm { .. }
        | NodeKind::Array { .. }
        | NodeKind::Empty
        | NodeKind::Comment { .. } => {}
    }
}

fn value(node: &Node) -> Option<&str> {
    if let NodeKind::Word { value, .. } = &node.kind { Some(value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Place;

    #[test]
    fn what_is_plain_is_read_the_same_by_both() {
        let words = [
            "ls",
            "-l",
            "/etc/x",
            "a,b",
            "1",
            "2",
            "x:y",
            "user@host",
            "+x",
            "%1",
            ".",
            "_",
            "A",
            "for",
            "in",
            "do",
            "done",
            "if",
            "time",
            "coproc",
            "select",
            "function",
            "case",
            "then",
            "fi",
            "a.b",
            "--",
            "-",
            "123",
            "1a",
            "",
        ];
        let mut plain = 0;
        for first in words {
            for (second, third) in words.iter().flat_map(|second| words.map(|third| (*second, third))) {
                let line = [first, second, third].join(" ");
                let found = crate::parse(&line, &Place::default()).commands;
                let typed: Vec<_> = found.into_iter().filter(|c| c.origin == crate::facts::Origin::Typed).collect();
                if is_plain(&line, &typed) {
                    plain += 1;
                    assert!(agrees(&line, &typed, 0), "{line}");
                }
            }
        }
        assert!(plain > 5000, "{plain}");
    }

    /// What was read twice of a line, and why it is opaque for that.
    fn spent(line: &str) -> (usize, bool) {
        let mut gathered = crate::shell::Gathered::default();
        let read = crate::shell::read(line, &[(0, 0)], Vec::new(), 0, &mut gathered);
        (gathered.second.spent(), read.is_err_and(|fact| fact.what == Opaque::TooMuch))
    }

    /// Nanoseconds would depend on the machine; what is counted does not.
    #[test]
    fn nested_text_is_read_twice_and_not_once_for_each_level() {
        for (open, close) in [("$(", ")"), ("\"$(", ")\""), ("cat <(", ")"), ("echo $(a ')' ", ")"), ("x=$(a; ", ")")] {
            for deep in [1, 12, 40, 90] {
                let line = format!("{}a{}", open.repeat(deep), close.repeat(deep));
                let (spent, much) = spent(&line);
                assert!(!much && spent <= 8 * line.len(), "{open} {deep}: {spent} of {}", line.len());
            }
        }
        // What stands in the middle of all of them is no exception.
        for middle in ["$x", "''", "$'\\n'", "\\a", "\n", "${x} "] {
            let line = format!("{}{}{}", "<(a ')' ".repeat(14), middle.repeat(1000), ")".repeat(14));
            let (spent, _) = spent(&line);
            assert!(spent <= 8 * line.len(), "{middle}: {spent} of {}", line.len());
        }
    }

    #[test]
    fn all_texts_of_a_line_share_one_budget() {
        let script = "f() { if [ -n \"$(a \"$(b)\")\" ]; then echo \"${x:-$(c)}\"; fi; }\n".repeat(100);
        assert!(work(&script) < BUDGET / 4, "{}", work(&script));
        for long in ["x ".repeat(2900), "$(a)".repeat(450), "echo \"$(a $(b $(c)))\"; ".repeat(100), "x".repeat(65_000)]
        {
            assert!(!spent(&long).1, "{} of {BUDGET}", spent(&long).0);
        }
        let words = "'a' ".repeat(2000);
        for (much, line) in [
            (false, format!("bash -c \"{words}\"")),
            (false, format!("x=$(echo {words})")),
            (true, format!("x=$(echo {}{})", words, "$((1)) ".repeat(4000))),
            (true, format!("echo {}", format!("$(a '{}') ", "\\n".repeat(1000)).repeat(30))),
        ] {
            assert_eq!(
                crate::parse(&line, &Place::default()).opaque.iter().any(|fact| fact.what == Opaque::TooMuch),
                much
            );
        }
    }

    /// rable takes `E` with blanks behind it for the end, whatever the blanks, and the rest for commands.
    #[test]
    fn the_body_of_a_here_document_is_not_given() {
        let hidden = "<(a ')' ".repeat(60) + &"$x".repeat(4000) + &")".repeat(60);
        for line in [format!("cat <<E\nE \n{hidden}\nE\n"), format!("cat <<'E'\nit's\nE\u{b}\n{hidden}\nE\n")] {
            assert_eq!(spent(&line), (0, false));
            assert!(!crate::parse(&line, &Place::default()).opaque.is_empty());
        }
        let line = format!("cat <<'E'\nE x\n{hidden}\nE\n");
        assert!(spent(&line).0 < 100 && crate::parse(&line, &Place::default()).opaque.is_empty());
    }

    #[test]
    fn what_means_something_is_not_plain() {
        for line in [
            "if a", "time ls", "a=b c", "ls *", "ls ~", "echo $x", "ls  a", " ls", "ls ", "a b\nc", "for x", "! a",
            "{ a", "[[ a",
        ] {
            let found = crate::parse(line, &Place::default()).commands;
            assert!(!is_plain(line, &found), "{line}");
        }
    }
}
