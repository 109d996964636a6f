//! Checks of PAM and of the ways in besides sshd.

use super::known;
use crate::doctor::catalogue as c;
use crate::doctor::facts::{Facts, PamLine, Walk};
use crate::doctor::finding::Finding;

/// All of them.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let daemons = &facts.logins.daemons;
    let others = if daemons.is_empty() { "none of those that doctor knows".to_owned() } else { daemons.join(", ") };
    let nologin = match &facts.logins.nologin {
        Some(path) => c::NOLOGIN.open(format!("there is {}", path.display())),
        None => c::NOLOGIN.ok("there is none"),
    };
    let system_rc = match &facts.logins.system_rc {
        Some(path) => c::SYSTEM_RC.open(format!("there is {}", path.display())),
        None => c::SYSTEM_RC.ok("there is none"),
    };
    vec![
        system_rc,
        c::OTHER_DAEMONS.judge(daemons.is_empty(), others),
        nologin,
        readenv(facts),
        systemd(facts),
        programs(facts),
        identity(facts),
    ]
}

/// Whether any sshd uses PAM, or could.
fn uses_pam(facts: &Facts) -> bool {
    let mut probes = facts.agents.iter().flat_map(|agent| &agent.probes).peekable();
    let off = |settings: &crate::doctor::facts::Settings| settings.one("usepam") == Some("no");
    probes.peek().is_none() || probes.any(|probe| !probe.settings.as_ref().is_ok_and(off))
}

fn session<'a>(lines: &'a [PamLine], module: &str) -> Option<&'a PamLine> {
    lines.iter().find(|line| line.kind == "session" && line.module == module)
}

fn readenv(facts: &Facts) -> Finding {
    if !uses_pam(facts) {
        return c::READENV.ok("UsePAM no");
    }
    known(&c::READENV, &facts.logins.pam, |lines| {
        // pam_env takes any number but 0 for yes.
        let yes = |word: &String| word.strip_prefix("user_readenv=").is_some_and(|value| value != "0");
        let on = |line: &&PamLine| line.module == "pam_env.so" && line.arguments.iter().any(yes);
        match lines.iter().find(on) {
            Some(line) => c::READENV.open(format!("{} pam_env.so {}", line.kind, line.arguments.join(" "))),
            None => c::READENV.ok("no pam_env line reads the agent's file"),
        }
    })
}

fn systemd(facts: &Facts) -> Finding {
    if !uses_pam(facts) {
        return c::PAM_SYSTEMD.ok("UsePAM no");
    }
    known(&c::PAM_SYSTEMD, &facts.logins.pam, |lines| match session(lines, "pam_systemd.so") {
        Some(_) => c::PAM_SYSTEMD.open("pam_systemd.so is in the session stack"),
        None => c::PAM_SYSTEMD.ok("no pam_systemd.so in the session stack"),
    })
}

fn programs(facts: &Facts) -> Finding {
    known(&c::PAM_EXEC, &facts.logins.pam_programs, |programs| {
        let named = |walk: &Walk| walk.nodes.last().map(|node| node.path.display().to_string()).unwrap_or_default();
        match programs.iter().find_map(|program| program.weak(&[])) {
            Some(why) => c::PAM_EXEC.open(why),
            None if programs.is_empty() => c::PAM_EXEC.ok("pam_exec runs no program here"),
            None => c::PAM_EXEC.ok(programs.iter().map(named).collect::<Vec<_>>().join(", ")),
        }
    })
}

fn identity(facts: &Facts) -> Finding {
    if !uses_pam(facts) {
        return c::IDENTITY.open("UsePAM no: identities are claimed");
    }
    known(&c::IDENTITY, &facts.logins.pam, |lines| {
        let ours = |line: &&PamLine| {
            line.module == "pam_exec.so"
                && line.kind == "session"
                && line.arguments.iter().any(|word| word.contains("countersign"))
        };
        match lines.iter().find(ours) {
            Some(_) => c::IDENTITY.ok("pam_exec registers what sshd verified"),
            None => c::IDENTITY.open("no pam_exec line of countersign's: identities are claimed"),
        }
    })
}
