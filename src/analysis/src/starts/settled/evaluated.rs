//! Data that bash evaluates as an expression: of a file called `a[$(x)]` it runs `x` where a line says `$((f))`,
//! and of a variable that holds such a text where it says `[ -v a[f] ]`.

use super::earlier::{has_subscript_by_name, names_an_element};
use super::name_in;
use crate::facts::{CommandLine, Context, SimpleCommand, Unknown, Word};

/// Comparisons of `[[ … ]]` whose sides are expressions, and tests that take the name of a variable.
const OF_EXPRESSIONS: [&str; 8] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"];
/// Programs that write nothing but numbers, or what nobody chooses.
const HARMLESS: &[&str] = &["date", "hostname", "uname", "nproc", "id", "whoami", "arch", "seq"];
/// Variables that hold what the agent calls its files and directories.
const NAMED_BY_FILES: [&str; 4] = ["_", "PWD", "OLDPWD", "DIRSTACK"];

/// Whether bash may take for an expression what does not stand in the line, or what the line holds as a quoted text.
pub(super) fn evaluates_data(line: &str, tree: &CommandLine) -> bool {
    let bare = |text: &str| text.replace("\\\n", "").replace(['\'', '"', '\\'], "");
    let words = tree.commands.iter().flat_map(|command| &command.words);
    let texts: Vec<String> = std::iter::once(bare(line)).chain(words.map(|word| bare(&word.text))).collect();
    // `{a[i]}>file`, which the facts have as a word: the element is given a descriptor.
    let descriptor = |word: &Word| word.text.starts_with('{') && word.text.contains('[') && word.text.ends_with("]}");
    let mut words = tree.commands.iter().flat_map(|command| &command.words);
    if texts.iter().any(|text| names_by_another(text))
        || tree.commands.iter().any(takes_an_element)
        || words.any(descriptor)
    {
        return true;
    }
    let expression = texts.iter().any(|text| holds_an_expression(text))
        || tree.commands.iter().any(|command| names_an_element(line, command));
    let reads = texts.iter().any(|text| text.replace("$( ", "$(").contains("$(<") || text.contains("`<"));
    expression && (reads || is_chosen(tree) || from_names(tree) || texts.iter().any(|text| says_a_name(text)))
}

/// Whether what a substitution writes may be chosen by somebody.
fn is_chosen(tree: &CommandLine) -> bool {
    let substituted = |command: &&SimpleCommand| command.context.contains(&Context::Substitution);
    tree.commands.iter().filter(substituted).any(|command| !name_in(command, HARMLESS))
}

/// Whether a variable is given names of files, or what cannot be told.
fn from_names(tree: &CommandLine) -> bool {
    let open = |word: &Word| word.unknown.contains(Unknown::GLOB) || word.unknown.contains(Unknown::PARAMETER);
    let assigned = tree.commands.iter().flat_map(|command| &command.assignments);
    tree.loops.iter().any(|one| one.words.is_empty() || one.words.iter().any(open))
        || assigned.flat_map(|one| &one.values).any(|word| word.unknown.contains(Unknown::GLOB))
}

fn says_a_name(text: &str) -> bool {
    let apart = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(apart).any(|name| NAMED_BY_FILES.contains(&name))
}

/// Whether a builtin takes the name of an element that the line gives by variables: `test -v a[i]`, `wait -np a[i]`.
fn takes_an_element(command: &SimpleCommand) -> bool {
    let arguments = command.arguments();
    match command.program_name() {
        Some("test" | "[") => {
            let names = arguments.iter().any(|word| matches!(word.text.as_str(), "-v" | "-R"));
            names && arguments.iter().any(|word| word.exact().is_none_or(has_subscript_by_name))
        }
        Some("wait") => arguments.iter().any(|word| word.text.contains('[')),
        Some(_) | None => false,
    }
}

/// `${!NAME}`: what a variable holds is the name of another one, or of an element of it. `${!NAME@}` and `${!NAME[@]}` list names.
fn names_by_another(text: &str) -> bool {
    text.split("${!").skip(1).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let after = rest.get(end..).unwrap_or_default();
        !["@}", "*}", "[@]}", "[*]}"].iter().any(|list| after.starts_with(list)) && !rest.starts_with('}')
    })
}

