//! `checkpoint` entries as a service and a host make them together.

use crate::build::{Who, service};
use countersign_core::{Digest, HostId, ServiceId};
use countersign_ledger::tlog::{
    Checkpoint, NoteText, Origin, ServiceStamp, consistency_proof, inclusion_proof, root_of,
};
use countersign_ledger::{Signer as _, key_id};

/// A `checkpoint` entry to be, and what may be wrong with it.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// How many entries it is about; `None` for all before it.
    pub size: Option<u64>,
    /// Another root than the right one.
    pub root: Option<Digest>,
    pub note_by: Who,
    pub by: Who,
    /// The service keeps another log for this one.
    pub other_log: bool,
    /// In whose name it is given.
    pub service: ServiceId,
    /// A member that is changed after signing.
    pub spoil: Option<fn(&mut ServiceStamp)>,
}

impl Default for Stamp {
    fn default() -> Self {
        let (note_by, by, service) = (Who::Host, Who::Service, service());
        Self { size: None, root: None, note_by, by, other_log: false, service, spoil: None }
    }
}

/// Makes the next one; `log` is the service's, `shown` how much of it the host has seen.
pub fn cosigned(
    plan: &Stamp,
    (host, at_us): (HostId, i64),
    leaves: &[Digest],
    log: &mut Vec<Digest>,
    shown: &mut u64,
) -> ServiceStamp {
    let (mut host_key, mut service_key) = (plan.note_by.signer(), plan.by.signer());
    let size = plan.size.unwrap_or(u64::try_from(leaves.len()).unwrap());
    let covered = &leaves[..usize::try_from(size).unwrap().min(leaves.len())];
    let origin = Origin::Host(host).to_string();
    let checkpoint = Checkpoint { origin, size, root: plan.root.unwrap_or(root_of(covered)) };
    if plan.other_log {
        log[0] = Digest([4; 32]);
    }
    log.push(ServiceStamp::log_leaf(&checkpoint));
    let log_size = u64::try_from(log.len()).unwrap();
    let of_log = Checkpoint { origin: Origin::Service(plan.service).to_string(), size: log_size, root: root_of(log) };
    let time = u64::try_from(at_us / 1_000_000).unwrap();
    let mut note = |text: Option<NoteText>| service_key.sign_note(&text.unwrap()).unwrap();
    let mut stamp = ServiceStamp {
        size,
        root: checkpoint.root,
        note_key: key_id(&host_key.public_key()),
        note_sig: host_key.sign_note(&NoteText::checkpoint(&checkpoint).unwrap()).unwrap(),
        service: plan.service,
        time,
        cosig: note(NoteText::cosignature(&checkpoint, time)),
        log_size,
        log_root: of_log.root,
        log_sig: note(NoteText::checkpoint(&of_log)),
        log_index: log_size - 1,
        log_proof: inclusion_proof(log, log_size - 1).unwrap(),
        log_consistency: consistency_proof(log, *shown).unwrap(),
    };
    *shown = log_size;
    if let Some(spoil) = plan.spoil {
        spoil(&mut stamp);
    }
    stamp
}
