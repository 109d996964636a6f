//! The inner terminal. Opened while the effective uid is the agent's, so that
//! its programs may open it by name.

use countersign_sys as sys;
use countersign_sys::terminal::Size;
use portable_pty::{MasterPty, PtySize, native_pty_system};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// What one read of a terminal gives at most (`N_TTY_BUF_SIZE` of Linux, less
/// one); after less there is no more for now.
pub const PIECE: usize = 4095;
/// Most that is read at once: about what the client's terminal takes at once.
/// While it waits for room for more, nothing would be read.
pub const AT_ONCE: usize = 2 * PIECE;

/// An inner terminal, seen from the front. Never through `take_writer`, whose
/// end types a newline and ^D into the terminal.
pub struct Pty {
    control: Box<dyn MasterPty + Send>,
    /// Our own descriptor of the master, non-blocking.
    pub master: OwnedFd,
    /// The slave, until the command has it.
    pub slave: Option<OwnedFd>,
    /// The slave's name.
    pub name: PathBuf,
}

impl Pty {
    /// Opens a terminal that belongs to the effective uid.
    pub fn open(size: Size) -> io::Result<Self> {
        let pair = native_pty_system().openpty(pty_size(size)).map_err(io::Error::other)?;
        let missing = || io::Error::other("a pseudo-terminal without a name");
        let name = pair.master.tty_name().ok_or_else(missing)?;
        let slave = sys::terminal::open(&name)?;
        let master = sys::duplicate(pair.master.as_raw_fd().ok_or_else(missing)?)?;
        sys::set_nonblocking(std::os::fd::AsFd::as_fd(&master))?;
        Ok(Self { control: pair.master, master, slave: Some(slave), name })
    }

    /// Tells the programs on it the new size.
    pub fn resize(&self, size: Size) -> io::Result<()> {
        self.control.resize(pty_size(size)).map_err(io::Error::other)
    }
}

fn pty_size(size: Size) -> PtySize {
    PtySize { rows: size.rows, cols: size.columns, pixel_width: 0, pixel_height: 0 }
}
