//! The trust file: the keys of the hosts and of this service.

use crate::store::{Store, StoreError};
use countersign_core::{Digest, ServiceId};
use countersign_ledger::{TrustError, TrustFile, TrustedHost, TrustedService};

/// The trust file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NoTrustFile {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its content is not a trust file.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// The keys as they are now.
pub async fn trust_file(store: &Store, service: ServiceId, key: Digest) -> Result<TrustFile, NoTrustFile> {
    let hosts = store.hosts().await?;
    let hosts = hosts.into_iter().map(|h| TrustedHost { host: h.id, key: h.key, name: h.name }).collect();
    Ok(TrustFile::new(hosts, vec![TrustedService { key, service }])?)
}
