use super::*;

fn words(line: &str) -> Vec<Vec<String>> {
    read(line).unwrap().into_iter().map(|command| command.words).collect()
}

#[test]
fn reads_lists_and_pipelines_of_plain_words() {
    for (line, want) in [
        ("git status", vec![vec!["git", "status"]]),
        ("  git\tstatus \n", vec![vec!["git", "status"]]),
        ("g'it' \"st\"at\\us", vec![vec!["git", "status"]]),
        (
            "ls; id && uptime || true | wc -l\nwhoami",
            vec![vec!["ls"], vec!["id"], vec!["uptime"], vec!["true"], vec!["wc", "-l"], vec!["whoami"]],
        ),
        ("ls |\n\n wc", vec![vec!["ls"], vec!["wc"]]),
        ("echo '$(id); `id`' \"a;b\"", vec![vec!["echo", "$(id); `id`", "a;b"]]),
        ("ls ''", vec![vec!["ls", ""]]),
        ("ls a=b c:d", vec![vec!["ls", "a=b", "c:d"]]),
        ("ls a#b a~b", vec![vec!["ls", "a#b", "a~b"]]),
        ("ls 2", vec![vec!["ls", "2"]]),
    ] {
        assert_eq!(words(line), want, "{line:?}");
    }
}

#[test]
fn keeps_assignments_and_writes_apart() {
    let read = |line: &str| read(line).unwrap().remove(0);
    let line = read("A=1 B='x y' make C=2 >/srv/log 2>&1 </dev/null 2>>/srv/err");
    assert_eq!(line.words, ["make", "C=2"]);
    assert_eq!(line.assignments, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x y".to_owned())]);
    assert_eq!(line.writes, ["/srv/log", "/srv/err"]);
    assert_eq!(read("ls>/dev/null").writes, [""; 0]);
    assert_eq!(read("ls2>x").words, ["ls2"], "a number that is part of a word is none of a redirection");
    // A quoted name is no assignment to a shell, and no program of that name is in any rule.
    assert_eq!(read("'A'=1 x").words, ["A=1", "x"]);
}

#[test]
fn refuses_everything_that_is_not_plain() {
    for line in [
        "",
        " ",
        "ls $X",
        "ls ${X}",
        "ls $(id)",
        "ls `id`",
        "ls \"$X\"",
        "ls \"`id`\"",
        "ls $'a'",
        "ls $\"a\"",
        "ls *",
        "ls a?",
        "ls [a]",
        "ls {a,b}",
        "ls ~",
        "ls ~root",
        "ls a=~",
        "ls a:~",
        "ls !x",
        "ls \"!x\"",
        "ls '!x'",
        "ls !!",
        "^a^b",
        "ls # x",
        "# x",
        "ls &",
        "ls & id",
        "ls |& id",
        "(ls)",
        "ls (",
        "ls ;; id",
        "; ls",
        "ls && ",
        "ls |",
        "| ls",
        "&& ls",
        "ls && && id",
        "ls ; ; id",
        "ls 'a",
        "ls \"a",
        "ls \\",
        "ls \\\nid",
        "ls \"a\\b\"",
        "ls <x",
        "ls <<x",
        "ls <<<x",
        "ls <(id)",
        "ls >(id)",
        "ls >|x",
        "ls <>x",
        "ls >&x",
        "ls >&-",
        "ls 3>x",
        "ls 1<x",
        "ls >",
        "ls > ;",
        "ls &>x",
        "ls >&2x",
        "ls 2>&3",
        "A=1",
        "A=1; ls",
        ">x",
        "A+=1 ls",
        "if true",
        "! ls",
        "time ls",
        "{ ls; }",
        "function x",
        "[[ a ]]",
        "for x",
        "ls \u{a0}id",
        "ls é",
        "ls a\u{202e}b",
        "ls 'a\nb'",
        "=ls",
        "ls =id",
        "coproc ls",
        "case x",
        "while ls",
        "ls a{1..3}",
        "\"if\" x",
        "ls $((1))",
        "ls a[$(id)]",
    ] {
        assert!(read(line).is_err(), "{line:?}: {:?}", read(line));
    }
}
