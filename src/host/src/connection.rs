//! A front's connection, a message at a time.

use countersign_api::frame::{BadFrame, Decoder, encode};
use countersign_api::front::{FrontMessage, HostMessage};
use countersign_core::Exit;
use countersign_sys as sys;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

/// How long a front may take to read what it is sent.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// A front's connection.
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    /// The front's process.
    pid: Option<i32>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        Self { stream, pid, decoder: Decoder::default(), buffer: vec![0; 64 * 1024] }
    }

    /// The front's process, as the kernel says.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// The next message; `None` at the end of the connection. Loses nothing
    /// when dropped half-way.
    pub(crate) async fn next(&mut self) -> Result<Option<FrontMessage>, BadFrame> {
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(Some(message));
            }
            match self.stream.read(&mut self.buffer).await {
                Ok(0) | Err(_) => return Ok(None),
                Ok(count) => self.decoder.push(self.buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Waits until the front is gone, or says something more.
    pub(crate) async fn gone(&mut self) {
        drop(self.next().await);
    }

    /// Sends a message; an error means that the front is gone.
    pub(crate) async fn send(&mut self, message: &HostMessage) -> io::Result<()> {
        self.send_all(std::slice::from_ref(message)).await
    }

    /// Sends messages with one write, so that the front wakes up once.
    pub(crate) async fn send_all(&mut self, messages: &[HostMessage]) -> io::Result<()> {
        let frames: Vec<Vec<u8>> = messages.iter().map(encode).collect::<Result<_, _>>().map_err(io::Error::other)?;
        tokio::time::timeout(SEND_WITHIN, self.stream.write_all(&frames.concat())).await.map_err(io::Error::other)?
    }

    /// Sends a message that carries a descriptor.
    pub(crate) async fn send_with(&mut self, message: &HostMessage, file: &std::fs::File) -> io::Result<()> {
        let frame = encode(message).map_err(io::Error::other)?;
        let stream = &self.stream;
        let sent =
            stream.async_io(Interest::WRITABLE, || sys::send_with_fd(stream.as_fd(), &frame, &[file.as_fd()])).await?;
        let rest = frame.get(sent..).unwrap_or_default();
        self.stream.write_all(rest).await
    }

    /// Ends the login from this side.
    pub(crate) async fn fatal(&mut self, reason: &str) {
        self.end(reason, Exit::Unavailable).await;
    }

    /// The same, with this exit code.
    pub(crate) async fn end(&mut self, reason: &str, exit: Exit) {
        let message = HostMessage::Fatal { reason: reason.to_owned(), exit: exit.code() };
        if let Err(why) = self.send(&message).await {
            tracing::debug!("a front was gone before it could be told: {reason} ({why})");
        }
    }
}
