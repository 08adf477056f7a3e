//! Watches the files: a look at their size and time every second (which also sees a Kubernetes ConfigMap swap), and at once on SIGHUP.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Live, Reloaded};
use crate::telemetry::Metrics;
use crate::tls::ServerTls;

const LOOK_EVERY: Duration = Duration::from_secs(1);

type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Reloads until it is aborted.
pub(super) fn watch(live: Arc<Live>, tls: Option<Arc<ServerTls>>, metrics: Arc<Metrics>) -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut hangup = signal(SignalKind::hangup())?;
    let paths: Vec<PathBuf> = live.watched().map(Path::to_owned).collect();
    let tls_paths: Vec<PathBuf> = tls.iter().flat_map(|tls| [tls.files().cert.clone(), tls.files().key.clone()]).collect();
    Ok(async move {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let (mut seen, mut seen_tls) = (stamp(&paths), stamp(&tls_paths));
        // What changed between the first reading and now is seen too.
        reload(&live, false, &metrics).await;
        loop {
            let forced = tokio::select! {
                _ = look.tick() => false,
                _ = hangup.recv() => true,
            };
            let (now, now_tls) = (stamp(&paths), stamp(&tls_paths));
            if forced || now != seen {
                seen = now;
                reload(&live, forced, &metrics).await;
            }
            if let Some(tls) = tls.as_ref().filter(|_| forced || now_tls != seen_tls) {
                seen_tls = now_tls;
                match tls.reload() {
                    Ok(()) => tracing::info!("certificate reloaded"),
                    Err(error) => {
                        metrics.reload_failed();
                        tracing::error!("the old certificate stays in force: {error:#}");
                    }
                }
            }
        }
    })
}

async fn reload(live: &Arc<Live>, forced: bool, metrics: &Metrics) {
    let reloading = live.clone();
    match tokio::task::spawn_blocking(move || reloading.reload(forced)).await {
        Ok(Reloaded::Unchanged) => {}
        Ok(Reloaded::Replaced) => super::say_what_is_in_force(live),
        Ok(Reloaded::Refused(errors)) => {
            metrics.reload_failed();
            for error in errors {
                tracing::error!("the old configuration stays in force: {error}");
            }
        }
        Err(error) => {
            metrics.reload_failed();
            tracing::error!(%error, "a reload broke off; the old configuration stays in force");
        }
    }
}

fn stamp(paths: &[PathBuf]) -> Stamp {
    paths.iter().map(|path| std::fs::metadata(path).ok().and_then(|facts| facts.modified().ok().map(|at| (at, facts.len())))).collect()
}
