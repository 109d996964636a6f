//! Which keys count: those of the trust file. Without one, the journal's own,
//! which proves consistency only. Nothing in the journal adds a trusted key.

use super::checks::Check;
use super::report::Findings;
use super::signatures::{Job, Queue, Sig};
use crate::view::{Node, View};
use crate::{EPOCH_ENTRIES, EPOCH_US, Epoch, KeyFault, KeyRing, Kind, Line, Namespace, TrustFile, key_id};
use countersign_core::{Digest, HostId, Name, ServiceId};

/// A key and its id.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub id: String,
    pub public: Digest,
}

impl Key {
    fn new(public: Digest) -> Self {
        Self { id: key_id(&public), public }
    }
}

/// The epoch that signs.
#[derive(Debug)]
struct Span {
    first: u64,
    mono: u64,
    boot: String,
    flagged: bool,
}

/// The keys of one history.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    trust: Option<&'a TrustFile>,
    begun: bool,
    ring: Option<KeyRing>,
    /// The epoch that the line at hand begins.
    begins: Option<Epoch>,
    span: Option<Span>,
    /// The identity key certified the newest epoch, and `host_started` is due.
    starting: bool,
    /// The id of a key whose certificate is among missing entries.
    unproven: Option<String>,
    /// How many epochs there are.
    pub epochs: u64,
    services: Vec<Key>,
    /// The service that the host is enrolled with.
    service: Option<ServiceId>,
    /// This is a service's own ledger.
    pub of_service: bool,
    /// The signer shares the uid of the daemon, or worse: `signer:same_uid`.
    pub same_uid: bool,
}

impl<'a> Keys<'a> {
    /// Begins with what the auditor brings.
    pub fn new(trust: Option<&'a TrustFile>, findings: &mut Findings) -> Self {
        if trust.is_none() {
            findings.add(Check::TrustNone, None, None, "no trust file was given; only consistency was checked");
        }
        let services = trust.map(|t| t.services.iter().map(|s| Key::new(s.key)).collect()).unwrap_or_default();
        Self {
            trust,
            begun: false,
            ring: None,
            begins: None,
            unproven: None,
            span: None,
            starting: false,
            epochs: 0,
            services,
            service: None,
            of_service: false,
            same_uid: false,
        }
    }

    /// Service keys whose decisions count.
    pub fn services(&self) -> &[Key] {
        &self.services
    }

    /// The service that the host is enrolled with, where `host_enrolled` is there.
    pub fn service(&self) -> Option<ServiceId> {
        self.service
    }

    /// Learns from the first entry which host this is.
    pub fn begin(&mut self, line: &Line<'_>, findings: &mut Findings) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let host = line.host.parse::<HostId>().ok();
        let service: Option<ServiceId> = line.host.parse().ok();
        let of_service = self.trust.and_then(|trust| trust.service_key(&service?).copied());
        let trusted = self.trust.and_then(|trust| trust.host_key(&host?).copied()).or(of_service);
        self.of_service = of_service.is_some();
        if self.trust.is_some() && trusted.is_none() {
            let text = format!("the trust file does not know the host {}", line.host);
            findings.add(Check::TrustHost, Some(line.seq), None, text);
        }
        // Untrusted, but good enough to find out whether the journal agrees with itself.
        let enrolled = line.kind == Kind::HostEnrolled.as_str();
        let own = || line.body().ok().filter(|_| enrolled).and_then(|body| body.member("key"));
        self.ring = trusted.or_else(own).map(KeyRing::new);
    }

    /// Whether the entry is signed by the key that signs there; `true` where
    /// no key is known, which is a finding of its own.
    ///
    /// Where entries are `missing` right before the line, its key may be one
    /// whose certificate is among them: a finding of its own, and the key is
    /// taken for that one until the next certificate.
    ///
    /// With a `queue` the signature itself is checked later, and `true` means
    /// no more than that the key is right.
    pub fn signed(
        &mut self,
        line: &Line<'_>,
        missing: bool,
        queue: Option<&mut Queue>,
        findings: &mut Findings,
    ) -> bool {
        self.begins = None;
        let Some(ring) = &self.ring else { return true };
        let later = queue.filter(|_| line.kind != Kind::KeyRotated.as_str());
        let checked = match later {
            Some(queue) => ring.due(line).map(|public| {
                let (signed, text) = (queue.keep(line.signed_parts()), "the signature is not valid");
                let (seq, public, sig, check) = (line.seq, *public, Sig::new(line.sig), Check::SigEntry);
                queue.push(Job { seq, namespace: Namespace::Entry, public, signed, sig, check, text });
                None
            }),
            None => ring.check(line),
        };
        let fault = match checked {
            Ok(begins) => {
                if begins.is_some() {
                    self.unproven = None;
                }
                self.begins = begins;
                return true;
            }
            Err(fault) => fault,
        };
        if let KeyFault::Unknown { named, .. } = &fault {
            let same = self.unproven.as_ref() == Some(named);
            if missing && !same {
                let text = format!("the certificate of the key {named} is missing; what it signs cannot be checked");
                findings.add(Check::KeyMissing, Some(line.seq), None, text);
                self.unproven = Some(named.clone());
                self.span = None;
            }
            if missing || same {
                return true;
            }
        }
        if let Some(by) = &self.unproven
            && let Ok(epoch) = ring.check_uncertified(line, by)
        {
            self.unproven = None;
            self.begins = Some(epoch);
            return true;
        }
        let check = match fault {
            KeyFault::Unknown { .. } => Check::SigKeyUnknown,
            KeyFault::OutOfRange { .. } => Check::SigKeyRange,
            KeyFault::Certificate(_) => Check::KeyCertificate,
            KeyFault::Signature => Check::SigEntry,
        };
        findings.add(check, Some(line.seq), None, fault.to_string());
        false
    }

