//! What a line says only together with what its shell was told before it: variables, places, descriptors.

use super::{SETS_VARIABLES, begins_with_a_digit};
use crate::facts::{Assignment, CommandLine, Redirect, Redirection, SimpleCommand, Unknown, Word};

/// Whether a line uses what a shell that goes on from line to line may have
/// been told before.
pub(in crate::starts) fn expands(line: &str, tree: &CommandLine) -> bool {
    // Names in an expression are variables without a `$`, whose values are expressions again.
    let compares = || ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"].iter().any(|operator| line.contains(operator));
    let lets = |command: &SimpleCommand| command.program_name() == Some("let");
    let expression = line.replace("$((", "").contains("((");
    if expression || line.contains("[[") && compares() || tree.commands.iter().any(lets) {
        return true;
    }
    // `for x; do`: what the shell was given as its own words.
    if decides_by_variables(line) || tree.loops.iter().any(|one| one.words.is_empty()) {
        return true;
    }
    // `{x}>&-`: the descriptor that a variable holds.
    let redirections = tree.commands.iter().flat_map(|command| &command.redirections).chain(&tree.shared_redirections);
    if redirections.into_iter().any(|one| line.as_bytes().get(one.span.start) == Some(&b'{')) {
        return true;
    }
    // `~-`, `~+`, `~1`: where the shell was before, what `PWD` says, a list of its own.
    let earlier = |text: &str| {
        text.strip_prefix('~').is_some_and(|rest| rest.starts_with(['-', '+']) || begins_with_a_digit(rest))
    };
    let uses = |word: &Word| {
        word.unknown.contains(Unknown::PARAMETER)
            || word.unknown.contains(Unknown::TILDE) && earlier(&word.text)
            || word.unknown.contains(Unknown::ARITHMETIC) && word.text.contains(|c: char| c.is_alphabetic() || c == '_')
    };
    let redirected = |command: &SimpleCommand| command.redirections.iter().any(|one| uses(&one.target));
    if tree
        .commands
        .iter()
        .any(|command| names_an_element(line, command) || asks_for_a_variable(command) || goes_back(command))
        || uses_descriptors(tree)
    {
        return true;
    }
    tree.loops.iter().flat_map(|one| &one.words).any(uses)
        || tree.shared_redirections.iter().any(|one| uses(&one.target))
        || tree.commands.iter().any(|command| {
            let assigned = command.assignments.iter().flat_map(|one| &one.values);
            command.words.iter().chain(assigned).any(uses) || redirected(command)
        })
}

/// Whether it names an element of an array by variables: a subscript is an expression, and their values are again.
pub(super) fn names_an_element(line: &str, command: &SimpleCommand) -> bool {
    let given =
        |one: &Assignment| !one.plain && line.get(one.span.start..one.span.end).is_none_or(has_subscript_by_name);
    let named = command.program_name().is_some_and(|name| name == "unset" || SETS_VARIABLES.contains(&name));
    command.assignments.iter().any(given)
        || named && command.arguments().iter().any(|word| has_subscript_by_name(&word.text))
}

/// Whether a name has a subscript that is no number.
pub(super) fn has_subscript_by_name(name: &str) -> bool {
    name.split('[').skip(1).any(|rest| rest.contains(']') && rest.starts_with(|c: char| !c.is_ascii_digit()))
}

/// Whether it asks whether a variable is set.
fn asks_for_a_variable(command: &SimpleCommand) -> bool {
    matches!(command.program_name(), Some("test" | "["))
        && command.arguments().iter().any(|word| matches!(word.text.as_str(), "-v" | "-R"))
}

/// Whether a text uses variables where the facts have no words: in `[[ … ]]`, behind `case`. In single quotes there
/// are none; where these cannot be told simply, each `$` counts.
fn decides_by_variables(line: &str) -> bool {
    let apart = |c: char| c.is_whitespace() || ";&|(){}`".contains(c);
    if !line.contains("[[") && !line.split(apart).any(|word| word == "case") {
        return false;
    }
    let plain = !["#", "<<", "$'"].iter().any(|one| line.contains(one));
    let (mut single, mut double) = (false, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if !single => drop(chars.next()),
            '"' if !single => double = !double,
            '\'' if !double && plain => single = !single,
            '$' if !single => {
                let begins = |c: &char| c.is_ascii_alphanumeric() || "_{?!@*#-[$\"".contains(*c);
                if chars.peek().is_some_and(begins) || chars.clone().take(2).eq(['(', '(']) {
                    return true;
                }
            }
            _ => {}
        }
    }
    line.contains("[[") && [" -v ", " -R "].iter().any(|operator| line.contains(operator))
}

