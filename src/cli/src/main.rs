//! `countersign`: the command people type.

fn main() -> std::process::ExitCode {
    countersign_cli::run(std::env::args_os())
}
