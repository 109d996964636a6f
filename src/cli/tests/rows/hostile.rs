//! What an agent or a host could have put into a row.

use super::*;

/// A row with this in every member that takes it.
fn filled(text: &str) -> AuditRow {
    let mut row = row(Some(Outcome::Denied), Some("whitelist_rule:17"), text);
    row.session = text.into();
    row.agent = text.into();
    row.cwd = text.into();
    row.shell = text.into();
    row.locale = vec![text.into()];
    row.transfer = Some(text.into());
    row.program = Some(ProgramFacts { bytes: 1, digest: Digest([7; 32]) });
    row.reason = Some(text.into());
    row.anomalies = vec![text.into()];
    row.rule = Some(rule(text));
    row.risk = Some(Risk { score: 1, level: text.into(), ..Risk::default() });
    row
}

/// What looks like our marks for line ends and tabs stands for none, in whatever it is.
#[test]
fn nothing_passes_for_a_line_end_or_a_tab() {
    let text = "x⏎y⇥z";
    let row = filled(text);
    let mut waiting = pending(text);
    waiting.cwd = text.into();
    waiting.agent = text.into();
    waiting.session = text.into();
    waiting.locale = vec![text.into()];
    waiting.flags = vec![text.into()];
    waiting.anomalies = vec![text.into()];
    waiting.about.claimed.members.insert(text.into(), text.into());
    waiting.about.claimed_error = Some(text.into());
    waiting.about.context.branch = Some(text.into());
    for shown in [
        rows::audit(&row),
        rows::record(&record(&row, text), Some(80)),
        rows::rule(&rule(text)),
        rows::session(&session(text)),
        rows::queue(&[waiting.clone()], &[Some(text.into())], Some(80)),
        rows::card(&waiting, Some(80)),
    ] {
        let shown = strip_str(&shown).to_string();
        assert!(!shown.contains(['⏎', '⇥']) && shown.contains("⟨U+23CE⟩") && shown.contains("⟨U+21E5⟩"), "{shown}");
    }
}

#[test]
fn nothing_recorded_is_printed_raw() {
    let hostile = filled(HOSTILE);
    let text = audit(&hostile);
    assert!(plain(&text) && text.lines().count() == 3, "{text}");
    assert!(text.contains("ls⟨U+001B⟩[2K⟨U+001B⟩]0;x⟨U+0007⟩⟨U+000D⟩⟨U+202E⟩txt.⟨U+200B⟩⟨U+009B⟩6n⏎rm -rf /⇥#é"));
    assert!(plain(&strip_str(&rows::record(&whole(&hostile), None)).to_string()));
    assert!(plain(&strip_str(&rows::rule(&rule(HOSTILE))).to_string()));
    assert!(plain(&strip_str(&rows::session(&session(HOSTILE))).to_string()));
    let queue = [pending(HOSTILE)];
    assert!(plain(&strip_str(&rows::queue(&queue, &[], Some(80))).to_string()));
    assert!(plain(&strip_str(&rows::card(&queue[0], Some(80))).to_string()));
    let json = screen::json(&hostile).unwrap();
    assert!(json.is_ascii() && json.chars().all(|c| !c.is_control()));
}

#[test]
fn a_line_end_that_is_none_has_no_row() {
    let row = [pending("cat <<E⏎; rm x\nE")];
    for text in [rows::queue(&row, &[], Some(80)), rows::card(&row[0], Some(80))] {
        let text = strip_str(&text).to_string();
        assert!(text.contains("  cat <<E⟨U+23CE⟩; rm x⏎\n  ↪ E\n"), "{text}");
    }
    let shown = rows::record(&whole(&self::row(None, None, "cat <<E⏎; rm x\nE")), Some(80));
    let shown = strip_str(&shown).to_string();
    let under = " ".repeat(14);
    assert!(shown.contains(&format!("     command  cat <<E⟨U+23CE⟩; rm x⏎\n{under}↪ E\n")), "{shown}");
}
