//! What a machine cannot run is said, and remembered for tests/check.sh.

use std::fs::File;
use std::io::Write as _;

/// Says that the rest of this test is not run here, and why.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("SKIPPED {test}: {why}");
    if let Some(list) = std::env::var_os("COUNTERSIGN_TESTS_SKIPPED") {
        let file = File::options().create(true).append(true).open(list);
        file.and_then(|mut file| file.write_all(format!("{test}: {why}\n").as_bytes())).expect("list of skipped tests");
    }
}
