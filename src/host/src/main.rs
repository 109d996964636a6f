//! `countersign-hostd`: see the library.
fn main() -> std::process::ExitCode {
    countersign_host::run()
}
