//! Programs that would be a way past the gate for whoever may run them.

use super::known;
use crate::doctor::catalogue as c;
use crate::doctor::facts::{Facts, Privileged};
use crate::doctor::finding::Finding;

/// Capabilities that stand for root's rights or lead to them (capabilities(7)).
const CAPABILITIES: [(u32, &str); 14] = [
    (0, "cap_chown"),
    (1, "cap_dac_override"),
    (2, "cap_dac_read_search"),
    (3, "cap_fowner"),
    (5, "cap_kill"),
    (6, "cap_setgid"),
    (7, "cap_setuid"),
    (8, "cap_setpcap"),
    (16, "cap_sys_module"),
    (17, "cap_sys_rawio"),
    (19, "cap_sys_ptrace"),
    (21, "cap_sys_admin"),
    (27, "cap_mknod"),
    (31, "cap_setfcap"),
];
/// What hands out subordinate ids is account.subids'.
const MAPPERS: [&str; 2] = ["newuidmap", "newgidmap"];
/// Programs that no system has setuid root: each runs or writes what it is told.
/// A version may follow (`python3.11`).
const TOOLS: &[&str] = &[
    "bash",
    "sh",
    "dash",
    "zsh",
    "fish",
    "tcsh",
    "csh",
    "ksh",
    "busybox",
    "env",
    "find",
    "xargs",
    "vi",
    "vim",
    "nano",
    "emacs",
    "ed",
    "sed",
    "awk",
    "gawk",
    "mawk",
    "python",
    "perl",
    "ruby",
    "node",
    "php",
    "lua",
    "tclsh",
    "gdb",
    "strace",
    "nmap",
    "tar",
    "cp",
    "mv",
    "dd",
    "cat",
    "tee",
    "install",
    "chmod",
    "chown",
    "less",
    "more",
    "nice",
    "timeout",
    "chroot",
    "unshare",
    "nsenter",
    "setpriv",
    "capsh",
    "systemctl",
    "docker",
    "podman",
    "rsync",
    "git",
    "make",
    "socat",
    "nc",
    "tmux",
    "screen",
];

/// The check.
pub fn check(facts: &Facts) -> Finding {
    known(&c::PRIVILEGED, &facts.host.privileged, |programs| {
        let found = programs.iter().find_map(|program| Some((program, why(facts, program)?)));
        match found {
            Some((program, why)) => c::PRIVILEGED.open(format!("{} {why}", program.path.display())),
            None => c::PRIVILEGED.ok(format!("none of {} programs", programs.len())),
        }
    })
}

fn why(facts: &Facts, program: &Privileged) -> Option<String> {
    let name = program.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let shell = facts.program.walk.as_ref().ok().and_then(|walk| walk.target());
    let owner = facts.host.users.iter().find(|user| {
        let uid = user.entry.as_ref().map(|entry| entry.0);
        uid.is_some() && uid == program.setuid
    });
    if let Some(user) = owner.filter(|_| shell.is_none_or(|shell| shell.file != program.file)) {
        return Some(format!("is setuid {} and is not the login shell", user.name));
    }
    let capability = CAPABILITIES.iter().find(|(bit, _)| program.capabilities & (1 << bit) != 0);
    if let Some((_, word)) = capability.filter(|_| !MAPPERS.contains(&name)) {
        return Some(format!("has {word}"));
    }
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    (program.setuid == Some(0) && TOOLS.contains(&base)).then(|| "is setuid root".to_owned())
}
