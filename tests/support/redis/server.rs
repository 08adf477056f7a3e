//! One server: Redis, or a Sentinel.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Reply, command, try_command};
use crate::support::process::{Written, signal, spawn};
use crate::support::{eventually, ports};

/// What it is started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Redis,
    Sentinel,
}

/// A server, running or not, and its folder.
pub(crate) struct Server {
    kind: Kind,
    binary: String,
    folder: TempDir,
    address: SocketAddr,
    child: Option<Child>,
    frozen: bool,
    written: Written,
}

/// The usual program.
fn binary() -> String {
    std::env::var("SPENDGATE_TEST_REDIS").unwrap_or_else(|_| "redis-server".to_owned())
}

// === impl Server ===

impl Server {
    /// Redis as it is recommended for money: an append-only file, written through to the disk each second, nothing evicted.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// Likewise, with more lines of configuration. `FREE_PORT` there is another free port.
    pub(crate) async fn with(more: &str) -> Self {
        let usual = "save \"\"\nappendonly yes\nappendfsync everysec\nauto-aof-rewrite-percentage 0\nmaxmemory-policy noeviction\n\
                     repl-diskless-sync yes\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n";
        Self::any(Kind::Redis, binary(), &format!("{usual}{more}")).await
    }

    /// A Sentinel.
    pub(crate) async fn sentinel(lines: &str) -> Self {
        Self::any(Kind::Sentinel, binary(), lines).await
    }

    /// Another program than the usual one, set up as little as it needs.
    pub(crate) async fn of(binary: String) -> Self {
        Self::any(Kind::Redis, binary, "save \"\"\n").await
    }

    async fn any(kind: Kind, binary: String, lines: &str) -> Self {
        let folder = TempDir::with_prefix("spendgate-redis-").unwrap();
        let mut server = Self { kind, binary, folder, address: ports::free(), child: None, frozen: false, written: Written::default() };
        for _ in 0..5 {
            let port = server.address.port();
            let mut text = format!("bind 127.0.0.1\nport {port}\nprotected-mode no\ndaemonize no\ndir {}\n{lines}", server.folder.path().display());
            text = text.replace("FREE_PORT", &ports::free().port().to_string());
            std::fs::write(server.configuration(), text).unwrap();
            if server.try_launch().await {
                return server;
            }
            // Another process took a port in between: the next try takes others.
            assert!(server.written.text().to_lowercase().contains("in use"), "the server did not start: {}", server.written.tail());
            server.address = ports::free();
        }
        panic!("no free ports for a server in five tries");
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("server.conf")
    }

    /// Starts it again on the same port and the same data. It must have stopped.
    pub(crate) async fn launch(&mut self) {
        assert!(self.try_launch().await, "the server did not start again: {}", self.written.tail());
    }

    /// Returns once it answers, or false where it ended by itself.
    async fn try_launch(&mut self) -> bool {
        assert!(self.child.is_none(), "the server is still running");
        let mut start = Command::new(&self.binary);
        start.arg(self.configuration()).stdin(Stdio::null());
        if self.kind == Kind::Sentinel {
            start.arg("--sentinel");
        }
        self.child = Some(spawn(start, &self.written));
        let address = self.address;
        let child = self.child.as_mut().unwrap();
        let answers = eventually("the server to answer", async || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            (try_command(address, &["PING"]).await == Ok(Reply::Text("PONG".to_owned()))).then_some(true)
        })
        .await;
        if !answers {
            self.child = None;
        }
        answers
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// False where it is killed or frozen.
    pub(crate) fn answers(&self) -> bool {
        self.child.is_some() && !self.frozen
    }

    pub(crate) async fn command(&self, parts: &[&str]) -> Reply {
        command(self.address, parts).await
    }

    /// A setting.
    pub(crate) async fn setting(&self, name: &str) -> String {
        self.command(&["CONFIG", "GET", name]).await.array()[1].text().to_owned()
    }

    /// A line of `INFO`, or an empty text.
    pub(crate) async fn info(&self, field: &str) -> String {
        let text = try_command(self.address, &["INFO"]).await.map_or_else(|_| String::new(), |reply| reply.text().to_owned());
        let prefix = format!("{field}:");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().trim().to_owned()
    }

    /// kill -9. Returns when the process is gone. What it had acknowledged is with the kernel, so it is still there after [`launch`](Self::launch).
    pub(crate) fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// kill -9, and what was acknowledged within the time before it is lost, as in a power cut: the disk never got it.
    pub(crate) async fn lose_power(&mut self, unwritten: Duration) {
        let before = self.append_only();
        tokio::time::sleep(unwritten).await;
        self.kill9();
        for (path, length) in before {
            if let Ok(file) = std::fs::OpenOptions::new().write(true).open(&path) {
                let now = file.metadata().unwrap().len();
                file.set_len(length.min(now)).unwrap();
            }
        }
    }

    /// The append-only files and how long they are.
    fn append_only(&self) -> Vec<(PathBuf, u64)> {
        let files = std::fs::read_dir(self.folder.path().join("appendonlydir")).unwrap().map(|entry| entry.unwrap().path());
        let grows = |path: &Path| path.to_string_lossy().ends_with(".incr.aof");
        files.filter(|path| grows(path)).map(|path| (path.clone(), std::fs::metadata(&path).unwrap().len())).collect()
    }

    /// SIGSTOP: it still holds its connections and answers nothing.
    pub(crate) fn freeze(&mut self) {
        self.frozen = true;
        signal(self.child.as_ref().expect("a running server"), "STOP");
    }

    /// SIGCONT: it goes on as if nothing had been.
    pub(crate) fn thaw(&mut self) {
        self.frozen = false;
        signal(self.child.as_ref().expect("a running server"), "CONT");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SIGKILL ends a frozen process too.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let said = self.written.tail();
            let from = said.len().saturating_sub(800);
            eprintln!("---- the server at {} wrote ----\n{}", self.address, said.get(from..).unwrap_or(&said));
        }
    }
}
