//! `spendgate simulate`: the sandbox responder alone, as a stand-in provider that needs no token.

use std::net::SocketAddr;
use std::process::ExitCode;

use crate::server;

/// Where the stand-in listens.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateArgs {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When the address cannot be listened on.
pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", args.listen))?;
        let stop = server::stop_signal()?;
        super::say(&format!("simulating the APIs of the built-in routes on http://{}", listener.local_addr()?));
        server::simulate(listener, stop).await?;
        Ok(ExitCode::SUCCESS)
    })
}