/// Whether bash evaluates something in a text as an expression.
fn holds_an_expression(text: &str) -> bool {
    text.contains("((")
        || text.contains("$[")
        || text.contains("[[") && OF_EXPRESSIONS.iter().any(|operator| text.contains(operator))
        || text.split("${").skip(1).any(|rest| {
            let rest = rest.trim_start_matches(['#', '!']);
            let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let after = rest.get(name.max(1)..).unwrap_or_default();
            let (subscript, after) = match after.strip_prefix('[') {
                Some(inside) => inside.split_once(']').unwrap_or((inside, "")),
                None => ("", after),
            };
            let listed = matches!(subscript, "@" | "*") || is_number(subscript);
            let offset = after.strip_prefix(':').filter(|offset| !offset.starts_with(['-', '=', '?', '+']));
            !listed || offset.is_some_and(|offset| !is_number(offset.split('}').next().unwrap_or_default()))
        })
}

/// Digits and signs, or nothing.
fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || " :+-()".contains(c))
}

#[cfg(test)]
mod tests {
    use crate::starts::starts;

    /// Each of these ran code that stood nowhere in the line as a command, under a rule or a threshold.
    #[test]
    fn what_bash_takes_for_an_expression_is_seen() {
        let settled = |line: &&str| starts(line, "bash").is_settled(false);
        let lines = [
            "q='b[$(id)]'; test -v a[q]",
            "q='b[$(id)]'; [ -n x -a -v 'a[q]' ]",
            "for f in *; do [ -v \"$f\" ]; done",
            "true & q='b[$(id)]'; wait -np a[q]",
            "p='a[$(id)]'; echo ${!p}",
            "p='a[$(id)]'; : \"${!p:-x}\"",
            "q='b[$(id)]'; ls {a[q]}</dev/null",
            "for q in 'b[$(id)]'; do ls {a[q]}</dev/null; done",
            "[[ $(cat f) -eq 1 ]] && uname",
            "[[ $(<f) -gt 1 ]] && uname",
            "[[ -v $(cat f) ]]",
            "echo ${y:$(cat f)}",
            "echo ${y[$(cat f)]}",
            "for f in *; do echo $((f)); done",
            "for f in *; do echo $[f]; done",
            "for f in $(cat l); do echo $((f)); done",
            "for f in *; do echo ${a[f]}; done",
            "for f in *; do echo ${x:f:1}; done",
            "for f in *; do [[ $f -eq 1 ]] && echo y; done",
            "for f; do echo $((f)); done",
            "select f in *; do echo $((f)); done",
            "p=*; for f in $p; do echo $((f)); done",
            "ls *; echo $((_))",
            "x=(*); echo $((x))",
            "x=(*); [[ $x -eq 1 ]]",
            ": ${x:=$(cat f)}; echo $((x))",
            "[[ ${PWD##*/} -eq 5 ]] && echo y",
            "bash -c '[''[ $(cat f) -eq 1 ]]'",
            "bash -c $'\\x5b\\x5b $(cat f) -eq 1 ]]'",
        ];
        let wrong: Vec<&str> = lines.into_iter().filter(settled).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let lines = [
            "[[ $(cat f) == 1 ]] && uname",
            "[[ $(id -u) -eq 0 ]] && uname",
            "[[ $UID -eq 0 ]] && uname",
            "[ -v x ] && uname",
            "for i in 1 2; do echo $((i+1)); done",
            "for i in $(seq 5); do echo $((i+1)); done",
            "i=0; while (( i < 5 )); do i=$((i+1)); done",
            "for f in *; do echo ${f:0:3} ${f%.txt} ${f:-x} ${#f}; done",
            "for f in file[ab]*; do echo $f; done",
            "a=(1 2); echo ${a[@]} ${a[0]} ${#a[@]} ${!a[@]}",
            "echo ${!x@} $!",
            "ls *.log; echo $((1+1))",
            "wait",
        ];
        let wrong: Vec<&str> = lines.into_iter().filter(|line| !settled(line)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
