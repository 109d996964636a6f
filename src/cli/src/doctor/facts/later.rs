//! What may run something as an account without a login of it.

use super::Known;
use std::path::PathBuf;

/// An allow and a deny file, where they exist.
pub type Lists = (Option<Vec<String>>, Option<Vec<String>>);

/// What cron and at allow and hold for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// Whether `crontab` is installed.
    pub cron: bool,
    /// Lines of cron.allow and cron.deny, where they exist.
    pub cron_lists: Known<Lists>,
    /// Whether `at` is installed.
    pub at: bool,
    /// Lines of at.allow and at.deny, where they exist.
    pub at_lists: Known<Lists>,
    /// What else is installed of that kind.
    pub others: Vec<Scheduler>,
    /// Crontabs, at jobs and the like of the account.
    pub jobs: Known<Vec<PathBuf>>,
}

/// A scheduler beside cron and at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    /// Its name.
    pub name: &'static str,
    /// Lines of its allow and deny file, where they exist.
    pub lists: Known<Lists>,
}

/// A mail server that runs programs which a file of an account names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailServer {
    /// The name of its program.
    pub name: &'static str,
    /// The file.
    pub file: &'static str,
    /// Whether it asks the system's aliases first.
    pub aliases: bool,
}

/// What becomes of mail for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Those that are installed.
    pub servers: Vec<MailServer>,
    /// To whom the system's aliases send it, where that is not the account itself.
    pub elsewhere: Option<String>,
    /// Files of that kind that are there.
    pub files: Vec<String>,
}