    /// Follows an entry that stands in its place: begins its epoch, and checks
    /// that the epoch it is in lasts no longer than it may.
    pub fn follow(&mut self, line: &Line<'_>, kind: Option<Kind>, missing: bool, findings: &mut Findings) {
        let seq = Some(line.seq);
        self.starts(line, kind, missing, findings);
        if let Some(epoch) = self.begins.take() {
            if !epoch.by_identity && self.span.as_ref().is_some_and(|span| span.boot != line.boot) {
                let text = "an epoch of another boot certifies a key; the identity key must";
                findings.add(Check::KeyEpoch, seq, None, text);
            }
            if self.services.iter().any(|service| service.public == epoch.key) {
                let text = "the service's key was certified as one of the host's: whoever holds it decides and records";
                findings.add(Check::KeyCertificate, seq, None, text);
            }
            self.span = Some(Span { first: line.seq, mono: line.mono, boot: line.boot.to_owned(), flagged: false });
            self.epochs = self.epochs.saturating_add(1);
            if let Some(ring) = &mut self.ring {
                ring.adopt(epoch);
            }
            return;
        }
        let Some(span) = self.span.as_mut().filter(|span| !span.flagged) else { return };
        let text = if line.boot != span.boot {
            "goes on signing in another boot".to_owned()
        } else if line.seq.saturating_sub(span.first) >= EPOCH_ENTRIES {
            format!("has signed {EPOCH_ENTRIES} entries before this one")
        } else if line.mono.saturating_sub(span.mono) >= EPOCH_US {
            "is older than 24 hours".to_owned()
        } else {
            return;
        };
        span.flagged = true;
        findings.add(Check::KeyEpoch, seq, None, format!("the epoch that begins at seq {} {text}", span.first));
    }

    /// Entries before this one are left out. None is between a certificate of
    /// the identity key and the start that it is for.
    pub fn leave_out(&self, seq: u64, findings: &mut Findings) {
        if self.starting {
            let text = "entries are left out between a certificate of the identity key and the start of the daemon";
            findings.add(Check::KeyStart, Some(seq), None, text);
        }
    }

    /// The identity key certifies where the signer starts, and so does the
    /// daemon: each `host_started` follows such a `key_rotated`, and nothing
    /// else does.
    fn starts(&mut self, line: &Line<'_>, kind: Option<Kind>, missing: bool, findings: &mut Findings) {
        let seq = Some(line.seq);
        let by_identity = self.begins.as_ref().is_some_and(|epoch| epoch.by_identity);
        match kind {
            Some(Kind::ClockStep) => return,
            Some(Kind::HostStarted) => {
                if self.span.is_some() && !self.starting && !missing {
                    let text = "the daemon started, and no key was certified for it by the identity key";
                    findings.add(Check::KeyStart, seq, None, text);
                }
            }
            Some(Kind::KeyRotated) if by_identity => {
                self.starting = true;
                return;
            }
            Some(_) | None => {
                if self.starting && !missing {
                    let text = "the identity key certified a key, and no start of the daemon follows";
                    findings.add(Check::KeyStart, seq, None, text);
                }
            }
        }
        self.starting = false;
    }

    /// Whether the certificate of this key is among missing entries.
    pub fn is_unproven(&self, id: &str) -> bool {
        self.unproven.as_deref() == Some(id)
    }

    /// The host's key of this id, for a checkpoint over so many entries: the
    /// one that signed the last of them.
    pub fn host_key(&self, id: &str, size: u64) -> Option<Key> {
        let last = size.checked_sub(1)?;
        let key = Key::new(*self.ring.as_ref()?.key_at(last));
        (key.id == id).then_some(key)
    }

    /// Compares `host_enrolled` with the trust file and pins its service.
    pub fn enrolled(&mut self, host: HostId, seq: u64, body: &View<'_>, findings: &mut Findings) {
        let key: Option<Digest> = body.member("key");
        let service: Option<ServiceId> = body.member("service");
        self.of_service |= service.is_some_and(|service| service.to_string() == host.to_string());
        let service_key: Option<Digest> = body.member("service_key");
        self.service = service;
        let Some(trust) = self.trust else {
            self.services = service_key.into_iter().map(Key::new).collect();
            return;
        };
        if trust.host_key(&host).is_some_and(|trusted| Some(*trusted) != key) {
            findings.add(Check::TrustHostKey, Some(seq), None, "the enrolled key is not the trusted one of this host");
        }
        let name: Option<Name> = body.member("name");
        if trust.hosts.iter().any(|h| h.host == host && Some(&h.name) != name.as_ref()) {
            findings.warn("trust.name", "the host has another name in the trust file than in host_enrolled");
        }
        let trusted = service.and_then(|service| trust.service_key(&service)).copied();
        match trusted {
            None => findings.add(Check::TrustService, Some(seq), None, "the trust file does not know this service"),
            Some(trusted) if Some(trusted) != service_key => {
                findings.add(Check::TrustServiceKey, Some(seq), None, "the pinned key is not the trusted one");
            }
            Some(_) => {}
        }
        self.services = trusted.into_iter().map(Key::new).collect();
    }
}
