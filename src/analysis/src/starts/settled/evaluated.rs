//! Data that bash evaluates as an expression: of a file called `a[$(x)]` it runs `x` where a line says `$((f))`,
//! and of a variable that holds such a text where it says `[ -v a[f] ]`.

use super::earlier::{has_subscript_by_name, names_an_element};
use super::name_in;
use crate::facts::{Assignment, CommandLine, Context, Loop, SimpleCommand, Unknown, Word};

/// Comparisons of `[[ … ]]` whose sides are expressions, and tests that take the name of a variable.
const OF_EXPRESSIONS: [&str; 8] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"];
/// Programs that write what nobody chooses, or, as all that may be in their words is seen, nothing that runs.
const HARMLESS: &[&str] = &["date", "hostname", "uname", "nproc", "id", "whoami", "arch", "seq"];
/// Variables that hold what the agent calls its files and directories, what it types, or text of the line.
const CHOSEN: [&str; 8] = ["_", "PWD", "OLDPWD", "DIRSTACK", "REPLY", "MAPFILE", "OPTARG", "FUNCNAME"];
/// Beginnings of others.
const CHOSEN_BEGIN: [&str; 6] = ["BASH_", "READLINE_", "COMP_", "PS", "HIST", "__cs"];
/// Builtins that take what they set from elsewhere, or make it of parts.
const MAKE_TEXT: &[&str] = &["read", "mapfile", "readarray", "getopts", "eval"];

/// Whether bash may take for an expression what does not stand in the line, or what the line holds as a quoted text.
pub(super) fn evaluates_data(line: &str, tree: &CommandLine) -> bool {
    let bare = |text: &str| text.replace("\\\n", "").replace(['\'', '"', '\\'], "");
    let mut words = tree.commands.iter().flat_map(|command| &command.words);
    let texts: Vec<String> = std::iter::once(bare(line)).chain(words.clone().map(|word| bare(&word.text))).collect();
    // `{a[i]}>file`, which the facts have as a word: the element is given a descriptor.
    let descriptor = |word: &Word| word.text.starts_with('{') && word.text.contains('[') && word.text.ends_with("]}");
    if texts.iter().any(|text| names_by_another(text))
        || tree.commands.iter().any(takes_an_element)
        || words.any(descriptor)
    {
        return true;
    }
    let expression = texts.iter().any(|text| holds_an_expression(text))
        || tree.commands.iter().any(|command| names_an_element(line, command) || is_an_expression(command));
    // What is evaluated runs something by a `$` or a backtick in it, wherever that comes from.
    let reads = texts.iter().any(|text| text.replace("$( ", "$(").contains("$(<") || text.contains("`<"));
    expression
        && (reads
            || says_what_runs(line)
            || is_chosen(tree)
            || from_names(tree)
            || texts.iter().any(|text| says_a_name(text)))
}

/// Builtins whose words are expressions: `let x`, `declare -i x=y`.
fn is_an_expression(command: &SimpleCommand) -> bool {
    let integer = |word: &Word| word.text.starts_with('-') && word.text.contains('i');
    match command.program_name() {
        Some("let") => true,
        Some("declare" | "typeset" | "local" | "export" | "readonly") => command.arguments().iter().any(integer),
        Some(_) | None => false,
    }
}

/// Whether a text says a `$` or a backtick that stands for itself, or may make one: quoted, escaped, by a number of
/// it, as a letter between `Z` and `a`, by quoting what is quoted by `$'…'`.
fn says_what_runs(line: &str) -> bool {
    let comment = |(at, _): (usize, &str)| {
        line.get(..at)
            .and_then(|before| before.chars().next_back())
            .is_none_or(|c| c.is_whitespace() || ";&|()`".contains(c))
    };
    // Quotes in these would be taken for some of the line's.
    let unclear = line.contains("<<") || line.match_indices('#').any(comment);
    if unclear && line.contains(['\'', '"', '\\']) {
        return true;
    }
    let quoting = ["@Q}", "@A}", "@K}", "@P}", "@E}", "%q", "%Q"].iter().any(|one| line.contains(one));
    let letters = |four: &[u8]| {
        matches!(four, [first, b'.', b'.', last] if first.is_ascii_alphabetic() && last.is_ascii_alphabetic()
            && first.is_ascii_lowercase() != last.is_ascii_lowercase())
    };
    if quoting || line.as_bytes().windows(4).any(letters) {
        return true;
    }
    let (mut single, mut double) = (false, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or('\n');
        match c {
            '\\' if "01234567xuUc$`".contains(next) => return true,
            '\\' if !single => drop(chars.next()),
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '`' if single => return true,
            '$' if single || !(next.is_ascii_alphanumeric() || "_{(?!#@*$-[".contains(next)) => return true,
            _ => {}
        }
    }
    false
}

