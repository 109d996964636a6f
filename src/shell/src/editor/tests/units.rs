//! History text, prompts, resizing and plain terminals.

use super::super::*;
use super::rig::Rig;

#[test]
fn history_survives_as_text() {
    let mut history = History::new();
    ["a\\nb", "for x\ndo y", " ", "ls", "ls", "x\x1b[2J", "é\t"].into_iter().for_each(|line| history.add(line));
    assert_eq!(history.to_text(), "a\\\\nb\nfor x\\ndo y\nls\né\t\n");
    assert_eq!(History::from_text(&history.to_text()), history);
    assert_eq!(History::from_text("bad \\q\nok\n\\").len(), 1);
    (0..5000).for_each(|n| history.add(&n.to_string()));
    assert_eq!((history.len(), history.line(0)), (2000, Some("3000")));
    (0..40).for_each(|n| history.add(&format!("{n}{}", "a".repeat(60_000))));
    assert!(history.to_text().len() <= 1024 * 1024 + 2000);
}

#[test]
fn prompts_show_colours_and_nothing_else() {
    let prompt = "\x01\x1b[1;32m\x02me@host\x1b[0m:\x1b]0;t\x07~\x1b[6n\x1b[2J\x1b]52;c;YQ==\x07\x1bP$q\x1b\\\x1b[?1049h\u{9b}2J$ ";
    let rig = Rig::new(Terminal::Cursor, 80, 24, prompt);
    assert!(rig.written.ends_with("\x1b[J\x1b[1;32mme@host\x1b[0m:\x1b]0;t\x07~2J$ "), "{:?}", rig.written);
    rig.check();
    assert_eq!(rig.column(), "me@host:~2J$ ".len());
    let rig = Rig::new(Terminal::Dumb, 80, 24, prompt);
    assert!(rig.written.ends_with("me@host:~2J$ ") && !rig.written.contains('\x1b'));
}

#[test]
fn an_unfinished_row_is_left_alone() {
    for (before, row) in [("", "$ ls"), ("no newline", "$ ls"), (&"x".repeat(80), "$ ls"), (&"y".repeat(79), "$ ls")] {
        let mut rig = Rig::xterm();
        rig.keys("\r");
        let mut editor = Editor::new(Terminal::Cursor, 80, 24, History::new(), |_| false);
        rig.show(&format!("\r{before}"));
        let drawn = editor.begin("$ ", Row::Unknown) + &editor.feed(b"ls").output;
        rig.show(&drawn);
        assert_eq!(rig.row(), row, "{before:?}");
        assert!(rig.screen().iter().any(|row| row == before));
    }
}

#[test]
fn text_wraps_at_the_margin() {
    let mut rig = Rig::new(Terminal::Cursor, 10, 6, "$ ");
    rig.keys("12345678");
    assert_eq!((rig.screen()[3].as_str(), rig.column(), rig.terminal.cursor().row), ("$ 12345678", 0, 4));
    rig.keys("9");
    assert!(rig.terminal.screen().line(3).unwrap().is_wrapped(), "copying gives one line");
    rig.keys("\x02\x02\x02x");
    assert_eq!(rig.screen()[3..5], ["$ 123456x7", "89"]);
    rig.keys("\x05\x15");
    assert_eq!(rig.screen()[3..5], ["$", ""]);
    rig.keys("1234567漢");
    assert_eq!(rig.screen()[3..5], ["$ 1234567", "漢"]);
    rig.keys("\x01\x04");
    assert_eq!(rig.screen()[3..5], ["$ 234567漢", ""]);
    rig.check();
}

#[test]
fn a_resize_draws_anew() {
    for kind in [Terminal::Cursor, Terminal::Reflowing] {
        let mut rig = Rig::new(kind, 80, 24, "$ ");
        rig.keys("echo ".repeat(14)).keys("end");
        for (cols, rows) in [(40, 24), (20, 10), (100, 30), (7, 3), (80, 24)] {
            rig.resize(cols, rows);
            rig.check();
        }
        rig.keys("\r");
        assert_eq!(rig.submitted(), ["echo ".repeat(14) + "end"]);
    }
    // tmux breaks lines anew: nothing is left behind.
    let mut rig = Rig::new(Terminal::Reflowing, 80, 24, "$ ");
    rig.keys("x".repeat(60));
    rig.resize(40, 24);
    rig.resize(80, 24);
    assert_eq!(rig.screen()[3..5], [format!("$ {}", "x".repeat(60)), String::new()]);
}

#[test]
fn hidden_characters_are_shown() {
    let mut rig = Rig::xterm();
    rig.keys("a\u{202e}b\u{200b}\u{301}c\u{e0041}");
    assert_eq!(rig.row(), "$ a⟨U+202E⟩b⟨U+200B⟩⟨U+0301⟩c⟨U+E0041⟩");
    rig.check();
}

#[test]
fn notices_come_between() {
    let mut rig = Rig::xterm();
    rig.keys("ls -l\x02");
    let shown = rig.editor.notice("one\ntwo \x1b[2J");
    rig.show(&shown);
    assert_eq!(rig.screen()[3..7], ["$ ls -l", "one", "two ⟨U+001B⟩[2J", "$ ls -l"]);
    rig.check();
}

#[test]
fn a_dumb_terminal_gets_plain_text() {
    let mut rig = Rig::new(Terminal::Dumb, 20, 24, "$ ");
    ["ls", "\x02", "x", "\x05", "y", "\r"].into_iter().for_each(|key| {
        rig.keys(key);
    });
    assert_eq!(rig.written, "S0\r\nS1\r\nS2\r\n$ ls\x08xs\x08sy\r\n$ ");
    assert_eq!(rig.submitted(), ["lxsy"]);
    rig.keys("a".repeat(30)).keys("\x01b");
    assert!(rig.row().starts_with("$ baaa"));
    rig.keys("\x03for i in 1; do\recho");
    assert_eq!(rig.row(), "> echo");
    assert_eq!(Terminal::from_term("dumb"), Terminal::Dumb);
    assert_eq!(Terminal::from_term("xterm-256color"), Terminal::Cursor);
    assert_eq!(Terminal::from_term("tmux-256color"), Terminal::Reflowing);
}