/// Whether a builtin goes by what the line does not name: `cd -`, a list of places, the file of `history`, jobs.
fn goes_back(command: &SimpleCommand) -> bool {
    let operands = || command.arguments().iter().filter(|word| !word.text.starts_with(['-', '+']));
    match command.program_name() {
        Some("cd") => command.arguments().iter().any(|word| word.exact() == Some("-")),
        Some("pushd") => operands().next().is_none() || command.arguments().iter().any(is_place_in_a_list),
        Some("popd") => true,
        Some("history") => !command.arguments().is_empty(),
        Some("fg" | "bg" | "disown" | "getopts") => true,
        Some("kill" | "wait") => command.arguments().iter().any(|word| word.text.starts_with('%')),
        _ => false,
    }
}

/// `+1`, `-2`: one of the places that a shell keeps.
fn is_place_in_a_list(word: &Word) -> bool {
    word.text.strip_prefix(['-', '+']).is_some_and(begins_with_a_digit)
}

/// Whether it reads or writes where an earlier line has opened something: `>&3`, `/dev/fd/3`, `read -u 3`.
fn uses_descriptors(tree: &CommandLine) -> bool {
    let own = tree.commands.iter().flat_map(|command| &command.redirections);
    let all: Vec<&Redirection> = own.chain(&tree.shared_redirections).collect();
    let opened = |number: u32| all.iter().any(|one| one.fd == Some(number));
    let earlier = |one: &&Redirection| {
        let number = one.target.text.trim_end_matches('-').parse::<u32>();
        one.kind == Redirect::Duplicate && number.is_ok_and(|number| number > 2 && !opened(number))
    };
    let reads = |command: &SimpleCommand| {
        let option = |word: &Word| word.text.starts_with('-') && word.text.contains('u');
        command.program_name() == Some("read") && command.arguments().iter().any(option)
    };
    let words = tree.commands.iter().flat_map(|command| &command.words);
    let files = all.iter().filter(|one| one.kind != Redirect::HereDocument).map(|one| &one.target);
    all.iter().any(earlier)
        || tree.commands.iter().any(reads)
        || words.chain(files).any(|word| word.text.contains("/fd/"))
}

#[cfg(test)]
mod tests {
    use crate::starts::starts;

    #[test]
    fn what_a_shell_was_told_before_is_known_to_be_used() {
        for line in [
            "df $OPTS",
            "echo \"$X\"",
            "X=1; echo $X",
            "ls > $f",
            "for i in $X; do :; done",
            "echo $((x))",
            "a=$b",
            "(ls) > $f",
            // A subscript is an expression.
            "a[i]=1",
            "a=([i]=1)",
            "a[i+1]+=x ls",
            "declare a[i]=1",
            "unset 'a[i]'",
            "printf -v a[i] x",
            "[ -v a[i] ]",
            "test -v 'a[ i]'",
            "read a[i] < f",
            "cd -",
            "cd -P - && rm -rf build",
            "popd && rm -rf build",
            "pushd",
            "pushd +1",
            "pushd -n -0",
            "history -w",
            "echo x >&3",
            "{ ls; } 2>&7",
            "cat <&3-",
            "cat /dev/fd/3",
            "ls > /proc/self/fd/3",
            "read -u3 x",
            // The facts have no words of these.
            "[[ $x == a ]] && uname",
            "[[ -n \"$x\" ]] && uname",
            "[[ $((x)) == 0 ]] && uname",
            "[[ -v x ]] && uname",
            "[ -v x ] && uname",
            "case $x in a) uname ;; esac",
            "case a in $((x))) uname ;; esac",
            "echo $(case ${a[x]} in a) uname ;; esac)",
            "[[ a == b ]] # it's\n[[ $x ]] && uname # it's",
            "for x; do uname; done",
            "select x; do uname; done",
            "uname {x}>&-",
            "fg",
            "bg %1",
            "kill %1",
            "wait %ls",
            "disown -a",
            "getopts ab x",
        ] {
            assert!(starts(line, "bash").expands, "{line}");
        }
        for line in [
            "df -h",
            "echo '$X'",
            "echo $((1+1))",
            "echo $(date)",
            "ls *",
            "a[0]=1",
            "a=(1 2)",
            "[ -f a ]",
            "[[ -f a ]] && awk '{print $1}' a",
            "[[ a == a* ]] && echo \"it's\" 'a $x'",
            "case a in a) uname ;; esac",
            "echo case $(date)",
            "kill 5",
            "wait",
            "cd -P x",
            "pushd -n x",
        ] {
            assert!(!starts(line, "bash").expands, "{line}");
        }
    }
}
