//! Which processes are sshds that listen, and with which configuration: by the
//! title that sshd gives itself, and by its program where the title is cut.

use super::sshd::{CONFIG, Sshd};
use super::walk::walk;
use crate::doctor::facts::Unchecked;
use std::fs::{read_dir, read_link, read_to_string};
use std::path::{Path, PathBuf};

/// Options of sshd(8) that take a value.
const VALUED: &str = "CEbcfghkopu";
/// Options of sshd(8) that take none.
const PLAIN: &str = "46DGQRTVdeiqrt";
/// Programs of OpenSSH that serve one connection and never listen for more.
const OF_ONE_CONNECTION: [&str; 2] = ["sshd-session", "sshd-auth"];

/// The listeners that root runs in our own view of the file system, and what could not be looked at.
pub fn running() -> (Vec<Sshd>, Unchecked) {
    let (mut found, mut unchecked) = (Vec::<Sshd>::new(), Unchecked::default());
    let view = read_link("/proc/self/ns/mnt").ok();
    let entries = match read_dir("/proc") {
        Ok(entries) => entries,
        Err(e) => {
            unchecked.here.push(format!("cannot list /proc: {e}"));
            return (found, unchecked);
        }
    };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    for process in pids.filter_map(Process::read) {
        let Some(role) = process.role() else { continue };
        let pid = process.pid;
        if process.uid != 0 {
            unchecked.elsewhere.push(format!("process {pid} is a sshd that is not root's"));
        } else if read_link(process.dir().join("ns/mnt")).ok() != view {
            unchecked.elsewhere.push(format!("process {pid} listens in another mount namespace"));
        } else {
            match looked_at(&process, role) {
                Ok(sshd) if found.contains(&sshd) => {}
                Ok(sshd) => found.push(sshd),
                Err(why) => unchecked.here.push(why),
            }
        }
    }
    (found, unchecked)
}

fn looked_at(process: &Process, role: Role) -> Result<Sshd, String> {
    let pid = process.pid;
    let Role::Listener(command) = role else {
        return Err(format!("process {pid} is a sshd whose title does not say which configuration it has"));
    };
    let program = process.program.clone().ok_or_else(|| format!("cannot tell which program process {pid} is"))?;
    if !walk(&program).is_ok_and(|found| found.target().is_some()) {
        return Err(format!("the program of process {pid} was replaced on disk"));
    }
    listener(program, &command).ok_or_else(|| format!("cannot tell the options of process {pid} apart: {command}"))
}

/// A process as /proc shows it.
struct Process {
    pid: u32,
    uid: u32,
    /// Its title, the words of its command line with blanks between.
    title: String,
    /// Its program; `None` where that is not for us to see.
    program: Option<PathBuf>,
    /// Its parent's program.
    above: Option<PathBuf>,
}

/// What a process is to us.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    /// It listens, started with this command line.
    Listener(String),
    /// It is a sshd and serves no single connection; how it was started is not known.
    Untold,
}

impl Process {
    /// `None` where it has ended.
    fn read(pid: u32) -> Option<Self> {
        let dir = Path::new("/proc").join(pid.to_string());
        let status = read_to_string(dir.join("status")).ok()?;
        let first = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u32>().ok()
        };
        let title = std::fs::read(dir.join("cmdline")).unwrap_or_default();
        let title = String::from_utf8_lossy(&title).replace('\0', " ").trim_end().to_owned();
        let program = read_link(dir.join("exe")).ok();
        let above = first("PPid:").and_then(|parent| read_link(format!("/proc/{parent}/exe")).ok());
        Some(Self { pid, uid: first("Uid:")?, title, program, above })
    }

    fn dir(&self) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string())
    }

    /// What it is; `None` where it is no sshd, or one that serves a connection.
    fn role(&self) -> Option<Role> {
        let said = self.title.split_once(": ").filter(|(name, _)| !name.contains([' ', '/']));
        if let Some((command, _)) = said.and_then(|(_, rest)| rest.split_once(" [listener]")) {
            return Some(Role::Listener(command.to_owned()));
        }
        // A title has as much room as arguments and environment had: with little of these its end is missing.
        let program = self.program.as_ref()?;
        let shown = program.to_string_lossy();
        let cut = said.and_then(|(_, rest)| rest.split_whitespace().next());
        let itself = cut.is_some_and(|word| word.starts_with('/') && shown.starts_with(word));
        let named = is_sshd(program) && self.uid == 0;
        let serves = said.is_some_and(|(_, rest)| is_of_one_connection(rest));
        // Until OpenSSH 9.7 a connection's process is the listener's program begun anew, and has no title at first.
        let forked = self.above.as_ref() == Some(program) && self.title.split_whitespace().next_back() == Some("-R");
        ((itself || named) && !serves && !forked).then_some(Role::Untold)
    }
}

/// Whether a program goes by sshd's name.
fn is_sshd(program: &Path) -> bool {
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.trim_end_matches(" (deleted)");
    name.contains("sshd") && !OF_ONE_CONNECTION.contains(&name)
}

/// `deploy [priv]`, `deploy@pts/0`, `[accepted]`.
fn is_of_one_connection(title: &str) -> bool {
    let mut words = title.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    !first.starts_with('/') && (first.starts_with('[') || first.contains('@') || second.starts_with('['))
}

