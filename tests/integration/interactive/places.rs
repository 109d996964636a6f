//! Working directories that have no path: nothing runs there, and they can be left.

use std::fs;
use std::path::Path;

use countersign_tests::journal;
use countersign_tests::namespace::{Namespace, cover, may_enter};
use countersign_tests::parts::Parts;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use nix::mount::{MntFlags, umount2};

use super::{Login, shell};

/// Makes and enters directories until the path is longer than the kernel names one (4096 bytes).
const DEEP: &str = "for n in {1..25}; do mkdir -p $(printf 'd%.0s' {1..200}); cd $(printf 'd%.0s' {1..200}); done";
const REFUSED: &str = "the working directory of this shell is not known";

#[test]
fn nothing_runs_where_the_path_is_too_long() {
    let mut login = Login::new();
    login.line("PROMPT_DIRTRIM=1");
    login.line(DEEP);
    for line in ["touch made", "cd", "cd ..", "cd / && touch made", "cd /; touch made", "./x", "true"] {
        login.terminal.send(&format!("{line}\r"));
        login.terminal.expect(REFUSED);
        login.terminal.prompt();
    }
    // It can be left, as the record shows, and lines run again.
    login.line("cd /");
    login.ends("pwd", "\n/");
    assert_eq!(login.submitted(), ["PROMPT_DIRTRIM=1", DEEP, "cd /", "pwd"], "nobody was asked about the others");
    login.leave();
}

/// A name that is a function of the shell does not take anybody out.
#[test]
fn a_cd_that_is_another_one_leaves_nothing() {
    let mut login = Login::new();
    login.line("PROMPT_DIRTRIM=1");
    login.line("cd() { touch made; }");
    login.line(&DEEP.replace("; cd ", "; builtin cd "));
    login.terminal.send("cd /\r");
    login.terminal.expect(REFUSED);
    login.terminal.prompt();
    assert!(!login.file("made").exists());
    login.leave();
}

/// A shell that moves itself to a place without a path while its line waits.
#[test]
fn moved_away_while_a_line_waits() {
    let mut login = Login::new();
    let deep = login.file("deep");
    fs::create_dir(&deep).expect("directory");
    login.line("PROMPT_DIRTRIM=1");
    login.line("cd deep");
    login.terminal.send("touch made #LATER\r");
    login.terminal.expect("held");
    let name = "d".repeat(200);
    let work = login.file("");
    // From below: each new parent is made beside, and takes the old one in.
    let mut inner = deep.clone();
    for n in 0..25 {
        let outer = work.join(format!("{name}{n:02}"));
        fs::create_dir(&outer).expect("directory");
        let to = outer.join(format!("{name}{n:02}"));
        fs::rename(&inner, &to).expect("a move");
        inner = outer;
    }
    login.parts.reviewer().approve("touch made #LATER");
    login.terminal.expect("was changed after it was submitted");
    login.terminal.prompt();
    let finished = journal::of_kind(&login.parts.journal(), "exec_finished").pop().expect("an end");
    assert_eq!(finished["body"]["why"], "drifted", "{finished}");
    login.line("cd /");
    login.leave();
}

/// A file system that is unmounted under the shell: the kernel goes on to name a path, and it is that of another
/// directory. With FUSE an agent can do that by itself (`fusermount -uz`).
#[test]
fn nothing_runs_where_the_file_system_was_unmounted() {
    if !may_enter() {
        return;
    }
    let _namespace = Namespace::enter();
    let mut login = Login::new();
    let mount = login.file("mount");
    fs::create_dir(&mount).expect("directory");
    cover(&mount, "mode=755");
    fs::create_dir_all(mount.join("srv/app")).expect("directories");
    fs::create_dir_all("/srv/app").expect("the one it would be taken for");
    login.line("cd mount/srv/app");
    login.ends("pwd -P", "mount/srv/app");
    login.terminal.send("echo ran > made #LATER\r");
    login.terminal.expect("held");
    umount2(&mount, MntFlags::MNT_DETACH).expect("a lazy umount");
    login.parts.reviewer().approve("echo ran > made #LATER");
    login.terminal.expect("was changed after it was submitted");
    login.terminal.prompt();
    login.terminal.send("./deploy\r");
    login.terminal.expect(REFUSED);
    login.terminal.prompt();
    login.line("cd /srv/app");
    login.ends("pwd -P; ls -A | wc -l", "/srv/app\n0");
    let places = journal::of_kind(&login.parts.journal(), "command_submitted");
    assert_eq!(places.len(), 5, "the refused one was not asked about");
    login.leave();
}

/// A command of a script in such a place ends the login, as any that does not run.
#[test]
fn a_script_ends_where_it_is_nowhere() {
    let parts = Parts::new();
    let person = countersign_tests::person::Person::at_work(&parts.scratch.join("reviewer.toml"));
    let text = format!("{DEEP}\ntouch made\ncd /\ntouch {}\n", parts.file("made").display());
    let ended = Running::start(&mut shell(&parts, "dumb"), Some(text.as_bytes())).wait(LIMIT).expect(126);
    ended.says(&[REFUSED]);
    drop(person);
    assert!(!parts.file("made").exists());
    assert_eq!(journal::of_kind(&parts.journal(), "exec_started").len(), 1);
    eventually("the end of the login", LIMIT, || {
        (journal::of_kind(&parts.journal(), "session_closed").len() == 1).then_some(())
    });
    parts.verify().expect(10);
    run(std::process::Command::new("rm").arg("-rf").arg(Path::new(&parts.file("")))).expect(0);
}

/// `cd ..` leaves a link to where that stands, and the kernel to where it leads: the script there was shown, and the
/// other one run.
#[test]
fn a_script_behind_a_link_that_is_left_is_not_shown_as_another() {
    let mut login = Login::new();
    fs::create_dir_all(login.file("real/deep")).expect("directory");
    std::os::unix::fs::symlink("real/deep", login.file("link")).expect("link");
    fs::write(login.file("real/x.sh"), "echo harmless\n").expect("script");
    fs::write(login.file("x.sh"), "echo st''range\n").expect("script");
    let shown = |login: &Login| {
        let entry = journal::of_kind(&login.parts.journal(), "command_submitted").pop().expect("a line");
        entry["vals"]["context"][1].as_str().expect("text").to_owned()
    };
    login.ends("cd link/.. && bash x.sh", "strange");
    assert!(shown(&login).contains("unresolved") && !shown(&login).contains("harmless"), "{}", shown(&login));
    login.line("cd link");
    login.ends("cd .. && bash x.sh", "strange");
    assert!(shown(&login).contains("unresolved") && !shown(&login).contains("harmless"), "{}", shown(&login));
    login.ends("cd link && bash ../x.sh", "harmless");
    assert!(shown(&login).contains("harmless"), "{}", shown(&login));
    // The same by `CDPATH`.
    fs::create_dir_all(login.file("other/deep")).expect("directory");
    fs::write(login.file("real/deep/y.sh"), "echo harmless\n").expect("script");
    fs::write(login.file("other/deep/y.sh"), "echo st''range\n").expect("script");
    let line = format!("cd {}; CDPATH={}", login.file("real").display(), login.file("other").display());
    login.line(&line);
    login.ends("cd deep && bash ./y.sh", "strange");
    assert!(shown(&login).contains("unresolved") && !shown(&login).contains("harmless"), "{}", shown(&login));
    login.leave();
}