/// Whether what a substitution writes, or what a builtin sets, may be chosen by somebody.
fn is_chosen(tree: &CommandLine) -> bool {
    let makes = |command: &SimpleCommand| {
        let variable = |word: &Word| word.text.starts_with("-v");
        let printed = command.program_name() == Some("printf") && command.arguments().iter().any(variable);
        printed || !command.words.is_empty() && name_in(command, MAKE_TEXT)
    };
    let writes = |command: &SimpleCommand| {
        command.context.contains(&Context::Substitution)
            && (!name_in(command, HARMLESS) || command.words.iter().any(becomes_names))
    };
    tree.commands.iter().any(|command| makes(command) || writes(command))
}

/// Whether a word becomes names of files or directories, or what is written because of it does.
fn becomes_names(word: &Word) -> bool {
    let open = [Unknown::COMMAND, Unknown::PARAMETER].iter().any(|unknown| word.unknown.contains(*unknown));
    open || is_of_names(word) || word.text.contains(['*', '?', '['])
}

/// Whether a word is replaced by names of files or directories.
fn is_of_names(word: &Word) -> bool {
    word.unknown.contains(Unknown::GLOB) || word.unknown.contains(Unknown::TILDE)
}

/// Whether a variable is given names of files, or what cannot be told.
fn from_names(tree: &CommandLine) -> bool {
    // A variable in such a list may hold a pattern, which is replaced by names in turn.
    let open = |word: &Word| is_of_names(word) || word.unknown.contains(Unknown::PARAMETER);
    let mut assigned = tree.commands.iter().flat_map(|command| &command.assignments);
    let assigns = |one: &Assignment| {
        if one.plain { one.values.iter().any(is_of_names) } else { one.values.iter().any(open) }
    };
    // What a function, or the shell, is given as its own words.
    let given = |command: &&SimpleCommand| !tree.functions.is_empty() || command.program_name() == Some("set");
    let mut words = tree.commands.iter().filter(given).flat_map(|command| &command.words);
    let unseen = |one: &Loop| one.words.is_empty() || one.words.len() >= Loop::MOST || one.words.iter().any(open);
    tree.loops.iter().any(unseen) || assigned.any(assigns) || words.any(open)
}

fn says_a_name(text: &str) -> bool {
    let apart = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(apart).any(|name| CHOSEN.contains(&name) || CHOSEN_BEGIN.iter().any(|begin| name.starts_with(begin)))
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
            // Put together of parts.
            "printf -v y 'a[\\44(id)]'; ((y))",
            "y='a[$'; y+='(id)]'; ((y))",
            "x='$'; y=\"a[${x}(id)]\"; echo $((y))",
            "x='a[$'; [[ \"$x(id)]\" -eq 1 ]]",
            "y=a['$'\\(id' x)]'; echo $((y))",
            "[[ $(date '+a[$')$(date '+(id)]') -eq 1 ]]",
            "echo ${PATH:$(date '+a[$')$(date '+(id)]')}",
            "printf -v x %s a*; ((x))",
            "y=\"a[\"\\`id\\`]; let y",
            "x=$'\\044'; declare -i y=\"a[$x(id)]\"",
            "for b in {Z..a}; do y=\"a[$b\"; echo $((y)); done",
            "y='\n'; y=${y@Q}; y=\"a[${y:0:1}(id)]\"; echo $((y))",
            "y=~+; echo $((y))",
            "y=$BASH_EXECUTION_STRING; echo $((y))",
            "f() { echo $(($1)); }; f a*",
            "echo $(($(id a*)))",
            "x=1 # it's\ny='$'; y=\"a[${y}(id)]\"; echo $((y)) # it's",
            "cat <<E; y='a[$'; y+='(id)]'; ((y)) # '\n'\nE",
            "read x < f; ((x))",
            // Names of files by way of something else.
            "for f in $(id -un)*; do echo $((f)); done",
            "for f in $(date '+*'); do echo $((f)); done",
            "x=($(seq -f '*' 1)); echo $((x))",
            "set -- $(date '+*'); echo $(($1))",
            "p='*'; set -- $p; echo $(($1))",
            "p='*'; x=($p); echo $((x))",
            "p='*'; f() { echo $(($1)); }; f $p",
            "for f in {1,*}; do echo $((f)); done",
            "p='*'; for f in \"$p\" $p; do echo $((f)); done",
            "x=date; [[ $($x '+*') -eq 1 ]]",
            "x='*'; for f in $(seq -s \"$x\" 1 2); do echo $((f)); done",
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
            "i=1; echo 'a\\n' \"$((i+1))\"",
            "echo $(( $(date +%s) - 60 ))",
            "x=5; y=$((x*2)); echo \"$y\" > /tmp/x",
            "let i=1; echo it\\'s",
            "wait",
        ];
        let wrong: Vec<&str> = lines.into_iter().filter(|line| !settled(line)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
