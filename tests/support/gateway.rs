//! The real binary, in a folder of its own, on ports of its own; killed, terminated and restarted as a test asks.

use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::client::{Client, Request};
use super::process::{self, Written};
use super::routes::{Routes, UPSTREAM_KEY};
use super::stand_in::StandIn;
use super::wait::eventually;
use super::{ports, tokens};

/// The main API key of the tests, a canary too.
pub(crate) const MAIN_KEY: &str = "sg_main_canary_0123456789abcdefghijklmnopqrstuvwxyzABCDEF";

/// How a gateway is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    routes: String,
    environment: Vec<(String, String)>,
}

/// A gateway, running or not, and its folder.
pub(crate) struct Gateway {
    folder: TempDir,
    /// Where the ledger is kept.
    address: String,
    setup: Setup,
    child: Option<Child>,
    written: Written,
    client: Client,
    ops: Client,
}

// === impl Setup ===

impl Setup {
    /// The usual: the main key and the upstream's key set, a short lease, everything logged. `SPENDGATE_TEST_LEASES` says whether gateways on Redis admit from
    /// slices where a test does not say it.
    pub(crate) fn new(routes: &Routes) -> Self {
        let environment = [("SPENDGATE_API_KEY", MAIN_KEY), ("OPENAI_API_KEY", UPSTREAM_KEY), ("SPENDGATE_LEASE", "2s"), ("SPENDGATE_LOG", "debug")];
        let setup = Self { routes: routes.text().to_owned(), environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec() };
        match std::env::var("SPENDGATE_TEST_LEASES") {
            Ok(leases) => setup.env("SPENDGATE_REDIS_LEASES", &leases),
            Err(_) => setup,
        }
    }

    /// Sets a variable of the gateway's environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether it admits from slices, where it is on Redis.
    pub(crate) fn leases(self, on: bool) -> Self {
        self.env("SPENDGATE_REDIS_LEASES", if on { "on" } else { "off" })
    }

    /// Takes a variable out of the gateway's environment.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }
}

/// A ledger of its own for each gateway: a file in its folder, or, where `SPENDGATE_TEST_STORE` names a server, a database there.
fn address_of(folder: &std::path::Path) -> String {
    static DATABASES: AtomicU64 = AtomicU64::new(1);
    match std::env::var("SPENDGATE_TEST_STORE") {
        Ok(server) => format!("{server}/{}", DATABASES.fetch_add(1, Ordering::Relaxed)),
        Err(_) => format!("sqlite:{}", folder.join("spendgate.db").display()),
    }
}

// === impl Gateway ===

impl Gateway {
    /// OpenAI at `/v1/*` and a call for one cent at `/ocr`, both to the stand-in.
    pub(crate) async fn before(provider: &StandIn) -> Self {
        let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
        Self::start(Setup::new(&routes)).await
    }

    /// Starts the binary in a fresh folder and waits until it is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        let folder = TempDir::with_prefix("spendgate-test-").unwrap();
        std::fs::write(folder.path().join("routes.toml"), &setup.routes).unwrap();
        let nowhere = Client { address: ([127, 0, 0, 1], 9).into() };
        let address = address_of(folder.path());
        let mut gateway = Self { folder, address, setup, child: None, written: Written::default(), client: nowhere, ops: nowhere };
        gateway.launch().await;
        gateway
    }

    /// Starts the binary again, in the same folder, on new ports. It must have stopped.
    pub(crate) async fn launch(&mut self) {
        assert!(self.child.is_none(), "the gateway is still running");
        for _ in 0..5 {
            self.client = Client { address: ports::free() };
            self.ops = Client { address: ports::free() };
            let before = self.written.text().len();
            self.child = Some(process::spawn(process::command(self.folder.path(), &[], &self.environment()), &self.written));
            if self.ready_or_gone().await {
                return;
            }
            self.child = None;
            let said = self.written.text()[before..].to_lowercase();
            // Another process took a port in between: the next try takes others.
            assert!(said.contains("in use"), "the gateway did not start: {}", self.written.tail());
        }
        panic!("no free ports for the gateway in five tries");
    }

    async fn ready_or_gone(&mut self) -> bool {
        let ops = self.ops;
        let mut child = self.child.take().unwrap();
        let ready = eventually("the gateway to be ready", async || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            ops.try_ask(Request::get("/readyz")).await.ok().filter(|answer| answer.status == 200).map(|_| true)
        })
        .await;
        self.child = Some(child);
        ready
    }

    /// The environment of the binary, for `serve` and for the other commands.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![
            ("SPENDGATE_LISTEN".to_owned(), self.client.address.to_string()),
            ("SPENDGATE_OPS_LISTEN".to_owned(), self.ops.address.to_string()),
            ("SPENDGATE_URL".to_owned(), format!("http://{}", self.client.address)),
            ("SPENDGATE_STORE".to_owned(), self.address.clone()),
            ("SPENDGATE_ROUTES".to_owned(), self.routes_file().display().to_string()),
        ];
        environment.extend(self.setup.environment.iter().cloned());
        environment
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("spendgate.db")
    }

    /// Where ends of requests wait, on a ledger that is a server.
    pub(crate) fn outbox(&self) -> PathBuf {
        self.folder.path().join("data/outbox")
    }

    pub(crate) fn routes_file(&self) -> PathBuf {
        self.folder.path().join("routes.toml")
    }

    /// Replaces routes.toml as an editor does: a new file moved over the old one.
    pub(crate) fn write_routes(&self, text: &str) {
        let new = self.folder.path().join("routes.toml.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, self.routes_file()).unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        self.client
    }

    pub(crate) fn ops(&self) -> Client {
        self.ops
    }

    /// The token API with the main key.
    pub(crate) fn tokens(&self) -> tokens::Tokens {
        tokens::Tokens { client: self.client, key: MAIN_KEY.to_owned() }
    }

    /// Everything that the gateway ever wrote, over all of its lives.
    pub(crate) fn written(&self) -> String {
        self.written.text()
    }

    pub(crate) async fn metrics(&self) -> String {
        self.ops.ask(Request::get("/metrics")).await.expect(200).text()
    }

    /// Sends a signal and lets the gateway go on.
    pub(crate) fn signal(&self, name: &str) {
        process::signal(self.child.as_ref().expect("a running gateway"), name);
    }

    /// kill -9: no goodbye. Returns when the process is gone.
    pub(crate) fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running gateway");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.exited().await
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running gateway");
        let status = eventually("the gateway to end", async || child.try_wait().unwrap()).await;
        // The readers of its outputs finish right after it.
        tokio::task::yield_now().await;
        status
    }

    /// Runs `spendgate audit` on the store. The gateway must have stopped.
    #[track_caller]
    pub(crate) fn audit(&self) {
        assert!(self.child.is_none(), "audit reads the store of a gateway that has stopped");
        let output = process::run(self.folder.path(), &["audit"], &self.environment());
        assert!(output.status.success(), "audit: {}\n{}", process::both(&output), self.written.tail());
    }

    /// Stops the gateway in good order and audits its store: how every test that touched money ends.
    pub(crate) async fn close(mut self) {
        let status = self.terminate().await;
        assert!(status.success(), "{status}: {}", self.written.tail());
        self.audit();
    }

    /// Runs any other command of the binary against this gateway.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Output {
        process::run(self.folder.path(), arguments, &self.environment())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself: then there is nothing left to stop.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("---- the gateway wrote ----\n{}", self.written.tail());
        }
    }
}
