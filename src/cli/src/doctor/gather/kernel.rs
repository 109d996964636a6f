//! What the kernel is set to.

use super::program::run;
use super::walk::walk;
use crate::doctor::facts::{Kernel, Known};
use std::io::ErrorKind;
use std::path::Path;

/// The sysctls that are looked at.
pub const NAMES: [&str; 10] = [
    "dev.tty.legacy_tiocsti",
    "fs.suid_dumpable",
    "fs.protected_symlinks",
    "fs.protected_hardlinks",
    "fs.protected_fifos",
    "fs.protected_regular",
    "kernel.core_pattern",
    "kernel.yama.ptrace_scope",
    "kernel.unprivileged_userns_clone",
    "user.max_user_namespaces",
];

/// Gathers it.
pub fn gather() -> Kernel {
    let core = sysctl("kernel.core_pattern").ok().flatten();
    let program = core.as_deref().and_then(|pattern| pattern.strip_prefix('|'));
    Kernel {
        sysctl: NAMES.into_iter().map(|name| (name, sysctl(name))).collect(),
        core_program: program.map(|line| walk(Path::new(line.split_whitespace().next().unwrap_or_default()))),
        sets_apart: countersign_sys::apart::is_possible(),
        proc_options: proc_options(),
        clock: clock(),
    }
}

fn sysctl(name: &str) -> Known<Option<String>> {
    let path = Path::new("/proc/sys").join(name.replace('.', "/"));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("cannot read {}: {e}", path.display())),
    }
}

/// proc(5): the options of the last mount at /proc.
fn proc_options() -> Known<String> {
    let text = std::fs::read_to_string("/proc/self/mounts").map_err(|e| format!("cannot read the mounts: {e}"))?;
    let at_proc = |line: &&str| line.split(' ').nth(1) == Some("/proc");
    let line = text.lines().rfind(at_proc).ok_or("nothing is mounted at /proc")?;
    Ok(line.split(' ').nth(3).unwrap_or_default().to_owned())
}

/// systemd asks the kernel (`adjtimex`), whoever keeps the time.
fn clock() -> Known<bool> {
    let asked = run(Path::new("/usr/bin/timedatectl"), &["show", "--property=NTPSynchronized", "--value"])?;
    let Some(ran) = asked else { return Err("there is no timedatectl to ask".to_owned()) };
    match ran.out.trim() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("timedatectl does not say: {}", ran.err.lines().last().unwrap_or_default().trim())),
    }
}
