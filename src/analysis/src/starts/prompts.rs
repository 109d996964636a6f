//! Text that the shell runs by itself later on: before each prompt, or where it says something.

use crate::facts::{CommandLine, SimpleCommand, Word};

/// Variables whose value the shell expands, and so runs, by itself later on.
pub(super) const EXPANDED: &[&str] = &["PS0", "PS1", "PS2", "PS4", "PROMPT_COMMAND", "MAILPATH"];
/// Builtins that assign to the variables among their words.
pub(super) const ASSIGNING: &[&str] = &["export", "declare", "typeset", "local", "readonly", "read", "printf"];

/// Whether a line gives such a variable something that runs, or may.
pub(crate) fn sets_a_prompt(tree: &CommandLine) -> bool {
    let expands = |word: &Word| expands_into_a_prompt(&word.text);
    let sets = |command: &SimpleCommand| {
        let builtin = command.program_name().filter(|name| ASSIGNING.contains(name));
        let mut assigned = command.assignments.iter().filter(|one| EXPANDED.contains(&one.name.as_str()));
        builtin.is_some_and(|name| assigns_what_is_expanded(name, command.arguments()))
            || command.words.is_empty() && assigned.any(|one| one.values.iter().any(runs_as_a_prompt))
            || command.words.iter().chain(command.assignments.iter().flat_map(|one| &one.values)).any(expands)
            || command.redirections.iter().any(|one| expands(&one.target))
    };
    tree.commands.iter().any(sets)
        || tree.loops.iter().any(|one| EXPANDED.contains(&one.name.as_str()) || one.words.iter().any(expands))
}

/// Whether a value may run something there: `$PATH` shows something, but what more it does cannot be told. `\044` is a
/// `$`, too, and `\$` is none.
pub(super) fn runs_as_a_prompt(word: &Word) -> bool {
    let octal = |pair: &[u8]| matches!(pair, [b'\\', b'0'..=b'7' | b'\\']);
    let shown = word.text.replace("\\$", "");
    word.exact().is_none() || shown.contains(['$', '`']) || word.text.as_bytes().windows(2).any(octal)
}

/// Whether a builtin that assigns is given a variable which the shell expands
/// by itself, or a name that cannot be told: one that is made up, or one that
/// stands for another.
pub(super) fn assigns_what_is_expanded(base: &str, arguments: &[Word]) -> bool {
    let named = match base {
        "printf" if !arguments.first().is_some_and(|first| first.text.starts_with("-v")) => return false,
        "printf" => arguments.get(..2).unwrap_or(arguments),
        _ => arguments,
    };
    named.iter().any(|word| {
        let name = word.text.split(['=', '+', '[']).next().unwrap_or_default();
        let letters = name.strip_prefix('-').unwrap_or_default();
        let refers = letters.contains('n') && matches!(base, "declare" | "typeset" | "local");
        let attached = EXPANDED.iter().any(|known| letters.ends_with(known));
        EXPANDED.contains(&name)
            || refers
            || attached
            || (word.exact().is_none() && name.contains(['$', '`', '*', '?']))
    })
}

/// Whether an expansion gives a value to a variable that the shell expands by itself (`${PS1:=$x}`), or to one
/// that another one names (`${!x:=…}`).
pub(super) fn expands_into_a_prompt(line: &str) -> bool {
    line.replace("\\\n", "").split("${").skip(1).any(|rest| {
        let (named, rest) = rest.strip_prefix('!').map_or((false, rest), |rest| (true, rest));
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        // An element, whose subscript may hold others.
        let after = after.strip_prefix('[').map_or(after, |inside| inside.split_once(']').map_or("", |(_, rest)| rest));
        let assigns = after.strip_prefix(':').unwrap_or(after).starts_with('=') || after.starts_with(']');
        (named || EXPANDED.contains(&name)) && assigns
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_a_prompt_is_told() {
        let sets = |line: &str| sets_a_prompt(&crate::parse(line, &crate::facts::Place::default()));
        for line in [
            "PS1='$(x)'",
            r"PS1='\044(x)'",
            r"PS1='\\$(x)'",
            r"PS1='\\x'",
            ": ${PS1:=$x}",
            "echo \"${!x:=$y}\"",
            "read PS1 < f",
            "export PS4=\"$x\"",
            "printf -v PS1 %s x",
            "for PS1 in a; do :; done",
            "ls > ${PS1:=$x}",
            "x=${PS1=$y} ls",
        ] {
            assert!(sets(line), "{line}");
        }
        for line in [
            "PS1='> '",
            r"PS1='\u@\h:\w\$ '",
            "PS1='$(x)' ls",
            "echo $PS1",
            "read x < f",
            "printf x PS1",
            "x=${y:=$PS1}",
        ] {
            assert!(!sets(line), "{line}");
        }
    }
}
