//! Silence is evidence while a daemon runs, and a stop that was none hides it.

use crate::build::{BOOT, History, OTHER_BOOT, expect, trust};
use crate::removals::both;
use countersign_ledger::verify::Report;

const HOUR_US: u64 = 3_600_000_000;

/// A host that promises an entry a minute, `end` of it, and a login; an hour passes before the entry `label`.
fn after(end: fn(&mut History), label: &str) -> Report {
    let mut history = History::with_signer("own_uid");
    history.plan("started").body.insert("heartbeat_ms".into(), 60_000u64.into());
    end(&mut history);
    history.open(2);
    history.close(2, "exit");
    history.checkpoint();
    history.later(label, HOUR_US);
    both(&history, &history.lines(), &trust())
}

#[test]
fn only_a_start_ends_a_stop() {
    expect(&after(|_| {}, "open2"), 11, "time.silence");
    let report = after(
        |history| {
            history.stop();
            history.restart(BOOT);
        },
        "restarted",
    );
    assert_eq!(report.exit_code, 0, "{}", report.text());
    let straggler = after(
        |history| {
            history.stop();
            history.add("beat", "heartbeat", None, []);
            history.restart(BOOT);
        },
        "restarted",
    );
    assert_eq!(straggler.exit_code, 0, "{}", straggler.text());
    expect(&after(History::stop, "open2"), 11, "time.silence");
    // Neither does a step of the clock.
    fn stepped(history: &mut History) {
        history.stop();
        history.add("step", "clock_step", None, [("by_ms", 0u64.into()), ("forward", true.into())]);
    }
    expect(&after(stepped, "step"), 11, "time.silence");
    expect(&after(stepped, "open2"), 11, "time.silence");
}

/// What another boot begins with is compared with nothing before; its daemon promises as any.
#[test]
fn a_stop_ends_with_the_start_after_a_boot() {
    fn rebooted(history: &mut History) {
        history.stop();
        history.restart(OTHER_BOOT);
        history.plan("restarted").body.insert("heartbeat_ms".into(), 60_000u64.into());
        history.add("step", "clock_step", None, [("by_ms", 0u64.into()), ("forward", true.into())]);
    }
    assert_eq!(after(rebooted, "restarted").exit_code, 0);
    expect(&after(rebooted, "step"), 11, "time.silence");
    expect(&after(rebooted, "open2"), 11, "time.silence");
}
