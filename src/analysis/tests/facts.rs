//! What is found in a line, and what makes it opaque.

use countersign_analysis::facts::{CommandLine, Opaque, Place, Runs, Shell};
use countersign_analysis::facts::{Context, Origin, Redirect, Unknown};
use countersign_analysis::parse;

fn facts(line: &str) -> CommandLine {
    parse(line, &Place::default())
}

/// Every program word, as written.
fn programs(line: &str) -> Vec<String> {
    facts(line).commands.iter().filter_map(|c| c.program()).map(|word| word.text.clone()).collect()
}

fn opaque(line: &str) -> Vec<Opaque> {
    facts(line).opaque.iter().map(|fact| fact.what).collect()
}

#[test]
fn what_a_shell_reads_far_away_is_seen_though_it_is_not_all() {
    for (line, expected) in [
        ("ssh h bash -s <<'E'\nrm x\nE", &["ssh", "bash", "rm"][..]),
        ("ssh h sudo sh <<< 'rm x'", &["ssh", "sudo", "sh"]),
        ("echo 'rm x' | ssh h", &["echo", "ssh", "rm"]),
        ("echo 'rm x' | ssh h bash", &["echo", "ssh", "bash", "rm"]),
    ] {
        assert_eq!(programs(line), expected, "{line}");
        assert!(opaque(line).contains(&Opaque::InputProgram), "{line}");
    }
    assert_eq!(programs("ssh h ls <<< 'rm x'"), ["ssh", "ls"]);
    assert_eq!(programs("ssh h"), ["ssh"]);
}

#[test]
fn every_program_is_found_wherever_it_stands() {
    for (line, expected) in [
        ("ls -l", &["ls"][..]),
        ("a && b || c; d & e\nf", &["a", "b", "c", "d", "e", "f"]),
        ("a | b |& c", &["a", "b", "c"]),
        ("echo $(a `b`) \"${x:-$(c)}\" <(d) $((1 + 2))", &["b", "a", "c", "d", "echo"]),
        ("if a; then b; elif c; then d; else e; fi", &["a", "b", "c", "d", "e"]),
        ("while a; do b; done; until c; do d; done", &["a", "b", "c", "d"]),
        ("for x in 1 $(a); do b; done; for ((i=0; i<2; i++)); do c; done", &["a", "b", "c"]),
        ("case $(a) in x|y) b;; (z) c;& *) d; esac", &["a", "b", "c", "d"]),
        ("f() { a; }; function g { b; }; (c); { d; } > e; ! time -p h", &["a", "b", "c", "d", "h"]),
        ("coproc a b; coproc X { c; }", &["a", "c"]),
        ("[[ -f $(a) && b =~ ^(c|d)$ ]] && e", &["a", "e"]),
        ("cat <<E\n$(a) `b`\nE\nc", &["cat", "a", "b", "c"]),
        ("cat <<'E'\n$(a)\nE\nb", &["cat", "b"]),
        ("cat <<-E | a\n\tx\n\tE\nb", &["cat", "a", "b"]),
        ("bash -c 'a; b \"c d\"'", &["bash", "a", "b"]),
        ("eval a b; trap 'c; d' EXIT", &["eval", "trap", "a", "c", "d"]),
        ("sudo -u x env -i A=1 nice -n 5 timeout -s 9 3 setsid a", &["sudo", "env", "nice", "timeout", "setsid", "a"]),
        ("find . -exec a {} + -o -ok b \\;", &["find", "a", "b"]),
        ("x | xargs -0 -n 1 a -b", &["x", "xargs", "a"]),
        ("ssh -p 22 u@h 'a; b' c", &["ssh", "a", "b"]),
        ("ssh -o 'ProxyCommand=a b' h", &["ssh", "a"]),
        ("su - root -c 'a b'; runuser -u x -- c", &["su", "runuser", "a", "c"]),
        (
            "/lib64/ld-linux-x86-64.so.2 --library-path x /bin/a; busybox b",
            &["/lib64/ld-linux-x86-64.so.2", "busybox", "/bin/a", "b"],
        ),
        ("sudo bash -c \"a 'b c'\"", &["sudo", "bash", "a"]),
        ("bash <<< 'a b'; sh <<'E'\nc\nE", &["bash", "sh", "a", "c"]),
        ("l\\\ns; 'l's", &["ls", "ls"]),
        ("A=1 B=$(a) b; C=2", &["a", "b"]),
        ("ssh -T u@h <<'E'\na; b c\nE", &["ssh", "a", "b"]),
        ("ssh h <<< 'a b'; docker exec -i c sh <<< d", &["ssh", "docker", "a", "sh", "d"]),
        ("gdb -q --args a b; systemd-nspawn -D /x c", &["gdb", "systemd-nspawn", "a", "c"]),
        ("docker exec -it web a; kubectl exec p -- b", &["docker", "kubectl", "a", "b"]),
        ("# a comment\nls # another", &["ls"]),
    ] {
        assert_eq!(programs(line), expected, "{line}");
        assert_eq!(opaque(line), [], "{line}");
    }
}

