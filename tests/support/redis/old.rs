//! A server that is too old: a real Redis 6.2 where `SPENDGATE_TEST_OLD_REDIS` names its binary, and otherwise one that answers as Redis 6.2 does to what
//! a gateway asks before it goes away.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Server;

/// What Redis 6.2.14 says of itself, as far as anybody here asks.
const INFO: &str = "# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\narch_bits:64\r\nrun_id:dad535319c8642a29e86c3d20bf436cceb7925b2\r\n\
                    # Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\naof_enabled:0\r\n# Replication\r\nrole:master\r\n\
                    connected_slaves:0\r\nmaster_replid:5d1a6e4b0c7e7f3c2b9a8d1e0f4c3b2a1d0e9f8c\r\n# Cluster\r\ncluster_enabled:0\r\n";

/// The server, for as long as this lives.
pub(crate) struct Old {
    address: SocketAddr,
    _real: Option<Server>,
    answering: Option<JoinHandle<()>>,
}

// === impl Old ===

impl Old {
    pub(crate) async fn start() -> Self {
        if let Ok(binary) = std::env::var("SPENDGATE_TEST_OLD_REDIS") {
            let server = Server::of(binary).await;
            let version = server.info("redis_version").await;
            assert!(version.starts_with("6."), "SPENDGATE_TEST_OLD_REDIS is Redis {version}");
            return Self { address: server.address(), _real: Some(server), answering: None };
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket));
            }
        });
        Self { address, _real: None, answering: Some(answering) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        if let Some(answering) = &self.answering {
            answering.abort();
        }
    }
}

/// Answers until the other end has enough.
async fn answer(socket: TcpStream) -> Option<()> {
    let (reader, mut writer) = socket.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut parts = Vec::new();
        for _ in 0..number(&mut reader, '*').await? {
            let mut bytes = vec![0; number(&mut reader, '$').await? + 2];
            reader.read_exact(&mut bytes).await.ok()?;
            parts.push(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).to_uppercase());
        }
        let reply = match parts.first()?.as_str() {
            "INFO" => format!("${}\r\n{INFO}\r\n", INFO.len()),
            "CONFIG" => "*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n".to_owned(),
            "CLIENT" => "-ERR Unknown subcommand or wrong number of arguments for 'SETINFO'. Try CLIENT HELP.\r\n".to_owned(),
            "EVAL" => "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'\r\n".to_owned(),
            other => format!("-ERR unknown command `{other}`, with args beginning with: \r\n"),
        };
        writer.write_all(reply.as_bytes()).await.ok()?;
    }
}

async fn number(reader: &mut BufReader<tokio::net::tcp::OwnedReadHalf>, kind: char) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(kind)?.parse().ok()
}
