//! The shells that may parse an approved line, and how each is started so that
//! no start-up file runs unseen.

use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// Where an inner shell is looked for: never on a configurable path.
const PLACES: [&str; 3] = ["/bin", "/usr/bin", "/usr/local/bin"];

/// An inner shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InnerShell {
    /// `bash --norc --noprofile -c`
    Bash,
    /// `zsh -f -c`
    Zsh,
    /// `fish --no-config -c`
    Fish,
    /// `dash -c`
    Dash,
    /// `tcsh -f -c`
    Tcsh,
}

impl InnerShell {
    const ALL: [Self; 5] = [Self::Bash, Self::Zsh, Self::Fish, Self::Dash, Self::Tcsh];

    /// Reads the name in a configuration.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shell| shell.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Dash => "dash",
            Self::Tcsh => "tcsh",
        }
    }

    /// Its program file, where it is installed.
    pub fn file(self) -> Option<PathBuf> {
        PLACES.iter().map(|place| Path::new(place).join(self.as_str())).find(|path| path.is_file())
    }

    /// Its arguments, name first, for one command line.
    pub fn arguments(self, command: CString) -> Vec<CString> {
        let flags: &[&std::ffi::CStr] = match self {
            Self::Bash => &[c"bash", c"--norc", c"--noprofile", c"-c"],
            Self::Zsh => &[c"zsh", c"-f", c"-c"],
            Self::Fish => &[c"fish", c"--no-config", c"-c"],
            Self::Dash => &[c"dash", c"-c"],
            Self::Tcsh => &[c"tcsh", c"-f", c"-c"],
        };
        flags.iter().map(|flag| CString::from(*flag)).chain([command]).collect()
    }
}
