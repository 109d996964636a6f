//! What an entry says by itself: its openings against its commitments, and its
//! body against the table of members.

use super::Run;
use super::checks::Check;
use super::members::{self, Odd};
use super::prepare::Prepared;
use crate::openings::Shown;
use crate::view::{Node, View};
use crate::{Kind, Line};

impl Run<'_> {
    /// Checks openings against commitments; `false` where a command is not
    /// recorded from its first to its last byte.
    pub(super) fn openings(&mut self, Prepared { line, leaf, kind, body, openings, .. }: &Prepared<'_, '_>) -> bool {
        let opened = match openings {
            Ok(opened) => opened,
            Err(error) => {
                self.findings.add(Check::CommitOpening, Some(line.seq), None, error.to_string());
                return true;
            }
        };
        let later = !opened.missing.is_empty()
            && kind.is_some_and(|kind| self.removals.missing(line.seq, *leaf, kind, &opened.missing));
        for path in opened.missing.iter().filter(|_| !later) {
            let text = format!("vals.{path} is missing and nothing declares it");
            self.findings.add(Check::CommitMissing, Some(line.seq), None, text);
        }
        [("cmd", "cmd_bytes"), ("stdin", "stdin_bytes")]
            .into_iter()
            .fold(true, |whole, (path, length)| self.is_whole(line.seq, opened, body, path, length) && whole)
    }

    /// Whether the segments of `path` add up to what `length` says.
    fn is_whole(&mut self, seq: u64, opened: &Shown<'_>, body: &View<'_>, path: &str, length: &str) -> bool {
        let (Some((shown, all)), Some(total)) = (opened.extent(path), body.get(length).and_then(View::as_int)) else {
            return true;
        };
        let shown = u64::try_from(shown).unwrap_or(u64::MAX);
        if shown > total {
            self.findings.add(Check::CommitLength, Some(seq), None, format!("{path}: {shown} bytes of {total}"));
        }
        !all || shown == total
    }

    /// Compares the body with the table of members.
    pub(super) fn members(&mut self, line: &Line<'_>, kind: Option<Kind>, odd: &[Odd]) -> bool {
        let Some(kind) = kind else {
            self.unknown(line.seq, format!("the kind {} is not known here", line.kind));
            return true;
        };
        if kind.in_login() != line.sess.is_some() {
            let text = if line.sess.is_some() { "belongs to no login and has sess" } else { "has no sess" };
            self.findings.add(Check::KindSess, Some(line.seq), None, format!("{kind} {text}"));
        }
        if !members::is_defined(kind) && !matches!(kind, Kind::ClockStep | Kind::Heartbeat) {
            self.unknown(line.seq, format!("entries of the kind {kind} are not checked by this version"));
        }
        let mut valid = true;
        for odd in odd {
            match odd {
                Odd::Wrong(text) => {
                    valid = false;
                    self.findings.add(Check::MemberType, Some(line.seq), None, text.as_str());
                }
                Odd::Unknown(text) => self.unknown(line.seq, text.clone()),
            }
        }
        valid
    }

    fn unknown(&mut self, seq: u64, text: String) {
        self.counts.unknown = self.counts.unknown.saturating_add(1);
        self.findings.warn("unknown", format!("seq {seq}: {text}"));
    }
}
