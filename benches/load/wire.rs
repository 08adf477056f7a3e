//! Just enough HTTP/1.1 to read messages off a socket at little cost: the load must not be what is measured.

use std::time::Instant;

use anyhow::{Context, bail};
use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// How a message's body ends.
enum End {
    After(usize),
    LastChunk,
}

/// A whole message.
pub(crate) struct Message<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where the body begins.
    pub(crate) body: usize,
    /// When the first byte of the body was here.
    pub(crate) first_byte: Instant,
}

/// Reads messages off a socket, one after the other; no pipelining.
#[derive(Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

// === impl Reader ===

impl Reader {
    /// Reads one whole message. None when the other side has closed between two.
    pub(crate) async fn message(&mut self, socket: &mut TcpStream) -> anyhow::Result<Option<Message<'_>>> {
        self.buffer.clear();
        let (mut end, mut first_byte) = (None, None);
        loop {
            self.buffer.reserve(16 * 1024);
            let count = socket.read_buf(&mut self.buffer).await?;
            if count == 0 {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                bail!("closed in the middle of a message: {:?}", String::from_utf8_lossy(&self.buffer));
            }
            if end.is_none()
                && let Some(head) = memmem::find(&self.buffer, b"\r\n\r\n")
            {
                end = Some((head + 4, body_end(self.buffer.get(..head).unwrap_or_default())?));
            }
            let Some((body, end)) = &end else { continue };
            if first_byte.is_none() && self.buffer.len() > *body {
                first_byte = Some(Instant::now());
            }
            let whole = match end {
                End::After(length) => self.buffer.len() >= body + length,
                End::LastChunk => self.buffer.len() >= body + 5 && self.buffer.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                return Ok(Some(Message { bytes: &self.buffer, body: *body, first_byte: first_byte.unwrap_or_else(Instant::now) }));
            }
        }
    }
}

fn body_end(head: &[u8]) -> anyhow::Result<End> {
    let head = std::str::from_utf8(head)?;
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(End::After(value.trim().parse()?));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(End::LastChunk);
        }
    }
    Ok(End::After(0))
}
