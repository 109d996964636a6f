//! Enrolment: the host makes its key and the service gets to know it.

use crate::drafts;
use crate::error::HostError;
use crate::identity::{Identity, key_path, prepare_state};
use crate::service::Service;
use countersign_api::service::EnrollRequest;
use countersign_core::{Digest, Name, b64_encode};
use countersign_ledger::{InProcessSigner, Namespace, Signer as _, sha256};
use std::path::PathBuf;

/// What an enrolment needs.
pub(crate) struct Enrolment {
    pub(crate) state: PathBuf,
    pub(crate) service: String,
    pub(crate) token: String,
    pub(crate) name: Name,
    pub(crate) trial: bool,
}

/// Makes key and id, shows the service that the key is held, keeps what it
/// answers. The first `serve` writes `host_enrolled`.
pub(crate) async fn run(enrolment: Enrolment) -> Result<(), HostError> {
    prepare_state(&enrolment.state)?;
    if enrolment.state.join("host.json").exists() {
        return Err(HostError::Config(format!(
            "{} is enrolled already; use another state directory, or keep this one",
            enrolment.state.display()
        )));
    }
    let fingerprint = fingerprint_of(&enrolment.token)?;
    let service = Service::new(&enrolment.service, fingerprint, None).map_err(HostError::Config)?;
    let mut signer = signer(&enrolment)?;
    let host = drafts::new_host().map_err(|why| HostError::Unavailable(why.to_string()))?;
    let proof = signer
        .sign(Namespace::Enroll, sha256(enrolment.token.as_bytes()).0)
        .map_err(|why| HostError::Unavailable(why.to_string()))?;
    let request = EnrollRequest {
        token: enrolment.token,
        host,
        name: enrolment.name.clone(),
        key: signer.public_key(),
        proof: b64_encode(&proof),
    };
    let reply = service.enroll(&request).await.map_err(|why| HostError::Unavailable(why.to_string()))?;
    let identity = Identity {
        host,
        name: enrolment.name,
        key: signer.public_key(),
        service: reply.service,
        service_key: reply.service_key,
        service_url: enrolment.service,
        fingerprint,
        host_token: reply.host_token,
        trial: enrolment.trial,
    };
    identity.save_new(&enrolment.state)
}

/// The key of an enrolment that broke off is used again; else a new one.
fn signer(enrolment: &Enrolment) -> Result<InProcessSigner, HostError> {
    let path = key_path(&enrolment.state);
    if path.exists() {
        return InProcessSigner::load(&path).map_err(|why| HostError::Config(why.to_string()));
    }
    let signer = InProcessSigner::generate().map_err(|why| HostError::Unavailable(why.to_string()))?;
    signer.save_new(&path).map_err(|why| HostError::Config(why.to_string()))?;
    Ok(signer)
}

/// The certificate that an enrolment token asks to pin, where it names one.
fn fingerprint_of(token: &str) -> Result<Option<Digest>, HostError> {
    let bad = || {
        HostError::Config(
            "this is not an enrolment token; copy the whole line of countersign-server enroll-token".to_owned(),
        )
    };
    let mut parts = token.split('.');
    let (Some("cse1"), Some(secret)) = (parts.next(), parts.next()) else { return Err(bad()) };
    secret.parse::<Digest>().map_err(|_| bad())?;
    let fingerprint = parts.next().map(|text| text.parse().map_err(|_| bad())).transpose()?;
    if parts.next().is_some() { Err(bad()) } else { Ok(fingerprint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_carry_a_certificate() {
        let part = Digest([5; 32]).to_string();
        assert_eq!(fingerprint_of(&format!("cse1.{part}")).ok(), Some(None));
        assert_eq!(fingerprint_of(&format!("cse1.{part}.{part}")).ok(), Some(Some(Digest([5; 32]))));
        for bad in ["", "cse1", "cse1.x", "cse2.x", &format!("cse1.{part}.x"), &format!("cse1.{part}.{part}.{part}")] {
            assert!(fingerprint_of(bad).is_err(), "{bad}");
        }
    }
}
