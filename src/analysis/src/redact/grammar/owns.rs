//! Which programs keep a password to themselves.

use super::super::text::Text;

/// Whether a program takes its passwords for nothing else: it starts no other
/// program with them and keeps them in no settings that some program runs.
pub(in crate::redact) fn owns(word: &str) -> bool {
    !HANDS_ON.contains(&super::program(word))
}

/// Whether a word of a database's client gives a variable its value (`psql -v password=x`), which a file of its
/// commands may hand to a shell.
pub(super) fn is_variable(words: &[&Text<'static>], at: usize) -> bool {
    let sets = |text: &str| matches!(text, "-v" | "--set" | "--variable");
    let alone = at.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|before| sets(&before.s));
    alone || words.get(at).is_some_and(|word| ["-v", "--set=", "--var"].iter().any(|begin| word.s.starts_with(begin)))
}

/// Programs of this table, and readers of passwords, that hand on what they are
/// given: to programs that they start, or into settings.
const HANDS_ON: &[&str] = &[
    "ansible",
    "ansible-playbook",
    "buildah",
    "bundle",
    "cargo",
    "composer",
    "crudini",
    "docker",
    "doas",
    "env",
    "expect",
    "git",
    "heroku",
    "java",
    "k",
    "kubectl",
    "minikube",
    "mvn",
    "nerdctl",
    "net",
    "nomad",
    "npm",
    "oc",
    "plink",
    "pnpm",
    "podman",
    "poetry",
    "proxychains",
    "pulumi",
    "read",
    "schtasks",
    "set",
    "setenv",
    "setx",
    "ssh",
    "su",
    "sudo",
    "terraform",
    "tofu",
    "uv",
    "virsh",
    "winexe",
    "wmic",
    "wp",
    "xargs",
    "yarn",
];
