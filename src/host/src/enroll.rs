//! Enrolment: the host makes its key and the service gets to know it.

use crate::drafts;
use crate::error::HostError;
use crate::identity::{Identity, key_path, prepare_state};
use crate::service::Service;
use countersign_api::service::{EnrollRequest, FormerHost};
use countersign_core::{Digest, HostId, Name, b64_encode};
use countersign_ledger::{InProcessSigner, Line, Namespace, Signer as _, for_each_line, sha256};
use std::path::PathBuf;

/// What an enrolment needs.
pub(crate) struct Enrolment {
    pub(crate) state: PathBuf,
    pub(crate) service: String,
    pub(crate) token: String,
    pub(crate) name: Name,
    pub(crate) trial: bool,
    /// The host whose place it takes, because that one has lost its key.
    pub(crate) former: Option<Former>,
}

/// What is left of a host that has lost its identity key.
pub(crate) enum Former {
    /// Its state directory, which stays as it is.
    State(PathBuf),
    /// Nothing but its id.
    Host(HostId),
}

/// Makes key and id, shows the service that the key is held, keeps what it
/// answers. The first `serve` writes `host_enrolled`.
pub(crate) async fn run(enrolment: Enrolment) -> Result<(), HostError> {
    prepare_state(&enrolment.state)?;
    if enrolment.state.join("host.json").exists() {
        let shown = enrolment.state.display();
        let advice = if key_path(&enrolment.state).exists() {
            "use another state directory, or keep this one".to_owned()
        } else {
            format!(
                "its identity key is lost, and no new key is made silently: move {shown} aside and enrol with --former and where it is now, with a token of `countersign-server enroll-token --lost`"
            )
        };
        return Err(HostError::Config(format!("{shown} is enrolled already; {advice}")));
    }
    let former = enrolment.former.as_ref().map(look_at).transpose()?;
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
        former,
    };
    let reply = service.enroll(&request).await.map_err(|why| HostError::Unavailable(why.to_string()))?;
    let former = known_of(former, reply.former)?;
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
        former,
    };
    identity.checked()?.save_new(&enrolment.state)
}

/// The host that has lost its key, and how far its ledger reaches. One whose
/// key is there has lost nothing.
fn look_at(former: &Former) -> Result<FormerHost, HostError> {
    let dir = match former {
        Former::Host(host) => return Ok(FormerHost { host: *host, last: None }),
        Former::State(dir) => dir,
    };
    let identity = Identity::load(dir)?;
    let key = key_path(dir);
    if key.exists() {
        match InProcessSigner::load(&key) {
            Ok(signer) if signer.public_key() != identity.key => {}
            Ok(_) => {
                let text = "it is the identity key of that host: nothing is lost; go on with that state directory";
                return Err(HostError::config("take for lost", &key, text));
            }
            Err(why) => {
                return Err(HostError::Config(format!("{why}. If the key is really lost, move that file away")));
            }
        }
    }
    let mut last = None;
    let read = for_each_line(&dir.join("journal"), |line| {
        let line = Line::parse(line.as_bytes()).map_err(std::io::Error::other)?;
        last = Some((line.seq, line.leaf_hash()));
        Ok(())
    });
    if let Err(why) = read {
        tracing::warn!("the ledger of the lost host is read up to here: {why}");
    }
    Ok(FormerHost { host: identity.host, last })
}

/// What is known of the lost host, here or at the service. A service that has
/// not taken it as a loss does not know that anything is missing.
fn known_of(asked: Option<FormerHost>, told: Option<FormerHost>) -> Result<Option<FormerHost>, HostError> {
    let Some(asked) = asked else { return Ok(None) };
    match told.filter(|told| told.host == asked.host) {
        Some(told) => Ok(Some(FormerHost { host: asked.host, last: asked.last.max(told.last) })),
        None => Err(HostError::Unavailable("the service has not taken it as the loss of a key".to_owned())),
    }
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
