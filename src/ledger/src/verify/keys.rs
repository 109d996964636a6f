//! Which keys count: those of the trust file. Without one, the journal's own,
//! which proves consistency only. Nothing in the journal adds a trusted key.

use super::checks::Check;
use super::report::Findings;
use super::signatures::{Job, Queue};
use crate::sshsig::verify_bytes;
use crate::{Kind, Line, Namespace, TrustFile, Value, key_id};
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

/// The keys of one history.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    trust: Option<&'a TrustFile>,
    begun: bool,
    host: Option<Key>,
    services: Vec<Key>,
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
        Self { trust, begun: false, host: None, services, of_service: false, same_uid: false }
    }

    /// Service keys whose decisions count.
    pub fn services(&self) -> &[Key] {
        &self.services
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
        self.host = trusted.or_else(own).map(Key::new);
    }

    /// Whether the entry is signed by the host's key; `true` where no key is
    /// known, which is a finding of its own.
    ///
    /// With a `queue` the signature itself is checked later, and `true` means
    /// no more than that the key is right.
    pub fn signed(&self, line: &Line<'_>, queue: Option<&mut Queue>, findings: &mut Findings) -> bool {
        let Some(key) = &self.host else { return true };
        if line.key != key.id {
            let text = format!("names the key {}; the host's is {}", line.key, key.id);
            findings.add(Check::SigKeyUnknown, Some(line.seq), None, text);
            return false;
        }
        let (digest, text) = (line.signed_digest(), "the signature is not valid");
        let (seq, public, sig) = (line.seq, key.public, line.sig_bytes);
        if let Some(queue) = queue {
            queue.push(Job { seq, namespace: Namespace::Entry, public, digest, sig, check: Check::SigEntry, text });
            return true;
        }
        let valid = verify_bytes(Namespace::Entry, &public, &digest, &sig).is_ok();
        if !valid {
            findings.add(Check::SigEntry, Some(seq), None, text);
        }
        valid
    }

    /// The host key with this id, for checkpoints.
    pub fn host_key(&self, id: &str) -> Option<&Key> {
        self.host.as_ref().filter(|key| key.id == id)
    }

    /// Compares `host_enrolled` with the trust file and pins its service.
    pub fn enrolled(&mut self, host: HostId, seq: u64, body: &Value, findings: &mut Findings) {
        let key: Option<Digest> = body.member("key");
        let service: Option<ServiceId> = body.member("service");
        self.of_service |= service.is_some_and(|service| service.to_string() == host.to_string());
        let service_key: Option<Digest> = body.member("service_key");
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