/// Options without a value do not hide the program behind them.
#[test]
fn flags_of_wrappers_take_no_program_with_them() {
    for line in [
        "systemd-run --user rm x",
        "systemd-run --scope -q rm x",
        "systemd-run -p User=x --wait /bin/rm x",
        "systemd-run --unit a -t rm x",
        "chpst -u www rm x",
        "chpst -v -e /etc/d rm x",
        "cgexec -g cpu:a rm x",
        "sg disk -c 'rm x'",
        "npx -y -c 'rm x'",
        "npx -p a rm x",
        "hyperfine -w 3 'rm x'",
        "hyperfine --prepare 'rm x' ls",
        "machinectl shell -q root@web /bin/rm x",
        "ssh-agent -t 5 rm x",
    ] {
        assert!(programs(line).iter().any(|name| name.ends_with("rm")), "{line}: {:?}", programs(line));
    }
}

#[test]
fn what_cannot_be_known_is_said() {
    for (line, expected) in [
        ("ls (", Opaque::Unparsed),
        ("ls;;", Opaque::Unparsed),
        ("echo 'a", Opaque::Unparsed),
        ("if a; then b", Opaque::Unparsed),
        ("cat <<E\nno end", Opaque::Unparsed),
        ("echo @(a|b)", Opaque::Unparsed),
        ("${ ls; }", Opaque::Unparsed),
        ("echo $(cat <<E\nE)\nrm x\nE\n)", Opaque::Unparsed),
        ("$x -l", Opaque::DynamicCommand),
        ("{rm,-rf,x}", Opaque::DynamicCommand),
        ("r* x", Opaque::DynamicCommand),
        ("~/x", Opaque::DynamicCommand),
        ("eval \"$x\"", Opaque::UnknownText),
        ("bash -c \"$(cat x)\"", Opaque::UnknownText),
        ("ssh h \"$x\"", Opaque::UnknownText),
        ("curl x | bash", Opaque::InputProgram),
        ("curl x | ssh h", Opaque::InputProgram),
        ("ssh h bash <<< ls", Opaque::InputProgram),
        ("ssh h <<E\n$x\nE", Opaque::UnknownText),
        ("make -f - <<< 'a:; ls'", Opaque::InputProgram),
        ("make -f/dev/stdin", Opaque::InputProgram),
        ("bash", Opaque::InputProgram),
        ("python3 -", Opaque::InputProgram),
        ("source <(a)", Opaque::InputProgram),
        (". /dev/stdin", Opaque::InputProgram),
        ("echo ls | at now", Opaque::InputProgram),
        ("sudo --new-option x ls", Opaque::UnknownOption),
        ("timeout -Q 3 ls", Opaque::UnknownOption),
        ("bwrap --bind / / rm x", Opaque::UnknownOption),
        ("firejail --profile x rm x", Opaque::UnknownOption),
        ("start-stop-daemon -S -x /bin/rm -- x", Opaque::UnknownOption),
        ("zsh -c 'ls'", Opaque::ForeignShell),
        ("sh -c '((rm -rf x))'", Opaque::ForeignShell),
        ("sh -c \"echo \\$'a\\\\'; rm x #'\"", Opaque::ForeignShell),
        ("sh -c 'sh 10>/dev/null -c id'", Opaque::ForeignShell),
        ("sh -c \"eval '((rm x))'\"", Opaque::ForeignShell),
        ("sh -c \"command eval '((rm x))'\"", Opaque::ForeignShell),
        ("sh -c \"trap '((rm x))' EXIT\"", Opaque::ForeignShell),
        ("sudo dash <<'E'\n((rm x))\nE", Opaque::ForeignShell),
        ("bash -c \"sh -c '((rm x))'\"", Opaque::ForeignShell),
        ("find . -exec sh -c '((rm x))' \\;", Opaque::ForeignShell),
        ("su -c '((rm x))' a", Opaque::ForeignShell),
        ("flock f -c '((rm x))'", Opaque::ForeignShell),
        ("watch '((rm x))'", Opaque::ForeignShell),
        ("ssh h '((rm x))'", Opaque::ForeignShell),
        ("x='a[$(id)]'; echo $((x))", Opaque::Reevaluated),
        ("x='$(id)'; echo ${x@P}", Opaque::Reevaluated),
        ("echo $((1 + $(id)))", Opaque::Reevaluated),
        ("n=$(cat x); echo $((n + 1))", Opaque::Reevaluated),
        ("test -v 'a[$(id)]'", Opaque::Reevaluated),
        ("unset 'a[`id`]'", Opaque::Reevaluated),
        ("compgen -W '$(id)'", Opaque::Reevaluated),
        ("declare -a a='($(id))'", Opaque::Reevaluated),
        ("export -a a='(`id`)'", Opaque::Reevaluated),
        ("declare -i n; n='a[$(id)]'", Opaque::Reevaluated),
        ("RANDOM='a[$(id)]'", Opaque::Reevaluated),
        ("HISTCMD='a[$(id)]'", Opaque::Reevaluated),
        ("OPTIND='a[$(id)]'; getopts a b", Opaque::Reevaluated),
        ("read RANDOM <<< 'a[$(id)]'", Opaque::Reevaluated),
        ("for RANDOM in 'a[$(id)]'; do :; done", Opaque::Reevaluated),
        ("strace -o '|id' true", Opaque::DynamicCommand),
        ("env -S 'sh -c \": #\\nid\"'", Opaque::UnknownText),
        ("su a -c true -c id", Opaque::UnknownText),
        ("env --split-s='sh -c \": #\\nid\"'", Opaque::UnknownText),
        ("bash --init-file <(echo id) -i -c :", Opaque::InputProgram),
        ("su a --comm id", Opaque::UnknownText),
        ("x='a[$(id)]'; y=([x]=1)", Opaque::Reevaluated),
        ("alias ls=rm", Opaque::Redefined),
        ("hash -p /bin/rm ls; ls x", Opaque::Redefined),
        ("PATH=/tmp ls", Opaque::Redefined),
        ("export BASH_ENV=/tmp/x; bash -c ls", Opaque::Redefined),
        ("shopt -s extglob\n!(ls)", Opaque::Redefined),
    ] {
        assert!(opaque(line).contains(&expected), "{line}: {:?}", opaque(line));
    }
    assert!(opaque(&"a".repeat(70_000)).contains(&Opaque::TooLong));
    assert!(opaque(&format!("{}ls{}", "$(".repeat(200), ")".repeat(200))).contains(&Opaque::TooDeep));
    assert!(opaque(&"a;".repeat(3000)).contains(&Opaque::TooMuch));
}

