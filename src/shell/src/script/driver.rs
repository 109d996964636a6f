//! The bash side of a script: how bash is started and what it is told. It says
//! what the driver of an interactive login says. See `driver.bash`.

use std::ffi::CString;

/// Descriptors under which bash finds a command's standard input, its private
/// socket and the program of a command; `driver.bash` has the same numbers.
pub const INPUT: i32 = 71;
pub const PRIVATE: i32 = 72;
pub const PROGRAM: i32 = 73;

/// Where a command's standard input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Nowhere.
    Empty,
    /// What follows the command.
    Fed,
    /// The program that was held with it.
    Program,
}

/// The arguments of bash, name first.
pub fn arguments() -> Vec<CString> {
    let text = CString::new(include_str!("driver.bash").replace("@COMMON@", include_str!("../driver.bash")))
        .unwrap_or_default();
    let flags = [c"bash", c"--norc", c"--noprofile", c"-c"].map(CString::from);
    flags.into_iter().chain([text, c"bash".to_owned()]).collect()
}

impl Input {
    /// The letter of a command that has it.
    pub fn letter(self) -> char {
        match self {
            Self::Empty => 'N',
            Self::Fed => 'F',
            Self::Program => 'P',
        }
    }
}
