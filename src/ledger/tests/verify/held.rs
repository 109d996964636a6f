//! Checkpoints: what the service vouches for, what it does not, and who could
//! try to make it look otherwise.

use crate::build::{
    History, Stamp, Who, expect, found, golden, held, host, join, leaf_of, trust, trust_with, verify_lines, write_state,
};
use countersign_core::{Digest, HostId, ServiceId};
use countersign_ledger::KnownHead;
use countersign_ledger::tlog::root_of;
use countersign_ledger::verify::{Options, Report, Require, Signatures, verify_with};

fn verify(history: &History, options: &Options) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), &join(&history.lines()), &history.recordings);
    verify_with(dir.path(), Some(&trust()), options, &mut |_| {})
}

fn modes() -> [Options; 2] {
    [Signatures::Strict, Signatures::Checkpoint].map(|signatures| Options { signatures, ..Options::default() })
}

#[test]
fn what_the_service_holds_is_zero() {
    let history = held();
    for options in modes() {
        let report = verify(&history, &options);
        assert_eq!((report.exit_code, report.warnings_total), (0, 0), "{}", report.text());
        assert_eq!((report.assurance.verdict, report.counts.checkpoints), ("SERVICE-HELD", 6));
        assert!(report.text().contains("up to seq"), "{}", report.text());
        let none = verify_lines(&history.lines(), &history.recordings, None);
        assert_eq!(none.exit_code, 20, "{}", none.text());
        assert!(none.assurance.verdict == "NONE");
    }
    let strict = verify(&history, &modes()[0]).counts;
    let checkpoint = verify(&history, &modes()[1]).counts;
    assert!(strict.signatures_covered == 0 && checkpoint.signatures < strict.signatures);
    assert_eq!(strict.signatures, checkpoint.signatures + checkpoint.signatures_covered);
    for (require, exit) in [(Require::SelfAttested, 0), (Require::ServiceHeld, 0), (Require::Witnessed, 10)] {
        let report = verify(&history, &Options { require, ..Options::default() });
        assert_eq!(report.exit_code, exit, "{}", report.text());
    }
}

#[test]
fn a_trial_is_never_zero() {
    let mut history = golden();
    history.checkpoint();
    for options in modes() {
        let report = verify(&history, &options);
        assert_eq!((report.exit_code, report.assurance.verdict), (10, "SELF-ATTESTED"), "{}", report.text());
        assert!(found(&report, "assurance.self_attested"));
    }
    // Nor is one that says later that it is none, or earlier that it was one.
    for label in ["enrolled", "started", "restarted"] {
        let mut history = held();
        history.plan(label).body.insert("signer".into(), "same_uid".into());
        assert_eq!(verify(&history, &Options::default()).exit_code, 10, "{label}");
    }
}

