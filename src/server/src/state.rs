//! STATE: the directory that holds everything the service knows. Nobody but
//! its owner may read it.
//!
//! ```text
//! STATE/service.db  service.key  lock  cert.pem  cert.key  cert.fingerprint  recordings/HOST/LOGIN.cast
//! ```

use countersign_core::{HostId, LoginId};
use countersign_ledger::{InProcessSigner, KeyFileError};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The state directory cannot be used. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Input or output failed.
    #[error("{verb} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else's.
    #[error(
        "{path} belongs to uid {owner}, and this process runs as uid {me}; run as its owner, or name another --state directory",
        path = path.display()
    )]
    WrongOwner {
        /// The directory or file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        me: u32,
    },
    /// Not a directory, or a symbolic link.
    #[error("{path} is not a directory; name another --state directory", path = path.display())]
    NotADirectory {
        /// What was named.
        path: PathBuf,
    },
    /// Nothing was ever served from there.
    #[error(
        "there is no service in {path}; name its --state directory, or begin one with: countersign-server serve --state {path}",
        path = path.display()
    )]
    NoService {
        /// What was named.
        path: PathBuf,
    },
    /// A second service on the same state.
    #[error("another countersign-server serves {path} already; stop it first", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The decision key is not usable.
    #[error("the service's key {path}: {source}", path = path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyFileError,
    },
}

/// An opened state directory: ours, mode 0700.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Opens the directory, making it where it is missing.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        make_private_dir(root)?;
        let state = Self { root: root.to_owned() };
        make_private_dir(&state.recordings())?;
        make_private_file(&state.database())?;
        Ok(state)
    }

    /// Opens a directory that holds a service. Whoever mistypes one must not be shown the keys of another, new service.
    pub fn existing(root: &Path) -> Result<Self, StateError> {
        match fs::symlink_metadata(root.join("service.db")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StateError::NoService { path: root.to_owned() })
            }
            Ok(_) | Err(_) => Self::open(root),
        }
    }

    /// Takes the one lock of a serving process; held while the file lives.
    pub fn lock(&self) -> Result<File, StateError> {
        let path = self.root.join("lock");
        make_private_file(&path)?;
        let file = OpenOptions::new().write(true).open(&path).map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(StateError::Locked { path }),
            Err(fs::TryLockError::Error(source)) => Err(StateError::Io { verb: "lock", path, source }),
        }
    }

    /// The service's decision key, made on first use.
    pub fn signer(&self) -> Result<InProcessSigner, StateError> {
        let path = self.root.join("service.key");
        let key_error = |source| StateError::Key { path: path.clone(), source };
        if path.try_exists().map_err(io_error("look for", &path))? {
            return InProcessSigner::load(&path).map_err(key_error);
        }
        let signer = InProcessSigner::generate().map_err(|error| key_error(error.into()))?;
        match signer.save_new(&path) {
            Ok(()) => Ok(signer),
            // Another subcommand was faster: theirs is the key.
            Err(_) if path.exists() => InProcessSigner::load(&path).map_err(key_error),
            Err(source) => Err(key_error(source)),
        }
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.root.join("service.db")
    }

    /// The self-signed certificate.
    pub fn certificate(&self) -> PathBuf {
        self.root.join("cert.pem")
    }

    /// Its key.
    pub fn certificate_key(&self) -> PathBuf {
        self.root.join("cert.key")
    }

    /// Fingerprint of the certificate in use; absent where TLS is off.
    pub fn fingerprint_file(&self) -> PathBuf {
        self.root.join("cert.fingerprint")
    }

    /// Where recordings are.
    pub fn recordings(&self) -> PathBuf {
        self.root.join("recordings")
    }

    /// The file of one recording. Both parts are parsed ids, so the path stays inside.
    pub fn recording(&self, host: HostId, login: LoginId) -> PathBuf {
        self.recordings().join(host.to_string()).join(format!("{login}.cast"))
    }

    /// The pinned fingerprint that tokens carry, where TLS is on.
    pub fn fingerprint(&self) -> Result<Option<String>, StateError> {
        let path = self.fingerprint_file();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::Io { verb: "read", path, source }),
        }
    }

    /// Remembers which certificate is served; `None` where TLS is off.
    pub fn set_fingerprint(&self, fingerprint: Option<&str>) -> Result<(), StateError> {
        let path = self.fingerprint_file();
        match fingerprint {
            Some(text) => write_private(&path, format!("{text}\n").as_bytes()),
            None => match fs::remove_file(&path) {
                Ok(()) => Ok(()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(source) => Err(StateError::Io { verb: "remove", path, source }),
            },
        }
    }
}

/// Makes a directory of mode 0700, or checks that it is ours and closes it to others.
pub fn make_private_dir(path: &Path) -> Result<(), StateError> {
    match DirBuilder::new().mode(0o700).recursive(true).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(StateError::Io { verb: "make directory", path: path.to_owned(), source }),
    }
    let meta = fs::symlink_metadata(path).map_err(io_error("look at", path))?;
    if !meta.is_dir() {
        return Err(StateError::NotADirectory { path: path.to_owned() });
    }
    check_owner(path, meta.uid())?;
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io_error("close to others", path))?;
    }
    Ok(())
}

/// Writes a file of mode 0600 in one step: a new file, synced, then renamed.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(StateError::Io { verb: "remove", path: fresh, source }),
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(io_error("make", &fresh))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error("write", &fresh))?;
    fs::rename(&fresh, path).map_err(io_error("write", path))
}

fn make_private_file(path: &Path) -> Result<(), StateError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_file) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(path).map_err(io_error("look at", path))?;
            check_owner(path, meta.uid())
        }
        Err(source) => Err(StateError::Io { verb: "make", path: path.to_owned(), source }),
    }
}

fn check_owner(path: &Path, owner: u32) -> Result<(), StateError> {
    let me = nix::unistd::geteuid().as_raw();
    if owner == me { Ok(()) } else { Err(StateError::WrongOwner { path: path.to_owned(), owner, me }) }
}

/// An input or output error with its verb and path.
pub fn io_error<'a>(verb: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StateError + 'a {
    move |source| StateError::Io { verb, path: path.to_owned(), source }
}
