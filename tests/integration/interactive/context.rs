//! What names mean in an interactive login, and who then decides.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::person::Person;
use countersign_tests::run::{LIMIT, eventually, run};
use countersign_tests::terminal::Terminal;

use super::{Login, shell};

impl Login {
    /// Lets this line pass by rule, on a terminal too.
    fn allow(&self, line: &str) {
        self.parts.reviewer().run(&["rules", "add", "--on-terminal", "--exact", line]).expect(0);
    }

    /// Who decided the line that was submitted last.
    fn outcome(&self) -> String {
        let decided = journal::of_kind(&self.parts.journal(), "decided").pop().expect("a decision");
        decided["body"]["outcome"].as_str().expect("a word").to_owned()
    }

    /// Leaves a login in which rules spoke.
    #[track_caller]
    fn leave_with_rules(mut self) {
        self.terminal.idle();
        self.terminal.send("\x04");
        self.terminal.end();
        let verified = self.parts.verify();
        assert_eq!(verified.code(), 10, "{}", verified.out());
    }
}

#[test]
fn a_name_with_another_meaning_is_for_a_person() {
    let mut login = Login::new();
    login.allow("uname");
    login.allow("/usr/bin/uname");
    let evil = login.file("uname");
    fs::write(&evil, "#!/bin/sh\necho evil\n").expect("file");
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).expect("mode");
    let place = evil.parent().expect("directory").display().to_string();
    login.line("uname");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    for (spoil, mend) in [
        (format!("PATH=$PATH:{place}"), "PATH=/usr/local/bin:/usr/bin:/bin"),
        (format!("PATH={place}:$PATH"), "PATH=/usr/local/bin:/usr/bin:/bin"),
        (format!("hash -p {place}/uname uname"), "hash -r"),
        ("export LD_PRELOAD=/tmp/x.so".to_owned(), "unset LD_PRELOAD"),
        ("export PATH=".to_owned(), "PATH=/usr/local/bin:/usr/bin:/bin"),
        ("PWD=/lie; true".to_owned(), "cd ."),
        ("ln -s . here; cd here; PWD=$OLDPWD; true".to_owned(), "cd .."),
        ("SHLVL='x[$(id)]'; true".to_owned(), "SHLVL=1"),
        // Programs would go by a path of their own.
        ("export -n PATH".to_owned(), "export PATH"),
        ("__mask=$(umask); umask 0".to_owned(), "umask $__mask"),
        ("__most=$(ulimit -S -f); ulimit -S -f 1".to_owned(), "ulimit -S -f $__most"),
    ] {
        login.line(&spoil);
        login.line("uname");
        assert_eq!(login.outcome(), "approved", "{spoil}");
        login.line("/usr/bin/uname");
        // Which file that is no name says; but it is told the rest.
        assert_eq!(login.outcome(), if spoil.starts_with("hash") { "whitelisted" } else { "approved" }, "{spoil}");
        login.line(mend);
        login.line("uname");
        assert_eq!(login.outcome(), "whitelisted", "{mend}");
    }
    // After code was put into the shell it is believed no more, whatever it reports.
    login.line("uname() { id; }");
    login.line("uname");
    assert_eq!(login.outcome(), "approved");
    login.line("unset -f uname");
    login.line("uname");
    assert_eq!(login.outcome(), "approved", "it may have kept something");
    login.leave_with_rules();
}

