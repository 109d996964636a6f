//! The first act: nothing that was inherited is trusted. Descriptors, signals,
//! limits and umask are replaced, the environment is read once and dropped.

use crate::end::Failure;
use countersign_core::Exit;
use countersign_sys::{self as sys, Inherited, Uids};
use std::ffi::OsString;

/// The front's name for its own executable.
const OWN_EXECUTABLE: &str = "/proc/self/exe";
/// A limit on the size of files below this is refused, in bytes: it would end the
/// recording, and the record would say that the disk is full.
const LEAST_FILE: u64 = 1 << 30;

/// What this process was given.
#[derive(Debug)]
pub struct Start {
    /// Arguments after the name.
    pub arguments: Vec<OsString>,
    /// The environment as it was: claims, to be picked from.
    pub claims: Vec<(OsString, OsString)>,
    /// User ids.
    pub uids: Uids,
    /// Whether the program runs with more rights than its caller.
    pub secure: bool,
    /// Whether the scheduler treats this process like any other.
    scheduled: bool,
    /// Limits and umask, for the command.
    pub inherited: Inherited,
}

impl Start {
    /// Takes stock and cleans up. Must be the first call of the process.
    pub fn take() -> Result<Self, Failure> {
        let start = Self::try_take().map_err(|e| Failure::system("cannot start", &e))?;
        if !start.scheduled {
            // It could be held up at any step, by anybody who keeps the processors busy.
            return Err(Failure::new(
                Exit::Refused,
                "started with the idle scheduling policy, which cannot be undone; nothing ran; start it without",
            ));
        }
        if start.inherited.largest_file() < LEAST_FILE {
            return Err(Failure::new(
                Exit::Refused,
                "started under a limit on the size of files (ulimit -f), too small for a recording; nothing ran; start it without, or with 1 GiB or more",
            ));
        }
        Ok(start)
    }

    fn try_take() -> std::io::Result<Self> {
        sys::close_from_3()?;
        sys::ensure_standard()?;
        sys::signals::reset()?;
        sys::stop_timers()?;
        let scheduled = sys::reset_scheduling()?;
        let inherited = Inherited::replace()?;
        let uids = sys::uids()?;
        let secure = sys::at_secure() || uids.real != uids.effective;
        let start = Self {
            arguments: std::env::args_os().skip(1).collect(),
            claims: std::env::vars_os().collect(),
            uids,
            secure,
            scheduled,
            inherited,
        };
        sys::clear_environment()?;
        sys::dumpable_off()?;
        Ok(start)
    }

    /// What the caller claims in its environment, where it is UTF-8.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.to_str())
    }
}

/// Refuses accounts that are not gated by this very program: a second shell
/// beside it would make the gate a matter of courtesy.
pub fn must_be_login_shell(account: &sys::Account) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &std::path::Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino()));
    let own = identity(OWN_EXECUTABLE.as_ref()).map_err(|e| Failure::system("cannot find my own program file", &e))?;
    if identity(&account.shell).is_ok_and(|shell| shell == own) {
        return Ok(());
    }
    let (name, shell) = (&account.name, account.shell.display());
    Err(Failure::new(
        Exit::Config,
        format!(
            "the login shell of {name} is {shell}, not countersign-sh; run: usermod -s /usr/bin/countersign-sh {name}"
        ),
    ))
}

/// The path of the program that runs.
pub fn own_path() -> Option<std::path::PathBuf> {
    std::fs::read_link(OWN_EXECUTABLE).ok()
}
