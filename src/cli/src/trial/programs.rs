//! Our other programs: beside this one, or built when cargo runs us.

use crate::failure::Failure;
use crate::screen::note;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The programs a trial is made of.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `countersign`: ourselves.
    pub own: PathBuf,
    /// `countersign-sh`
    pub shell: PathBuf,
    /// `countersign-hostd`
    pub host: PathBuf,
    /// `countersign-server`
    pub server: PathBuf,
}

const SHELL: Member = Member { package: "countersign-shell", program: "countersign-sh" };
const HOST: Member = Member { package: "countersign-host", program: "countersign-hostd" };
const SERVER: Member = Member { package: "countersign-server", program: "countersign-server" };

struct Member {
    package: &'static str,
    program: &'static str,
}

/// Finds all of them; builds them where `cargo run` started us, so that they
/// are of the same source, or where they are missing and cargo is at hand.
pub async fn all() -> Result<Programs, Failure> {
    let own = own_path()?;
    for member in [&SHELL, &HOST, &SERVER] {
        provide(&own, member).await?;
    }
    Ok(Programs { shell: beside(&own, &SHELL)?, host: beside(&own, &HOST)?, server: beside(&own, &SERVER)?, own })
}

/// Finds the service, and builds it under the same conditions.
pub async fn server() -> Result<(PathBuf, PathBuf), Failure> {
    let own = own_path()?;
    provide(&own, &SERVER).await?;
    let server = beside(&own, &SERVER)?;
    Ok((own, server))
}

/// Finds `countersign-hostd` beside ourselves.
pub fn host() -> Result<PathBuf, Failure> {
    beside(&own_path()?, &HOST)
}

fn own_path() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::io("find", "this program's own path", &e))
}

fn beside(own: &Path, member: &Member) -> Result<PathBuf, Failure> {
    let path = own.with_file_name(member.program);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::Unavailable(format!(
        "{} is missing; put it beside {}, or run this through cargo, which builds it (cargo build -p {})",
        path.display(),
        own.display(),
        member.package
    )))
}

async fn provide(own: &Path, member: &Member) -> Result<(), Failure> {
    let (Some(cargo), Some(source)) = (std::env::var_os("CARGO"), std::env::var_os("CARGO_MANIFEST_DIR")) else {
        return Ok(());
    };
    let by_cargo_run = std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    if !by_cargo_run && own.with_file_name(member.program).is_file() {
        return Ok(());
    }
    note(&format!("building {} …", member.package));
    let mut build = Command::new(cargo);
    build.args(["build", "-q", "-p", member.package, "--bin", member.program]);
    build.args(where_to(own)?).current_dir(source).kill_on_drop(true).stdin(std::process::Stdio::null());
    // Cargo tells us about our own package; the new cargo must not take that for its own.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            build.env_remove(name);
        }
    }
    let status = build.status().await.map_err(|e| Failure::io("run", "cargo", &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Unavailable(format!("{} does not build; cargo says why above", member.package)))
}

/// Cargo's flags for the directory and profile that we ourselves came from:
/// `TARGET/PROFILE/countersign`.
fn where_to(own: &Path) -> Result<Vec<std::ffi::OsString>, Failure> {
    let profile_dir = own.parent();
    let profile = profile_dir.and_then(|dir| dir.file_name()).and_then(|name| name.to_str());
    let (Some(target), Some(profile)) = (profile_dir.and_then(Path::parent), profile) else {
        return Err(Failure::Unavailable(format!("{} does not lie in a cargo target directory", own.display())));
    };
    let profile = if profile == "debug" { "dev" } else { profile };
    Ok(vec!["--target-dir".into(), target.into(), "--profile".into(), profile.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_land_where_we_came_from() {
        let flags = |own: &str| where_to(Path::new(own)).unwrap();
        assert_eq!(flags("/w/target/debug/countersign"), ["--target-dir", "/w/target", "--profile", "dev"]);
        assert_eq!(flags("/w/target/release/countersign"), ["--target-dir", "/w/target", "--profile", "release"]);
        assert!(where_to(Path::new("/")).is_err());
    }
}
