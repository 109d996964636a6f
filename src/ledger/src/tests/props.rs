//! What must hold for any input.

use super::support::golden;
use crate::{Entry, Line, Openings, Value, scan, utc};
use countersign_core::{Salt, format_utc_micros, parse_utc_micros};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let plain = "[ !#-\\[\\]-~]{0,12}";
    let leaf = prop_oneof![
        plain.prop_map(Value::Text),
        (0..=crate::MAX_INT).prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool)
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map(plain, inner, 0..6).prop_map(Value::Object)
        ]
    })
}

proptest! {
    #[test]
    fn any_value_reads_back_as_it_was_written(value in value()) {
        let text = value.encode().unwrap();
        prop_assert_eq!(scan::document(text.as_bytes()), Ok(value.clone()));
        // The grammar is a part of JSON.
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn no_bytes_make_the_scanner_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Line::parse(&bytes).is_err());
        drop(scan::document(&bytes));
    }

    #[test]
    fn a_spliced_line_is_refused_or_another_one(at in 0usize..4000, cut in 0usize..40, put in "[ -~]{0,12}") {
        let text = golden("day.jsonl");
        let line = text.lines().find(|l| l.contains("command_submitted")).unwrap();
        let (at, whole) = (at % line.len(), Entry::parse(line.as_bytes()).unwrap());
        let end = (at + cut).min(line.len());
        let spliced = format!("{}{put}{}", &line[..at], &line[end..]);
        if let Ok(entry) = Entry::parse(spliced.as_bytes()) {
            prop_assert!(spliced == line || entry.leaf != whole.leaf || entry.openings().is_err());
        }
    }

    #[test]
    fn any_bytes_open_as_they_were_closed(bytes in prop::collection::vec(any::<u8>(), 0..60), text in ".{0,30}") {
        let mut vals = Openings::new();
        let cwd = vals.insert("cwd", Salt([1; 32]), bytes.clone());
        let cmd = vals.insert_list("cmd", vec![Some((Salt([2; 32]), text.clone().into_bytes()))]);
        let cmd: Vec<_> = cmd.into_iter().flatten().collect();
        let body = crate::body([("cmd", cmd.into()), ("cwd", cwd.into())]);
        let spelled = vals.encode();
        prop_assert!(spelled.bytes().all(|b| matches!(b, 0x20..=0x7e)));
        let opened = crate::openings::open(&body, &["cmd", "cwd"], &spelled).unwrap();
        prop_assert_eq!(opened.one("cwd"), Some(bytes.as_slice()));
        let segments = [Some(text.into_bytes())];
        prop_assert_eq!(opened.many("cmd"), Some(segments.as_slice()));
    }

    #[test]
    fn times_are_read_as_the_time_library_reads_them(micros in -62_135_596_800_000_000i64..253_402_200_000_000_000) {
        let text = format_utc_micros(micros).unwrap();
        prop_assert_eq!(utc::parse(&text), Some(micros));
    }

    #[test]
    fn what_the_time_library_refuses_is_refused(text in "[0-2][09][0-2][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9].000000Z") {
        if !text.starts_with("0000") && !text.starts_with("9999-12-3") {
            prop_assert_eq!(utc::parse(&text), parse_utc_micros(&text));
        }
    }
}
