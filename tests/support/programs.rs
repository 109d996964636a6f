//! Where the four programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The login shell.
pub const SHELL: &str = "countersign-sh";
/// The host daemon.
pub const HOSTD: &str = "countersign-hostd";
/// The approval service.
pub const SERVER: &str = "countersign-server";
/// The command people type.
pub const CLI: &str = "countersign";

/// The top of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

static RELEASED: AtomicBool = AtomicBool::new(false);

/// From now on [`program`] gives the programs as they are released: what benchmarks measure.
pub fn use_released() {
    RELEASED.store(true, Ordering::Relaxed);
}

/// A program of ours, built with its own `-p`: by nextest's setup script, or now.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let dir = BUILT.get_or_init(|| match std::env::var_os("COUNTERSIGN_TESTS_BIN") {
        _ if RELEASED.load(Ordering::Relaxed) => build("release", "bin-release"),
        Some(dir) => PathBuf::from(dir),
        None => build("dev", "bin"),
    });
    dir.join(name)
}

fn build(profile: &str, dir: &str) -> PathBuf {
    let script = repository().join("tests/build-programs.sh");
    let status = Command::new("bash").arg(script).arg(profile).status().expect("bash");
    assert!(status.success(), "tests/build-programs.sh {profile} failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    repository().join(target).join("tests").join(dir)
}

/// asciinema as tests/check.sh installs it: `2` is 2.4, `3` is 3.2.
pub fn asciinema(major: u8) -> PathBuf {
    let path = repository().join(format!("target/tools/asciinema{major}/bin/asciinema"));
    assert!(path.exists(), "{} is missing; tests/check.sh installs it", path.display());
    path
}
