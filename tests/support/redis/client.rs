//! Commands to a server, one connection each: small, and independent of the client library that the gateway uses.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

/// A server that does not answer within this time does not answer: it may be frozen.
const DEADLINE: Duration = Duration::from_secs(5);

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nil,
    Number(i64),
    Text(String),
    Array(Vec<Reply>),
}

// === impl Reply ===

impl Reply {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("a text was expected: {other:?}"),
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().unwrap_or_else(|_| panic!("a number was expected: {text:?}")),
            other => panic!("a number was expected: {other:?}"),
        }
    }

    pub(crate) fn array(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            other => panic!("an array was expected: {other:?}"),
        }
    }
}

/// One command. Panics on anything but an answer.
pub(crate) async fn command(address: SocketAddr, parts: &[&str]) -> Reply {
    try_command(address, parts).await.unwrap_or_else(|error| panic!("{parts:?} at {address}: {error}"))
}

/// A write, and the wait until that many replicas have it too. The wait is about the writes of its own connection.
pub(crate) async fn replicated(address: SocketAddr, parts: &[&str], replicas: &str) {
    let answers = exchange(address, &[parts, &["WAIT", replicas, "3000"]]).await.unwrap_or_else(|error| panic!("{parts:?} at {address}: {error}"));
    let reached = answers[1].number();
    assert!(reached >= replicas.parse().unwrap(), "{parts:?} reached {reached} replicas");
}

/// One command. The error is the server's own, or says why there was no answer.
pub(crate) async fn try_command(address: SocketAddr, parts: &[&str]) -> Result<Reply, String> {
    exchange(address, &[parts]).await?.pop().ok_or_else(|| "no answer".to_owned())
}

/// Commands on one connection, one after the other.
async fn exchange(address: SocketAddr, commands: &[&[&str]]) -> Result<Vec<Reply>, String> {
    let exchange = async {
        let socket = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let (reader, mut writer) = socket.into_split();
        let mut reader = BufReader::new(reader);
        let mut replies = Vec::new();
        for parts in commands {
            let mut bytes = format!("*{}\r\n", parts.len());
            for part in *parts {
                bytes.push_str(&format!("${}\r\n{part}\r\n", part.len()));
            }
            writer.write_all(bytes.as_bytes()).await.map_err(|error| error.to_string())?;
            replies.push(read(&mut reader).await?);
        }
        Ok(replies)
    };
    tokio::time::timeout(DEADLINE, exchange).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn line(reader: &mut BufReader<OwnedReadHalf>) -> Result<String, String> {
    let mut line = String::new();
    reader.read_line(&mut line).await.map_err(|error| error.to_string())?;
    if line.ends_with("\r\n") { Ok(line.trim_end().to_owned()) } else { Err("the connection closed".to_owned()) }
}

async fn read(reader: &mut BufReader<OwnedReadHalf>) -> Result<Reply, String> {
    let line = line(reader).await?;
    let (kind, rest) = line.split_at(line.chars().next().map_or(0, char::len_utf8));
    let count = || rest.parse::<i64>().map_err(|_| format!("not a number: {rest:?}"));
    match kind {
        "+" => Ok(Reply::Text(rest.to_owned())),
        "-" => Err(rest.to_owned()),
        ":" => Ok(Reply::Number(count()?)),
        "$" => match usize::try_from(count()?) {
            Err(_) => Ok(Reply::Nil),
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                reader.read_exact(&mut bytes).await.map_err(|error| error.to_string())?;
                bytes.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
        },
        "*" => match usize::try_from(count()?) {
            Err(_) => Ok(Reply::Nil),
            Ok(length) => {
                let mut items = Vec::with_capacity(length);
                for _ in 0..length {
                    items.push(Box::pin(read(reader)).await?);
                }
                Ok(Reply::Array(items))
            }
        },
        _ => Err(format!("not an answer: {line:?}")),
    }
}
