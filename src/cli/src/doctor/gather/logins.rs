//! The ways in besides sshd's own settings: PAM, other services, /etc/shells.

use super::accounts::container_sockets;
use super::walk::{system_file, walk};
use crate::doctor::facts::{Known, Logins, PamLine, SshdFiles, Unchecked};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Deepest nesting of PAM includes.
const MAX_DEPTH: usize = 16;
/// Programs that let people log in by rules of their own, by the kernel's name for them (15 bytes).
const OTHERS: [&str; 20] = [
    "dropbear",
    "telnetd",
    "in.telnetd",
    "in.rlogind",
    "in.rshd",
    "in.rexecd",
    "cockpit-ws",
    "shellinaboxd",
    "ttyd",
    "gotty",
    "vsftpd",
    "proftpd",
    "pure-ftpd",
    "smbd",
    "xrdp",
    "Xvnc",
    "tailscaled",
    "teleport",
    "code-server",
    "mosh-server",
];

/// Gathers them.
pub fn gather(sshd: Vec<SshdFiles>, unchecked: Unchecked, service: &str) -> Logins {
    Logins {
        sshd,
        unchecked,
        daemons: daemons(),
        pam: pam(service),
        pam_programs: super::grants::pam_programs(),
        pam_groups: super::grants::pam_groups(service),
        polkit: super::grants::polkit(),
        system_rc: first(&["/etc/ssh/sshrc"]),
        nologin: first(&["/etc/nologin", "/run/nologin", "/var/run/nologin"]),
        shells: shells(),
        chsh: walk(Path::new("/usr/bin/chsh")),
        doas: first(&["/etc/doas.conf", "/usr/local/etc/doas.conf"]),
        container_sockets: container_sockets(),
    }
}

fn first(paths: &[&str]) -> Option<PathBuf> {
    paths.iter().map(PathBuf::from).find(|path| walk(path).is_ok_and(|found| found.there))
}

fn shells() -> Known<Vec<String>> {
    let text = system_file(Path::new("/etc/shells"))?.unwrap_or_default();
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| line.starts_with('/')).collect())
}

/// Other services, by the names of root's processes in our own view of the file system.
fn daemons() -> Vec<String> {
    let view = std::fs::read_link("/proc/self/ns/mnt").ok();
    let mut found: Vec<String> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == 0))
        .filter(|entry| std::fs::read_link(entry.path().join("ns/mnt")).ok() == view)
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .filter(|name| OTHERS.contains(&name.as_str()))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A service's stack with its includes; `other` where it has none.
pub fn pam(service: &str) -> Known<Vec<PamLine>> {
    let mut lines = Vec::new();
    if !read_pam(service, None, 0, &mut lines)? && !read_pam("other", None, 0, &mut lines)? {
        return Err(format!("there is neither /etc/pam.d/{service} nor /etc/pam.d/other"));
    }
    Ok(lines)
}

fn read_pam(service: &str, only: Option<&str>, depth: usize, into: &mut Vec<PamLine>) -> Known<bool> {
    let mut text = None;
    for dir in ["/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d"] {
        text = system_file(&Path::new(dir).join(service))?;
        if text.is_some() {
            break;
        }
    }
    let Some(text) = text else { return Ok(false) };
    if depth > MAX_DEPTH {
        return Err(format!("/etc/pam.d/{service} is included too deeply"));
    }
    for line in text.replace("\\\n", " ").lines() {
        match pam_line(line) {
            Some(Pam::Include { service, kind }) => {
                read_pam(&service, kind.as_deref().or(only), depth + 1, into)?;
            }
            Some(Pam::Module(found)) if only.is_none_or(|kind| kind == found.kind) => into.push(found),
            Some(Pam::Module(_)) | None => {}
        }
    }
    Ok(true)
}

#[derive(Debug, PartialEq, Eq)]
enum Pam {
    Include { service: String, kind: Option<String> },
    Module(PamLine),
}

/// pam.conf(5): `type control module arguments`, the control in brackets or one word.
fn pam_line(line: &str) -> Option<Pam> {
    let line = line.split('#').next().unwrap_or_default().trim();
    if let Some(service) = line.strip_prefix("@include") {
        return Some(Pam::Include { service: service.trim().to_owned(), kind: None });
    }
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let kind = kind.trim_start_matches('-').to_ascii_lowercase();
    let rest = rest.trim_start();
    let (control, rest) =
        if rest.starts_with('[') { rest.split_once(']')? } else { rest.split_once(char::is_whitespace)? };
    let mut words = rest.split_whitespace();
    let module = words.next()?;
    if control == "include" || control == "substack" {
        return Some(Pam::Include { service: module.to_owned(), kind: Some(kind) });
    }
    let module = module.rsplit('/').next().unwrap_or(module).to_owned();
    Some(Pam::Module(PamLine { kind, module, arguments: words.map(str::to_owned).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_of_pam() {
        let module = |line: &str| match pam_line(line) {
            Some(Pam::Module(found)) => (found.kind, found.module, found.arguments.join(" ")),
            other => panic!("{line}: {other:?}"),
        };
        let due =
            |kind: &str, module: &str, arguments: &str| (kind.to_owned(), module.to_owned(), arguments.to_owned());
        for (line, found) in [
            ("session required pam_env.so user_readenv=1 # why", due("session", "pam_env.so", "user_readenv=1")),
            ("-session optional /lib/security/pam_systemd.so", due("session", "pam_systemd.so", "")),
            ("auth [success=1 default=ignore]\tpam_unix.so nullok", due("auth", "pam_unix.so", "nullok")),
        ] {
            assert_eq!(module(line), found);
        }
        let include = |service: &str, kind: Option<&str>| {
            Some(Pam::Include { service: service.to_owned(), kind: kind.map(str::to_owned) })
        };
        assert_eq!(pam_line("@include common-auth"), include("common-auth", None));
        assert_eq!(pam_line("session substack password-auth"), include("password-auth", Some("session")));
        assert_eq!(pam_line("# session required pam_env.so"), None);
        assert_eq!(pam_line(""), None);
    }
}
