//! What a service gives back for a checkpoint, changed in every member.

use countersign_core::{Digest, HostId, ServiceId};
use countersign_ledger::tlog::{
    BadStamp, Checkpoint, KeyKind, Note, NoteKey, NoteText, Origin, ServiceStamp, consistency_proof, inclusion_proof,
    root_of,
};
use countersign_ledger::{InProcessSigner, Signer, Value, key_id};

fn signer(seed: u8) -> InProcessSigner {
    InProcessSigner::from_seed([seed; 32]).unwrap()
}

fn host() -> HostId {
    HostId::from_random([7; 16])
}

fn signed(signer: &mut dyn Signer, checkpoint: &Checkpoint, time: Option<u64>) -> [u8; 64] {
    let text = match time {
        Some(time) => NoteText::cosignature(checkpoint, time),
        None => NoteText::checkpoint(checkpoint),
    };
    signer.sign_note(&text.unwrap()).unwrap()
}

/// A service whose log has `held` checkpoints before this one.
fn stamp(size: u64, held: u64, shown: u64) -> ServiceStamp {
    let (mut host_key, mut service_key) = (signer(1), signer(2));
    let service = ServiceId::from_random([8; 16]);
    let checkpoint = Checkpoint { origin: Origin::Host(host()).to_string(), size, root: Digest([5; 32]) };
    let mut leaves: Vec<_> = (0..held).map(|n| Digest([u8::try_from(n).unwrap(); 32])).collect();
    leaves.push(ServiceStamp::log_leaf(&checkpoint));
    let log = Checkpoint { origin: Origin::Service(service).to_string(), size: held + 1, root: root_of(&leaves) };
    ServiceStamp {
        size,
        root: checkpoint.root,
        note_key: key_id(&host_key.public_key()),
        note_sig: signed(&mut host_key, &checkpoint, None),
        service,
        time: 1_700_000_000,
        cosig: signed(&mut service_key, &checkpoint, Some(1_700_000_000)),
        log_size: log.size,
        log_root: log.root,
        log_sig: signed(&mut service_key, &log, None),
        log_index: held,
        log_proof: inclusion_proof(&leaves, held).unwrap(),
        log_consistency: consistency_proof(&leaves, shown).unwrap(),
    }
}

fn check(stamp: &ServiceStamp, before: Option<(u64, Digest)>) -> Result<(), BadStamp> {
    stamp.check_note(host(), &signer(1).public_key())?;
    stamp.check_service(host(), &signer(2).public_key(), before)
}

fn log_of(count: u64) -> Digest {
    root_of(&(0..count).map(|n| Digest([u8::try_from(n).unwrap(); 32])).collect::<Vec<_>>())
}

#[test]
fn a_good_one_is_read_back_and_holds() {
    for (held, shown) in [(0, 0), (1, 1), (5, 3), (8, 8)] {
        let stamp = stamp(42, held, shown);
        assert_eq!(ServiceStamp::from_value(&stamp.to_value()), Ok(stamp.clone()));
        assert_eq!(check(&stamp, Some((shown, log_of(shown)))), Ok(()), "{held} {shown}");
        let note = stamp.note(host(), signer(1).public_key(), signer(2).public_key());
        let note = Note::parse(note.encode().as_bytes()).unwrap();
        let name = Origin::Service(stamp.service).to_string();
        let by = NoteKey { name, kind: KeyKind::Cosignature, public: signer(2).public_key() };
        assert_eq!(by.verify(&note), Ok(Some(1_700_000_000)));
    }
}

#[test]
fn another_history_of_the_service_is_a_fork() {
    let stamp = stamp(42, 5, 3);
    assert_eq!(check(&stamp, Some((3, Digest([9; 32])))), Err(BadStamp::Fork));
    assert_eq!(check(&stamp, Some((2, log_of(2)))), Err(BadStamp::Fork));
    assert_eq!(check(&stamp, Some((9, log_of(9)))), Err(BadStamp::Fork));
    assert_eq!(check(&stamp, None), Err(BadStamp::Fork));
}

#[test]
fn no_member_can_be_changed() {
    let good = stamp(42, 5, 3);
    let before = Some((3, log_of(3)));
    let mut tried = 0;
    let spoil: [&dyn Fn(&mut ServiceStamp); 14] = [
        &|s| s.size += 1,
        &|s| s.root.0[0] ^= 1,
        &|s| s.note_key = key_id(&signer(2).public_key()),
        &|s| s.note_sig[0] ^= 1,
        &|s| s.time += 1,
        &|s| s.cosig[63] ^= 1,
        &|s| s.log_size += 1,
        &|s| s.log_root.0[31] ^= 1,
        &|s| s.log_sig[5] ^= 1,
        &|s| s.log_index -= 1,
        &|s| s.log_proof[0].0[0] ^= 1,
        &|s| s.log_proof.truncate(1),
        &|s| s.log_consistency[0].0[0] ^= 1,
        &|s| s.log_consistency.truncate(1),
    ];
    for spoil in spoil {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(check(&bad, before).is_err(), "{bad:?}");
        tried += 1;
    }
    // The name of the service is bound by its own log's origin.
    let bad = ServiceStamp { service: ServiceId::from_random([9; 16]), ..good.clone() };
    assert!(check(&bad, before).is_err());
    let Value::Object(members) = good.to_value() else { panic!("an object") };
    for name in members.keys() {
        let mut less = members.clone();
        less.remove(name);
        assert!(ServiceStamp::from_value(&Value::Object(less)).is_err(), "{name}");
        let mut wrong = members.clone();
        wrong.insert(name.clone(), Value::Bool(true));
        assert!(ServiceStamp::from_value(&Value::Object(wrong)).is_err(), "{name}");
    }
    assert_eq!(tried, 14);
}
