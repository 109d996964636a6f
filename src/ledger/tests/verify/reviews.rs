//! Hosts under a document of their administrators: what a lying service or
//! host makes of it, and what the auditor's own keys catch.

use crate::build::{History, Plan, Who as Signer, expect, trust};
use crate::people::{ADMIN, ANN, BOB, EVE, OTHER_ADMIN, Review, document, key, name};
use countersign_core::{Choice, HostId, Nonce};
use countersign_ledger::verify::Report;
use countersign_ledger::{RevokedKey, TrustFile};

/// Version 1: ann and bob, both must sign. Version 2: bob alone; ann is gone.
pub fn first() -> String {
    document(1, 2, &[ANN, BOB])
}

pub fn second() -> String {
    document(2, 1, &[BOB])
}

/// Two documents, an approval under each, a refusal, and checkpoints.
pub fn reviewed() -> History {
    let mut history = History::with_signer("own_uid");
    history.authority("document1", 1, &first(), &[ADMIN]);
    history.open(1);
    history.reviewed(1, 1, &[ANN, BOB], &first(), 2);
    history.submit(1, 2, b"rm -rf /srv");
    history.under(2, &first(), 2);
    history.decide(1, 2, "denied", Some("ann"));
    // After a crash the host writes the same document once more.
    history.authority("document1b", 1, &first(), &[ADMIN]);
    history.authority("document2", 2, &second(), &[OTHER_ADMIN, ADMIN]);
    history.reviewed(1, 3, &[BOB], &second(), 1);
    history.close(1, "exit");
    history.stop();
    history.checkpoint();
    history
}

/// A trust file with these administrators.
pub fn with_admins(admins: &[u8], needed: usize) -> TrustFile {
    let admins = Some(admins.iter().map(|&admin| format!("{} comment", key(admin))).collect());
    TrustFile { admins, admins_needed: Some(needed), ..trust() }
}

pub fn auditors() -> TrustFile {
    with_admins(&[ADMIN, OTHER_ADMIN], 1)
}

fn verify(history: &History, trust: &TrustFile) -> Report {
    crate::build::verify_lines(&history.lines(), &history.recordings, Some(trust))
}

type Lie = fn(&mut History);

fn of(history: &mut History, c: u8, index: usize) -> &mut Review {
    &mut history.plan(&format!("decide{c}")).reviews[index]
}

/// Makes a document anew, for `document1` and its repetition.
fn swap(history: &mut History, text: &str, admins: &[u8]) {
    for label in ["document1", "document1b"] {
        let mut other = History::new();
        other.authority(label, 1, text, admins);
        let made = other.plan(label).clone();
        let plan = history.plan(label);
        (plan.body, plan.vals) = (made.body, made.vals);
    }
}

fn remove(history: &mut History, label: &str) {
    let at = history.at(label);
    history.plans.remove(at);
}

