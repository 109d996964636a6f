//! Every key, by what Enter then submits.

use super::super::*;
use super::rig::Rig;

/// What is submitted when this is typed, then Enter.
fn typed(keys: &str) -> String {
    let mut rig = Rig::xterm();
    rig.keys(keys);
    rig.check();
    rig.keys("\r");
    rig.submitted().last().map_or_else(|| format!("{:?}", rig.events), |text| (*text).to_owned())
}

#[test]
fn keys_edit_the_line() {
    let cases = [
        ("ls -l", "ls -l"),
        ("bc\x01a", "abc"),
        ("ac\x02b", "abc"),
        ("bc\x01\x06x", "bxc"),
        ("bc\x01a\x05d", "abcd"),
        ("abc\x7fd", "abd"),
        ("abc\x08d", "abd"),
        ("abc\x01\x04", "bc"),
        ("abc\x01\x1b[3~", "bc"),
        ("one two\x17three", "one three"),
        ("one/two three/four\x1b\x7f", "one/two three/"),
        ("one two\x15x", "x"),
        ("one two\x01\x0bx", "x"),
        ("one two\x17\x17\x19", "one two"),
        ("one two\x1bb\x1bbx", "xone two"),
        ("one two\x01\x1bfx", "onex two"),
        ("one two\x01\x1bd", " two"),
        ("one\x0b\x1f\x1f", "{}"),
        ("one two\x15\x1f", "one two"),
        ("ab\x1b[Dc", "acb"),
        ("ab\x1bODc", "acb"),
        ("ab\x1b[D\x1b[D\x1b[Cc", "acb"),
        ("ab\x1b[1;5Dc", "cab"),
        ("ab\x1bOdc", "cab"),
        ("ab\x1b\x1b[Dc", "acb"),
        ("a\x1b[200~b c\x1b[201~d", "ab cd"),
        ("a\x1b\rb", "a\nb"),
        ("e\u{301}x\x7f\x7fy", "y"),
        ("👩\u{200d}👧x\x7f\x7fy", "y"),
        ("漢字\x7f", "漢"),
        ("a\tb", "ab"),
    ];
    for (keys, text) in cases {
        let text = if text == "{}" { "" } else { text };
        assert_eq!(typed(keys), text, "{keys:?}");
    }
}

#[test]
fn home_end_delete_in_every_spelling() {
    for home in ["\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x1b[7$", "\x1b[1;2H", "\x01"] {
        assert_eq!(typed(&format!("bc{home}a")), "abc", "{home:?}");
    }
    for end in ["\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x1b[8^", "\x05"] {
        assert_eq!(typed(&format!("ab\x01{end}c")), "abc", "{end:?}");
    }
    for delete in ["\x1b[3~", "\x1b[3$", "\x04"] {
        assert_eq!(typed(&format!("abc\x01{delete}")), "bc", "{delete:?}");
    }
}

#[test]
fn unknown_sequences_are_swallowed_whole() {
    let long = format!("\x1b[{}z", "1;".repeat(500));
    let sequences = [
        "\x1b[15~",
        "\x1b[[A",
        "\x1bOP",
        "\x1b[<0;10;20M",
        "\x1b[M !!",
        "\x1b[I",
        "\x1b[O",
        "\x1b[?1;2c",
        "\x1b[5;5R",
        "\x1b]11;rgb:0/0/0\x07",
        "\x1b]52;c;YWJj\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x1b_x\x1b\\",
        "\x1b[27;5;97~",
        "\x1b[97;5u",
        "\x1bz",
        "\x1bé",
        "\x1b[201~",
        "\x1b[?2026;2$y",
        long.as_str(),
    ];
    for sequence in sequences {
        assert_eq!(typed(&format!("a{sequence}b")), "ab", "{sequence:?}");
    }
}

#[test]
fn a_lone_escape_blocks_nothing() {
    let mut rig = Rig::xterm();
    rig.keys("a\x1b");
    assert!(rig.editor.unfinished());
    let step = rig.editor.give_up();
    assert_eq!((step.event, rig.editor.unfinished()), (Event::None, false));
    rig.keys("b\r");
    assert_eq!(rig.submitted(), ["ab"]);
    // Strings end at Enter, ^C, and a limit.
    assert_eq!(typed("\x1b]abc\rls"), "ls");
    assert_eq!(typed("\x1b]abc\x03ls"), "ls");
    assert!(typed(&format!("\x1b]{}ls", "x".repeat(5000))).ends_with("ls"));
}

#[test]
fn interrupt_clears_and_end_of_file_ends() {
    let mut rig = Rig::xterm();
    rig.keys("abc\x02\x03ls\r\x04");
    assert_eq!(rig.submitted(), ["ls"]);
    assert_eq!(rig.events[0], Event::Interrupt);
    assert!(rig.events.contains(&Event::EndOfFile));
    assert_eq!(rig.screen()[3..6], ["$ abc^C", "$ ls", "$"]);
}

#[test]
fn several_lines_are_one_command() {
    let mut rig = Rig::xterm();
    rig.keys("for i in 1 2; do\recho $i\rdone");
    assert_eq!(rig.screen()[3..6], ["$ for i in 1 2; do", "> echo $i", "> done"]);
    rig.keys("\x1b[A\x01x\x1b[B\x05\r\x10");
    assert_eq!(rig.submitted(), ["for i in 1 2; do\nxecho $i\ndone"]);
    rig.check();
    assert_eq!(rig.screen()[6..9], ["$ for i in 1 2; do", "> xecho $i", "> done"]);
}