/// The command line of a sshd, read as getopt(3) reads it. A value that was
/// given as a word of its own may have had blanks in it, which a title does
/// not show: it goes on to the next option. `None` where it makes no sense.
fn listener(program: PathBuf, command: &str) -> Option<Sshd> {
    let mut sshd = Sshd { program, config: CONFIG.into(), options: Vec::new() };
    let mut words = command.split_whitespace().skip(1).peekable();
    while let Some(word) = words.next() {
        let flags = word.strip_prefix('-').filter(|flags| !flags.is_empty())?;
        for (at, flag) in flags.char_indices() {
            if PLAIN.contains(flag) {
                continue;
            }
            if !VALUED.contains(flag) {
                return None;
            }
            let attached = flags.get(at + flag.len_utf8()..).unwrap_or_default();
            let mut value = if attached.is_empty() { words.next()?.to_owned() } else { attached.to_owned() };
            while let Some(more) = words.next_if(|more| !more.starts_with('-')) {
                value = format!("{value} {more}");
            }
            match flag {
                'f' => sshd.config = value.into(),
                'o' => sshd.options.push(value),
                _ => {}
            }
            break;
        }
    }
    Some(sshd)
}

#[cfg(test)]
mod tests {
    use super::super::sshd::PROGRAM;
    use super::*;

    fn process(title: &str, program: &str, above: &str) -> Process {
        let path = |text: &str| Some(PathBuf::from(text));
        Process { pid: 7, uid: 0, title: title.to_owned(), program: path(program), above: path(above) }
    }

    #[test]
    fn options_are_read_as_getopt_does() {
        for (command, config, options) in [
            ("-D -e -f /x/y -oPort=3 -o UsePAM=no", "/x/y", vec!["Port=3", "UsePAM=no"]),
            ("-Def /etc/ssh/bad_config", "/etc/ssh/bad_config", vec![]),
            ("-Df/x -p 22", "/x", vec![]),
            ("-DoPort=3", CONFIG, vec!["Port=3"]),
            ("-D -o ForceCommand none -f /x", "/x", vec!["ForceCommand none"]),
            ("-p 22 -D", CONFIG, vec![]),
            ("-pf -D", CONFIG, vec![]),
            ("-D", CONFIG, vec![]),
        ] {
            let found = listener(PROGRAM.into(), &format!("/usr/sbin/sshd {command}")).unwrap();
            assert_eq!(
                (found.config, found.options),
                (PathBuf::from(config), options.iter().map(|o| (*o).to_owned()).collect()),
                "{command}"
            );
        }
        for command in ["-D stray", "-Z", "-D -f", "-D - x", "-D -o AcceptEnv=A --B"] {
            assert_eq!(listener(PROGRAM.into(), &format!("/usr/sbin/sshd {command}")), None, "{command}");
        }
    }

    #[test]
    fn a_listener_is_known_by_the_form_of_its_title_whatever_its_name() {
        for (title, program) in [
            ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", PROGRAM),
            ("sshd-admin: /srv/sshd-admin -D [listener] 0 of 10-100 startups", "/srv/sshd-admin"),
            ("remote: /srv/remote -D [listener] 0 of 10-100 startups", "/srv/remote"),
        ] {
            let role = process(title, program, "/usr/lib/systemd/systemd").role();
            assert!(
                matches!(&role, Some(Role::Listener(command)) if command == &format!("{program} -D")),
                "{title}: {role:?}"
            );
        }
    }

    #[test]
    fn what_may_listen_with_a_title_that_does_not_say_it_is_untold_and_not_skipped() {
        for (title, program) in [
            ("sshd: /usr/sbin/sshd -D -e -f /etc/ssh/bad_c", PROGRAM),
            ("sshd: /usr/sbin/sshd -D [lis", PROGRAM),
            ("/usr/sbin/sshd -D -f /x", PROGRAM),
            ("/usr/sbin/sshd -D", "/usr/sbin/sshd (deleted)"),
            ("", "/opt/sshd-admin"),
            ("remote: /srv/remote -D -f /", "/srv/remote"),
        ] {
            assert_eq!(process(title, program, program).role(), Some(Role::Untold), "{title}, begun by a login");
            assert_eq!(process(title, program, "/usr/bin/bash").role(), Some(Role::Untold), "{title}");
        }
    }

    #[test]
    fn what_serves_one_connection_and_what_is_no_sshd_is_left_out() {
        for (title, program, above) in [
            ("sshd: deploy [priv]", PROGRAM, "/usr/lib/systemd/systemd"),
            ("sshd: root@pts/0", PROGRAM, "/usr/lib/systemd/systemd"),
            ("sshd: root@notty", "/usr/sbin/sshd (deleted)", "/usr/lib/systemd/systemd"),
            ("sshd: [accepted]", PROGRAM, PROGRAM),
            ("/usr/sbin/sshd -D -R", PROGRAM, PROGRAM),
            ("sshd-session: deploy [priv]", "/usr/lib/openssh/sshd-session", PROGRAM),
            ("nginx: master process /usr/sbin/nginx", "/usr/sbin/nginx", "/usr/lib/systemd/systemd"),
            ("vi /etc/ssh/sshd_config", "/usr/bin/vi", "/usr/bin/bash"),
        ] {
            assert_eq!(process(title, program, above).role(), None, "{title}");
        }
        let ended = Process { program: None, ..process("x", "", "") };
        assert_eq!(ended.role(), None);
    }
}
