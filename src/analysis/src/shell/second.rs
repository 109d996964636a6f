//! The second opinion: rable, a parser by other people, must find the same
//! commands in the same order. Two independent readings that agree leave
//! little room for a form that both take for something it is not.

use crate::facts::{Context, Opaque, SimpleCommand};
use rable::{Node, NodeKind};

/// What may be read twice before the line counts as too much, in about
/// nanoseconds. rable reads a nested text again from each level around it: a
/// byte costs the square of its levels of brackets, a bracket their cube.
const BUDGET: usize = 4_000_000;
/// What a bracket at the first level costs more than a byte.
const BRACKET: usize = 100;

/// What is left to be read twice.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(BUDGET)
    }
}

/// Reads `text` again. `Some` is why the line is opaque.
pub(crate) fn check(text: &str, found: &[SimpleCommand], outer: usize, budget: &mut Budget) -> Option<Opaque> {
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

/// How much it is to read `text`, whatever its brackets and backquotes mean.
fn work(text: &str) -> usize {
    let (mut level, mut work) = (1 + usize::from(text.contains('`')), 0usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' => {
                work = work.saturating_add(BRACKET.saturating_mul(level.saturating_pow(3)));
                level += 1;
            }
            b')' | b'}' => level = level.saturating_sub(1).max(1),
            _ => {}
        }
        work = work.saturating_add(level.saturating_mul(level));
    }
    work
}

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

    /// Nanoseconds would depend on the machine; what is counted does not.
    #[test]
    fn what_is_read_again_and_again_is_too_much() {
        let much = |line: &str| {
            let opaque = crate::parse(line, &Place::default()).opaque;
            opaque.iter().any(|fact| matches!(fact.what, Opaque::TooMuch | Opaque::TooDeep))
        };
        let nested = |open: &str, close: &str, deep: usize| format!("{}a{}", open.repeat(deep), close.repeat(deep));
        for (open, close) in [("$(", ")"), ("\"$(", ")\""), ("cat <(", ")"), ("echo $(", ")")] {
            assert!(!much(&nested(open, close, 12)), "{open}");
            assert!(much(&nested(open, close, 40)), "{open}");
            let many = vec![nested(open, close, 12); 40].join(" ; ");
            assert!(much(&many), "{open}");
        }
        assert!(!much(&"``".repeat(1000)) && much(&"``".repeat(4000)));
        let script = "f() { if [ -n \"$(a \"$(b)\")\" ]; then echo \"${x:-$(c)}\"; fi; }\n".repeat(100);
        assert!(work(&script) < BUDGET / 4, "{}", work(&script));
        for long in ["x ".repeat(32_000), "$(a)".repeat(450), "echo \"$(a $(b $(c)))\"; ".repeat(150)] {
            assert!(work(&long) < BUDGET, "{}", work(&long));
        }
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
