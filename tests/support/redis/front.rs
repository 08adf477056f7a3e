//! A front: where a server is said to be, and what passes everything on to it, until the network between is cut. Then nothing passes, in either direction,
//! and nobody is told: connections stay open and silent, as when a cable is pulled. For all, or for all but gateways.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::ports;

/// What a gateway says first holds the name of its library; nobody else's first words do.
const GATEWAY: &[u8] = b"spendgate";

/// Who is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Nobody,
    AllButGateways,
    All,
}

/// The front of one server.
pub(crate) struct Front {
    address: SocketAddr,
    cut: watch::Sender<Cut>,
    passing: JoinHandle<()>,
}

// === impl Cut ===

impl Cut {
    fn meets(self, gateway: bool) -> bool {
        match self {
            Self::Nobody => false,
            Self::AllButGateways => !gateway,
            Self::All => true,
        }
    }
}

// === impl Front ===

impl Front {
    /// A front of whatever will be at `target`.
    pub(crate) async fn before(target: SocketAddr) -> Self {
        let listener = loop {
            // Another process may take the port in between.
            if let Ok(listener) = TcpListener::bind(ports::free()).await {
                break listener;
            }
        };
        let address = listener.local_addr().unwrap();
        let (cut, cuts) = watch::channel(Cut::Nobody);
        let passing = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(pass(socket, target, cuts.clone()));
            }
        });
        Self { address, cut, passing }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts, or mends: then connections that were cut break, as what was lost on them does not come again.
    pub(crate) fn cut(&self, cut: Cut) {
        self.cut.send_replace(cut);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

/// One connection. Ends with the front, too: its cuts end then.
async fn pass(mut client: TcpStream, target: SocketAddr, mut cuts: watch::Receiver<Cut>) -> Option<()> {
    let mut first = vec![0; 8192];
    let count = client.read(&mut first).await.ok()?;
    let gateway = first[..count].windows(GATEWAY.len()).any(|window| window == GATEWAY);
    if !cuts.borrow().meets(gateway) {
        let mut server = TcpStream::connect(target).await.ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        server.write_all(&first[..count]).await.ok()?;
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return Some(()),
            cut = cuts.wait_for(|cut| cut.meets(gateway)) => drop(cut.ok()?),
        }
        // Nothing was closed: neither end knows.
        cuts.wait_for(|cut| !cut.meets(gateway)).await.ok()?;
        return Some(());
    }
    cuts.wait_for(|cut| !cut.meets(gateway)).await.ok()?;
    Some(())
}
