//! Checks of the login shell: its file and its configuration.

use super::known;
use crate::doctor::catalogue as c;
use crate::doctor::facts::{Facts, Kind, Walk, weak};
use crate::doctor::finding::Finding;

/// What the login shell's mode must be.
const MODE: u32 = 0o4750;

/// All of them.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let program = &facts.program;
    let path = program.path.display();
    let file = known(&c::SHELL_FILE, &program.walk, |walk| file(facts, walk))
        .mended_by(format!("chown countersign:countersign-agents {path} && chmod 4750 {path}"));
    let parents = known(&c::SHELL_PARENTS, &program.walk, |walk| match weak(walk.parents(), &[]) {
        Some(why) => c::SHELL_PARENTS.open(why),
        None => c::SHELL_PARENTS.ok("root's alone"),
    });
    let mount = known(&c::SHELL_MOUNT, &program.mount, |off| {
        let found = if off.is_empty() { "suid and exec".to_owned() } else { off.join(", ") };
        c::SHELL_MOUNT.judge(off.is_empty(), found)
    });
    vec![file, parents, mount, listed(facts), config(facts), inner(facts)]
}

fn file(facts: &Facts, walk: &Walk) -> Finding {
    let Some(node) = walk.target() else {
        return c::SHELL_FILE.open("it does not exist").mended_by(
            "install -o countersign -g countersign-agents -m 4750 target/release/countersign-sh /usr/bin/ (docs/OPERATIONS.md)",
        );
    };
    let (Some(owner), Some(group)) = (facts.user("countersign"), facts.host.agents_gid) else {
        return c::SHELL_FILE.open("there is no account countersign or no group countersign-agents");
    };
    let found = format!("{} {}:{} {:04o}", node.path.display(), node.uid, node.gid, node.mode);
    let right = node.kind == Kind::File && node.mode == MODE && node.uid == owner && node.gid == group;
    c::SHELL_FILE.judge(right, if right { found } else { format!("{found}; due is {owner}:{group} 4750") })
}

fn listed(facts: &Facts) -> Finding {
    known(&c::SHELLS, &facts.logins.shells, |shells| {
        let own = facts.program.path.display().to_string();
        let ours = |shell: &&String| **shell == own || shell.ends_with("/countersign-sh");
        match shells.iter().find(ours) {
            Some(shell) => c::SHELLS.open(format!("/etc/shells lists {shell}")),
            None => c::SHELLS.ok("not in /etc/shells"),
        }
    })
}

fn config(facts: &Facts) -> Finding {
    if let Ok(walk) = &facts.program.config_walk
        && let Some(why) = walk.weak(&[]).filter(|_| walk.there)
    {
        return c::SHELL_CONFIG.open(why);
    }
    match &facts.program.config {
        Ok(config) => c::SHELL_CONFIG.ok(format!("socket {}", config.socket.display())),
        // What cannot be looked at for want of rights is no defect of the file.
        Err(why) if facts.program.config_walk.is_err() => c::SHELL_CONFIG.unknown(why.clone()),
        Err(why) => c::SHELL_CONFIG.open(why.clone()),
    }
}

fn inner(facts: &Facts) -> Finding {
    let config = match &facts.program.config {
        Err(_) => return c::INNER_SHELL.unknown("the configuration is not known: see shell.config"),
        Ok(config) => config,
    };
    for (name, file) in &config.inner {
        match file {
            None => return c::INNER_SHELL.open(format!("{name} is not one of bash, zsh, fish, dash, tcsh")),
            Some(Err(why)) => return c::INNER_SHELL.open(why.clone()),
            Some(Ok(walk)) => {
                if let Some(why) = walk.weak(&[]) {
                    return c::INNER_SHELL.open(why);
                }
            }
        }
    }
    let names: Vec<&str> = config.inner.iter().map(|(name, _)| name.as_str()).collect();
    c::INNER_SHELL.ok(names.join(", "))
}
