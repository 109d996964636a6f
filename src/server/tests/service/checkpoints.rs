//! The service cosigns what it holds, and nothing else.

use crate::host::Host;
use crate::running::Service;
use countersign_api::service::{CheckpointReply, CheckpointRequest, Conflict, ErrorBody};
use countersign_core::{Digest, HostId, b64_decode};
use countersign_ledger::tlog::{
    Checkpoint, KeyKind, Note, NoteKey, NoteText, Origin, ServiceStamp, root_of, verify_consistency,
};
use countersign_ledger::{Entry, InProcessSigner, Kind, Openings, Signer, body, key_id};
use reqwest::StatusCode;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::time::Duration;

fn leaves(host: &Host) -> Vec<Digest> {
    host.lines.iter().map(|line| Entry::parse(line.as_bytes()).unwrap().leaf).collect()
}

pub fn head(host: &Host) -> Checkpoint {
    Checkpoint { origin: Origin::Host(host.id).to_string(), size: host.seq, root: root_of(&leaves(host)) }
}

pub fn note(checkpoint: &Checkpoint, signer: &mut InProcessSigner) -> String {
    let key = NoteKey { name: checkpoint.origin.clone(), kind: KeyKind::Ed25519, public: signer.public_key() };
    let sig = signer.sign_note(&NoteText::checkpoint(checkpoint).unwrap()).unwrap();
    Note { text: checkpoint.text(), signatures: vec![key.signature(sig.to_vec())] }.encode()
}

pub async fn ask(service: &Service, host: &Host, note: String, log_size: u64) -> (StatusCode, CheckpointReply) {
    let request = CheckpointRequest { note, log_size };
    let (status, reply) = service.post::<CheckpointReply>("/api/checkpoints", &host.token, &request).await;
    (status, reply.unwrap())
}

pub async fn refused(service: &Service, host: &Host, note: String, log_size: u64) -> (StatusCode, String) {
    let request = CheckpointRequest { note, log_size };
    let (status, reply) = service.post::<ErrorBody>("/api/checkpoints", &host.token, &request).await;
    (status, reply.unwrap().error)
}

pub fn stamp(host: &Host, checkpoint: &Checkpoint, reply: &CheckpointReply) -> ServiceStamp {
    let sig = |text: &str| b64_decode(text).unwrap().try_into().unwrap();
    ServiceStamp {
        size: checkpoint.size,
        root: checkpoint.root,
        note_key: key_id(&host.signer.public_key()),
        note_sig: [0; 64],
        service: reply.service,
        time: reply.time,
        cosig: sig(&reply.cosig),
        log_size: reply.log_size,
        log_root: reply.log_root,
        log_sig: sig(&reply.log_sig),
        log_index: reply.log_index,
        log_proof: reply.log_proof.clone(),
        log_consistency: reply.log_consistency.clone(),
    }
}

#[tokio::test]
async fn checkpoints_of_two_hosts_in_one_log() {
    let mut service = Service::start();
    let mut hosts = [Host::enrolled(&service, "web-1").await, Host::enrolled(&service, "web-2").await];
    let mut shown = [None, None];
    for round in 0..5u64 {
        for (host, shown) in hosts.iter_mut().zip(&mut shown) {
            for _ in 0..round {
                host.write(Kind::HostStopped, None, body([("why", "signal".into())]), Openings::new());
            }
            host.ship(&service).await;
            let checkpoint = head(host);
            let note = note(&checkpoint, &mut host.signer);
            let (status, reply) = ask(&service, host, note.clone(), shown.map_or(0, |(size, _)| size)).await;
            assert_eq!(status, StatusCode::OK);
            stamp(host, &checkpoint, &reply).check_service(host.id, &host.service_key, *shown).unwrap();
            // Asked again, it is the same leaf of the log.
            let (_, again) = ask(&service, host, note, reply.log_size).await;
            assert_eq!((again.log_index, again.log_size), (reply.log_index, reply.log_size));
            *shown = Some((reply.log_size, reply.log_root));
        }
        if round == 2 {
            service.kill_and_restart();
        }
    }
    let [Some(first), Some(second)] = shown else { panic!("both were shown a log") };
    assert_eq!((first.0, second.0), (9, 10));
    assert!(verify_consistency(first.0, &first.1, second.0, &second.1, &[]).is_err());
}

