//! Random typing on the terminal model: what is on the screen is what the
//! editor believes, and the text holds nothing a reviewer could not see.

use proptest::prelude::*;

use super::super::*;
use super::rig::Rig;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Act {
    Type(String),
    Key(&'static str),
    Bytes(Vec<u8>),
    Paste(String),
    Resize(u16, u16),
    Notice(String),
    Prompt(String),
    Answer(Vec<String>),
}

const KEYS: &[&str] = &[
    "\x01",
    "\x02",
    "\x05",
    "\x06",
    "\x04",
    "\x07",
    "\x08",
    "\x7f",
    "\x0b",
    "\x0c",
    "\x0e",
    "\x10",
    "\x12",
    "\x15",
    "\x17",
    "\x19",
    "\x1f",
    "\t",
    "\r",
    "\r",
    "\x1bb",
    "\x1bf",
    "\x1bd",
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1bOA",
    "\x1bOD",
    "\x1b[H",
    "\x1b[F",
    "\x1b[3~",
    "\x1b[1;5D",
    "\x1b\r",
    "\x03",
    "\x1b]0;x\x07",
    "\x1b[D",
    "\x1b[D",
    "\x02",
    "\x02",
    "\x7f",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z \"'|\\\\#]{1,6}",
        2 => prop::sample::select(vec!["漢", "字", "界界", "é", "e\u{301}", "\u{301}", "👩\u{200d}👧", "🇩🇪", "ハ", "\u{202e}",
            "❤\u{fe0f}", "각", "\u{1100}\u{1161}\u{11a8}", "\u{1161}", "नि", "\u{e0041}", "\u{2028}", "\u{ad}"]).prop_map(str::to_owned),
        1 => "\\PC{1,4}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn prompt() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "$ ",
        "",
        "\x1b[1;32muser@host\x1b[0m:\x1b[34m~\x1b[0m$ ",
        "\x1b]0;title\x07\x01\x1b[32m\x02漢字>\x1b[m ",
        "two\nrows$ ",
        "a very long prompt that goes over several rows of a narrow screen $ ",
        "\x1b[6n\x1b[2J\x1b]52;c;eA==\x07evil> ",
    ])
    .prop_map(str::to_owned)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => text().prop_map(Act::Type),
        12 => prop::sample::select(KEYS).prop_map(Act::Key),
        2 => prop::collection::vec(any::<u8>(), 1..12).prop_map(Act::Bytes),
        2 => "[a-c漢\n\t ]{0,30}".prop_map(Act::Paste),
        3 => (1u16..40, 1u16..12).prop_map(|(cols, rows)| Act::Resize(cols, rows)),
        1 => text().prop_map(Act::Notice),
        1 => prompt().prop_map(Act::Prompt),
        1 => prop::collection::vec("[a-c $']{1,4}", 0..5).prop_map(Act::Answer),
    ]
}

fn perform(rig: &mut Rig, act: &Act) {
    match act {
        Act::Type(text) => {
            rig.keys(text);
        }
        Act::Key(key) => {
            rig.keys(key);
        }
        Act::Bytes(bytes) => {
            rig.keys(bytes);
            let step = rig.editor.give_up();
            rig.show(&step.output);
            rig.keys("\x03\x03");
        }
        Act::Paste(text) => {
            rig.keys(format!("\x1b[200~{text}\x1b[201~"));
        }
        Act::Resize(cols, rows) => rig.resize(*cols, *rows),
        Act::Notice(text) => {
            let drawn = rig.editor.notice(text);
            rig.show(&drawn);
        }
        Act::Prompt(prompt) => {
            let drawn = rig.editor.set_prompt(prompt);
            rig.show(&drawn);
        }
        Act::Answer(names) => {
            rig.keys("\t");
            let names: Vec<Candidate> =
                names.iter().map(|name| Candidate { name: name.clone(), directory: name.len() > 2 }).collect();
            let drawn = rig.editor.complete(&names);
            rig.show(&drawn);
        }
    }
}

fn sound(text: &str) -> bool {
    text.len() <= countersign_core::MAX_COMMAND_BYTES && text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t')
}

/// The sequences of a whole output are ones we know; none asks anything.
fn harmless(written: &str) {
    let mut rest = written;
    while let Some(at) = rest.find('\x1b') {
        rest = &rest[at + 1..];
        if rest.starts_with("]0;title\x07") {
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).expect("a final byte");
        assert!(rest.starts_with('[') && "ACHJKmhl".contains(&rest[end..=end]), "{:?}", &rest[..=end]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_screen_is_what_the_editor_believes(
        cols in 1u16..50, rows in 1u16..14, prompt in prompt(), acts in prop::collection::vec(act(), 1..40),
        reflows in any::<bool>(),
    ) {
        // A terminal that is taken to reflow may be redrawn from higher up: only
        // the careful kind promises that nothing above is erased.
        let kind = if reflows { Terminal::Reflowing } else { Terminal::Cursor };
        let mut rig = Rig::with_history(kind, cols, rows, &prompt, &["ls -l", "for i in 漢字; do\necho $i\ndone", "abc abc"]);
        rig.check();
        for act in &acts {
            perform(&mut rig, act);
            rig.check();
            prop_assert!(sound(rig.editor.text()));
        }
        prop_assert!(rig.submitted().iter().all(|text| sound(text)));
        harmless(&rig.written);
    }

    #[test]
    fn a_dumb_terminal_shows_the_line(cols in 4u16..50, acts in prop::collection::vec(act(), 1..40)) {
        let mut rig = Rig::new(Terminal::Dumb, cols, 6, "$ ");
        for act in acts.iter().filter(|act| !matches!(act, Act::Prompt(_) | Act::Resize(..))) {
            perform(&mut rig, act);
            let plain = rig.written.chars().all(|c| !c.is_control() || "\r\n\x08\x07".contains(c));
            prop_assert!(plain && sound(rig.editor.text()));
            let believed = rig.editor.view.plain_row();
            prop_assert_eq!(rig.row(), believed.trim_end());
            prop_assert_eq!(rig.column(), rig.editor.view.plain_column());
        }
    }

    #[test]
    fn any_bytes_in_any_split(bytes in prop::collection::vec(any::<u8>(), 0..400), split in 1usize..20) {
        let mut whole = Rig::xterm();
        whole.keys(&bytes);
        let mut parts = Rig::xterm();
        bytes.chunks(split).for_each(|part| { parts.keys(part); });
        // What came together with a refused line is dropped with it.
        if !whole.events.iter().any(|event| matches!(event, Event::Refused(_))) {
            prop_assert_eq!(whole.submitted(), parts.submitted());
            prop_assert_eq!(whole.editor.text(), parts.editor.text());
        }
        whole.check();
        parts.check();
        prop_assert!(whole.submitted().iter().all(|text| sound(text)));
    }
}
