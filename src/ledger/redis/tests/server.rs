//! A real server for the tests, on a socket of its own. It ends with the process that started it, however that ends: a shell waits for the end of its input.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::TimeZone;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use crate::ledger::redis::RedisAddress;
use crate::ledger::redis::connections::{CallOptions, Connections};
use crate::ledger::redis::operations::{Answer, Operations};
use crate::ledger::types::Settlement;

/// Starts the server, waits until nobody holds the other end of its input, then ends the server and takes its folder away.
const KEEPER: &str = r#"trap '' INT
"$0" --port 0 --unixsocket "$1/redis.sock" --dir "$1" --save "" --appendonly no --daemonize no $2 </dev/null >/dev/null 2>&1 &
server=$!
cat >/dev/null
kill "$server"
wait "$server"
rm -rf "$1""#;

pub(in crate::ledger) struct Server {
    folder: PathBuf,
    keeper: Child,
}

impl Server {
    /// The one that all tests share, each with accounts of its own.
    pub(in crate::ledger) fn shared() -> &'static Self {
        static SHARED: LazyLock<Server> = LazyLock::new(|| Server::start(""));
        &SHARED
    }

    /// A server of one's own; `options` as on its command line.
    pub(in crate::ledger) fn start(options: &str) -> Self {
        let program = std::env::var("SPENDGATE_TEST_REDIS").unwrap_or_else(|_| "redis-server".to_owned());
        let there = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(there.is_ok_and(|status| status.success()), "cannot run {program}: install redis-server, or name one in SPENDGATE_TEST_REDIS");
        let folder = tempfile::Builder::new().prefix("redis-").tempdir().unwrap().keep();
        let keeper = Command::new("sh").arg("-c").arg(KEEPER).arg(&program).arg(&folder).arg(options).stdin(Stdio::piped()).spawn().unwrap();
        let server = Self { folder, keeper };
        for _ in 0..500 {
            if std::os::unix::net::UnixStream::connect(server.folder.join("redis.sock")).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{program} did not start");
    }

    pub(in crate::ledger) async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(format!("unix://{}", self.folder.join("redis.sock").display())).unwrap();
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30))).set_connection_timeout(Some(Duration::from_secs(30)));
        client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
    }
}

/// Ends a hold that another gateway made, as its outbox would. Returns whether it was charged.
pub(in crate::ledger) async fn settle(address: &RedisAddress, account: &str, settlement: &Settlement) -> bool {
    let connections = Connections::start(address, CallOptions { timeout: Duration::from_secs(5), replicas: 0 }).unwrap();
    connections.connected(account, Duration::from_secs(10)).await.unwrap();
    match Operations::new(connections, TimeZone::UTC).settle(account, settlement).await.unwrap().0 {
        Answer::Done(settled) => settled.charged,
        other => panic!("{other:?}"),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
