//! Which programs keep a password to themselves.

/// Whether a program takes its passwords for nothing else: it starts no other
/// program with them and keeps them in no settings that some program runs.
pub(in crate::redact) fn owns(word: &str) -> bool {
    !HANDS_ON.contains(&super::program(word))
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
