//! `SSH_AUTH_INFO_0`, as sshd gives it to PAM: who authenticated, and how. One
//! method a line, `publickey TYPE BLOB`; the blob of a certificate is read as
//! OpenSSH's PROTOCOL.certkeys has it. Foreign bytes, bounded, never a secret:
//! what is kept are fingerprints and names.

use countersign_api::context::Identity;
use countersign_core::{b64_decode, b64_encode};
use countersign_ledger::sha256;

/// Longest text that is read, in bytes.
pub(crate) const MAX_AUTH_INFO: usize = 32 * 1024;
/// Longest key id or principal that is kept, in bytes.
const MAX_NAME: usize = 256;
/// Most principals that are kept.
const MAX_PRINCIPALS: usize = 16;

/// Reads what sshd says of an authentication. `None` where it names no method,
/// or one that is no name.
pub(crate) fn read(auth_info: &str, source: &str) -> Option<Identity> {
    if auth_info.len() > MAX_AUTH_INFO {
        return None;
    }
    let methods: Vec<&str> = auth_info.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let keys = auth_info.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("publickey")).then(|| words.nth(1)).flatten()
    });
    let mut identity = keys.filter_map(key).next().unwrap_or_default();
    let first = methods.first()?;
    let method = if methods.len() == 1 { (*first).to_owned() } else { methods.join(",") };
    identity.method = name(method.as_bytes())?;
    identity.source = name(source.as_bytes()).unwrap_or_default();
    if identity.user.is_empty() {
        identity.user = identity.credential.clone()?;
    }
    Some(identity)
}

/// A key or certificate in base64.
fn key(text: &str) -> Option<Identity> {
    let blob = b64_decode(&text.trim_end_matches('=').replace('+', "-").replace('/', "_")).ok()?;
    let mut fields = Fields { rest: &blob };
    let kind = std::str::from_utf8(fields.string()?).ok()?;
    let Some(plain) = kind.strip_suffix("-cert-v01@openssh.com") else {
        return Some(Identity { credential: Some(fingerprint(&blob)), ..Identity::default() });
    };
    fields.string()?; // a nonce
    // The key as it stands without the certificate.
    let plain = if plain.starts_with("sk-") { format!("{plain}@openssh.com") } else { plain.to_owned() };
    let mut bare = Vec::new();
    put(&mut bare, plain.as_bytes());
    for _ in 0..key_fields(&plain)? {
        put(&mut bare, fields.string()?);
    }
    let serial = fields.number()?;
    fields.take(4)?; // user or host
    let key_id = name(fields.string()?)?;
    let mut listed = Fields { rest: fields.string()? };
    let mut principals = Vec::new();
    while !listed.rest.is_empty() && principals.len() < MAX_PRINCIPALS {
        principals.push(name(listed.string()?)?);
    }
    fields.take(16)?; // valid after, valid before
    for _ in 0..3 {
        fields.string()?; // critical options, extensions, reserved
    }
    let authority = fingerprint(fields.string()?);
    Some(Identity {
        user: key_id,
        credential: Some(fingerprint(&bare)),
        authority: Some(authority),
        principals,
        serial: Some(serial),
        ..Identity::default()
    })
}

/// How many strings a public key of this type has after its name.
fn key_fields(kind: &str) -> Option<usize> {
    match kind {
        "ssh-ed25519" => Some(1),
        "ssh-rsa" | "sk-ssh-ed25519@openssh.com" => Some(2),
        _ if kind.starts_with("ecdsa-sha2-nistp") => Some(2),
        "sk-ecdsa-sha2-nistp256@openssh.com" => Some(3),
        _ => None,
    }
}

/// As `ssh-keygen -l` prints it.
fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", b64_encode(&sha256(blob).0).replace('-', "+").replace('_', "/"))
}

/// A name of a bounded length without control characters.
fn name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.len() <= MAX_NAME && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn put(into: &mut Vec<u8>, field: &[u8]) {
    into.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend_from_slice(field);
}

/// Fields of the SSH wire format (RFC 4251 §5).
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(*self.take(4)?.first_chunk()?);
        self.take(usize::try_from(length).ok()?)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(*self.take(8)?.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn keygen(place: &Path, arguments: &[&str]) -> String {
        let done = Command::new("ssh-keygen").args(arguments).current_dir(place).output().expect("ssh-keygen");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    fn fingerprint_of(place: &Path, file: &str) -> String {
        keygen(place, &["-l", "-f", file]).split_whitespace().nth(1).unwrap().to_owned()
    }

    #[test]
    fn keys_and_certificates_are_read_as_ssh_keygen_reads_them() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        keygen(place, &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
        for (kind, bits) in [("ed25519", "256"), ("ecdsa", "384"), ("rsa", "2048")] {
            keygen(place, &["-q", "-t", kind, "-b", bits, "-N", "", "-f", kind]);
            let public = std::fs::read_to_string(place.join(format!("{kind}.pub"))).unwrap();
            let plain = read(&format!("publickey {public}"), "192.0.2.7").unwrap();
            let want = fingerprint_of(place, &format!("{kind}.pub"));
            assert_eq!((plain.user.as_str(), plain.credential.as_deref()), (want.as_str(), Some(want.as_str())));
            assert_eq!((plain.method.as_str(), plain.source.as_str()), ("publickey", "192.0.2.7"));
            keygen(
                place,
                &["-q", "-s", "ca", "-I", "alice@example", "-n", "deploy,ops", "-z", "42", &format!("{kind}.pub")],
            );
            let certified = std::fs::read_to_string(place.join(format!("{kind}-cert.pub"))).unwrap();
            let read = read(&format!("publickey {certified}"), "").unwrap();
            assert_eq!(read.user, "alice@example");
            assert_eq!(read.credential.as_deref(), Some(want.as_str()));
            assert_eq!(read.authority, Some(fingerprint_of(place, "ca.pub")));
            assert_eq!((read.principals.join(","), read.serial), ("deploy,ops".to_owned(), Some(42)));
        }
    }

    #[test]
    fn what_is_no_credential_is_none() {
        for text in [
            "",
            "\n",
            "password",
            "publickey",
            "publickey ssh-ed25519",
            "publickey ssh-ed25519 !!!",
            "publickey x AAAA",
        ] {
            assert_eq!(read(text, ""), None, "{text:?}");
        }
        assert_eq!(read(&"x".repeat(MAX_AUTH_INFO + 1), ""), None);
        let first = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n";
        for method in ["\u{e4}".repeat(MAX_NAME), "x".repeat(MAX_NAME), "\x1b[2K".to_owned()] {
            assert_eq!(read(&format!("{first}{method} x"), ""), None, "{method:?}");
        }
        let mut blob = Vec::new();
        put(&mut blob, b"ssh-ed25519-cert-v01@openssh.com");
        put(&mut blob, &[1; 32]);
        for _ in 0..40 {
            let text = b64_encode(&blob).replace('-', "+").replace('_', "/");
            assert_eq!(key(&text), None, "a certificate that is cut");
            blob.extend_from_slice(&[0xff; 3]);
        }
    }
}