/// What, how, exit code, check: with the administrators' keys in the trust file.
pub const LIES: &[(&str, Lie, u8, &str)] = &[
    ("review removed", |h| drop(h.plan("decide1").reviews.pop()), 50, "review.missing"),
    ("all reviews removed", |h| h.plan("decide3").reviews.clear(), 50, "review.missing"),
    ("review altered", |h| of(h, 1, 1).break_sig = true, 50, "review.invalid"),
    ("review of another entry", |h| of(h, 1, 1).about = "submit2".into(), 50, "review.entry"),
    ("review with another nonce", |h| of(h, 1, 1).nonce = Nonce([9; 16]), 50, "review.entry"),
    ("review for another host", |h| of(h, 1, 1).host = HostId::from_random([1; 16]), 50, "review.entry"),
    ("review that says no", |h| of(h, 3, 0).choice = Choice::Deny, 50, "review.entry"),
    ("review that counts too long", |h| of(h, 3, 0).exp_ms += 1, 50, "review.entry"),
    ("review that was too late", |h| of(h, 3, 0).exp_ms = 0, 50, "decision.late"),
    ("review in another's name", |h| of(h, 1, 1).by = "ann".into(), 50, "review.invalid"),
    ("review of nobody's key", |h| of(h, 1, 1).who = EVE, 50, "review.invalid"),
    ("the same person twice", |h| *of(h, 1, 1) = of(h, 1, 0).clone(), 50, "review.missing"),
    ("under another document", |h| of(h, 3, 0).policy = h_digest(&first()), 50, "review.invalid"),
    (
        "a reviewer who was removed",
        |h| {
            *of(h, 3, 0) = Review { who: ANN, by: name(ANN).into(), ..of(h, 3, 0).clone() };
            h.ruling("decide3").by = "ann".into();
            h.plan("decide3").body.insert("by".into(), "ann".into());
        },
        50,
        "review.invalid",
    ),
    (
        "decided by one who has not signed",
        |h| {
            h.ruling("decide3").by = "ann".into();
            h.plan("decide3").body.insert("by".into(), "ann".into());
        },
        50,
        "review.missing",
    ),
    ("a rule of the service", |h| by_rule(h, "whitelist_rule:3"), 50, "review.rule"),
    ("a grant of the service", |h| by_rule(h, "grant:3"), 50, "review.rule"),
    ("a threshold of the service", |h| by_rule(h, "threshold:low"), 50, "review.rule"),
    ("submitted under no document", |h| drop(h.plan("submit3").body.remove("authority")), 50, "authority.not_in_force"),
    ("submitted under the one before", |h| h.under(3, &first(), 1), 50, "authority.not_in_force"),
    ("submitted for fewer people", |h| h.under(1, &first(), 1), 50, "authority.not_in_force"),
    ("the second document left out", |h| remove(h, "document2"), 50, "authority.not_in_force"),
    (
        "all documents left out",
        |h| {
            for label in ["document1", "document1b", "document2"] {
                remove(h, label);
            }
        },
        50,
        "authority.not_in_force",
    ),
    (
        "as if there had never been one",
        |h| {
            for label in ["document1", "document1b", "document2"] {
                remove(h, label);
            }
            for label in ["submit1", "submit2", "submit3"] {
                h.plan(label).body.retain(|name, _| name != "authority" && name != "people");
            }
            h.plan("decide1").reviews.clear();
            h.plan("decide3").reviews.clear();
        },
        50,
        "authority.missing",
    ),
    ("document unsigned", |h| swap(h, &first(), &[]), 40, "authority.signature"),
    ("document signed by a stranger", |h| swap(h, &first(), &[EVE]), 40, "authority.signature"),
    ("document swapped", |h| swap(h, &document(1, 1, &[EVE]), &[EVE]), 40, "authority.signature"),
    ("document malformed", |h| swap(h, "fmt = \"cs-authority1\"\n", &[ADMIN]), 40, "authority.document"),
    (
        "another version named",
        |h| drop(h.plan("document2").body.insert("version".into(), 3u64.into())),
        40,
        "authority.document",
    ),
    (
        "another digest named",
        |h| drop(h.plan("document2").body.insert("digest".into(), h_digest("x").into())),
        40,
        "authority.document",
    ),
    (
        "an older document comes back",
        |h| {
            let old = h.plan("document1").clone();
            h.add("again", "policy_changed", None, []);
            let plan = h.plan("again");
            (plan.body, plan.vals) = (old.body, old.vals);
        },
        40,
        "authority.version",
    ),
    (
        "another document of the same version",
        |h| h.authority("again", 2, &document(2, 1, &[EVE]), &[ADMIN]),
        40,
        "authority.version",
    ),
    ("openings cut", |h| h.plan("document2").vals = Default::default(), 41, "commit.missing"),
];

fn h_digest(text: &str) -> countersign_core::Digest {
    countersign_ledger::sha256(text.as_bytes())
}

