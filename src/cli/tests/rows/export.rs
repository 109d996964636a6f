//! What other programs are given: events of OCSF, the table.

use super::*;
use countersign_cli::export::{csv, ocsf};

#[test]
fn events_of_ocsf_have_what_the_class_requires() {
    for outcome in Outcome::ALL.into_iter().map(Some).chain([None]) {
        for by in [None, Some("ops-lead"), Some("whitelist_rule:17")] {
            let mut row = row(outcome, by, HOSTILE);
            row.started_at_ms = row.started_at_ms.filter(|_| outcome.is_some_and(Outcome::lets_run));
            row.rule = by.filter(|by| by.contains(':')).map(rule);
            row.risk = Some(Risk { score: 70, level: "high".into(), ..Risk::default() });
            let event = ocsf::event(&row);
            // Process Activity of 1.5.0: required by the base event, the class and the profile `host`.
            for member in [
                "/activity_id",
                "/category_uid",
                "/class_uid",
                "/type_uid",
                "/time",
                "/severity_id",
                "/metadata/version",
                "/metadata/product/name",
                "/metadata/product/vendor_name",
                "/device/type_id",
                "/actor/user/name",
                "/process/cmd_line",
                "/process/uid",
            ] {
                assert!(event.pointer(member).is_some_and(|value| !value.is_null()), "{member}: {event}");
            }
            assert_eq!((&event["class_uid"], &event["type_uid"]), (&1007.into(), &100_701.into()));
            let runs = outcome.is_some_and(Outcome::lets_run);
            // As the schema pairs them: 1 allows, 2 denies, 99 is said in words.
            let control = match outcome {
                Some(Outcome::Approved) => (1, 8),
                Some(Outcome::Whitelisted) => (1, 1),
                Some(Outcome::Denied) => (2, 25),
                Some(Outcome::Blocked | Outcome::TimedOut) => (2, 2),
                Some(Outcome::Error) => (2, 27),
                Some(Outcome::Cancelled) => (99, 99),
                None => (0, 14),
            };
            assert_eq!(
                (&event["action_id"], &event["disposition_id"]),
                (&control.0.into(), &control.1.into()),
                "{event}"
            );
            assert_eq!(event["status_id"], if runs { 1 } else { 2 * i32::from(outcome.is_some()) }, "{event}");
            assert_eq!(
                (&event["severity_id"], &event["risk_level_id"], &event["is_alert"]),
                (&4.into(), &3.into(), &true.into())
            );
            assert_eq!(event["process"]["cmd_line"], HOSTILE);
            let line = screen::json(&event).unwrap();
            assert!(line.is_ascii() && !line.contains('\n'));
        }
    }
}

#[test]
fn the_table_has_a_line_for_each_row() {
    let mut denied = row(Some(Outcome::Denied), Some("on-call"), "=cmd|'/c calc'!A1");
    denied.reason = Some("no,\nnever".into());
    *denied.about = countersign_api::context::About::default();
    let table = csv::table([&denied, &row(None, None, HOSTILE)].into_iter());
    let lines: Vec<&str> = table.split_terminator("\r\n").collect();
    assert_eq!((lines.len(), lines[0].split(',').count()), (3, csv::COLUMNS.len()));
    assert!(lines[1].contains(",2026-11-20T14:47:23Z,denied,on-call,"), "{}", lines[1]);
    assert!(lines[1].contains(",\"no,⏎never\",") && lines[1].contains(",'=cmd|'/c calc'!A1,"), "{}", lines[1]);
    assert!(plain(&table.replace('\r', "")));
}
