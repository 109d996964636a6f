//! TLS to one certificate: the service is known by the SHA-256 of its
//! certificate (of the DER), given with a token, and by nothing else. Names,
//! dates and authorities are not looked at; that the peer holds the
//! certificate's key is (the handshake's signature).

use countersign_core::Digest;
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;

/// A TLS configuration that talks to the owner of one certificate only.
pub fn tls_to(fingerprint: Digest) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider::default_provider());
    let verifier = Pinned { fingerprint, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

#[derive(Debug)]
struct Pinned {
    fingerprint: Digest,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = digest(&SHA256, end_entity);
        if shown.as_ref() == self.fingerprint.0 {
            return Ok(ServerCertVerified::assertion());
        }
        let shown = shown.as_ref().try_into().map_or(Digest::ZERO, Digest);
        Err(Error::General(format!(
            "it showed a certificate with the fingerprint {shown}, and {} is pinned; if the certificate was changed on purpose, ask for a new token or reviewer's file, else somebody is between you and the service",
            self.fingerprint
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_certificate_will_do() {
        let fingerprint = Digest(digest(&SHA256, b"certificate").as_ref().try_into().unwrap());
        let verifier = Pinned { fingerprint, provider: Arc::new(provider::default_provider()) };
        let name = ServerName::try_from("approve.example").unwrap();
        let check = |der: &'static [u8]| {
            verifier.verify_server_cert(&CertificateDer::from(der), &[], &name, &[], UnixTime::now())
        };
        assert!(check(b"certificate").is_ok());
        assert!(
            matches!(check(b"Certificate"), Err(Error::General(text)) if text.contains("is pinned") && text.contains("a new token or reviewer's file"))
        );
    }
}
