//! The reader by hand beside one by serde_json, which reads any JSON, writes it again and compares.

use super::read::{self, Found};
use super::{Openings, Stored};
use countersign_core::{Salt, b64_decode};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(untagged)]
enum WireStored {
    One((Salt, WireValue)),
    Many(Vec<WireItem>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireItem {
    Open((Salt, WireValue)),
    Hidden([(); 0]),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireValue {
    Text(String),
    Bytes(WireBytes),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBytes {
    b64: String,
}

impl WireValue {
    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Bytes(bytes) => b64_decode(&bytes.b64).ok(),
        }
    }
}

fn by_serde(text: &str) -> Option<Openings> {
    let wire: BTreeMap<String, WireStored> = serde_json::from_str(text).ok()?;
    let mut openings = Openings::new();
    for (path, stored) in wire {
        let stored = match stored {
            WireStored::One((salt, value)) => Stored::One(salt, value.bytes()?),
            WireStored::Many(items) => {
                let item = |item| match item {
                    WireItem::Open((salt, value)) => Some(Some((salt, value.bytes()?))),
                    WireItem::Hidden([]) => Some(None),
                };
                Stored::Many(items.into_iter().map(item).collect::<Option<_>>()?)
            }
        };
        openings.0.insert(path, stored);
    }
    (openings.encode() == text).then_some(openings)
}

fn by_hand(text: &str) -> Option<Openings> {
    let owned = |found| match found {
        Found::One((salt, value)) => Stored::One(salt, value.into_owned()),
        Found::Many(items) => {
            Stored::Many(items.into_iter().map(|item| item.map(|(salt, value)| (salt, value.into_owned()))).collect())
        }
    };
    let found = read::read(text).ok()?;
    let before = found.len();
    let openings = Openings(found.into_iter().map(|(path, found)| (path.into_owned(), owned(found))).collect());
    assert_eq!(openings.0.len(), before, "a path stands twice");
    Some(openings)
}

fn openings() -> impl Strategy<Value = Openings> {
    let text = prop_oneof!["[ -~]{0,20}", ".{0,12}", "[\"\\\\\n\r\t\u{7f}é𝄞\u{0}]{0,9}"].prop_map(String::into_bytes);
    let value = prop_oneof![text, prop::collection::vec(any::<u8>(), 0..12)];
    let one = (any::<[u8; 32]>().prop_map(Salt), value);
    let many = prop::collection::vec(prop::option::of(one.clone()), 0..4).prop_map(Stored::Many);
    let stored = prop_oneof![one.prop_map(|(salt, value)| Stored::One(salt, value)), many];
    let path = prop_oneof!["[a-d]{0,2}", ".{0,3}", "[\"\\\\\né𝄞]{1,2}"];
    prop::collection::btree_map(path, stored, 0..4).prop_map(Openings)
}

/// Pieces that change what is said, or only how.
const PIECES: [&str; 32] = [
    "",
    " ",
    "\"",
    "\\",
    "\\\"",
    "\\\\",
    "\\n",
    "\\/",
    "\\b",
    "\\u000a",
    "\\u0041",
    "\\u00e9",
    "\\u00E9",
    "\\ud834",
    "\\udd1e",
    "\\ud834\\udd1e",
    "\\u007f",
    "\u{7f}",
    "é",
    "[",
    "]",
    "[]",
    "[],",
    ",",
    "{",
    "}",
    "{\"b64\":\"\"}",
    "{\"b64\":\"_w\"}",
    "{\"b64\":\"_x\"}",
    "null",
    "\n",
    "A",
];

proptest! {
    #[test]
    fn what_is_written_is_read(openings in openings()) {
        let text = openings.encode();
        prop_assert_eq!(by_serde(&text), Some(openings.clone()));
        prop_assert_eq!(by_hand(&text), Some(openings));
    }

    #[test]
    fn what_is_changed_is_read_or_refused_alike(
        openings in openings(),
        at in any::<prop::sample::Index>(),
        cut in 0usize..6,
        piece in prop::sample::select(PIECES.as_slice()),
    ) {
        let text = openings.encode();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        let changed = format!("{}{piece}{}", &text[..at], &text[end..]);
        prop_assert_eq!(by_hand(&changed), by_serde(&changed), "{}", changed);
    }
}

#[test]
fn forms_that_are_read_or_refused_alike() {
    let salt = Salt([7; 32]).to_string();
    let escapes = "\\u0000".repeat(9);
    let table = [
        ("{}", true),
        ("", false),
        ("{", false),
        ("{}}", false),
        (&format!("{{\"a\":[\"{salt}\",\"x\"]}}"), true),
        (&format!("{{\"a\":[\"{salt}\",\"\"]}}"), true),
        (&format!("{{\"a\":[\"{salt}\",{{\"b64\":\"\"}}]}}"), false),
        (&format!("{{\"a\":[\"{salt}\",{{\"b64\":\"eA\"}}]}}"), false),
        (&format!("{{\"a\":[\"{salt}\",{{\"b64\":\"_w\"}}]}}"), true),
        (&format!("{{\"a\":[\"{salt}\",[\"_w\"]]}}"), false),
        (&format!("{{\"a\":[\"{salt}\",\"{escapes}\"]}}"), false),
        (&format!("{{\"a\":[\"{salt}\",{{\"b64\":\"AAAAAAAAAAAA\"}}]}}"), true),
        (&format!("{{\"a\":[\"{salt}\",\"x\",\"y\"]}}"), false),
        (&format!("{{\"a\":[\"{salt}\"]}}"), false),
        (&format!("{{\"a\":[\"{}\",\"x\"]}}", &salt[1..]), false),
        (&format!("{{\"a\":[[\"{salt}\",\"x\"],[]]}}"), true),
        ("{\"a\":[]}", true),
        ("{\"a\":[[]]}", true),
        ("{\"a\":[[],]}", false),
        ("{\"a\":[[[]]]}", false),
        ("{\"a\":[],\"a\":[]}", false),
        ("{\"b\":[],\"a\":[]}", false),
        ("{\"a\":[],\"b\":[]}", true),
        ("{\"a\":[],}", false),
    ];
    for (text, good) in table {
        assert_eq!(by_hand(text).is_some(), good, "{text}");
        assert_eq!(by_hand(text), by_serde(text), "{text}");
    }
}
