//! What entries say about time: `mono` within a boot, `at` against `mono`,
//! boots one after the other.

use super::checks::Check;
use super::report::Findings;
use crate::view::{Node, View};
use crate::{Kind, Line};
use std::collections::HashMap;

/// How far wall clock and boot clock may move apart between two entries.
const JUMP_US: i64 = 500_000;

/// How late a heartbeat may be, in µs, beside as long again as it is due.
const SLACK_US: u64 = 5_000_000;

/// A boot of the host, numbered in order of appearance.
pub(super) type Boot = usize;

/// The clock as the entries so far tell it.
#[derive(Debug, Default)]
pub(super) struct Times {
    boots: HashMap<String, Boot>,
    /// The boot that appeared last: nearly every entry is of it.
    newest: (Boot, String),
    last: Option<Last>,
    /// Highest `mono` of the boot, changes of key included.
    highest: u64,
    /// How often the running daemon has promised an entry, in µs.
    heartbeat_us: Option<u64>,
    /// It stopped in order, at this `mono` of this boot: what is not a start
    /// after that says that it went on.
    stopped: Option<(Boot, u64)>,
    /// Entries before the next one are left out as declared.
    apart: bool,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    boot: Boot,
    mono: u64,
    at_us: i64,
}

impl Times {
    /// A daemon that starts says how often it writes a heartbeat; one that
    /// stops in order promises nothing more.
    pub fn promise(&mut self, kind: Option<Kind>, body: &View<'_>) {
        match kind {
            Some(Kind::HostStarted) => {
                let ms = body.get("heartbeat_ms").and_then(View::as_int);
                self.heartbeat_us = ms.map(|ms| ms.saturating_mul(1000));
                // Also after another boot, where nothing was compared.
                self.stopped = None;
            }
            Some(Kind::HostStopped) => self.stopped = self.last.map(|last| (last.boot, last.mono)),
            Some(_) | None => {}
        }
    }

    /// The entries before the next one are left out: what passed meanwhile is not known.
    pub fn leave_out(&mut self) {
        self.apart = true;
        self.stopped = None;
    }

    /// Checks an entry against the one before it, and numbers its boot.
    pub fn step(&mut self, line: &Line<'_>, kind: Option<Kind>, body: &View<'_>, findings: &mut Findings) -> Boot {
        let boot = match self.last {
            // A change of key is no moment to measure from: the entry after it is
            // compared with the one before.
            Some(last) if kind == Some(Kind::KeyRotated) && self.is_boot(last.boot, line) => {
                self.mono(line, findings);
                self.highest = self.highest.max(line.mono);
                return last.boot;
            }
            Some(last) if self.is_boot(last.boot, line) => {
                if self.apart {
                    self.mono(line, findings);
                } else {
                    let declared = if kind == Some(Kind::ClockStep) { declared_us(body) } else { 0 };
                    self.same_boot(line, declared, last, findings);
                    self.silent(line, kind, last, findings);
                }
                last.boot
            }
            Some(_) | None => self.other_boot(line, kind, findings),
        };
        let before = self.last.filter(|last| last.boot == boot);
        let mono = before.map_or(line.mono, |last| line.mono.max(last.mono));
        self.highest = if before.is_some() { self.highest.max(line.mono) } else { line.mono };
        self.last = Some(Last { boot, mono, at_us: line.at_us });
        self.apart = false;
        boot
    }

    fn is_boot(&self, boot: Boot, line: &Line<'_>) -> bool {
        self.newest.0 == boot && self.newest.1 == line.boot || self.boots.get(line.boot) == Some(&boot)
    }

    /// Whether `mono` has not fallen.
    fn mono(&self, line: &Line<'_>, findings: &mut Findings) -> bool {
        if line.mono < self.highest {
            let text = format!("mono falls from {} to {} within a boot", self.highest, line.mono);
            findings.add(Check::TimeMonoFalls, Some(line.seq), None, text);
        }
        line.mono >= self.highest
    }

    /// `declared`: by how many µs a `clock_step` says that the wall clock moved.
    fn same_boot(&self, line: &Line<'_>, declared: i64, last: Last, findings: &mut Findings) {
        let seq = Some(line.seq);
        if !self.mono(line, findings) {
            return;
        }
        let by_boot = i64::try_from(line.mono - last.mono).unwrap_or(i64::MAX);
        let apart = line.at_us.saturating_sub(last.at_us).saturating_sub(by_boot);
        if apart.saturating_sub(declared).saturating_abs() > JUMP_US {
            let text = format!(
                "the wall clock moved by {} ms against the boot clock, and {} ms are declared",
                apart / 1000,
                declared / 1000
            );
            findings.add(Check::TimeJump, seq, None, text);
        }
    }

    /// Whether an entry was due before this one. While the daemon is stopped
    /// none is; but only a start ends that.
    fn silent(&mut self, line: &Line<'_>, kind: Option<Kind>, last: Last, findings: &mut Findings) {
        let since = match (self.stopped, kind) {
            (Some(_), Some(Kind::ClockStep | Kind::HostStarted)) => return,
            // What was still being done when it stopped comes right after.
            (Some((boot, mono)), _) if boot == last.boot => {
                self.stopped = Some((boot, line.mono));
                mono
            }
            (Some(_) | None, _) => {
                self.stopped = None;
                last.mono
            }
        };
        let silent = line.mono.saturating_sub(since);
        if let Some(every) = self.heartbeat_us
            && silent > every.saturating_mul(2).saturating_add(SLACK_US)
        {
            let text = format!("nothing was written for {} s, and a heartbeat was due", silent / 1_000_000);
            findings.add(Check::TimeSilence, Some(line.seq), None, text);
        }
    }

    fn other_boot(&mut self, line: &Line<'_>, kind: Option<Kind>, findings: &mut Findings) -> Boot {
        let seq = Some(line.seq);
        if let Some(boot) = self.boots.get(line.boot) {
            findings.add(Check::TimeBoot, seq, None, "a boot comes back after another one");
            return *boot;
        }
        let starts = matches!(kind, Some(Kind::HostStarted | Kind::HostEnrolled | Kind::KeyRotated));
        if self.last.is_some() && !starts && !self.apart {
            findings.add(Check::TimeBoot, seq, None, "entries of another boot begin without host_started");
        }
        let boot = self.boots.len();
        self.boots.insert(line.boot.to_owned(), boot);
        self.newest = (boot, line.boot.to_owned());
        boot
    }
}

/// How far a `clock_step` says that the wall clock moved.
fn declared_us(body: &View<'_>) -> i64 {
    let by_ms = body.get("by_ms").and_then(View::as_int).and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
    let by_us = by_ms.saturating_mul(1000);
    if body.get("forward").and_then(View::as_bool) == Some(false) { by_us.saturating_neg() } else { by_us }
}