/// What the shell runs by itself later on, and the descriptors that our driver hears and speaks on.
#[test]
fn after_a_prompt_that_runs_something_no_rule_speaks() {
    let spoils = [
        "PS4='$(touch made)'",
        "read -t 0 -u 73 x; true",
        "v=20; exec {v}</dev/null",
        "alias uname=id\runame\runalias uname",
        "alias x=\"trap : DEBUG\"\rx\runalias x",
        "__cs_prompt='$(touch made)> # '",
        "declare -n r=PS1",
        "x='$(true)> # '\recho \"${PS1:=$x}\"",
        "x='$(true)> # '\rfor PS1 in \"$x\"; do :; done",
        "PS1='\\044(touch made)> # '",
        "PS1='\\140touch made\\140> # '",
        "declare __c''s_prompt='$(touch made)> # '",
        "x='${PS1:=\\$(touch made)> # }'\recho \"${x@P}\"",
        "x=-vPS1\rprintf \"$x\" '$(touch made)> # '",
    ];
    for spoil in spoils {
        let mut login = Login::new();
        login.allow("uname");
        login.line("PS1='\\w\\$ # '; PS2='> '; PS4='+ '; exec 3</dev/null");
        for (lines, outcome) in [("uname", "whitelisted"), (spoil, "approved"), ("uname", "approved")] {
            lines.split('\r').for_each(|line| login.line(line));
            assert_eq!(login.outcome(), outcome, "{lines} and {spoil}");
        }
        login.leave_with_rules();
    }
}

/// What the text of a line does not show: the same line is another one in another shell.
#[test]
fn aliases_and_settings_that_change_what_a_line_means_are_for_a_person() {
    let mut login = Login::new();
    let line = "if true; then uname; fi";
    login.allow(line);
    login.allow("cd sub");
    std::fs::create_dir(login.file("sub")).expect("directory");
    login.line("set -o pipefail; PS1='> # '; X=1");
    login.line(line);
    assert_eq!(login.outcome(), "whitelisted", "the control");
    for (spoil, mend) in [
        ("alias then='then touch made;'", "unalias then"),
        ("BASH_ALIASES[if]='touch made; if'", "unalias if"),
        ("CDPATH=/tmp", "unset CDPATH"),
        ("shopt -u interactive_comments", "shopt -s interactive_comments"),
        ("shopt -s extglob", "shopt -u extglob"),
        ("GLOBIGNORE=x", "unset GLOBIGNORE; shopt -u dotglob"),
        ("IFS=x", "IFS=$' \\t\\n'"),
        ("LC_ALL=C", "unset LC_ALL"),
        ("set -a", "set +a"),
        ("exec >out", "exec >&2"),
        ("exec 2>/dev/null", "exec 2>&1"),
    ] {
        login.line(spoil);
        for held in [line, "cd sub", "cd -- ..; true"] {
            login.line(held);
            // An alias is one matter of the lines that it stands in.
            let told = !spoil.contains("then") && !spoil.contains("ALIASES") || held == line;
            assert!(!told || login.outcome() == "approved", "{held} after {spoil}");
        }
        assert!(spoil.contains("then") || spoil.contains("ALIASES") || !login.file("made").exists());
        login.line(mend);
        if spoil.contains("then") || spoil.contains("ALIASES") {
            // What stood behind the alias may have put code into the shell.
            login.line(line);
            assert_eq!(login.outcome(), "approved", "after {mend}");
            login.leave_with_rules();
            login = Login::new();
            login.allow(line);
            login.allow("cd sub");
            std::fs::create_dir(login.file("sub")).expect("directory");
        }
        login.line(line);
        assert_eq!(login.outcome(), "whitelisted", "{mend}");
    }
    login.leave_with_rules();
}

