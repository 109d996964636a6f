//! What PAM runs and gives at a login, and what polkit lets accounts do.

use super::logins::pam;
use super::walk::{names_in, read, system_file, walk};
use crate::doctor::facts::{Document, GroupLine, Known, Walk};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const POLKIT: &[&str] = &["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd"];
const RULES: &[&str] = &[
    "/etc/polkit-1/rules.d",
    "/run/polkit-1/rules.d",
    "/usr/local/share/polkit-1/rules.d",
    "/usr/share/polkit-1/rules.d",
];
/// Rules as polkit had them before they were code; each directory has directories of files.
const OLD_RULES: &[&str] = &["/etc/polkit-1/localauthority", "/var/lib/polkit-1/localauthority"];

/// The programs that pam_exec runs, for any service.
pub fn pam_programs() -> Known<Vec<Walk>> {
    let mut programs = BTreeSet::new();
    for service in names_in(Path::new("/etc/pam.d"))? {
        let lines = pam(&service.to_string_lossy())?;
        let exec = lines.into_iter().filter(|line| line.module == "pam_exec.so");
        // pam_exec(8): what comes before the program are options without a slash at their beginning.
        programs.extend(exec.filter_map(|line| line.arguments.into_iter().find(|word| word.starts_with('/'))));
    }
    programs.iter().map(|program| walk(Path::new(program))).collect()
}

/// Lines of group.conf(5) that may count for this service.
pub fn pam_groups(service: &str) -> Known<Vec<GroupLine>> {
    let text = system_file(Path::new("/etc/security/group.conf"))?.unwrap_or_default();
    let lines = text.replace("\\\n", " ");
    Ok(lines.lines().filter_map(group_line).filter(|(services, _)| may_name(services, service)).map(|l| l.1).collect())
}

/// `services;ttys;users;times;groups`
fn group_line(line: &str) -> Option<(String, GroupLine)> {
    let mut fields = line.split('#').next()?.split(';').map(str::trim);
    let services = fields.next()?.to_owned();
    let users = fields.nth(1)?.to_owned();
    let groups = fields.nth(1)?.split([',', ' ', '\t']).filter(|group| !group.is_empty());
    Some((services, GroupLine { users, groups: groups.map(str::to_owned).collect() }))
}

/// Whether a list of pam_group's may hold a name: names with `&`, `|`, `!` and
/// a `*`. Where that depends on something else it may.
pub fn may_name(list: &str, name: &str) -> bool {
    let may = |item: &str| match item.split_once('*') {
        _ if item.starts_with(['!', '@', '%']) => true,
        Some((head, _)) => name.starts_with(head),
        None => item == name,
    };
    list.split(['&', '|', ' ', '\t']).filter(|item| !item.is_empty()).any(may)
}

/// polkit's rules; `None` where there is no polkit.
pub fn polkit() -> Known<Option<Vec<Document>>> {
    let mut there = false;
    for program in POLKIT {
        there |= walk(Path::new(program))?.there;
    }
    if !there {
        return Ok(None);
    }
    let mut files = Vec::<PathBuf>::new();
    for directory in RULES.iter().map(Path::new) {
        files.extend(within(directory, ".rules")?);
    }
    for above in OLD_RULES.iter().map(Path::new) {
        for directory in names_in(above)? {
            files.extend(within(&above.join(directory), ".pkla")?);
        }
    }
    files.iter().map(|file| read(file)).collect::<Known<_>>().map(Some)
}

fn within(directory: &Path, ending: &str) -> Known<Vec<PathBuf>> {
    let names = names_in(directory)?.into_iter().filter(|name| name.to_string_lossy().ends_with(ending));
    Ok(names.map(|name| directory.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_group_conf() {
        let (services, line) = group_line("sshd; *; deploy|x ;Al0000-2400; docker, floppy # why").unwrap();
        assert_eq!((services.as_str(), line.users.as_str()), ("sshd", "deploy|x"));
        assert_eq!(line.groups, ["docker", "floppy"]);
        assert_eq!(group_line("# a;b;c;d;e"), None);
        assert_eq!(group_line("sshd;*;deploy"), None);
    }

    #[test]
    fn lists_of_names() {
        for list in ["deploy", "*", "dep*", "a|deploy", "!root", "%staff", "@net", "a & !deploy"] {
            assert!(may_name(list, "deploy"), "{list}");
        }
        for list in ["", "deploy2", "a|b", "www*"] {
            assert!(!may_name(list, "deploy"), "{list}");
        }
    }

    #[test]
    fn what_this_machine_has_is_read() {
        assert!(pam_programs().is_ok() && pam_groups("sshd").is_ok() && polkit().is_ok());
    }
}
