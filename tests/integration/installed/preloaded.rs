//! Code of the agent's in programs of the gate, by way of the dynamic loader's variables, and in the inner shell, by
//! way of bash's. Whatever loads or runs it leaves a mark; each attack is first shown to leave one where there is no gate.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::installation::{AGENT, HOMES, Installation, Options, PROGRAMS, UNGATED};
use countersign_tests::journal;
use countersign_tests::programs::{SHELL, program};
use countersign_tests::run::{LIMIT, Running, eventually, run};
use countersign_tests::terminal::Terminal;

/// A library that tells, from whatever program it is loaded into, before `main`.
const LIBRARY: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void mark(void) {
    char program[512];
    long length = readlink("/proc/self/exe", program, sizeof program);
    int fd = open(MARKS, O_WRONLY | O_APPEND);
    dprintf(fd, "loaded into %.*s as %d\n", (int)length, program, geteuid());
    close(fd);
}
unsigned la_version(unsigned version) { return version; }
"#;

/// Where the marks are: anybody may write there.
const MARKS: &str = "/srv/marks";

/// What the agent has prepared.
struct Traps {
    folder: PathBuf,
}

impl Traps {
    fn lay(host: &Installation) -> Self {
        let folder = host.home().join("evil");
        fs::create_dir(&folder).expect("directory");
        fs::write(MARKS, "").expect("marks");
        fs::set_permissions(MARKS, fs::Permissions::from_mode(0o666)).expect("mode");
        compile(&folder.join("evil.so"), LIBRARY, None);
        // One that takes the place of a library that the login shell is linked with.
        let (symbols, versions) = of_libgcc(&program(SHELL));
        compile(&folder.join("libgcc_s.so.1"), &format!("{LIBRARY}{symbols}"), Some(&versions));
        fs::write(folder.join("env"), format!("echo BASH_ENV was read >>{MARKS}\n")).expect("file");
        for entry in fs::read_dir(&folder).expect("directory").flatten() {
            chown(entry.path(), Some(host.uids.agent), None).expect("owner");
        }
        Self { folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The marks since the last time this was asked.
    fn marks(&self) -> String {
        let marks = fs::read_to_string(MARKS).expect("marks");
        fs::write(MARKS, "").expect("marks");
        marks
    }

    /// Variables by which a loader would load one of the libraries.
    fn of_the_loader(&self) -> Vec<Vec<(&'static str, String)>> {
        let (library, folder) = (self.file("evil.so"), self.folder.display().to_string());
        vec![
            vec![("LD_PRELOAD", library.clone())],
            vec![("LD_AUDIT", library)],
            vec![("LD_LIBRARY_PATH", folder.clone())],
            vec![("LD_LIBRARY_PATH", folder), ("LD_PRELOAD", "evil.so".to_owned())],
        ]
    }

    /// Variables by which a bash that runs `true` would run something else first.
    fn of_bash(&self) -> Vec<Vec<(&'static str, String)>> {
        let tell = |what: &str| format!("echo {what} >>{MARKS}");
        vec![
            vec![("BASH_ENV", self.file("env"))],
            vec![("SHELLOPTS", "xtrace".to_owned()), ("PS4", format!("$({})", tell("PS4 was expanded")))],
            vec![("BASH_FUNC_true%%", format!("() {{ {}; }}", tell("a function was taken over")))],
        ]
    }
}

fn compile(library: &Path, source: &str, versions: Option<&str>) {
    let (file, script) = (library.with_extension("c"), library.with_extension("map"));
    fs::write(&file, source).expect("source");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", &format!("-DMARKS=\"{MARKS}\""), "-o"]).arg(library).arg(&file);
    if let Some(versions) = versions {
        fs::write(&script, versions).expect("script of the linker");
        command.arg(format!("-Wl,--version-script={}", script.display()));
    }
    run(&mut command).expect(0);
}