/// In GBK a backslash may be half a letter, and what it quoted is run. A shell stays in a locale whose variables are
/// as they were: one that was loaded from elsewhere, or the last one where `LANG` is not installed.
#[test]
fn a_locale_that_stays_when_its_variables_go_is_for_a_person() {
    let line = "echo 你\\;touch made";
    for name in ["LOCPATH", "\"LOC\"\"PATH\""] {
        let mut login = Login::new();
        let place = login.file("l");
        fs::create_dir(&place).expect("directory");
        for locale in ["zh_CN.GBK", "C.UTF-8"] {
            // It says by 1 that not all of GBK is there.
            run(Command::new("localedef").args(["-i", "zh_CN", "-f", "GBK", "--no-archive"]).arg(place.join(locale)));
            assert!(place.join(locale).join("LC_CTYPE").exists(), "the Debian package locales is needed");
        }
        login.allow(line);
        login.line(line);
        assert_eq!(login.outcome(), "whitelisted", "the control");
        let place = place.display();
        login.line(&format!("declare -x {name}={place}; /bin/true; LC_ALL=zh_CN.GBK; unset LC_ALL; unset {name}"));
        login.line(line);
        assert_eq!(login.outcome(), "approved", "{name}");
        assert!(login.file("made").exists(), "which is why");
        login.leave_with_rules();
    }
    let parts = Parts::new();
    let person = Person::at_work(&parts.scratch.join("reviewer.toml"));
    let mut terminal = Terminal::start(shell(&parts, "xterm").env("LANG", "xx_XX.UTF-8"), 120, 40);
    terminal.prompt();
    let mut login = Login { parts, person: Some(person), terminal };
    login.allow("uname");
    for (spoil, outcome) in [("true", "whitelisted"), ("LC_ALL=C.UTF-8", "approved"), ("LC_ALL=C", "whitelisted")] {
        login.line(&format!("{spoil}; unset LC_ALL"));
        login.line("uname");
        assert_eq!(login.outcome(), outcome, "{spoil}");
    }
    login.leave_with_rules();
}

/// `X=1 program` runs the program without it where `X` is read-only, and one word a stopped job where that is wished.
#[test]
fn a_variable_that_cannot_be_set_and_jobs_in_a_programs_place_are_for_a_person() {
    let mut login = Login::new();
    login.allow("MODE=dry printenv MODE");
    login.allow("sleep");
    login.ends("MODE=dry printenv MODE", "dry\n");
    login.line("sleep");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    login.line("auto_resume=substring");
    login.line("sleep");
    assert_eq!(login.outcome(), "approved");
    login.line("unset auto_resume");
    login.line("sleep");
    assert_eq!(login.outcome(), "whitelisted");
    login.line("readonly MODE");
    login.line("MODE=dry printenv MODE");
    assert_eq!(login.outcome(), "approved");
    login.leave_with_rules();
}

/// What a variable is given may be an expression, and in that a name whose value is one again: it runs what it likes.
#[test]
fn a_variable_that_evaluates_what_it_is_given_is_for_a_person() {
    let mut login = Login::new();
    for held in ["MODE=dry; true", "for MODE in dry; do true; done", "test -v list[dry]"] {
        login.allow(held);
    }
    login.line("MODE=dry; true");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    for spoil in ["declare -i MODE", "declare -u MODE", "declare -l MODE"] {
        login.line("dry='x[$(touch made)]'");
        login.line(spoil);
        for held in ["MODE=dry; true", "for MODE in dry; do true; done", "test -v list[dry]"] {
            login.line(held);
            assert_eq!(login.outcome(), "approved", "{held} after {spoil}");
        }
        assert!(login.file("made").exists(), "which is why");
        login.line("unset MODE dry list; : $SECONDS; rm -f made");
        login.line("MODE=dry; true");
        assert_eq!(login.outcome(), "whitelisted", "after {spoil}");
    }
    login.leave_with_rules();
}

/// `cd` goes there, and `~` is there.
#[test]
fn builtins_with_another_home_are_for_a_person() {
    let mut login = Login::new();
    let place = login.file("other").display().to_string();
    for held in ["echo yes > ~/made", "> ~/made", "cd"] {
        login.allow(held);
        for (spoil, outcome) in
            [(format!("mkdir -p other; _h=$HOME; HOME={place}"), "approved"), ("HOME=$_h".to_owned(), "whitelisted")]
        {
            login.line(&spoil);
            login.line(held);
            assert_eq!(login.outcome(), outcome, "{held} after {spoil}");
        }
        login.line(&format!("cd {place}/.."));
    }
    assert!(login.file("other/made").exists(), "which is why");
    login.leave_with_rules();
}

/// `cd -`, the places that a shell keeps, its descriptors and the file of its history are what earlier lines made of them.
#[test]
fn going_back_is_for_a_person() {
    let mut login = Login::new();
    login.line("mkdir a b; cd a; cd ../b; pushd ../a; exec 3>made; HISTFILE=made");
    for held in ["cd - && uname", "popd && uname", "pushd && uname", "echo yes >&3", "history -w"] {
        login.allow(held);
        login.line(held);
        assert_eq!(login.outcome(), "approved", "{held}");
    }
    login.leave_with_rules();
}

