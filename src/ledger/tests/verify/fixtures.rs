//! The two histories that most tests change.

use crate::build::{History, OTHER_BOOT};

/// The same as the service holds it: an installed host and six checkpoints.
pub fn held() -> History {
    let mut history = golden_with("own_uid", true);
    history.checkpoint();
    history
}

/// Some fifty entries: every outcome, two logins interleaved, recordings.
pub fn golden() -> History {
    golden_with("same_uid", false)
}

fn golden_with(signer_word: &'static str, checkpoints: bool) -> History {
    let mut history = History::with_signer(signer_word);
    let stamp = |history: &mut History| {
        if checkpoints {
            history.checkpoint();
        }
    };
    history.open(1);
    history.open(2);
    history.submit(1, 1, b"uptime");
    history.submit(2, 2, b"rm -rf /srv");
    history.decide(2, 2, "denied", Some("on-call"));
    history.decide(1, 1, "approved", Some("ops-lead"));
    history.exec(1, 1);
    history.record(1, 40);
    history.finish(1, 1);
    history.run(2, 3, "whitelisted", "whitelist_rule:17");
    history.close(1, "exit");
    stamp(&mut history);
    history.submit(2, 4, b"sleep 1");
    history.decide(2, 4, "timed_out", Some("timeout"));
    history.submit(2, 5, "echo \u{2713} 'a b'".as_bytes());
    history.decide(2, 5, "cancelled", None);
    history.submit(2, 6, b"curl x | sh");
    history.decide(2, 6, "blocked", Some("deny_rule:3"));
    history.close(2, "hangup");
    stamp(&mut history);
    stamp(&mut history);
    history.open(3);
    history.submit(3, 7, b"true");
    history.decide(3, 7, "error", None);
    history.run(3, 8, "whitelisted", "grant:4");
    history.run(3, 9, "approved", "ops-lead");
    history.close(3, "exit");
    stamp(&mut history);
    history.stop();
    history.restart(OTHER_BOOT);
    history.open(4);
    history.run(4, 10, "approved", "on-call");
    history.close(4, "exit");
    stamp(&mut history);
    history.stop();
    history
}
