//! What must never be submitted, and what a denial leaves behind.

use super::super::*;
use super::rig::Rig;
use nix::time::{ClockId, clock_gettime};

fn refusals(rig: &Rig) -> Vec<Refusal> {
    let why = |event: &Event| match event {
        Event::Refused(why) => Some(*why),
        Event::None
        | Event::Bell
        | Event::Submit(_)
        | Event::Interrupt
        | Event::EndOfFile
        | Event::CompleteRequest { .. } => None,
    };
    rig.events.iter().filter_map(why).collect()
}

#[test]
fn a_line_that_lost_something_is_not_sent() {
    let long = "a".repeat(70 * 1024);
    let cases: [(&[u8], Refusal); 8] = [
        (b"rm -rf caf\xe9 x", Refusal::NotUtf8),
        (b"rm \xc3", Refusal::NotUtf8),
        (b"rm \xed\xa0\x80", Refusal::NotUtf8),
        ("rm \u{9b}2J".as_bytes(), Refusal::Control),
        (b"rm \x1b[200~a\x1b[2Jb\x1b[201~", Refusal::Control),
        (b"rm \x1b[200~a\0b\x1b[201~", Refusal::Control),
        (b"rm \x1b[200~a\xffb\x1b[201~", Refusal::NotUtf8),
        (long.as_bytes(), Refusal::TooLong),
    ];
    for (bytes, why) in cases {
        let mut rig = Rig::xterm();
        // What was sent along with it goes the same way.
        rig.keys([bytes, b"\rrm -rf *\r"].concat());
        assert_eq!((refusals(&rig), rig.submitted()), (vec![why], vec![]));
        assert!(rig.screen().iter().any(|row| row.starts_with("countersign: not sent: it ")), "{:?}", rig.screen());
        rig.check();
        rig.keys("ls\r");
        assert_eq!(rig.submitted(), ["ls"]);
    }
}

#[test]
fn clearing_the_line_forgets_what_was_refused() {
    for clear in ["\x15", "\x03", "\x7f\x7f", "\x17"] {
        let mut rig = Rig::xterm();
        rig.keys(b"ab\xff").keys(clear).keys("ls\r");
        assert_eq!(rig.submitted(), ["ls"], "{clear:?}");
    }
    let mut rig = Rig::xterm();
    rig.keys("\x1b[200~a\x07b\x1b[201~").keys("\x15ls\r");
    assert_eq!(rig.submitted(), ["ls"]);
}

#[test]
fn control_characters_ring_and_stay_out() {
    for byte in (0..0x20).chain([0x7f]) {
        let mut rig = Rig::xterm();
        rig.keys(b"ab").keys([byte]);
        let step = rig.editor.give_up();
        rig.show(&step.output);
        assert!(rig.editor.text().chars().all(|c| !c.is_control()), "{byte:#x}");
        rig.check();
    }
    let mut rig = Rig::xterm();
    rig.keys("a\0b\x16c\x1ad\r");
    assert_eq!(rig.submitted(), ["abcd"]);
    assert!(rig.written.contains('\x07'));
}

#[test]
fn a_paste_is_one_unit() {
    let mut rig = Rig::xterm();
    rig.keys("\x1b[200~cd /scratch\r\nrm -rf *\r\techo\x1b[201~");
    assert_eq!((rig.submitted().len(), rig.editor.text()), (0, "cd /scratch\nrm -rf *\n\techo"));
    assert_eq!(rig.screen()[3..6], ["$ cd /scratch", "> rm -rf *", "> ⇥echo"]);
    rig.keys("\r");
    assert_eq!(rig.submitted(), ["cd /scratch\nrm -rf *\n\techo"]);
    // One that never ends is left with ^C ^C.
    rig.keys("\x1b[200~rm\r").keys("ls\r\x03\x03ls\r");
    assert_eq!(rig.submitted()[1..], ["ls"]);
    // Newlines at the end mean nothing.
    rig.keys("\x1b[200~ls -l\n\n\x1b[201~\r");
    assert_eq!(rig.submitted()[2..], ["ls -l"]);
}

#[test]
fn input_after_enter_stays_unread() {
    let mut editor = Editor::new(Terminal::Cursor, 80, 24, History::new(), |_| false);
    assert_eq!(editor.feed(b"one\rtwo\r").event, Event::None);
    assert!(editor.begin("$ ", Row::Empty).ends_with("$ "));
    assert_eq!(editor.resume().event, Event::Submit("one".to_owned()));
    assert_eq!((editor.resume().event, editor.unread()), (Event::None, 4));
    assert_eq!(editor.feed(b"\x03x").event, Event::None);
    assert!(editor.take_interrupt() && !editor.take_interrupt());
    assert_eq!(editor.take_unread(), b"x");
}

#[test]
fn a_denial_drops_the_rest_of_a_paste_too() {
    let mut editor = Editor::new(Terminal::Cursor, 80, 24, History::new(), |_| false);
    assert!(!editor.begin("$ ", Row::Empty).is_empty());
    assert_eq!(editor.feed(b"cd /scratch\r\x1b[200~rm -rf *\r").event, Event::Submit("cd /scratch".to_owned()));
    editor.flush_unread();
    assert!(!editor.begin("$ ", Row::Empty).is_empty());
    assert_eq!(editor.feed(b"rm -rf /\r\x1b[201~ls\r").event, Event::Submit("ls".to_owned()));
}

#[test]
fn the_queue_has_a_limit() {
    let mut editor = Editor::new(Terminal::Dumb, 80, 24, History::new(), |_| false);
    let step = editor.feed(&vec![b'a'; 2 * 1024 * 1024]);
    assert_eq!((editor.unread(), step.event, step.output.as_str()), (0, Event::Bell, "\x07"));
}

#[test]
fn typing_64_kib_byte_by_byte_is_quick() {
    let spent = || std::time::Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let start = spent();
    for unit in ["a", "é", "漢"] {
        let mut editor = Editor::new(Terminal::Cursor, 80, 24, History::new(), |_| false);
        assert!(!editor.begin("$ ", Row::Empty).is_empty());
        let text = unit.repeat(countersign_core::MAX_COMMAND_BYTES / unit.len());
        for byte in text.bytes() {
            assert_eq!(editor.feed(&[byte]).event, Event::None);
        }
        assert_eq!(editor.feed(b"\r").event, Event::Submit(text));
    }
    assert!(spent() - start < std::time::Duration::from_secs(5), "{:?}", spent() - start);
}
