//! What enrolment leaves behind: `host.json` and the identity key.

use crate::error::HostError;
use countersign_api::service::FormerHost;
use countersign_core::{Digest, HostId, Name, ServiceId};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Who this host is and whom it answers to. Holds a bearer token: mode 0600.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) host: HostId,
    pub(crate) name: Name,
    /// The public half of the identity key that was enrolled.
    pub(crate) key: Digest,
    pub(crate) service: ServiceId,
    /// The only key whose decisions count.
    pub(crate) service_key: Digest,
    pub(crate) service_url: String,
    /// SHA-256 of the service's certificate (DER); the only one accepted.
    pub(crate) fingerprint: Option<Digest>,
    pub(crate) host_token: String,
    /// Everything under one uid.
    pub(crate) trial: bool,
    /// Whose place it took, because that host has lost its identity key. The
    /// ledger declares it before anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) former: Option<FormerHost>,
}

impl Identity {
    /// Reads what enrolment wrote.
    pub(crate) fn load(state: &Path) -> Result<Self, HostError> {
        let path = path(state);
        let file =
            OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits()).open(&path).map_err(
                |why| HostError::config("read", &path, format!("{why}; enrol this host first: countersign enroll")),
            )?;
        let found = file.metadata().map_err(|why| HostError::config("read", &path, why))?;
        if !found.is_file() || found.uid() != nix::unistd::getuid().as_raw() || found.mode() & 0o077 != 0 {
            return Err(HostError::config("use", &path, "it must be this daemon's own file with mode 0600"));
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(|why| HostError::config("read", &path, why))?;
        let read: Self = serde_json::from_str(&text).map_err(|why| HostError::config("read", &path, why))?;
        read.checked()
    }

    /// Refuses a service that has this host's own id or key: its ledger would
    /// pass for this host's, and this host could decide for itself.
    pub(crate) fn checked(self) -> Result<Self, HostError> {
        if self.service.to_string() == self.host.to_string() || self.service_key == self.key {
            return Err(HostError::Config(
                "the service names this host's own id or key as its own; it is no service of this host, and nothing runs: enrol with another"
                    .to_owned(),
            ));
        }
        Ok(self)
    }

    /// Writes it, once; durable when this returns.
    pub(crate) fn save_new(&self, state: &Path) -> Result<(), HostError> {
        let path = path(state);
        let fail = |why: std::io::Error| HostError::config("write", &path, why);
        let text = serde_json::to_string_pretty(self).map_err(|why| HostError::config("write", &path, why))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
        File::open(state).and_then(|dir| dir.sync_all()).map_err(fail)
    }

    /// What the ledger calls the arrangement of uids.
    pub(crate) fn signer_word(&self) -> &'static str {
        if self.trial { "same_uid" } else { "own_uid" }
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("host.json")
}

/// Longest `host.json` that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The identity key's file.
pub(crate) fn key_path(state: &Path) -> PathBuf {
    state.join("identity.key")
}

/// Makes the state directory (0700) where it is missing, and refuses one that
/// somebody else owns or can enter.
pub(crate) fn prepare_state(state: &Path) -> Result<(), HostError> {
    let make = |dir: &Path| {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|why| HostError::config("make", dir, why))
    };
    make(state)?;
    let found = std::fs::symlink_metadata(state).map_err(|why| HostError::config("look at", state, why))?;
    let me = nix::unistd::getuid().as_raw();
    let advice = match found.uid() {
        owner if owner != me => format!(
            "it belongs to uid {owner}, and this process runs as uid {me}; run as that account: `serve` by the unit, `countersign enroll` as root"
        ),
        _ if found.is_dir() && found.mode() & 0o077 == 0 => {
            // Not before: in somebody else's directory they would be in its owner's way.
            return ["fronts", "journal", "recordings", "shipped", "spool"]
                .iter()
                .try_for_each(|name| make(&state.join(name)));
        }
        _ => {
            format!("it must be a directory that nobody else can enter; run: chmod 0700 {}", state.display())
        }
    };
    Err(HostError::config("use", state, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_of_another_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        std::fs::DirBuilder::new().mode(0o755).create(&open).unwrap();
        assert!(prepare_state(&open).unwrap_err().to_string().contains("chmod 0700"));
        if nix::unistd::getuid().is_root() {
            let other = dir.path().join("other");
            std::fs::DirBuilder::new().mode(0o700).create(&other).unwrap();
            nix::unistd::chown(&other, Some(nix::unistd::Uid::from_raw(12345)), None).unwrap();
            let said = prepare_state(&other).unwrap_err().to_string();
            assert!(said.contains("belongs to uid 12345") && !said.contains("chmod"), "{said}");
            assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        }
        let new = dir.path().join("new/state");
        prepare_state(&new).unwrap();
        assert!(new.join("journal").is_dir());
    }

    /// As a service that takes this host's place would have it.
    #[test]
    fn a_service_is_another_than_the_host() {
        let dir = tempfile::tempdir().unwrap();
        let good = Identity {
            host: HostId::from_random([1; 16]),
            name: "web-1".parse().unwrap(),
            key: Digest([1; 32]),
            service: ServiceId::from_random([2; 16]),
            service_key: Digest([2; 32]),
            service_url: "https://localhost".to_owned(),
            fingerprint: None,
            host_token: String::new(),
            trial: false,
            former: None,
        };
        assert!(good.clone().checked().is_ok());
        let id = Identity { service: ServiceId::from_random([1; 16]), ..good.clone() };
        let key = Identity { service_key: good.key, ..good.clone() };
        for (name, bad) in [("id", id), ("key", key)] {
            assert!(bad.clone().checked().is_err());
            // Nor is one taken that stands there already.
            let state = dir.path().join(name);
            std::fs::create_dir(&state).unwrap();
            bad.save_new(&state).unwrap();
            assert!(Identity::load(&state).is_err());
        }
        good.save_new(dir.path()).unwrap();
        assert_eq!(Identity::load(dir.path()).unwrap(), good);
    }
}
