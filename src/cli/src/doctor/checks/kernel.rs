//! Checks of the kernel's settings.

use super::known;
use crate::doctor::catalogue::{self as c, Check};
use crate::doctor::facts::{Facts, Kernel};
use crate::doctor::finding::Finding;

/// All of them.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let kernel = &facts.kernel;
    vec![
        tiocsti(kernel),
        values(kernel, &c::SUID_DUMPABLE, &[("fs.suid_dumpable", &["0", "2"])]),
        core_pattern(kernel),
        values(kernel, &c::PROTECTED_LINKS, &[("fs.protected_symlinks", &["1"]), ("fs.protected_hardlinks", &["1"])]),
        values(
            kernel,
            &c::PROTECTED_FILES,
            &[("fs.protected_fifos", &["1", "2"]), ("fs.protected_regular", &["1", "2"])],
        ),
        values(kernel, &c::PTRACE, &[("kernel.yama.ptrace_scope", &["1", "2", "3"])]),
        landlock(kernel),
        userns(kernel),
        known(&c::HIDEPID, &kernel.proc_options, |options| hidepid(options, &facts.host.daemon_gids)),
        known(&c::CLOCK, &kernel.clock, |synchronised| {
            c::CLOCK.judge(*synchronised, if *synchronised { "synchronised" } else { "not synchronised" })
        }),
    ]
}

/// That it is not set is told, never held against a host: systemd's logind and
/// others do not work with it.
fn hidepid(options: &str, daemon: &[u32]) -> Finding {
    let value = |name: &str| options.split(',').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let sees = value("gid").and_then(|gid| gid.parse().ok()).is_some_and(|gid: u32| daemon.contains(&gid));
    match value("hidepid") {
        None | Some("0" | "off") => c::HIDEPID.ok("not set; the gate does not need it"),
        Some(_) if sees => c::HIDEPID.ok("set, and the daemon sees every process"),
        Some(_) => c::HIDEPID.open("set, and the daemon does not see the fronts of logins: nested logins, who sshd let in and logins after its restart are not known to it"),
    }
}

/// A kernel before 6.2 has no such switch, and TIOCSTI always works there.
fn tiocsti(kernel: &Kernel) -> Finding {
    let name = "dev.tty.legacy_tiocsti";
    match kernel.sysctl.get(name) {
        Some(Ok(None)) => {
            c::TIOCSTI.open("this kernel cannot switch TIOCSTI off").mended_by("run a kernel of 6.2 or later")
        }
        Some(Ok(Some(_)) | Err(_)) | None => values(kernel, &c::TIOCSTI, &[(name, &["0"])]),
    }
}

fn values(kernel: &Kernel, check: &'static Check, wanted: &[(&'static str, &[&str])]) -> Finding {
    let mut all = Vec::new();
    for (name, good) in wanted {
        match kernel.sysctl.get(name) {
            None => return check.unknown(format!("{name} was not read")),
            Some(Err(why)) => return check.unknown(why.clone()),
            Some(Ok(None)) => return check.open(format!("this kernel has no {name}")),
            Some(Ok(Some(value))) if good.contains(&value.as_str()) => all.push(format!("{name} = {value}")),
            Some(Ok(Some(value))) => return check.open(format!("{name} = {value}")),
        }
    }
    check.ok(all.join(", "))
}

fn core_pattern(kernel: &Kernel) -> Finding {
    match (kernel.sysctl.get("kernel.core_pattern"), &kernel.core_program) {
        (Some(Err(why)), _) | (_, Some(Err(why))) => c::CORE_PATTERN.unknown(why.clone()),
        (_, Some(Ok(walk))) => match walk.weak(&[]) {
            Some(why) => c::CORE_PATTERN.open(why),
            None => c::CORE_PATTERN.ok("piped to a program of root's"),
        },
        (Some(Ok(Some(pattern))), None) => c::CORE_PATTERN.ok(format!("kernel.core_pattern = {pattern}")),
        (Some(Ok(None)) | None, None) => c::CORE_PATTERN.unknown("kernel.core_pattern was not read"),
    }
}

fn landlock(kernel: &Kernel) -> Finding {
    let traces = !matches!(kernel.sysctl.get("kernel.yama.ptrace_scope"), Some(Ok(Some(value))) if value != "0");
    match (kernel.sets_apart, traces) {
        (true, _) => c::LANDLOCK.ok("the kernel has it"),
        (false, true) => c::LANDLOCK.open("the kernel has none, and Yama does not stand in: an approved sftp session that may write can write code into the agent's shell"),
        (false, false) => c::LANDLOCK.open("the kernel has none: memory is kept by Yama, but a transfer may write through links to another place than it names"),
    }
}

fn userns(kernel: &Kernel) -> Finding {
    let value = |name: &str| kernel.sysctl.get(name).and_then(|v| v.as_ref().ok()).and_then(Option::as_deref);
    let (switch, most) = (value("kernel.unprivileged_userns_clone"), value("user.max_user_namespaces"));
    match (switch, most) {
        (Some("0"), _) => c::USERNS.ok("kernel.unprivileged_userns_clone = 0"),
        (_, Some("0")) => c::USERNS.ok("user.max_user_namespaces = 0"),
        (None, None) => c::USERNS.unknown("neither sysctl can be read"),
        (_, _) => c::USERNS.open("every account may make user namespaces"),
    }
}
