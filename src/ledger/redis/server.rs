//! One server, kept connected: a broken or silent connection is replaced in the background, and until then a call fails at once instead of waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::address::Host;
use super::link::{Dialer, Link};
use super::script::CallError;

/// The pauses between two tries to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How often a connection is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A server.
pub(super) struct Server {
    pub(super) host: Host,
    current: Arc<ArcSwapOption<Link>>,
    broken: Arc<Notify>,
    trouble: Arc<Mutex<Option<String>>>,
    keeper: JoinHandle<()>,
}

// === impl Server ===

impl Server {
    /// Connects, and stays connected until this is dropped. `changes` counts up at each new connection.
    pub(super) fn start(host: Host, dialer: Dialer, changes: watch::Sender<u64>) -> Self {
        let current = Arc::new(ArcSwapOption::empty());
        let (broken, trouble) = (Arc::new(Notify::new()), Arc::default());
        let keeper = keep_connected(host.clone(), dialer, Arc::clone(&current), Arc::clone(&broken), Arc::clone(&trouble), changes);
        Self { host, current, broken, trouble, keeper: tokio::spawn(keeper) }
    }

    /// The connection, if there is one.
    pub(super) fn link(&self) -> Result<Arc<Link>, CallError> {
        self.current.load_full().ok_or_else(|| CallError::NotSent(format!("no connection to {}", self.host)))
    }

    /// This connection is of no use any more.
    pub(super) fn broke(&self, link: &Arc<Link>) {
        let current = self.current.load();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, link)) {
            self.current.store(None);
            self.broken.notify_one();
        }
    }

    /// Why there is no connection, where the last try failed.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep_connected(
    host: Host,
    dialer: Dialer,
    current: Arc<ArcSwapOption<Link>>,
    broken: Arc<Notify>,
    trouble: Arc<Mutex<Option<String>>>,
    changes: watch::Sender<u64>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        match dialer.link(&host).await {
            Ok((link, _)) => {
                pause = FIRST_PAUSE;
                *trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                tracing::debug!(%host, server = &*link.identity, "connected");
                let link = Arc::new(link);
                current.store(Some(Arc::clone(&link)));
                changes.send_modify(|count| *count += 1);
                while current.load().is_some() && !link.is_silent() {
                    let _ = tokio::time::timeout(LOOK, broken.notified()).await;
                }
                current.store(None);
                tracing::warn!(%host, "the connection to the ledger's server is lost");
            }
            Err(error) => {
                tracing::debug!(%host, %error, "no connection yet");
                *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.reason().to_owned());
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
