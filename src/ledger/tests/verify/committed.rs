//! What the real journal writes verifies.

use crate::build::{Who, expect, host, login, service, trust, verify_path};
use countersign_core::Salt;
use countersign_ledger::{
    Committer, Draft, InProcessSigner, Kind, Limits, Openings, Signer as _, SystemClock, Value, body,
};
use std::path::Path;

fn open(dir: &Path) -> Committer {
    let signer: InProcessSigner = Who::Host.signer();
    assert_eq!(signer.public_key(), Who::Host.public());
    let clock = SystemClock::new().unwrap();
    let limits = Limits { segment_bytes: 1500, ..Limits::default() };
    Committer::open(dir, host(), Box::new(signer), Box::new(clock), limits).unwrap().0
}

fn of_host<const N: usize>(kind: Kind, members: [(&str, Value); N]) -> Draft {
    Draft { kind, login: None, body: body(members), vals: Openings::new() }
}

fn started() -> Draft {
    of_host(Kind::HostStarted, [("signer", "own_uid".into()), ("software", "test".into())])
}

#[test]
fn a_committed_journal_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let committer = open(&journal);
    let enrolled = [
        ("key", Value::from(Who::Host.public())),
        ("name", "web-1".into()),
        ("service", service().into()),
        ("service_key", Who::Service.public().into()),
        ("signer", "own_uid".into()),
        ("software", "test".into()),
    ];
    committer.append_wait(vec![of_host(Kind::HostEnrolled, enrolled), started()]).unwrap();
    for n in 1..6 {
        let mut vals = Openings::new();
        let agent = vals.insert("agent", Salt([n; 32]), b"deploy".to_vec());
        let opened =
            body([("agent", agent.into()), ("kind", "exec".into()), ("tty", true.into()), ("uid", 7u64.into())]);
        let closed = body([("recording_bytes", 0u64.into()), ("why", "exit".into())]);
        let of_login = |kind, body, vals| Draft { kind, login: Some(login(n)), body, vals };
        committer.append_wait(vec![of_login(Kind::SessionOpened, opened, vals)]).unwrap();
        if n < 5 {
            committer.append_wait(vec![of_login(Kind::SessionClosed, closed, Openings::new())]).unwrap();
        }
    }
    drop(committer);
    expect(&verify_path(dir.path(), Some(&trust())), 11, "sess.open");
    assert!(std::fs::read_dir(&journal).unwrap().count() > 3, "several files");
    let committer = open(&journal);
    let closed = body([("recording_bytes", 0u64.into()), ("why", "recovered".into())]);
    let closed = Draft { kind: Kind::SessionClosed, login: Some(login(5)), body: closed, vals: Openings::new() };
    committer.append_wait(vec![started(), closed]).unwrap();
    let report = verify_path(dir.path(), Some(&trust()));
    expect(&report, 11, "sess.recovered");
    assert_eq!((report.totals.len(), report.warnings_total), (2, 0), "{}", report.text());
    assert!(!report.text().contains("same_uid"));
}