/// A prompt may set variables when it is shown, which is before they are told.
#[test]
fn what_a_prompt_changes_is_told_with_it() {
    for spoil in ["for PS1 in '$((PATH=1))> # '; do :; done", ": ${PS1:='$((PATH=1))> # '}"] {
        let mut login = Login::new();
        login.allow("uname");
        login.line("uname");
        assert_eq!(login.outcome(), "whitelisted", "the control");
        login.line(spoil);
        login.line("uname");
        assert_eq!(login.outcome(), "approved", "{spoil}");
        login.leave_with_rules();
    }
}

#[test]
fn a_script_swapped_at_the_prompt_does_not_run() {
    let mut login = Login::new();
    let script = login.file("x.sh");
    fs::write(&script, "echo go''od\n").expect("file");
    login.ends("bash x.sh", "good");
    login.terminal.send("bash x.sh # LATER\r");
    login.terminal.expect("countersign: held ");
    fs::write(&script, "touch made\n").expect("file");
    let reviewer = login.parts.reviewer();
    let id = reviewer.wait_for("bash x.sh # LATER");
    reviewer.run(&["approve", &id]).expect(0);
    login.terminal.expect("changed after it was submitted");
    login.terminal.prompt();
    login.ends("echo st=$?", "st=126");
    assert!(!login.file("made").exists());
    let drifted = |e: &serde_json::Value| e["body"]["why"] == "drifted";
    let ends = journal::of_kind(&login.parts.journal(), "exec_finished");
    assert!(ends.iter().any(drifted), "{ends:?}");
    login.leave();
}

/// Who has a file in memory, and has written to it there before, changes it later without a new time of change.
#[test]
fn a_script_that_is_changed_in_memory_does_not_run() {
    const CHANGE: &str = "import mmap, sys\n\
        with open(sys.argv[1], 'r+b') as file: memory = mmap.mmap(file.fileno(), 0)\n\
        memory[:1] = memory[:1]\n\
        print('ready', flush=True)\n\
        sys.stdin.readline()\n\
        memory[:11] = b'touch made\\n'\n\
        print('changed', flush=True)\n\
        sys.stdin.readline()\n";
    let mut login = Login::new();
    let good = format!("echo go''od\n{}", "#".repeat(300_000));
    fs::write(login.file("long.sh"), &good).expect("file");
    fs::write(login.file("short.sh"), &good[..11]).expect("file");
    std::os::unix::fs::symlink("short.sh", login.file("link.sh")).expect("link");
    fs::write(login.file("longest.sh"), format!("{good}{}", "#".repeat(17 << 20))).expect("file");
    for (line, file) in [
        ("bash long.sh # LATER", "long.sh"),
        ("bash link.sh # LATER", "short.sh"),
        ("bash longest.sh # LATER", "longest.sh"),
    ] {
        let mut python = Command::new("python3");
        python.args(["-c", CHANGE]).arg(login.file(file));
        let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
        let (mut order, mut says) =
            (python.stdin.take().expect("stdin"), BufReader::new(python.stdout.take().expect("stdout")).lines());
        let mut hear = |word| assert_eq!(says.next().expect("a line").expect("a line"), word);
        hear("ready");
        login.terminal.send(&format!("{line}\r"));
        login.terminal.expect("countersign: held ");
        let reviewer = login.parts.reviewer();
        let id = reviewer.wait_for(line);
        order.write_all(b"now\n").expect("python3");
        hear("changed");
        reviewer.run(&["approve", &id]).expect(0);
        login.terminal.expect("changed after it was submitted");
        login.terminal.prompt();
        drop(order);
        python.wait().expect("python3");
    }
    assert!(!login.file("made").exists());
    // The control: what nobody changes runs.
    fs::write(login.file("long.sh"), &good).expect("file");
    login.ends("bash long.sh", "good");
    fs::write(login.file("longest.sh"), format!("{good}{}", "#".repeat(17 << 20))).expect("file");
    login.ends("bash longest.sh", "good");
    login.leave();
}

