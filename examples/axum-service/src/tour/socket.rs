//! A WebSocket's other end, of as few words as the tour needs.

use std::{error::Error, io};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::caller::Caller;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
/// The last frame of a message.
const FIN: u8 = 0x80;
/// A client's frames are masked (RFC 6455 §5.3). With zeroes: there is no cache to be misled.
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0; 4];
/// The longest payload whose length is in the frame's second byte.
const SHORT: u8 = 125;

pub(super) struct Socket(TcpStream);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    kind: u8,
    payload: Vec<u8>,
}

impl Socket {
    pub(super) async fn open(caller: &Caller) -> Result<Self, Box<dyn Error>> {
        let address = caller.address();
        let mut stream = TcpStream::connect(&address).await?;
        let handshake = format!(
            "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(handshake.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into());
        }
        Ok(Self(stream))
    }

    pub(super) async fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(TEXT, text.as_bytes()).await
    }

    /// Answers the other side's close.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.send(CLOSE, &[]).await
    }

    pub(super) async fn hear(&mut self) -> io::Result<Frame> {
        let (kind, length) = (self.0.read_u8().await? & !FIN, self.0.read_u8().await?);
        if length > SHORT {
            return Err(io::Error::other("longer than the tour reads"));
        }
        let mut payload = vec![0; length.into()];
        self.0.read_exact(&mut payload).await?;
        Ok(Frame { kind, payload })
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length <= SHORT);
        let length = length.ok_or_else(|| io::Error::other("longer than the tour writes"))?;
        let head = [&[FIN | kind, MASKED | length][..], &MASK].concat();
        self.0.write_all(&[&head, payload].concat()).await
    }
}

impl Frame {
    pub(super) fn text(text: &str) -> Self {
        Self { kind: TEXT, payload: text.into() }
    }

    /// Why the other side leaves.
    pub(super) fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk()?;
        (self.kind == CLOSE).then(|| u16::from_be_bytes(*code))
    }
}
