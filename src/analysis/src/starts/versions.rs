//! Programs under names with a version or a target: `gcc-12`, `x86_64-linux-gnu-gcc`, `gdb-multiarch`. The tables
//! have them by their common names.

use super::acting::{READS_ONLY, only_shows};
use crate::facts::SimpleCommand;
use crate::launch::is_wrapper;
use crate::programs::without_version;

/// How names of targets begin, and what means a standard of C before the name of a compiler.
const TARGETS: &[&str] = &[
    "x86_64",
    "i386",
    "i486",
    "i586",
    "i686",
    "aarch64",
    "arm",
    "riscv",
    "powerpc",
    "ppc64",
    "s390",
    "mips",
    "sparc",
    "alpha",
    "hppa",
    "m68k",
    "sh4",
    "loongarch",
    "ia64",
    "avr",
    "c89",
    "c99",
];

/// The common name of a program. What is not known to be a version or a target stays.
pub(super) fn common_name(name: &str) -> &str {
    if matches!(name, "c89" | "c99") {
        return "cc";
    }
    let is_target = |text: &str| TARGETS.iter().any(|target| text.starts_with(target));
    let bare = match name.rsplit_once('-') {
        Some((before, "multiarch")) => before,
        // Of `gcc-12` the last part is the version.
        _ if is_target(name) => {
            let tool = without_version(name);
            tool.rsplit_once('-').map_or(name, |(_, tool)| tool)
        }
        // `perl5.36-x86_64-linux-gnu`
        _ => name
            .match_indices('-')
            .find(|(at, _)| name.get(at + 1..).is_some_and(is_target))
            .map_or(name, |(at, _)| name.get(..at).unwrap_or(name)),
    };
    match without_version(bare) {
        "" => name,
        common => common,
    }
}

/// Such a program as a command of its common name.
pub(super) fn as_common(command: &SimpleCommand) -> Option<SimpleCommand> {
    let name = command.program_name()?;
    let common = common_name(name);
    // Names of the tables that end in a number are no others.
    if common == name || only_shows(name) || READS_ONLY.contains(&name) || is_wrapper(name) {
        return None;
    }
    let mut renamed = command.clone();
    common.clone_into(&mut renamed.words.first_mut()?.text);
    Some(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_targets_are_left_out() {
        for (name, common) in [
            ("gcc-12", "gcc"),
            ("g++-12", "g++"),
            ("x86_64-linux-gnu-gcc-12", "gcc"),
            ("aarch64-linux-gnu-g++", "g++"),
            ("arm-none-eabi-gdb", "gdb"),
            ("make-4.3", "make"),
            ("python3.11", "python"),
            ("perl5.36-x86_64-linux-gnu", "perl"),
            ("gdb-multiarch", "gdb"),
            ("c99", "cc"),
            ("c89-gcc", "gcc"),
            ("gcc", "gcc"),
            ("apt-get", "apt-get"),
            ("run-this-one", "run-this-one"),
            ("x86_64", "x86_"),
            ("7", "7"),
            ("", ""),
        ] {
            assert_eq!(common_name(name), common, "{name}");
        }
    }
}