#[test]
fn another_shell_makes_opaque_what_it_would_read_otherwise() {
    let read = |line: &str, shell| parse(line, &Place { shell, ..Place::default() }).opaque.len();
    assert_eq!(read("ls | wc -l", Shell::Posix), 0);
    assert_eq!(read("ls &> x", Shell::Posix), 1);
    assert_eq!(read("ls <(a)", Shell::Posix), 1);
    assert_eq!(read("ls 10>x", Shell::Posix), 1);
    for (line, in_bash) in [
        ("eval '((1))'", 0),
        ("command eval '((1))'", 0),
        ("trap '((1))' EXIT", 0),
        ("sh -c \"eval '((1))'\"", 1),
        ("flock f -c \"eval '((1))'\"", 1),
    ] {
        assert_eq!(read(line, Shell::Bash), in_bash, "{line}");
        assert_eq!(read(line, Shell::Posix), 1, "{line}");
    }
    for line in
        ["bash -c '((1))'", "bash -c \"eval '((1))'\"", "bash <<'E'\n((1))\nE", "sudo bash -c '((1))'", "sh -c ls"]
    {
        assert_eq!((read(line, Shell::Bash), read(line, Shell::Posix)), (0, 0), "{line}");
    }
    assert_eq!(read("ls", Shell::Other), 1);
}

/// Texts that run a command in dash, which is `sh` on Debian, and none that bash's grammar would show.
#[test]
fn what_dash_runs_behind_sh_is_seen_or_opaque() {
    for text in ["((echo ran))", "echo $'a\\'; echo ran #'", "[[ a || echo ran ]]", "eval '((echo ran))'"] {
        let quoted = text.replace('\'', "'\\''");
        let line = format!("sh -c '{quoted}'");
        assert!(!opaque(&line).is_empty(), "{line}");
        let Ok(said) = std::process::Command::new("dash").args(["-c", text]).output() else {
            eprintln!("SKIPPED: there is no dash here");
            continue;
        };
        assert!(String::from_utf8_lossy(&said.stdout).lines().any(|line| line.starts_with("ran")), "{text}");
    }
}

