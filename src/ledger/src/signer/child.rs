//! A signer in another process: requests and answers over a socket, one after
//! the other, each a length (u16, big-endian) and so many bytes.
//!
//! | request | answer |
//! |---|---|
//! | `e` ‖ digest (32) | signature of an entry (64) |
//! | `b` ‖ texts of entries ([`OpenText::write_to`]) | their signatures (64 each) |
//! | `n` ‖ text of a checkpoint | its signature (64) |
//! | `r` ‖ seq (u64 big-endian) ‖ prev (32) | new key (32) ‖ certificate (64) |
//! | `i` | identity key (32) |
//!
//! The answer's first byte is 0, or 1 and then a text that says why not.

use super::{SignError, Signer, unknown_hash};
use crate::epoch::Rotation;
use crate::key_id;
use crate::open_text::{OpenText, SignedText};
use crate::sshsig::Namespace;
use crate::tlog::NoteText;
use countersign_core::Digest;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an answer may take. Then the signer is lost for good, since an
/// answer that comes later would be taken for another's.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Serves requests until the other side is gone.
pub fn serve_signer(mut link: impl Read + Write, signer: &mut dyn Signer) -> io::Result<()> {
    let mut inbox = Inbox::new();
    while let Some(request) = inbox.receive(&mut link)? {
        let answer = match answer(request, signer) {
            Ok(bytes) => [&[0], bytes.as_slice()].concat(),
            Err(error) => [&[1], error.to_string().as_bytes()].concat(),
        };
        send(&mut link, &answer)?;
    }
    Ok(())
}

/// Tells the other side why there is no signer.
pub fn refuse_signer(mut link: impl Read + Write, why: &str) -> io::Result<()> {
    let mut inbox = Inbox::new();
    while inbox.receive(&mut link)?.is_some() {
        send(&mut link, &[&[1], why.as_bytes()].concat())?;
    }
    Ok(())
}

fn answer(request: &[u8], signer: &mut dyn Signer) -> Result<Vec<u8>, SignError> {
    let bad = || SignError::Failed("not a request of a signer".to_owned());
    match request.split_first() {
        Some((b'e', digest)) => Ok(signer.sign(Namespace::Entry, digest.try_into().map_err(|_| bad())?)?.to_vec()),
        Some((b'b', texts)) => {
            let texts = read_texts(texts).filter(|texts| texts.len() <= MAX_SIGNATURES).ok_or_else(bad)?;
            let signed = signer.sign_texts(texts)?;
            Ok(signed.iter().flat_map(|signed| signed.sig).collect())
        }
        Some((b'n', text)) => Ok(signer.sign_note(&NoteText::parse(text).ok_or_else(bad)?)?.to_vec()),
        Some((b'r', place)) => {
            let (seq, prev) = place.split_first_chunk::<8>().ok_or_else(bad)?;
            let prev = Digest(prev.try_into().map_err(|_| bad())?);
            let made = signer.rotate(u64::from_be_bytes(*seq), prev)?;
            Ok([made.key.0.as_slice(), &made.cert].concat())
        }
        Some((b'i', [])) => Ok(signer.identity().0.to_vec()),
        Some(_) | None => Err(bad()),
    }
}

fn read_texts(mut bytes: &[u8]) -> Option<Vec<OpenText>> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let (text, rest) = OpenText::read(bytes)?;
        texts.push(text);
        bytes = rest;
    }
    Some(texts)
}

/// Bytes of the longest message, its length included.
const MAX_MESSAGE: usize = 2 + u16::MAX as usize;

/// Most signatures that fit into an answer. A request with texts of entries never holds so many.
const MAX_SIGNATURES: usize = (u16::MAX as usize - 1) / 64;

/// Where messages come in. Each is alone on its way: the other side waits for
/// the answer.
struct Inbox(Box<[u8]>);

impl Inbox {
    fn new() -> Self {
        Self(vec![0; MAX_MESSAGE].into())
    }

    /// The next message; `None` where the other side is gone.
    fn receive(&mut self, link: &mut impl Read) -> io::Result<Option<&[u8]>> {
        let mut have = 0;
        loop {
            match link.read(self.0.get_mut(have..).unwrap_or_default()) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => have += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let (Some(length), more) = (self.0.first_chunk::<2>(), have.saturating_sub(2)) else { continue };
            let length = usize::from(u16::from_be_bytes(*length));
            if have < 2 || more < length {
                continue;
            }
            if more > length {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "more than a message"));
            }
            return Ok(self.0.get(2..have));
        }
    }
}

fn send(link: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    // One write, so that the other side wakes up once.
    link.write_all(&[length.to_be_bytes().as_slice(), message].concat())
}

/// The signer at the other end of a socket.
pub struct RemoteSigner {
    link: UnixStream,
    inbox: Inbox,
    identity: Digest,
    public: Digest,
    lost: Option<String>,
}

