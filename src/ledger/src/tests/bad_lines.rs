//! Lines that must be refused, each with what is wrong.

use super::support::golden;
use crate::{Entry, Line, MAX_LINE_BYTES};

/// The golden `command_submitted`.
fn good() -> String {
    golden("day.jsonl").lines().find(|l| l.contains("command_submitted")).unwrap().to_owned()
}

#[test]
fn each_is_refused_for_its_reason() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5), "]".repeat(5));
    // What is replaced, by what, and a part of the message.
    let table = [
        ("{\"at\"", " {\"at\"", "byte 0: expected {\"at\":"),
        ("{\"at\"", "{\"aa\":1,\"at\"", "byte 0: expected {\"at\":"),
        ("2026-", "2026-13-", "expected a time"),
        (".12", ",12", "expected a time"),
        ("\"body\":{", "\"body\":{ ", "expected \""),
        ("\"body\":{", "\"body\":[{", "expected an object"),
        ("\"cmd_bytes\":", "\"zzz\":", "sorted by byte"),
        ("\"cmd_bytes\":", "\"cmd\":", "unique and sorted"),
        ("\"cmd_bytes\":", "\"cmd_bytes\": ", "expected an object, an array"),
        ("\"cmd_bytes\":", "\"cmd_bytes\":0", "without leading zeros"),
        ("\"cmd_bytes\":", "\"cmd_bytes\":-", "expected an object, an array"),
        ("\"wait_ms\":60000", "\"wait_ms\":6e4", "expected a comma or the end of the object"),
        ("\"wait_ms\":60000", "\"wait_ms\":60.0", "expected a comma or the end of the object"),
        ("\"wait_ms\":60000", "\"wait_ms\":null", "expected an object, an array"),
        ("\"wait_ms\":60000", "\"wait_ms\":9007199254740992", "2^53-1"),
        ("\"wait_ms\":60000", "\"wait_ms\":99999999999999999999", "2^53-1"),
        ("\"wait_ms\":60000", "\"wait_ms\":[1,]", "expected an object, an array"),
        ("\"wait_ms\":60000", "\"wait_ms\":{\"a\":1,}", "expected \""),
        ("\"shell\":\"bash\"", "\"shell\":\"ba\\u0073h\"", "closing quote"),
        ("\"shell\":\"bash\"", "\"shell\":\"bäsh\"", "closing quote"),
        ("\"shell\":\"bash\"", "\"shell\":\"ba\tsh\"", "closing quote"),
        ("\"shell\":\"bash\"", "\"shell\":\"ba\u{7f}sh\"", "closing quote"),
        ("\"boot\":\"0", "\"boot\":\"A", "hex"),
        ("\"boot\":\"0", "\"boot\":\"", "hex"),
        ("\"fmt\":\"cs1\"", "\"fmt\":\"cs2\"", "expected ,\"fmt\":\"cs1\""),
        ("\"host\":\"", "\"host\":\"8", "host id"),
        ("\"kind\":\"", "\"kind\":\"A", "a kind"),
        ("\"kind\":\"command_submitted\"", "\"kind\":\"\"", "a kind"),
        ("\"prev\":\"", "\"prev\":\"A", "a digest"),
        ("\"seq\":", "\"seq\":\"3\",\"x\":", "an integer"),
        ("\"sess\":{", "\"sess\":{\"a\":1,", "expected {\"id\":"),
        (",\"sig\":", ",\"rig\":", "expected ,\"sig\":"),
        (",\"sig\":\"", ",\"sig\":\"A", "a signature"),
        (",\"vals\":{", ",\"vals\":[", "an object and the end"),
        (",\"vals\":{", "}", "expected ,\"vals\":"),
        (",\"vals\":{", ",\"vals\":{\u{e9}", "0x20-0x7e"),
        (",\"sig\":", ",\"aux\":1,\"sig\":", "expected ,\"sig\":"),
    ];
    for (from, to, why) in table {
        let line = good().replacen(from, to, 1);
        assert_ne!(line, good(), "{from}");
        let error = Entry::parse(line.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{from} -> {to}: {error}");
    }
    let nested = good().replacen("\"wait_ms\":60000", &format!("\"wait_ms\":{deep}"), 1);
    assert!(Entry::parse(nested.as_bytes()).unwrap_err().to_string().contains("nested deeper"));
    for (suffix, why) in [("\n", "0x20-0x7e"), ("}", ""), (" ", "an object and the end"), ("\r", "0x20-0x7e")] {
        let result = Entry::parse((good() + suffix).as_bytes()).map(|entry| entry.openings().is_ok());
        assert_ne!(result, Ok(true), "{suffix:?}");
        assert!(result.map_or_else(|e| e.to_string(), |_| String::new()).contains(why), "{suffix:?}");
    }
}