fn by_rule(history: &mut History, rule: &str) {
    let plan = history.plan("decide3");
    plan.body.insert("outcome".into(), "whitelisted".into());
    plan.body.insert("by".into(), rule.into());
    history.ruling("decide3").by = rule.into();
}

#[test]
fn an_honest_history_is_taken() {
    let history = reviewed();
    for trust in [auditors(), with_admins(&[ADMIN], 1), trust()] {
        let report = verify(&history, &trust);
        assert_eq!(report.exit_code, 0, "{}", report.text());
    }
    // What was not checked is said, and is no finding: the service vouches as it does without a document.
    assert!(verify(&history, &trust()).text().contains("names no administrators"));
    assert!(!verify(&history, &auditors()).text().contains("names no administrators"));
    expect(&verify(&history, &with_admins(&[ADMIN, OTHER_ADMIN], 2)), 40, "authority.signature");
    expect(&verify(&history, &with_admins(&[OTHER_ADMIN], 1)), 40, "authority.signature");
}

#[test]
fn every_lie_is_found() {
    for (what, lie, exit, check) in LIES {
        let mut history = reviewed();
        lie(&mut history);
        println!("{what}");
        expect(&verify(&history, &auditors()), *exit, check);
    }
    println!("{} lies", LIES.len());
}

/// Without administrators in the trust file a document counts that nobody has signed; everything else is found.
#[test]
fn consistency_is_checked_without_administrators() {
    let mut missed = Vec::new();
    for (what, lie, exit, check) in LIES {
        let mut history = reviewed();
        lie(&mut history);
        let report = verify(&history, &trust());
        if report.exit_code == 0 {
            missed.push(*what);
        } else if *check != "authority.signature" {
            expect(&report, *exit, check);
        }
    }
    let expected = ["as if there had never been one", "document unsigned", "document signed by a stranger"];
    assert_eq!(missed, expected);
}

#[test]
fn a_host_without_a_document_is_not_taken_by_who_demands_one() {
    let report = verify(&crate::build::held(), &auditors());
    expect(&report, 50, "authority.missing");
    assert_eq!(report.totals["authority.missing"], 5, "as many as ran");
    // One that let nothing run yet owes none.
    let mut history = History::with_signer("own_uid");
    history.stop();
    history.checkpoint();
    assert_eq!(verify(&history, &auditors()).exit_code, 0);
}

#[test]
fn a_revoked_key_counts_no_more_from_then_on() {
    let mut history = reviewed();
    let decided = history.plan("decide3").at_us;
    let trust_at = |who: u8, at_us: i64| {
        let at = countersign_core::format_utc_micros(at_us).unwrap();
        let revoked = vec![RevokedKey { key: key(who).fingerprint(), at }];
        TrustFile { revoked, ..auditors() }
    };
    expect(&verify(&history, &trust_at(BOB, decided)), 50, "review.revoked");
    assert_eq!(verify(&history, &trust_at(BOB, decided)).totals["review.revoked"], 1);
    assert_eq!(verify(&history, &trust_at(BOB, decided - 60_000_000_000)).totals["review.revoked"], 2);
    assert_eq!(verify(&history, &trust_at(BOB, decided + 1)).exit_code, 0, "approved before");
    assert_eq!(verify(&history, &trust_at(ANN, decided)).exit_code, 0, "ann's approval was before");
    // Without administrators in the trust file it holds as well.
    let only = TrustFile { admins: None, admins_needed: None, ..trust_at(BOB, decided) };
    expect(&verify(&history, &only), 50, "review.revoked");
}

