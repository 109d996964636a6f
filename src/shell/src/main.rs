//! `countersign-sh`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    countersign_shell::run()
}
