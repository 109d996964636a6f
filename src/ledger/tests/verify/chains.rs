//! Broken chains under the host's own key.

use crate::build::{Who, expect, found, golden, host, trust, verify_lines};
use countersign_core::{Digest, HostId};
use countersign_ledger::{Header, Line, Openings, Sess, seal};

/// The last line of the golden history but one, properly signed, after `change`.
fn with_last(change: fn(&mut Header<'_>)) -> countersign_ledger::verify::Report {
    let history = golden();
    let mut lines = history.lines();
    lines.pop();
    let text = lines.pop().unwrap();
    let line = Line::parse(text.as_bytes()).unwrap();
    let sess = line.sess.as_ref().map(|s| Sess { id: s.id.parse().unwrap(), n: s.n, prev: s.prev });
    let mut header = Header {
        at_us: line.at_us,
        boot: line.boot,
        host: host(),
        kind: line.kind,
        mono: line.mono,
        prev: line.prev,
        seq: line.seq,
        sess,
    };
    change(&mut header);
    let body = line.body().unwrap();
    lines.push(seal(&header, &body, &Openings::new(), None, &mut Who::Host.signer()).unwrap().line);
    verify_lines(&lines, &history.recordings, Some(&trust()))
}

#[test]
fn the_right_key_does_not_mend_a_chain() {
    let report = with_last(|_| {});
    assert_eq!(report.exit_code, 10, "{}", report.text());
    expect(&with_last(|h| h.prev = Digest([1; 32])), 40, "chain.prev");
    expect(&with_last(|h| h.host = HostId::from_random([1; 16])), 40, "chain.host");
    expect(&with_last(|h| h.sess.as_mut().unwrap().prev = Digest([1; 32])), 40, "sess.chain");
    expect(&with_last(|h| h.sess.as_mut().unwrap().n += 1), 40, "sess.chain");
    expect(&with_last(|h| h.sess.as_mut().unwrap().n -= 1), 40, "sess.chain");
    expect(&with_last(|h| h.sess = None), 40, "kind.sess");
    expect(&with_last(|h| h.seq += 1), 41, "chain.seq");
    expect(&with_last(|h| h.seq = (1 << 53) - 1), 41, "chain.seq");
    expect(&with_last(|h| h.mono = (1 << 53) - 1), 51, "time.jump");
    expect(&with_last(|h| h.at_us = -62_135_596_800_000_000), 51, "time.jump");
    expect(&with_last(|h| h.mono = 0), 51, "time.mono_falls");
}

#[test]
fn what_is_missing_in_a_login_is_called_missing() {
    let history = golden();
    let mut lines = history.lines();
    let open = lines.iter().position(|line| line.contains("session_opened")).unwrap();
    lines.drain(open..open + 3);
    let report = verify_lines(&lines, &history.recordings, Some(&trust()));
    expect(&report, 41, "sess.gap");
    assert!(!report.findings.iter().any(|finding| finding.exit == 40), "{}", report.text());
    assert!(found(&report, "chain.seq"));
}
