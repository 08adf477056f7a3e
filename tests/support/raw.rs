//! Requests that no well-behaved client can send: bytes straight into a socket, and the status line that comes back.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait::bounded;

/// What came back: one status for each answer on the connection, and all of the bytes.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) statuses: Vec<u16>,
    pub(crate) text: String,
}

/// Writes the bytes, then reads until the other side closes. `Connection: close` belongs into the bytes where the server would stay open.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> RawAnswer {
    let mut socket = bounded("a connection", TcpStream::connect(address)).await.unwrap();
    // The server may answer and close before it has read everything: an error here is its right.
    let _ = socket.write_all(bytes).await;
    let mut seen = Vec::new();
    let read = async {
        let mut buffer = [0_u8; 4096];
        while let Ok(count) = socket.read(&mut buffer).await {
            if count == 0 {
                break;
            }
            seen.extend_from_slice(&buffer[..count]);
        }
    };
    bounded("the other side to close", read).await;
    RawAnswer::new(&seen)
}

/// Writes the bytes and reads until a whole status line is there; for answers after which the server may go on reading.
pub(crate) async fn first_status(address: SocketAddr, bytes: &[u8]) -> RawAnswer {
    let mut socket = bounded("a connection", TcpStream::connect(address)).await.unwrap();
    let _ = socket.write_all(bytes).await;
    let mut seen = Vec::new();
    let read = async {
        let mut buffer = [0_u8; 4096];
        while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
            match socket.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => seen.extend_from_slice(&buffer[..count]),
            }
        }
    };
    bounded("the head of an answer", read).await;
    RawAnswer::new(&seen)
}

// === impl RawAnswer ===

impl RawAnswer {
    fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let statuses = text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect();
        Self { statuses, text }
    }

    /// The one status of the one answer. None: closed without a word.
    pub(crate) fn only_status(&self) -> Option<u16> {
        assert!(self.statuses.len() <= 1, "more than one answer: {self:?}");
        self.statuses.first().copied()
    }
}
