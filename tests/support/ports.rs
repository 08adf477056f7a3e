//! Free ports on the loopback. Taken from below the range that the kernel gives to outgoing connections, so that none of the
//! many connections of a running test can take one between its being found free and its being bound.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};

use super::random::Random;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// An address that nobody listens on just now.
pub(crate) fn free() -> SocketAddr {
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let mut random = Random::new((u64::from(std::process::id()) << 40) ^ (call << 30) ^ now);
    for _ in 0..1000 {
        let port = 12_000 + u16::try_from(random.below(20_000)).unwrap();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().unwrap();
        }
    }
    panic!("no free port on 127.0.0.1");
}
