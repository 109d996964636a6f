//! Signed notes, <https://c2sp.org/signed-note>.

use crate::commit::sha256_of;
use crate::sshsig::BadSignature;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use ring::signature::{ED25519, UnparsedPublicKey};

/// Longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;
/// Most signatures of a note.
const MAX_SIGNATURES: usize = 64;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The note's text (type 0x01).
    Ed25519,
    /// Time and text, <https://c2sp.org/tlog-cosignature> (type 0x04).
    Cosignature,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A key that signs notes, under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    /// Its name.
    pub name: String,
    /// What it signs.
    pub kind: KeyKind,
    /// Ed25519 public key.
    pub public: Digest,
}

impl NoteKey {
    /// The key id: 4 bytes of `SHA-256(name ‖ 0x0A ‖ type ‖ key)`.
    pub fn id(&self) -> [u8; 4] {
        let digest = sha256_of(&[self.name.as_bytes(), &[b'\n', self.kind.byte()], &self.public.0]);
        let [a, b, c, d, ..] = digest.0;
        [a, b, c, d]
    }

    /// The text form that tools take: `name+id+base64(type ‖ key)`.
    pub fn vkey(&self) -> String {
        let id: String = self.id().iter().map(|b| format!("{b:02x}")).collect();
        let mut bytes = vec![self.kind.byte()];
        bytes.extend_from_slice(&self.public.0);
        format!("{}+{id}+{}", self.name, STANDARD.encode(bytes))
    }

    /// A signature line's content for raw signature bytes.
    pub fn signature(&self, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.name.clone(), id: self.id(), bytes }
    }

    /// Checks the signatures of this key on a note. `None` where it has none,
    /// the time (seconds since 1970) for a cosignature, 0 otherwise.
    pub fn verify(&self, note: &Note) -> Result<Option<u64>, BadSignature> {
        let id = self.id();
        let mut found = None;
        for signature in note.signatures.iter().filter(|s| s.id == id && s.name == self.name) {
            let time = match self.kind {
                KeyKind::Ed25519 => {
                    verify_raw(&self.public, note.text.as_bytes(), &signature.bytes)?;
                    0
                }
                KeyKind::Cosignature => {
                    let (time, bytes) = signature.bytes.split_first_chunk::<8>().ok_or(BadSignature)?;
                    let time = u64::from_be_bytes(*time);
                    verify_raw(&self.public, &cosigned_message(time, &note.text), bytes)?;
                    time
                }
            };
            found = Some(time);
        }
        Ok(found)
    }
}

/// Checks a raw Ed25519 signature.
pub(crate) fn verify_raw(public: &Digest, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(&ED25519, &public.0).verify(message, signature).map_err(|_| BadSignature)
}

/// The bytes that a cosignature is over.
pub(crate) fn cosigned_message(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: [u8; 4],
    /// What follows the id.
    pub bytes: Vec<u8>,
}

/// A text and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, its final newline included.
    pub text: String,
    /// At least one.
    pub signatures: Vec<NoteSignature>,
}

/// Not a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Over 64 KiB, not UTF-8, or with a control character.
    #[error("a note is UTF-8 without control characters, at most 64 KiB")]
    Text,
    /// No blank line before signatures, or no signature.
    #[error("a note is a text, a blank line, and at least one signature line")]
    Form,
    /// A signature line that is none.
    #[error("a signature line of a note is `\u{2014} NAME BASE64`")]
    Signature,
}

impl Note {
    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadNote> {
        let whole = std::str::from_utf8(bytes).map_err(|_| BadNote::Text)?;
        if bytes.len() > MAX_NOTE_BYTES || bytes.iter().any(|b| *b < 0x20 && *b != b'\n') {
            return Err(BadNote::Text);
        }
        let (body, lines) = whole.rsplit_once("\n\n").ok_or(BadNote::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(BadNote::Form)?;
        let signatures: Vec<_> = lines.split('\n').map(signature_line).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(BadNote::Form);
        }
        Ok(Self { text: format!("{body}\n"), signatures })
    }

    /// Writes it.
    pub fn encode(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            let bytes = [signature.id.as_slice(), &signature.bytes].concat();
            out.push_str(&format!("\u{2014} {} {}\n", signature.name, STANDARD.encode(bytes)));
        }
        out
    }
}

fn signature_line(line: &str) -> Result<NoteSignature, BadNote> {
    let rest = line.strip_prefix("\u{2014} ").ok_or(BadNote::Signature)?;
    let (name, coded) = rest.split_once(' ').ok_or(BadNote::Signature)?;
    let bytes = STANDARD.decode(coded).map_err(|_| BadNote::Signature)?;
    match bytes.split_first_chunk::<4>() {
        Some((id, rest)) if is_key_name(name) && !rest.is_empty() => {
            Ok(NoteSignature { name: name.to_owned(), id: *id, bytes: rest.to_vec() })
        }
        Some(_) | None => Err(BadNote::Signature),
    }
}

/// Whether this may name a key: no white space, no plus.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}
