//! Who runs this process, and the password database.

use nix::unistd::{Uid, User, getresuid, seteuid, setresuid};
use std::io;
use std::path::PathBuf;

/// The three user ids of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uids {
    /// Real.
    pub real: u32,
    /// Effective.
    pub effective: u32,
    /// Saved.
    pub saved: u32,
}

/// The user ids of this process.
pub fn uids() -> io::Result<Uids> {
    let ids = getresuid()?;
    Ok(Uids { real: ids.real.as_raw(), effective: ids.effective.as_raw(), saved: ids.saved.as_raw() })
}

/// Sets all three user ids and checks that they are what was asked for.
pub fn set_uids(want: Uids) -> io::Result<()> {
    setresuid(Uid::from_raw(want.real), Uid::from_raw(want.effective), Uid::from_raw(want.saved))?;
    if uids()? == want { Ok(()) } else { Err(io::Error::other("user ids did not change")) }
}

/// Sets the effective user id only.
pub fn set_effective_uid(uid: u32) -> io::Result<()> {
    seteuid(Uid::from_raw(uid))?;
    Ok(())
}

/// Whether the kernel says that this program gained rights when it was
/// executed (`AT_SECURE`): whatever it inherited comes from somebody weaker.
pub fn at_secure() -> bool {
    // SAFETY: getauxval reads the process's own auxiliary vector and takes no pointer.
    let value = unsafe { libc::getauxval(libc::AT_SECURE) };
    value != 0
}

/// An entry of the password database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// Looks an account up by its uid; `None` where there is none.
pub fn account_by_uid(uid: u32) -> io::Result<Option<Account>> {
    Ok(User::from_uid(Uid::from_raw(uid))?.map(account))
}

/// Looks an account up by its name; `None` where there is none.
pub fn account_by_name(name: &str) -> io::Result<Option<Account>> {
    Ok(User::from_name(name)?.map(account))
}

fn account(user: User) -> Account {
    Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir, shell: user.shell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_itself() {
        let ids = uids().unwrap();
        assert!(!at_secure());
        set_uids(ids).unwrap();
        let root = account_by_uid(0).unwrap().unwrap();
        assert_eq!(account_by_name(&root.name).unwrap(), Some(root));
        assert_eq!(account_by_name("no-such-account-here").unwrap(), None);
    }
}