/// Lines by which bash evaluates a quoted text: it runs what stands in it, and the line is opaque.
#[test]
fn what_bash_evaluates_once_more_is_opaque() {
    for line in [
        "compgen -W '$(echo ran >&2)'",
        "declare -a a='($(echo ran >&2))'",
        "declare -i n; n='a[$(echo ran >&2)]'",
        "RANDOM='a[$(echo ran >&2)]'",
        "for RANDOM in 'a[$(echo ran >&2)]'; do :; done",
        "x='a[$(echo ran >&2)]'; y=([x]=1)",
        "env --split-s='bash -c \": #\\necho ran >&2\"'",
        "env -S 'bash -c \": #\\necho ran >&2\"'",
    ] {
        assert!(!opaque(line).is_empty(), "{line}");
        let said = std::process::Command::new("bash").args(["--norc", "-c", line]).output().unwrap();
        assert!(String::from_utf8_lossy(&said.stderr).lines().any(|line| line == "ran"), "{line}: {said:?}");
    }
}

#[test]
fn words_are_exact_or_say_why_not() {
    let word = |text: &str| facts(&format!("echo {text}")).commands.last().unwrap().words[1].clone();
    for (text, value) in [
        ("a\\ b", "a b"),
        ("'a'\"b\"c", "abc"),
        ("\"a\\$b\\q\\\"\"", "a$b\\q\""),
        ("$'a\\x41\\tb\\''", "aA\tb'"),
        ("a\\\nb", "ab"),
        ("{}", "{}"),
        ("a=~b", "a=~b"),
        ("''", ""),
        ("'*'", "*"),
        ("[", "["),
    ] {
        let word = word(text);
        assert_eq!(word.text, value, "{text}");
        assert_eq!(word.exact().is_some(), text != "a=~b", "{text}");
    }
    for (text, why) in [
        ("*.c", Unknown::GLOB),
        ("a[bc]", Unknown::GLOB),
        ("~/x", Unknown::TILDE),
        ("{a,b}", Unknown::BRACE),
        ("a{1..3}", Unknown::BRACE),
        ("$x", Unknown::PARAMETER),
        ("\"${x%y}\"", Unknown::PARAMETER),
        ("$(id)", Unknown::COMMAND),
        ("`id`", Unknown::COMMAND),
        ("$((1))", Unknown::ARITHMETIC),
        ("<(id)", Unknown::PROCESS),
        ("$\"a\"", Unknown::LOCALE),
        ("$'\\xff'", Unknown::LOCALE),
        ("$'a\\0b'", Unknown::LOCALE),
    ] {
        assert!(word(text).unknown.contains(why), "{text}: {:?}", word(text).unknown);
        assert_eq!(word(text).exact(), None, "{text}");
    }
}

#[test]
fn spans_are_the_bytes_of_the_line() {
    let line = "é=1 sudo sh -c 'rm -rf \"/x y\"' > out";
    let line = &line.replace("é=1", "e=1");
    let facts = facts(line);
    let rm = facts.commands.iter().find(|c| c.program_name() == Some("rm")).unwrap();
    let written: Vec<_> = rm.words.iter().map(|word| &line[word.span.start..word.span.end]).collect();
    assert_eq!(written, ["rm", "-rf", "\"/x y\""]);
    assert_eq!(&line[rm.span.start..rm.span.end], "rm -rf \"/x y\"");
    assert_eq!(&line[facts.commands[0].redirections[0].span.start..][..5], "> out");
}

#[test]
fn who_runs_it_and_where_is_kept() {
    let facts = facts("a && sudo b | (c) &");
    let find = |name| facts.commands.iter().position(|c| c.program_name() == Some(name)).unwrap();
    let b = &facts.commands[find("b")];
    assert_eq!(b.origin, Origin::Command { parent: find("sudo"), by: Runs::AsUser });
    assert_eq!(b.context, [Context::Background, Context::AfterSuccess, Context::Pipe { id: 0, stage: 0 }]);
    assert_eq!(
        facts.commands[find("c")].context,
        [Context::Background, Context::AfterSuccess, Context::Pipe { id: 0, stage: 1 }, Context::Subshell]
    );
    assert_eq!(facts.pipelines, [2]);
}

#[test]
fn redirections_say_what_they_do() {
    let command = facts("a <i >o 2>>e &>b <>r 3>&1 >&f <<<t").commands.remove(0);
    let kinds: Vec<_> = command.redirections.iter().map(|r| (r.fd, r.kind, r.target.text.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (None, Redirect::Read, "i"),
            (None, Redirect::Write, "o"),
            (Some(2), Redirect::Append, "e"),
            (None, Redirect::Write, "b"),
            (None, Redirect::ReadWrite, "r"),
            (Some(3), Redirect::Duplicate, "1"),
            (None, Redirect::Write, "f"),
            (None, Redirect::HereString, "t"),
        ]
    );
    assert_eq!(facts("{ a; } > o").shared_redirections[0].target.text, "o");
}
