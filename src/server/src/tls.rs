//! The certificate: brought along, or made here on the first start. Clients
//! pin its SHA-256, so nobody else has to vouch for it.

use crate::state::{StateDir, StateError, io_error, write_private};
use countersign_ledger::sha256;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// TLS cannot be offered. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] StateError),
    /// Not PEM of the wanted kind.
    #[error("{path} holds no {what} in PEM form", path = path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The certificate could not be made.
    #[error("make a self-signed certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// rustls does not take it.
    #[error("use the certificate and its key: {0}")]
    Use(#[from] rustls::Error),
}

/// A certificate ready to be served.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// What rustls serves.
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the certificate's DER, 43 characters: what clients pin.
    pub fingerprint: String,
}

impl Certificate {
    /// Reads a certificate chain and its key.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain_pem = std::fs::read(chain).map_err(io_error("read", chain))?;
        let key_pem = std::fs::read(key).map_err(io_error("read", key))?;
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain_pem)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::NotPem { path: chain.to_owned(), what: "certificate" })?;
        let Some(first) = certificates.first() else {
            return Err(TlsError::NotPem { path: chain.to_owned(), what: "certificate" });
        };
        let fingerprint = sha256(first).to_string();
        let key = PrivateKeyDer::from_pem_slice(&key_pem)
            .map_err(|_| TlsError::NotPem { path: key.to_owned(), what: "private key" })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), fingerprint })
    }

    /// The state directory's own certificate, made on first use.
    pub fn own(state: &StateDir) -> Result<Self, TlsError> {
        let (chain, key) = (state.certificate(), state.certificate_key());
        if !chain.try_exists().map_err(io_error("look for", &chain))? {
            let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            names.extend(nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()));
            let made = rcgen::generate_simple_self_signed(names)?;
            // The key first: a certificate without its key would stay for ever.
            write_private(&key, made.signing_key.serialize_pem().as_bytes())?;
            write_private(&chain, made.cert.pem().as_bytes())?;
        }
        Self::read(&chain, &key)
    }
}
