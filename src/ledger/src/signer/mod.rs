//! Who signs: a key in this process, the keys of a host that change, and a
//! signer in another process.

mod child;
mod epochs;

pub use child::{RemoteSigner, refuse_signer, serve_signer};
pub use epochs::EpochSigner;

use crate::commit::{RandomError, random_bytes};
use crate::epoch::Rotation;
use crate::line::fixed;
use crate::open_text::{OpenText, SignedText};
use crate::sshsig::{Namespace, preimage};
use crate::tlog::NoteText;
use countersign_core::{Digest, b64_encode};
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Holds an Ed25519 key and signs 32-byte hashes, and checkpoints, with it.
pub trait Signer: Send {
    /// Signs the SSHSIG preimage of a message of this SHA-256.
    fn sign(&mut self, namespace: Namespace, digest: [u8; 32]) -> Result<[u8; 64], SignError>;
    /// Signs the texts of entries one after the other, each with the hashes of
    /// those before it in it: all, or none is to be relied on.
    fn sign_texts(&mut self, texts: Vec<OpenText>) -> Result<Vec<SignedText>, SignError> {
        let mut signed: Vec<SignedText> = Vec::with_capacity(texts.len());
        for mut text in texts {
            text.fill(|of| signed.get(of).map(|before| before.leaf));
            let digest = text.digest().ok_or_else(unknown_hash)?;
            let sig = self.sign(Namespace::Entry, digest)?;
            signed.push(text.signed(sig).ok_or_else(unknown_hash)?);
        }
        Ok(signed)
    }
    /// Signs the text of a checkpoint, or the message of a cosignature, as it
    /// is. [`NoteText`] can hold nothing else: never an SSHSIG preimage.
    fn sign_note(&mut self, text: &NoteText) -> Result<[u8; 64], SignError>;
    /// The Ed25519 public key.
    fn public_key(&self) -> Digest;
    /// The key that the host is known by: the same, where it never changes.
    fn identity(&self) -> Digest {
        self.public_key()
    }
    /// Whether its key changes ([`Signer::rotate`]).
    fn rotates(&self) -> bool {
        false
    }
    /// Makes a new key, which signs from the entry `seq` on, has the one
    /// before certify it, and forgets that one.
    fn rotate(&mut self, seq: u64, _prev: Digest) -> Result<Rotation, SignError> {
        Err(SignError::Failed(format!("this signer has one key, and no other from seq {seq} on")))
    }
}

fn unknown_hash() -> SignError {
    SignError::Failed("an entry follows one that is not before it".to_owned())
}

/// Nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signer gave no answer, or none of 64 bytes.
    #[error("the signer gave no signature: {0}")]
    Failed(String),
    /// A statement names another key than the signer's.
    #[error("the statement names the key {named} and the signer holds {held}")]
    OtherKey {
        /// The key id in the statement.
        named: String,
        /// The signer's key id.
        held: String,
    },
    /// The statement cannot be written.
    #[error(transparent)]
    Value(#[from] crate::BadValue),
}

/// A key file that cannot be used. The text says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyFileError {
    /// The file system refused.
    #[error("cannot {verb} the key file {path}: {source}")]
    Io {
        /// `open`, `read`, `create`, `write`, `sync`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// Not a regular file.
    #[error("{path} is not a regular file; the key must be one")]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write it.
    #[error(
        "{path} has mode {mode:04o} and a key must have 0400, so that nobody else can reach it; if nobody has: chmod 0400 {path}"
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to someone else.
    #[error("{path} belongs to uid {owner} and this program runs as uid {me}; chown it, or run as its owner")]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The effective uid.
        me: u32,
    },
    /// Its content is not a key.
    #[error(
        "{path} is not a Countersign key (one line, cs-key1 and 43 characters); restore it from a backup, a new key needs a new enrolment"
    )]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// An Ed25519 key in this process. Never printed, never sent.
pub struct InProcessSigner {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
    public: Digest,
}

impl std::fmt::Debug for InProcessSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InProcessSigner({})", crate::key_id(&self.public))
    }
}

/// What a key file begins with.
const KEY_FILE_WORD: &str = "cs-key1 ";

impl InProcessSigner {
    /// A new key.
    pub fn generate() -> Result<Self, RandomError> {
        Self::from_seed(random_bytes()?).ok_or(RandomError)
    }

    /// The key of an RFC 8032 seed; `None` never happens for 32 bytes.
    pub fn from_seed(seed: [u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let public = Digest(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { seed, pair, public })
    }

    /// Reads a key file. Refuses one that others could have read or written.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let io = |verb| move |error| io_error(verb, path, error);
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io("open"))?;
        let meta = file.metadata().map_err(io("read"))?;
        if !meta.is_file() {
            return Err(KeyFileError::NotAFile { path: path.to_owned() });
        }
        let (mode, owner, me) = (meta.mode() & 0o7777, meta.uid(), geteuid().as_raw());
        if owner != me {
            return Err(KeyFileError::Owner { path: path.to_owned(), owner, me });
        }
        if mode != 0o400 && mode != 0o600 {
            return Err(KeyFileError::Mode { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(256).read_to_string(&mut text).map_err(io("read"))?;
        let line = text.strip_suffix('\n').and_then(|t| t.strip_prefix(KEY_FILE_WORD));
        let seed = line.and_then(fixed::<32>);
        seed.and_then(Self::from_seed).ok_or_else(|| KeyFileError::Content { path: path.to_owned() })
    }

    /// Writes a new key file with mode 0400, durable when this returns.
    /// Refuses to replace one.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let io = |verb| move |error| io_error(verb, path, error);
        let flags = OFlag::O_CLOEXEC.bits();
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o400).custom_flags(flags);
        let mut file = options.open(path).map_err(io("create"))?;
        let text = format!("{KEY_FILE_WORD}{}\n", b64_encode(&self.seed));
        file.write_all(text.as_bytes()).map_err(io("write"))?;
        file.sync_all().map_err(io("sync"))?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(io("sync"))
    }
}

fn io_error(verb: &'static str, path: &Path, error: std::io::Error) -> KeyFileError {
    KeyFileError::Io { verb, path: path.to_owned(), source: Arc::new(error) }
}

impl Signer for InProcessSigner {
    fn sign(&mut self, namespace: Namespace, digest: [u8; 32]) -> Result<[u8; 64], SignError> {
        let signature = self.pair.sign(&preimage(namespace, &digest));
        signature.as_ref().try_into().map_err(|_| SignError::Failed("not 64 bytes".to_owned()))
    }

    fn sign_note(&mut self, text: &NoteText) -> Result<[u8; 64], SignError> {
        let signature = self.pair.sign(text.as_bytes());
        signature.as_ref().try_into().map_err(|_| SignError::Failed("not 64 bytes".to_owned()))
    }

    fn public_key(&self) -> Digest {
        self.public
    }
}