#[test]
fn what_comes_after_the_last_checkpoint_is_not_vouched_for() {
    let mut history = held();
    history.stop();
    history.restart("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(verify(&history, &Options::default()).exit_code, 0, "a start and a stop tell nothing");
    history.open(5);
    assert_eq!(verify(&history, &Options::default()).exit_code, 11);
    history.close(5, "exit");
    let report = verify(&history, &Options::default());
    expect(&report, 10, "assurance.self_attested");
    assert!(report.text().contains("entries after that tell more"), "{}", report.text());
    history.checkpoint();
    assert_eq!(verify(&history, &Options::default()).exit_code, 0);
}

pub type Lie = fn(&mut Stamp);

/// What is wrong with a checkpoint, the exit code and the check that says so.
pub const LIES: &[(&str, Lie, u8, &str)] = &[
    ("cosigned by the host", |s| s.by = Who::Host, 40, "checkpoint.signature"),
    ("cosigned by a stranger", |s| s.by = Who::Stranger, 40, "checkpoint.signature"),
    ("note by the service", |s| s.note_by = Who::Service, 40, "checkpoint.signature"),
    ("note by a stranger", |s| s.note_by = Who::Stranger, 40, "checkpoint.signature"),
    ("another root", |s| s.root = Some(Digest([1; 32])), 30, "checkpoint.root"),
    ("more than there is", |s| s.size = Some(10_000), 40, "checkpoint.size"),
    ("nothing", |s| s.size = Some(0), 40, "checkpoint.size"),
    ("less than the one before", |s| s.size = Some(3), 40, "checkpoint.size"),
    ("another log of the service", |s| s.other_log = true, 30, "fork.service"),
    ("another service, signed", |s| s.service = ServiceId::from_random([9; 16]), 40, "checkpoint.signature"),
    ("another time", |s| s.spoil = Some(|s| s.time += 1), 40, "checkpoint.signature"),
    ("another size after signing", |s| s.spoil = Some(|s| s.size -= 1), 40, "checkpoint.signature"),
    ("another cosignature", |s| s.spoil = Some(|s| s.cosig[0] ^= 1), 40, "checkpoint.signature"),
    ("another log signature", |s| s.spoil = Some(|s| s.log_sig[0] ^= 1), 40, "checkpoint.signature"),
    ("another note signature", |s| s.spoil = Some(|s| s.note_sig[0] ^= 1), 40, "checkpoint.signature"),
    ("another place in the log", |s| s.spoil = Some(|s| s.log_index -= 1), 40, "checkpoint.signature"),
    ("no proof of the place", |s| s.spoil = Some(|s| s.log_proof.clear()), 40, "checkpoint.signature"),
    ("no proof of consistency", |s| s.spoil = Some(|s| s.log_consistency.clear()), 30, "fork.service"),
    (
        "another service",
        |s| s.spoil = Some(|s| s.service = ServiceId::from_random([9; 16])),
        40,
        "checkpoint.signature",
    ),
];

#[test]
fn no_checkpoint_can_lie() {
    for (what, lie, exit, check) in LIES {
        for label in ["stamp1", "stamp5"] {
            let mut history = held();
            lie(history.stamp(label));
            for options in modes() {
                let report = verify(&history, &options);
                assert!(
                    report.exit_code == *exit && found(&report, check),
                    "{label} {what}: wanted {exit} {check}\n{}",
                    report.text()
                );
            }
        }
    }
    println!("{} lies", LIES.len() * 4);
}

type Change = fn(&mut History);

/// The host's key alone: history is rewritten and signed anew, the checkpoints
/// are those that the service gave for the true one.
#[test]
fn a_host_that_rewrites_what_was_cosigned_is_a_fork() {
    let honest = held();
    let lines = honest.lines();
    let mut tried = 0;
    let changes: [(&str, Change); 4] = [
        ("another command", |h| {
            h.plan("submit2").body.insert("cmd_bytes".into(), 999u64.into());
        }),
        ("a denial left out", |h| {
            let at = h.at("decide2");
            h.plans.remove(at);
        }),
        ("an agent's uid", |h| {
            h.plan("open1").body.insert("uid".into(), 7u64.into());
        }),
        ("a clock", |h| h.plan("close2").at_us += 1),
    ];
    for (what, change) in changes {
        let mut history = honest.clone();
        change(&mut history);
        for plan in history.plans.iter_mut().filter(|plan| plan.stamp.is_some()) {
            let at: usize = lines
                .iter()
                .position(|line| line.contains(&format!("\"mono\":{},", plan.mono)) && line.contains("\"checkpoint\""))
                .unwrap();
            let entry = countersign_ledger::Entry::parse(lines[at].as_bytes()).unwrap();
            let Some(members) = entry.body.as_object() else { panic!("an object") };
            (plan.body, plan.stamp) = (members.clone(), None);
        }
        for options in modes() {
            let report = verify(&history, &options);
            assert!([30, 40, 50].contains(&report.exit_code), "{what}: {}", report.text());
            assert!(
                found(&report, "checkpoint.root") || found(&report, "checkpoint.size"),
                "{what}: {}",
                report.text()
            );
            tried += 1;
        }
        // Without any checkpoint it is what the host alone says.
        history.plans.retain(|plan| plan.kind != "checkpoint");
        assert_ne!(verify(&history, &Options::default()).exit_code, 0, "{what}");
    }
    println!("{tried} rewritten histories");
}

/// The service's key alone: without the host's key no entry can be made.
#[test]
fn the_service_alone_cannot_write_a_history() {
    for label in ["submit1", "decide1", "stamp0", "close4"] {
        let mut history = held();
        history.plan(label).signer = Who::Service;
        for options in modes() {
            let report = verify(&history, &options);
            assert_eq!(report.exit_code, 40, "{label}: {}", report.text());
        }
    }
    // Even a trust file that names the service's key as the host's is refused.
    assert!(std::panic::catch_unwind(|| trust_with(Who::Service.public(), Who::Service.public())).is_err());
}

#[test]
fn known_heads() {
    let history = held();
    let lines = history.lines();
    let leaves: Vec<_> = lines.iter().map(|line| leaf_of(line)).collect();
    let tree = |size: usize| KnownHead::Tree { host: host(), size: size as u64, root: root_of(&leaves[..size]) };
    let leaf = |seq: usize| KnownHead::Leaf { host: host(), seq: seq as u64, leaf: leaves[seq] };
    let check = |known_heads: Vec<KnownHead>, lines: &[String]| {
        let dir = tempfile::tempdir().unwrap();
        write_state(dir.path(), &join(lines), &history.recordings);
        let options = Options { known_heads, ..Options::default() };
        verify_with(dir.path(), Some(&trust()), &options, &mut |_| {})
    };
    let all: Vec<_> = (1..=lines.len()).map(&tree).chain((0..lines.len()).map(&leaf)).collect();
    let report = check(all, &lines);
    assert_eq!(report.exit_code, 0, "{}", report.text());
    assert!(report.text().contains("heads that you know are in it"), "{}", report.text());
    for cut in 1..lines.len() {
        for head in [tree(lines.len()), leaf(lines.len() - 1)] {
            expect(&check(vec![head], &lines[..cut]), 41, "head.missing");
        }
    }
    let beyond = KnownHead::Leaf { host: host(), seq: 9999, leaf: Digest([1; 32]) };
    expect(&check(vec![beyond], &lines), 41, "head.missing");
    for at in [0, 20, lines.len() - 1] {
        let other = KnownHead::Leaf { host: host(), seq: at as u64, leaf: Digest([1; 32]) };
        expect(&check(vec![other], &lines), 30, "head.fork");
        let other = KnownHead::Tree { host: host(), size: at as u64 + 1, root: Digest([1; 32]) };
        expect(&check(vec![other], &lines), 30, "head.fork");
    }
    let other = HostId::from_random([1; 16]);
    expect(&check(vec![KnownHead::Leaf { host: other, seq: 0, leaf: leaves[0] }], &lines), 20, "head.other_host");
    // A head does not make good what is missing before it.
    let mut holed = lines.clone();
    holed.remove(10);
    assert_eq!(check(vec![tree(30)], &holed).exit_code, 41);
}

#[test]
fn known_head_files() {
    let good = format!("{{\"fmt\":\"cs-head1\",\"host\":\"{}\",\"leaf\":\"{}\",\"seq\":7}}\n", host(), Digest([1; 32]));
    assert_eq!(
        KnownHead::parse(good.as_bytes()).unwrap(),
        KnownHead::Leaf { host: host(), seq: 7, leaf: Digest([1; 32]) }
    );
    let text = format!("countersign/host/{}\n3\n{}\n", host(), "AQ".repeat(21) + "A=");
    let tree = KnownHead::parse(text.as_bytes());
    assert!(matches!(tree, Err(_) | Ok(KnownHead::Tree { size: 3, .. })));
    for bad in [
        "",
        "{}",
        "x",
        &good.replace("cs-head1", "cs-head2"),
        &good.replace("\"seq\":7", "\"seq\":07"),
        &format!("{good}{good}"),
        "countersign/service/x\n1\nAA==\n",
    ] {
        assert!(KnownHead::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}