#[tokio::test]
async fn what_is_not_held_is_not_cosigned() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let good = head(&host);
    let mut own = InProcessSigner::from_seed([1; 32]).unwrap();
    assert_eq!(refused(&service, &host, note(&good, &mut own), 0).await.0, StatusCode::BAD_REQUEST, "another key");
    let signer = &mut host.signer;
    let other = Checkpoint { origin: Origin::Host(HostId::from_random([1; 16])).to_string(), ..good.clone() };
    let request = CheckpointRequest { note: note(&other, signer), log_size: 0 };
    let (status, _) = service.post::<ErrorBody>("/api/checkpoints", &host.token, &request).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "another log");

    for (size, root, fork) in [
        (good.size + 1, good.root, false),
        (0, good.root, false),
        (good.size, Digest([1; 32]), true),
        (good.size - 1, good.root, true),
    ] {
        let checkpoint = Checkpoint { size, root, ..good.clone() };
        let request = CheckpointRequest { note: note(&checkpoint, signer), log_size: 0 };
        let (status, reply) = service.post::<Conflict>("/api/checkpoints", &host.token, &request).await;
        let reply = reply.unwrap();
        assert_eq!((status, reply.fork, reply.next_seq), (StatusCode::CONFLICT, fork, 2), "{}", reply.error);
    }
    let good_note = note(&good, signer);
    let good_note = good_note.as_str();
    for bad in ["", "x", &good_note.replace("\n2\n", "\n02\n"), &good_note[..good_note.len() - 4]] {
        assert_eq!(refused(&service, &host, bad.to_owned(), 0).await.0, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    // Nothing of that was kept: the good one is the first in the log.
    assert_eq!(ask(&service, &host, good_note.to_owned(), 0).await.1.log_index, 0);
    // A service that lost what it has shown says so.
    let note = note(&head(&host), &mut host.signer);
    let (status, why) = refused(&service, &host, note, 5).await;
    assert!(status == StatusCode::CONFLICT && why.contains("set back"), "{why}");
}

#[tokio::test]
async fn a_command_that_ran_on_no_decision_of_ours_is_not_cosigned() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", None);
    let held = host.hold(login, "uptime", 60_000);
    host.ship(&service).await;
    let before = note(&head(&host), &mut host.signer);
    assert_eq!(ask(&service, &host, before, 0).await.0, StatusCode::OK);
    let decided = host.decide(held, "approved", Some("ops-lead"), None);
    host.run(held, decided, 0);
    host.ship(&service).await;
    let note = note(&head(&host), &mut host.signer);
    let (status, why) = refused(&service, &host, note, 0).await;
    assert!(status == StatusCode::CONFLICT && why.contains("without a decision of this service"), "{why}");
}

/// What is looked at for a checkpoint is append-only: nobody who writes has to wait for it, and it for nobody.
#[tokio::test]
async fn a_checkpoint_is_looked_at_beside_whoever_writes() {
    let service = Service::start();
    let mut host = Host::enrolled(&service, "web-1").await;
    let good = head(&host);
    let wrong = note(&Checkpoint { root: Digest([1; 32]), ..good.clone() }, &mut host.signer);
    let db = SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let writing = SqlitePool::connect_with(db).await.unwrap().begin_with("BEGIN IMMEDIATE").await.unwrap();
    let asked = refused(&service, &host, wrong, 0);
    let (status, why) = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("it waits for nobody");
    assert!(status == StatusCode::CONFLICT && why.contains("not its ledger"), "{why}");
    writing.rollback().await.unwrap();
    let good = note(&good, &mut host.signer);
    assert_eq!(ask(&service, &host, good, 0).await.0, StatusCode::OK);
}