#[test]
fn history_is_walked_and_searched() {
    let lines = ["make all", "ls -l", "ls -l", "make test"];
    let mut rig = Rig::with_history(Terminal::Cursor, 80, 24, "$ ", &lines);
    assert_eq!(rig.editor.history().len(), 3);
    rig.keys("dra\x10\x10\x10");
    assert_eq!(rig.editor.text(), "make all");
    rig.keys("\x10");
    assert_eq!(rig.events.last(), Some(&Event::Bell));
    rig.keys("\x0e\x0e\x0eft");
    assert_eq!(rig.editor.text(), "draft");
    rig.keys("\x12make");
    assert_eq!(rig.row(), "(reverse-i-search)`make': make test");
    rig.keys("\x12");
    assert_eq!(rig.row(), "(reverse-i-search)`make': make all");
    rig.keys("\x12");
    assert_eq!(rig.row(), "(failed reverse-i-search)`make': make all");
    rig.keys("\x07");
    assert_eq!(rig.row(), "$ draft");
    rig.keys("\x12all\r");
    assert_eq!(rig.submitted(), ["make all"]);
    rig.keys("\x12ls\x1b[C!\r\x12zz\x03y\r");
    assert_eq!(rig.submitted()[1..], ["l!s -l", "y"]);
}

#[test]
fn completion_inserts_quotes_and_lists() {
    let name = |name: &str| Candidate { name: name.to_owned(), directory: name.ends_with('D') };
    let cases: [(&str, &[&str], &str); 12] = [
        ("cat my", &["my file"], "cat my\\ file "),
        ("cat a/b/my", &["my$file", "my$files"], "cat a/b/my\\$file"),
        ("cat \"my", &["my\"f`"], "cat \"my\\\"f\\`\" "),
        ("cat 'my", &["my'f"], "cat 'my'\\''f' "),
        ("cat x", &["xD"], "cat xD/"),
        ("cat ", &["#a~"], "cat \\#a~ "),
        ("cat ", &["~a"], "cat \\~a "),
        ("cat m", &["many", "more"], "cat m"),
        ("cat n", &["n\nx", "n\ny"], "cat n"),
        ("cat $x", &["$xy"], "cat $x"),
        ("cat x", &[], "cat x"),
        ("cat é", &["éa", "éà"], "cat é"),
    ];
    for (text, names, after) in cases {
        let mut rig = Rig::xterm();
        rig.keys(text).keys("\t");
        let names: Vec<Candidate> = names.iter().map(|n| name(n)).collect();
        let shown = rig.editor.complete(&names);
        rig.show(&shown);
        rig.check();
        assert_eq!(rig.editor.text(), after, "{text:?}");
    }
    let mut rig = Rig::xterm();
    rig.keys("cd m\t");
    let shown = rig.editor.complete(&[name("many"), name("mo\x1b[2J\u{202e}e"), name("mD")]);
    rig.show(&shown);
    assert_eq!(rig.screen()[3..6], ["$ cd m", "many                    mo⟨U+001B⟩[2J⟨U+202E⟩e  mD/", "$ cd m"]);
    let mut rig = Rig::xterm();
    rig.keys("cd z\t");
    let shown = rig.editor.complete(&[name("z\nb"), name("z⏎b")]);
    rig.show(&shown);
    assert_eq!(rig.screen()[4], "z⏎b         z⟨U+23CE⟩b", "a line end is not what looks like one");
}

#[test]
fn completion_knows_the_word() {
    let word = |keys: &str| {
        let mut rig = Rig::xterm();
        rig.keys(keys).keys("\t");
        rig.events.iter().find_map(|event| match event {
            Event::CompleteRequest { word, .. } => {
                Some(word.as_ref().map(|w| (w.directory.clone(), w.prefix.clone(), w.command)))
            }
            Event::None | Event::Bell | Event::Submit(_) | Event::Interrupt | Event::EndOfFile | Event::Refused(_) => {
                None
            }
        })
    };
    let cases = [
        ("l", "", "l", true),
        ("ls /usr/lo", "/usr/", "lo", false),
        ("a; b", "", "b", true),
        ("if tr", "", "tr", true),
        ("x=1 tr", "", "tr", true),
        ("echo $(da", "", "da", true),
        ("cat < 'my dir'/fi\\ l", "my dir/", "fi l", false),
        ("./run", "./", "run", true),
    ];
    for (keys, directory, prefix, command) in cases {
        assert_eq!(word(keys), Some(Some((directory.to_owned(), prefix.to_owned(), command))), "{keys:?}");
    }
    for keys in ["cat $HOME/a", "cat *.t", "cat `a", "a{b"] {
        assert_eq!(word(keys), Some(None), "{keys:?}");
    }
}

#[test]
fn the_rest_of_an_answer_is_waited_for() {
    for (bytes, waits) in [
        ("\x1b", false),
        ("\x1b[", false),
        ("\x1b]", false),
        ("\x1bO", false),
        ("\x1b[2", true),
        ("\x1b[?1;", true),
        ("\x1b]1", true),
        ("\x1bP1", true),
        ("\x1b]10;rgb\x1b", true),
        ("\x1b[M", false),
        ("\x1b[M!", true),
    ] {
        let mut rig = Rig::xterm();
        rig.keys(bytes);
        assert!(rig.editor.unfinished(), "{bytes:?}");
        assert_eq!(rig.editor.patience_us() > 50_000, waits, "{bytes:?}");
    }
}
