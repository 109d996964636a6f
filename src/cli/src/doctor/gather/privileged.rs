//! Programs that have more rights than who runs them, and ids that an account
//! may take.

use super::program::installed;
use super::walk::{names_in, system_file};
use crate::doctor::facts::{Known, Privileged};
use countersign_sys as sys;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where programs are. What is elsewhere is not looked at.
const PLACES: [&str; 9] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/usr/lib/countersign",
    "/bin",
    "/sbin",
    "/opt/bin",
];
/// What lets an account use its subordinate ids.
const MAPPERS: [&str; 2] = ["/usr/bin/newuidmap", "/usr/bin/newgidmap"];

/// Programs that are setuid or have capabilities, each once.
pub fn programs() -> Known<Vec<Privileged>> {
    let mut found: Vec<Privileged> = Vec::new();
    for place in PLACES {
        let place = Path::new(place);
        for name in names_in(place)? {
            let path = place.join(name);
            let fail = |e: std::io::Error| format!("cannot look at {}: {e}", path.display());
            let data = match std::fs::symlink_metadata(&path) {
                Ok(data) if data.is_file() => data,
                Ok(_) => continue,
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(fail(e)),
            };
            let setuid = (data.mode() & 0o4000 != 0).then(|| data.uid());
            let capabilities = sys::files::capabilities(&path).map_err(fail)?;
            let file = (data.dev(), data.ino());
            if (setuid.is_some() || capabilities != 0) && !found.iter().any(|known| known.file == file) {
                found.push(Privileged { path, file, setuid, capabilities });
            }
        }
    }
    Ok(found)
}

/// Ranges of subuid(5) and subgid(5) that an account may use, as far as there
/// is a program to do so.
pub fn subids(name: &str, uid: u32) -> Known<Vec<String>> {
    if !MAPPERS.iter().any(|mapper| installed(Path::new(mapper))) {
        return Ok(Vec::new());
    }
    let mut found: Vec<String> = Vec::new();
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = system_file(Path::new(file))?.unwrap_or_default();
        found.extend(text.lines().filter_map(|line| range(line, name, uid)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// `NAME-OR-UID:FIRST:COUNT`
fn range(line: &str, name: &str, uid: u32) -> Option<String> {
    let mut fields = line.trim().split(':');
    let whose = fields.next()?;
    if whose != name && whose.parse() != Ok(uid) {
        return None;
    }
    let (first, count) = (fields.next()?, fields.next()?);
    // Another program may read such a line otherwise than we do.
    let last = first.parse::<u64>().ok().zip(count.parse::<u64>().ok()).map(|(first, count)| first + count.max(1) - 1);
    if count == "0" { None } else { Some(last.map_or_else(|| line.to_owned(), |last| format!("{first}-{last}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        for (line, want) in [
            ("deploy:100000:65536", Some("100000-165535")),
            ("1001:5:1", Some("5-5")),
            ("deploy:x:1", Some("deploy:x:1")),
            ("deploy:5:0", None),
            ("other:100000:65536", None),
            ("deploy", None),
            ("", None),
        ] {
            assert_eq!(range(line, "deploy", 1001).as_deref(), want, "{line}");
        }
    }
}
