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

/// Adds what makes the gathered commands doubtful.
pub(crate) fn doubt(line: &str, gathered: &mut Gathered) {
    let mut facts: Vec<OpaqueFact> = gathered.commands.iter().flat_map(of_command).collect();
    if let Some(span) =
        gathered.arithmetic_names.filter(|_| gathered.dormant || filled_from_outside(&gathered.commands))
    {
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
    let Some(name) = command.program_name() else { return facts };
    let arguments = command.arguments();
    let has = |wanted: &dyn Fn(&Word) -> bool| arguments.iter().find(|word| wanted(word)).map(|word| word.span);
    if NAMING.contains(&name) {
        let evaluated = |word: &Word| word.text.contains('[') && (word.text.contains("$(") || word.text.contains('`'));
        if let Some(span) = has(&evaluated) {
            add(Opaque::Reevaluated, span);
        }
    }
    if matches!(name, "export" | "declare" | "typeset" | "readonly" | "local") {
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