/// Functions, in C and for the linker, that this program needs of libgcc_s.so.1.
fn of_libgcc(program: &Path) -> (String, String) {
    let listed = run(Command::new("nm").args(["-D", "--undefined-only"]).arg(program)).expect(0).out();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let needed = listed.lines().filter_map(|line| line.split_whitespace().last()?.split_once("@GCC_"));
    for (name, version) in needed {
        versions.entry(version).or_default().push(name);
    }
    assert!(!versions.is_empty(), "the login shell uses libgcc_s.so.1:\n{listed}");
    let functions = versions.values().flatten().map(|name| format!("void {name}(void) {{}}\n")).collect();
    let nodes = versions.iter().map(|(version, names)| format!("GCC_{version} {{ {}; }};\n", names.join("; ")));
    (functions, nodes.collect())
}

type Variables = [(&'static str, String)];

/// A program that the agent starts with these variables. `env` sets them, so that nothing else is started with them.
fn as_agent(host: &Installation, variables: &Variables, program: &str, words: &[&str]) -> Command {
    let set: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let words: Vec<_> = set.iter().map(String::as_str).chain([program]).chain(words.iter().copied()).collect();
    host.as_agent("/usr/bin/env", &words)
}

/// Runs a line in a login that the agent starts by hand with these variables, approved.
#[track_caller]
fn start_by_hand(host: &Installation, variables: &Variables, line: &str) {
    let mut command = as_agent(host, variables, &format!("{PROGRAMS}/{SHELL}"), &["-c", line]);
    let client = Running::start(&mut command, Some(b""));
    host.reviewer().approve(line);
    assert_eq!(client.wait(LIMIT).expect(0).out(), "ran\n");
}

#[test]
fn no_library_of_the_agent_is_loaded() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let traps = Traps::lay(&host);
    // The same program without its bit, which the agent can make.
    let (installed, copy) = (format!("{PROGRAMS}/{SHELL}"), format!("{HOMES}/{AGENT}/copy"));
    run(&mut host.as_agent("cp", &[&installed, &copy])).expect(0);
    for (count, variables) in traps.of_the_loader().into_iter().enumerate() {
        let control = run(&mut as_agent(&host, &variables, &copy, &["--help"]));
        let marks = traps.marks();
        let loaded = format!("loaded into {copy} as {}\n", host.uids.agent);
        assert!(marks.contains(&loaded), "the control: {variables:?} works without the bit: {marks}{}", control.err());
        start_by_hand(&host, &variables, &format!("/bin/true {count} && echo ran"));
        assert_eq!(traps.marks(), "", "{variables:?}");
    }
    // Whoever starts the loader has a program without the bit: it is nobody to hostd.
    let made = host.home().join("made");
    let line = format!("touch {}", made.display());
    let loader =
        ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"].into_iter().find(|l| Path::new(l).exists());
    let words = ["--preload", &traps.file("evil.so"), &installed, "-c", &line];
    let ended = run(&mut host.as_agent(loader.expect("the loader"), &words));
    assert!(traps.marks().contains("loaded into"), "the control: it is loaded: {}", ended.err());
    assert!(ended.code() != 0 && !made.exists(), "exit {}: {}", ended.code(), ended.err());
    host.verify().expect(10);
}

/// By what sshd itself would hand on: a client's word, and two files of the agent's home.
#[test]
fn no_library_comes_by_way_of_sshd() {
    let options = Options { user_environment: true, accept_env: "*", ..Options::default() };
    let Some(host) = Installation::new(options) else { return };
    let traps = Traps::lay(&host);
    let pam = fs::read_to_string("/etc/pam.d/sshd").expect("pam") + "session required pam_env.so user_readenv=1\n";
    fs::write("/etc/pam.d/sshd", pam).expect("pam");
    let library = traps.file("evil.so");
    let sent = format!("SetEnv=LD_PRELOAD={library}");
    let flags = |by: &str| if by == "SetEnv" { vec!["-o", sent.as_str()] } else { vec![] };
    for (by, text) in [
        ("SetEnv", String::new()),
        (".pam_environment", format!("LD_PRELOAD DEFAULT={library}\n")),
        (".ssh/environment", format!("LD_PRELOAD={library}\n")),
    ] {
        let files = [AGENT, UNGATED].map(|user| Path::new(HOMES).join(user).join(by));
        if !text.is_empty() {
            for (file, uid) in files.iter().zip([host.uids.agent, host.uids.ungated]) {
                fs::write(file, &text).expect("file");
                chown(file, Some(uid), Some(uid)).expect("owner");
            }
        }
        run(&mut host.ssh_as(UNGATED, &flags(by), &["true"])).expect(0);
        let marks = traps.marks();
        assert!(marks.contains(&format!("bash as {}\n", host.uids.ungated)), "the control: {by} works: {marks}");
        let client = host.approved(&flags(by), &format!("/bin/true {by} && echo ran"), Some(b""));
        assert_eq!(client.wait(LIMIT).expect(0).out(), "ran\n");
        assert_eq!(traps.marks(), "", "{by}");
        files.iter().filter(|_| !text.is_empty()).for_each(|file| fs::remove_file(file).expect("file"));
    }
    host.verify().expect(10);
}

/// In each shape that a login has: a command, a script on standard input, a terminal.
#[test]
fn bash_runs_nothing_that_its_environment_names() {
    let Some(host) = Installation::new(Options { accept_env: "*", ..Options::default() }) else { return };
    let traps = Traps::lay(&host);
    for (count, variables) in traps.of_bash().into_iter().enumerate() {
        let control = run(&mut as_agent(&host, &variables, "/bin/bash", &["-c", "true"]));
        assert_ne!(traps.marks(), "", "the control: {variables:?} works: {}", control.err());
        start_by_hand(&host, &variables, &format!("true {count}; echo ran"));
        assert_eq!(traps.marks(), "", "{variables:?}");
        let line = format!("true {count}; echo from a script");
        let mut command = as_agent(&host, &variables, &format!("{PROGRAMS}/{SHELL}"), &[]);
        let script = Running::start(&mut command, Some(format!("{line}\n").as_bytes()));
        host.reviewer().approve(&line);
        assert_eq!(script.wait(LIMIT).expect(0).out(), "from a script\n");
        assert_eq!(traps.marks(), "", "{variables:?}");
    }
    // sshd takes no name with a `%`; a bash that sshd has started reads no BASH_ENV, those below it do.
    let sent: Vec<_> = traps.of_bash().concat();
    let sent = sent.iter().filter(|(name, _)| !name.contains('%')).map(|(name, value)| format!("\"{name}={value}\""));
    let sent = format!("SetEnv={}", sent.collect::<Vec<_>>().join(" "));
    run(&mut host.ssh_as(UNGATED, &["-o", &sent], &["bash -c true; true"])).expect(0);
    let marks = traps.marks();
    assert!(marks.contains("BASH_ENV was read") && marks.contains("PS4 was expanded"), "the control: {marks}");
    let mut command = host.ssh_as(AGENT, &["-tt", "-o", &sent], &[]);
    let mut terminal = Terminal::start(command.current_dir("/").env("TERM", "xterm-256color"), 100, 30);
    terminal.expect("$ ");
    terminal.send("bash -c true; echo fi''ne\r");
    host.reviewer().approve("bash -c true; echo fi''ne");
    terminal.expect("fine");
    terminal.expect("$ ");
    terminal.send("\x04");
    terminal.end();
    assert_eq!(traps.marks(), "");
    eventually("every login to be closed", LIMIT, || {
        let count = |kind| journal::of_kind(&host.journal(), kind).len();
        (count("session_opened") == count("session_closed")).then_some(())
    });
    host.verify().expect(10);
}