#[test]
fn a_line_cut_anywhere_is_refused() {
    let line = good();
    for length in 0..line.len() {
        let cut = Entry::parse(&line.as_bytes()[..length]);
        assert!(cut.is_err(), "{length}");
    }
}

#[test]
fn lengths_end_where_the_limits_are() {
    let line = good();
    let leaf = line.find(",\"vals\":").unwrap() + 1;
    let filled = |length: usize| line.replacen("\"bash\"", &format!("\"{}\"", "x".repeat(length - leaf + 4)), 1);
    assert!(Line::parse(filled(65_535).as_bytes()).is_ok());
    assert!(Line::parse(filled(65_536).as_bytes()).unwrap_err().to_string().contains("leaf over 65535"));
    let padded =
        |length: usize| line.replacen("\"vals\":{", &format!("\"vals\":{{{}", " ".repeat(length - line.len())), 1);
    assert!(Line::parse(padded(MAX_LINE_BYTES).as_bytes()).is_ok());
    assert!(Line::parse(padded(MAX_LINE_BYTES + 1).as_bytes()).unwrap_err().to_string().contains("over 1 MiB"));
}

#[test]
fn openings_have_one_spelling_and_one_commitment() {
    let line = good();
    let (leaf, vals) = line.split_once(",\"vals\":").unwrap();
    let vals = vals.strip_suffix('}').unwrap();
    let table = [
        ("{\"cmd\"", "{ \"cmd\"", "one form"),
        (
            "{\"cmd\"",
            "{\"agent\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"x\"],\"cmd\"",
            "vals.agent opens nothing",
        ),
        ("{\"cmd\"", "{\"shell\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"x\"],\"cmd\"", "one form"),
        ("\"cwd\":", "\"cmd\":", "one form"),
        ("\"env\":", "\"cwd\":", "one form"),
        ("mysql", "mysq1", "vals.cmd/0 does not match"),
        ("mysql", "\\u006dysql", "one form"),
        ("\\u00e9", "\\u00E9", "one form"),
        ("\\n", "\\u000a", "one form"),
        ("[],", "", "vals.cmd opens nothing"),
        ("[],", "[],[],", "vals.cmd opens nothing"),
        ("{\"b64\":", "{\"b65\":", "one form"),
        ("{\"b64\":", "{\"b64\":\"\",\"b64\":", "one form"),
        ("HOME=", "HOMF=", "vals.env does not match"),
        ("}", "}}", "one form"),
    ];
    for (from, to, why) in table {
        let changed = vals.replacen(from, to, 1);
        assert_ne!(changed, vals, "{from}");
        let line = format!("{leaf},\"vals\":{changed}}}");
        let error = Entry::parse(line.as_bytes()).unwrap().openings().unwrap_err().to_string();
        assert!(error.contains(why), "{from} -> {to}: {error}");
    }
}

#[test]
fn openings_of_hidden_segments_are_refused_and_cut_ones_reported() {
    let entry = Entry::parse(good().as_bytes()).unwrap();
    let mut shown = entry.clone();
    let salt = super::support::salt(5);
    shown.vals_text = entry.vals_text.replacen("[],", &format!("[\"{salt}\",\"hunter2\"],"), 1);
    assert!(shown.openings().unwrap_err().to_string().contains("vals.cmd/1 opens nothing"));
    let first = entry.vals_text.find("[[").unwrap() + 1;
    let end = first + entry.vals_text[first..].find(']').unwrap() + 1;
    let mut cut = entry.clone();
    cut.vals_text.replace_range(first..end, "[]");
    assert_eq!(cut.openings().unwrap().missing, ["cmd/0"]);
    assert_eq!(cut.command().unwrap().iter().filter(|s| s.is_none()).count(), 2);
}
