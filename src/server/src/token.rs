//! Tokens: 32 random bytes behind a word that says what they open. The
//! service keeps their SHA-256 only, and finds them by it: the comparison that
//! an attacker could time is one of hashes he cannot choose.

use countersign_core::b64_encode;
use countersign_ledger::{RandomError, random_bytes, sha256};

/// A new host token.
pub fn new_host_token() -> Result<String, RandomError> {
    new_token("csh1.")
}

/// A new reviewer token.
pub fn new_reviewer_token() -> Result<String, RandomError> {
    new_token("csr1.")
}

/// A new one-time enrolment token, with the certificate's fingerprint where TLS is on.
pub fn new_enroll_token(fingerprint: Option<&str>) -> Result<String, RandomError> {
    let token = new_token("cse1.")?;
    Ok(match fingerprint {
        Some(fingerprint) => format!("{token}.{fingerprint}"),
        None => token,
    })
}

/// What is stored of a token: SHA-256, 64 hex digits.
pub fn hash(token: &str) -> String {
    sha256(token.as_bytes()).0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn new_token(word: &str) -> Result<String, RandomError> {
    Ok(format!("{word}{}", b64_encode(&random_bytes::<32>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let host = new_host_token().unwrap();
        assert_eq!((host.len(), host.starts_with("csh1.")), (48, true));
        assert_eq!(new_enroll_token(Some("F")).unwrap().rsplit('.').next(), Some("F"));
        assert_ne!(host, new_host_token().unwrap());
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