#[test]
fn a_clock_set_back_makes_no_revoked_key_count_again() {
    const DAY: i64 = 86_400_000_000;
    let mut history = reviewed();
    let from = history.plan("decide1").at_us + 5_000_000;
    history.later("submit3", 10_000_000);
    let at = history.at("submit3");
    let (at_us, mono) = (history.plans[at].at_us, history.plans[at].mono);
    history.checkpoint();
    let back = [("by_ms", 86_400_000u64.into()), ("forward", false.into())];
    history.add("back", "clock_step", None, back);
    for plan in history.plans.split_off(history.plans.len() - 2).into_iter().rev() {
        history.plans.insert(at, Plan { at_us, mono, ..plan });
    }
    history.plans[at + 1..].iter_mut().for_each(|plan| plan.at_us -= DAY);
    let at_of_stamp = at;
    assert_eq!(verify(&history, &auditors()).exit_code, 0, "{}", verify(&history, &auditors()).text());
    let at = countersign_core::format_utc_micros(from).unwrap();
    let revoked = vec![RevokedKey { key: key(BOB).fingerprint(), at }];
    let revoked = TrustFile { revoked, ..auditors() };
    let report = verify(&history, &revoked);
    expect(&report, 50, "review.revoked");
    assert_eq!(report.totals["review.revoked"], 1, "{}", report.text());
    // An older cosignature over as many entries, kept back until now, makes it no earlier.
    let size = u64::try_from(at_of_stamp).unwrap();
    history.checkpoint();
    let mut old = history.plans.pop().unwrap();
    let before = &history.plans[at_of_stamp + 1];
    (old.at_us, old.mono) = (before.at_us, before.mono);
    old.stamp.as_mut().unwrap().size = Some(size);
    history.plans.insert(at_of_stamp + 2, old);
    assert_eq!(verify(&history, &auditors()).exit_code, 0, "{}", verify(&history, &auditors()).text());
    expect(&verify(&history, &revoked), 50, "review.revoked");
}

#[test]
fn the_services_own_statement_is_still_needed() {
    let mut history = reviewed();
    history.ruling("decide3").signer = Signer::Stranger;
    expect(&verify(&history, &auditors()), 50, "decision.key_unknown");
}

#[test]
fn trust_files_with_administrators() {
    let json = auditors().to_json().unwrap();
    assert_eq!(TrustFile::parse(json.as_bytes()).unwrap(), auditors());
    assert!(!trust().to_json().unwrap().contains("admins"));
    let bad = |trust: TrustFile, what: &str| {
        let error = TrustFile::parse(trust.to_json().unwrap().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    bad(with_admins(&[], 1), "1 administrators must sign, and there are 0");
    bad(with_admins(&[ADMIN], 2), "2 administrators must sign");
    bad(with_admins(&[ADMIN], 0), "0 administrators must sign");
    bad(with_admins(&[ADMIN, ADMIN], 1), "stands twice");
    bad(TrustFile { admins: Some(vec!["# none".into()]), ..trust() }, "line of a .pub file");
    bad(TrustFile { admins_needed: Some(1), ..trust() }, "admins_needed without admins");
    // A demand that is written down and empty is a mistake, not none.
    for member in ["admins", "admins_needed"] {
        let json = trust().to_json().unwrap().replacen('{', &format!("{{\"{member}\":null,"), 1);
        assert!(TrustFile::parse(json.as_bytes()).is_err(), "{json}");
    }
    let revoked = |key: &str, at: &str| {
        let one = RevokedKey { key: key.into(), at: at.into() };
        TrustFile { revoked: vec![one], ..trust() }
    };
    let print = key(ANN).fingerprint();
    bad(revoked("ann", "2026-11-20T12:34:56Z"), "no fingerprint");
    bad(revoked(&print, "2026-11-20"), "no time");
    bad(revoked(&print, "2026-11-20T12:34:56+01:00"), "no time");
    let good = revoked(&print, "2026-11-20T12:34:56Z");
    TrustFile::parse(good.to_json().unwrap().as_bytes()).unwrap();
    bad(TrustFile { revoked: [good.revoked.clone(), good.revoked].concat(), ..trust() }, "stands twice");
}
