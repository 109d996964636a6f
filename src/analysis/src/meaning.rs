//! What a line changes about the meaning of its own words: names that are
//! given to something else, and values that are evaluated once more. Such a
//! line is opaque.

use crate::facts::{Opaque, OpaqueFact, SimpleCommand, Span, Unknown, Word};
use crate::shell::Gathered;

/// Variables that a shell runs or loads code from.
const CODE_VARIABLES: [&str; 12] = [
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "BASHOPTS",
    "SHELLOPTS",
    "PATH",
    "EXECIGNORE",
    "BASH_FUNC",
];
/// Builtins whose arguments are names that may carry a subscript, which is evaluated.
const NAMING: [&str; 12] =
    ["unset", "test", "[", "printf", "read", "declare", "typeset", "local", "export", "readonly", "let", "wait"];

/// Variables whose value bash evaluates as an expression when they are given one.
const NUMBERS: [&str; 7] = ["RANDOM", "SRANDOM", "SECONDS", "OPTIND", "HISTCMD", "LINENO", "BASHPID"];
/// Builtins that declare variables.
const DECLARING: [&str; 5] = ["export", "declare", "typeset", "readonly", "local"];

/// Adds what makes the gathered commands doubtful.
pub(crate) fn doubt(line: &str, gathered: &mut Gathered) {
    let mut facts: Vec<OpaqueFact> = gathered.commands.iter().flat_map(of_command).collect();
    if let Some(span) =
        gathered.arithmetic_names.filter(|_| gathered.dormant || filled_from_outside(&gathered.commands))
    {
        facts.push(OpaqueFact { what: Opaque::Reevaluated, span });
    }
    // A subscript among the elements of an array is an expression too.
    let mut assigned = gathered.commands.iter().flat_map(|command| &command.assignments);
    if let Some(array) = assigned.find(|a| !a.plain).filter(|_| gathered.dormant) {
        facts.push(OpaqueFact { what: Opaque::Reevaluated, span: array.span });
    }
    if let Some(set) = gathered.loops.iter().find(|one| NUMBERS.contains(&one.name.as_str())) {
        let span = set.words.first().map_or(Span { start: 0, end: line.len() }, |word| word.span);
        facts.push(OpaqueFact { what: Opaque::Reevaluated, span });
    }
    if line.contains("extglob") && extended_glob(line) {
        facts.push(OpaqueFact { what: Opaque::Redefined, span: Span { start: 0, end: line.len() } });
    }
    gathered.opaque.append(&mut facts);
}

fn of_command(command: &SimpleCommand) -> Vec<OpaqueFact> {
    let mut facts = Vec::new();
    let mut add = |what, span| facts.push(OpaqueFact { what, span });
    if let Some(program) = command.program().filter(|word| word.exact().is_none()) {
        add(Opaque::DynamicCommand, program.span);
    }
    // A search path in front of one command is that command's; alone it is every later one's.
    let names = command.assignments.iter().filter(|a| CODE_VARIABLES.contains(&a.name.as_str()));
    names.for_each(|a| add(Opaque::Redefined, a.span));
    let digits = |word: &Word| word.exact().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let numbers = command.assignments.iter().filter(|a| NUMBERS.contains(&a.name.as_str()));
    numbers.filter(|a| !a.values.iter().all(digits)).for_each(|a| add(Opaque::Reevaluated, a.span));
    let Some(name) = command.program_name() else { return facts };
    let arguments = command.arguments();
    if let Some(span) = arguments.iter().find(|word| is_evaluated_by(name, word)).map(|word| word.span) {
        add(Opaque::Reevaluated, span);
    }
    let has = |wanted: &dyn Fn(&Word) -> bool| arguments.iter().find(|word| wanted(word)).map(|word| word.span);
    if NAMING.contains(&name) {
        let evaluated = |word: &Word| word.text.contains('[') && (word.text.contains("$(") || word.text.contains('`'));
        if let Some(span) = has(&evaluated) {
            add(Opaque::Reevaluated, span);
        }
    }
    // It starts what stands behind these.
    if let Some(span) = has(&|word| word.text.contains(['|', '!'])).filter(|_| name == "strace") {
        add(Opaque::DynamicCommand, span);
    }
    if DECLARING.contains(&name) {
        let code = |word: &Word| {
            let name = word.text.split('=').next().unwrap_or_default().trim_end_matches('+');
            word.text.contains('=') && CODE_VARIABLES.contains(&name)
        };
        if let Some(span) = has(&code) {
            add(Opaque::Redefined, span);
        }
    }
    let redefines = match name {
        "alias" => has(&|word| word.text.contains('=')),
        "hash" => has(&|word| word.text.starts_with("-p")),
        "enable" => has(&|word| word.text.starts_with('-')),
        "shopt" => has(&|word| matches!(word.text.as_str(), "expand_aliases" | "extglob")),
        "bind" => has(&|word| word.text.starts_with("-x")),
        "complete" | "compgen" | "mapfile" | "readarray" => has(&|word| word.text.starts_with("-C")),
        "fc" => Some(command.span),
        _ => None,
    };
    if let Some(span) = redefines {
        add(Opaque::Redefined, span);
    }
    facts
}

/// Whether a builtin evaluates a word that bash has expanded already: names of
/// numbers, integers (`declare -i`), arrays in quotes (`declare -a 'a=($(x))'`), lists of words.
fn is_evaluated_by(name: &str, word: &Word) -> bool {
    let text = word.text.as_str();
    let option = |letter| text.starts_with(['-', '+']) && !text.starts_with("--") && text.contains(letter);
    let names_number = || {
        let plain = text.split(['=', '+', '[']).next().unwrap_or_default();
        NUMBERS.iter().any(|number| plain == *number || plain.starts_with('-') && plain.ends_with(number))
    };
    let declares = DECLARING.contains(&name);
    let list = text.split_once("=(").is_some_and(|(_, list)| list.contains(['$', '`']));
    declares && (option('i') || list)
        || (NAMING.contains(&name) || matches!(name, "getopts" | "mapfile" | "readarray")) && names_number()
        || matches!(name, "compgen" | "complete") && option('W')
}

/// Whether a variable gets what a program wrote.
fn filled_from_outside(commands: &[SimpleCommand]) -> bool {
    let output = |word: &Word| word.unknown.contains(Unknown::COMMAND);
    commands.iter().any(|command| {
        command.assignments.iter().any(|a| a.values.iter().any(output))
            || matches!(command.program_name(), Some("read" | "mapfile" | "readarray"))
            || matches!(command.program_name(), Some("declare" | "typeset" | "local" | "export" | "readonly"))
                && command.arguments().iter().any(output)
    })
}

fn extended_glob(line: &str) -> bool {
    ["?(", "*(", "+(", "@(", "!("].iter().any(|form| line.contains(form))
}