/// The shell tells of its limits before each prompt; after that a program that it left behind can change them.
#[test]
fn limits_that_another_program_gives_the_shell_are_seen() {
    let mut login = Login::new();
    login.allow("uname");
    let give = |size: u64| {
        format!("(until [ -e now ]; do sleep 0.05; done; prlimit --pid $$ --fsize={size}: && touch done) &")
    };
    let now = |login: &Login| {
        fs::write(login.file("now"), "").expect("a file");
        eventually("other limits", LIMIT, || login.file("done").exists().then_some(()));
        ["now", "done"].iter().for_each(|name| fs::remove_file(login.file(name)).expect("removed"));
    };
    login.line(&give(1 << 30));
    login.line("uname");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    now(&login);
    login.line("uname");
    assert_eq!(login.outcome(), "approved");
    let submitted = journal::of_kind(&login.parts.journal(), "command_submitted").pop().expect("a submission");
    let context = submitted["vals"]["context"][1].as_str().expect("text");
    assert!(context.contains("limit: file size"), "{context}");

    // And while a person decides.
    login.line(&give(1 << 31));
    login.terminal.send("touch made # LATER\r");
    login.terminal.expect("countersign: held ");
    now(&login);
    let reviewer = login.parts.reviewer();
    let id = reviewer.wait_for("touch made # LATER");
    reviewer.run(&["approve", &id]).expect(0);
    login.terminal.expect("changed after it was submitted");
    login.terminal.prompt();
    assert!(!login.file("made").exists());
    login.leave_with_rules();
}

/// `DIRSTACK` is the shell's word for where it is only until somebody unsets it.
#[test]
fn a_place_that_lies_is_told_whatever_else_lies_with_it() {
    let mut login = Login::new();
    login.allow("uname");
    login.line("uname");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    login.line("unset DIRSTACK; DIRSTACK=/lie; PWD=/lie; true");
    login.line("uname");
    assert_eq!(login.outcome(), "approved");
    login.leave_with_rules();
}

#[test]
fn the_branch_and_the_directory_are_the_shells_own() {
    let mut login = Login::new();
    let repository = login.file("repo");
    fs::create_dir_all(repository.join(".git")).expect("directory");
    fs::write(repository.join(".git/HEAD"), "ref: refs/heads/feature-7\n").expect("HEAD");
    login.line("cd repo");
    login.line("PWD=/lie; true");
    let submitted = || {
        login.terminal.send("true # LATER\r");
        journal::of_kind(&login.parts.journal(), "command_submitted")
            .pop()
            .filter(|e| journal::command(e).contains("LATER"))
    };
    let entry = eventually("the submission", LIMIT, submitted);
    assert_eq!(entry["vals"]["cwd"][1], repository.display().to_string());
    let context: serde_json::Value =
        serde_json::from_str(entry["vals"]["context"][1].as_str().expect("text")).expect("JSON");
    assert_eq!(context["branch"], "feature-7");
}

/// `[[ … ]]` and `case` decide by variables too, and evaluate what these hold; so does a loop over what the shell was
/// given, a job of it.
#[test]
fn conditions_on_what_the_shell_was_told_are_for_a_person() {
    let mut login = Login::new();
    login.allow("[[ a == a* ]] && uname");
    login.line("[[ a == a* ]] && uname");
    assert_eq!(login.outcome(), "whitelisted", "the control");
    let lines = [
        "[[ $x == b* ]] && uname",
        "[[ $((x)) == 0 ]] && uname",
        "[ -v x ] && uname",
        "for y; do uname; done",
        "disown -a",
    ];
    lines.iter().for_each(|line| login.allow(line));
    login.line("set -- 1 2; x='b[$(touch made)]'; sleep 60 & true");
    for line in lines {
        login.line(line);
        assert_eq!(login.outcome(), "approved", "{line}");
    }
    login.leave_with_rules();
}