impl std::fmt::Debug for RemoteSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RemoteSigner({})", key_id(&self.public))
    }
}

impl RemoteSigner {
    /// Asks for the identity key; an error says why there is none.
    pub fn connect(link: UnixStream) -> Result<Self, SignError> {
        let lost = |error: io::Error| SignError::Failed(error.to_string());
        link.set_read_timeout(Some(ANSWER_WITHIN)).map_err(lost)?;
        link.set_write_timeout(Some(ANSWER_WITHIN)).map_err(lost)?;
        let mut signer = Self { link, inbox: Inbox::new(), identity: Digest::ZERO, public: Digest::ZERO, lost: None };
        signer.identity = Digest(signer.ask(b"i")?);
        signer.public = signer.identity;
        Ok(signer)
    }

    /// Asks once, for an answer of this length.
    fn ask<const N: usize>(&mut self, request: &[u8]) -> Result<[u8; N], SignError> {
        let unreadable = |_| SignError::Failed("its answer cannot be read".to_owned());
        self.ask_for(N, request)?.try_into().map_err(unreadable)
    }

    /// Asks once, for an answer of so many bytes. After anything but an answer
    /// there is no signer any more.
    fn ask_for(&mut self, length: usize, request: &[u8]) -> Result<Vec<u8>, SignError> {
        if let Some(why) = &self.lost {
            return Err(SignError::Failed(why.clone()));
        }
        let why = match self.exchange(request) {
            Ok(Some(answer)) => match answer.split_first() {
                Some((0, bytes)) if bytes.len() == length => return Ok(bytes.to_vec()),
                Some((0, bytes)) => format!("it answered with {} bytes", bytes.len()),
                Some((1, text)) => return Err(SignError::Failed(String::from_utf8_lossy(text).into_owned())),
                Some(_) | None => "its answer cannot be read".to_owned(),
            },
            Ok(None) => "the signer process has ended".to_owned(),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                format!("the signer process did not answer within {} s", ANSWER_WITHIN.as_secs())
            }
            Err(error) => format!("the signer process has ended ({error})"),
        };
        self.lost = Some(why.clone());
        Err(SignError::Failed(why))
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<Option<&[u8]>> {
        send(&mut self.link, request)?;
        self.inbox.receive(&mut self.link)
    }
}

impl Signer for RemoteSigner {
    fn sign(&mut self, namespace: Namespace, digest: [u8; 32]) -> Result<[u8; 64], SignError> {
        if namespace != Namespace::Entry {
            return Err(SignError::Failed(format!("the signer process signs no {}", namespace.as_str())));
        }
        self.ask(&[b"e".as_slice(), &digest].concat())
    }

    /// In as few requests as they fit into: a way there and back takes longer
    /// than some signatures.
    fn sign_texts(&mut self, texts: Vec<OpenText>) -> Result<Vec<SignedText>, SignError> {
        let mut signed: Vec<SignedText> = Vec::with_capacity(texts.len());
        let mut texts = texts.into_iter().peekable();
        while texts.peek().is_some() {
            let (first, mut request, mut asked) = (signed.len(), vec![b'b'], Vec::new());
            let fits = |request: &[u8], text: &OpenText| {
                request.len() == 1 || request.len() + text.written_bytes() <= usize::from(u16::MAX)
            };
            while let Some(mut text) = texts.next_if(|text| fits(&request, text)) {
                text.fill(|of| signed.get(of).map(|before| before.leaf));
                text.write_to(first, &mut request).ok_or_else(unknown_hash)?;
                asked.push(text);
            }
            let answer = self.ask_for(asked.len() * 64, &request)?;
            let (sigs, _) = answer.as_chunks::<64>();
            for (mut text, sig) in asked.into_iter().zip(sigs) {
                text.fill(|of| signed.get(of).map(|before| before.leaf));
                signed.push(text.signed(*sig).ok_or_else(unknown_hash)?);
            }
        }
        Ok(signed)
    }

    fn sign_note(&mut self, text: &NoteText) -> Result<[u8; 64], SignError> {
        self.ask(&[b"n", text.as_bytes()].concat())
    }

    fn public_key(&self) -> Digest {
        self.public
    }

    fn identity(&self) -> Digest {
        self.identity
    }

    fn rotates(&self) -> bool {
        true
    }

    fn rotate(&mut self, seq: u64, prev: Digest) -> Result<Rotation, SignError> {
        let answer: [u8; 96] = self.ask(&[b"r".as_slice(), &seq.to_be_bytes(), &prev.0].concat())?;
        let unreadable = || SignError::Failed("its answer cannot be read".to_owned());
        let (key, cert) = answer.split_first_chunk::<32>().ok_or_else(unreadable)?;
        let cert = cert.try_into().map_err(|_| unreadable())?;
        let by = key_id(&self.public);
        self.public = Digest(*key);
        Ok(Rotation { by, key: self.public, cert })
    }
}
