//! `countersign-server`: the approval service. Everything is in the library.

fn main() -> std::process::ExitCode {
    countersign_server::main()
}
