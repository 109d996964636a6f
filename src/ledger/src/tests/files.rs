//! Key files and trust files.

use super::support::*;
use crate::{InProcessSigner, KeyFileError, Signer as _, TrustFile};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

#[test]
fn a_key_file_is_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity.key");
    let signer = InProcessSigner::generate().unwrap();
    signer.save_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(InProcessSigner::load(&path).unwrap().public_key(), signer.public_key());
    assert!(matches!(signer.save_new(&path), Err(KeyFileError::Io { verb: "create", .. })), "never replaced");
    for mode in [0o440, 0o404, 0o420, 0o600, 0o640, 0o500, 0o4400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let loaded = InProcessSigner::load(&path);
        assert_eq!(loaded.is_ok(), mode == 0o600, "{mode:o}");
        if let Err(error) = loaded {
            assert!(error.to_string().contains("chmod 0400"), "{error}");
        }
    }
}

#[test]
fn what_is_no_key_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    host_signer().save_new(&good).unwrap();
    let text = fs::read_to_string(&good).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&good, &link).unwrap();
    assert!(matches!(InProcessSigner::load(&link), Err(KeyFileError::Io { verb: "open", .. })));
    assert!(matches!(InProcessSigner::load(dir.path()), Err(KeyFileError::NotAFile { .. })));
    assert!(matches!(InProcessSigner::load(&dir.path().join("none")), Err(KeyFileError::Io { .. })));
    for bad in ["", "cs-key1 \n", text.trim_end(), &format!("{text}\n"), &text.replace("key1", "key2"), &text[1..]] {
        let path = dir.path().join("bad");
        fs::write(&path, bad).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(InProcessSigner::load(&path), Err(KeyFileError::Content { .. })), "{bad:?}");
    }
}

/// The values of an object of texts, without their names.
fn listed(object: &str) -> String {
    let parts: Vec<&str> = object.split('"').skip(1).step_by(2).collect();
    format!("[\"{}\"]", parts.iter().skip(1).step_by(2).copied().collect::<Vec<_>>().join("\",\""))
}

#[test]
fn a_trust_file_says_each_thing_once() {
    let good = golden("trust.json");
    assert!(TrustFile::parse(good.as_bytes()).is_ok());
    let host_part = &good[good.find("{\"host\"").unwrap()..good.find("],\"services\"").unwrap()];
    let service_key = service_signer().public_key().to_string();
    let table = [
        (good.replace(host_part, &format!("{host_part},{host_part}")), "stands twice"),
        (good.replace(&host_signer().public_key().to_string(), &service_key), "stands twice"),
        (good.replace(&service().to_string(), &host().to_string()), "as a host's and as a service's"),
        (good.replace("cs-trust1", "cs-trust2"), "cs-trust1"),
        (good.replace("\"hosts\"", "\"hosts\":[],\"hosts\""), "duplicate field"),
        (good.replace("\"hosts\"", "\"extra\":[],\"hosts\""), "unknown field"),
        (good.replace("\"name\":", "\"nick\":\"x\",\"name\":"), "unknown field"),
        (good.replace("web-1", "Web 1"), "not a name"),
        (good.replace(&service_key, &service_key[1..]), "base64url"),
        (good.clone() + "x", "trailing"),
        // A list of values without names is none of these objects.
        ("[\"cs-trust1\",[],[]]".to_owned(), "must be an object"),
        (good.replace(host_part, &listed(host_part)), "must be an object"),
        (String::new(), "EOF"),
    ];
    for (text, why) in table {
        let error = TrustFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.json");
    fs::write(&path, " ".repeat(4 * 1024 * 1024 + 1)).unwrap();
    assert!(TrustFile::load(&path).unwrap_err().to_string().contains("over 4 MiB"));
    assert!(TrustFile::load(dir.path()).unwrap_err().to_string().contains("cannot read"));
}
