//! `spendgate simulate`: the sandbox responder alone, as a stand-in provider that needs no token.

use std::net::SocketAddr;
use std::process::ExitCode;

use crate::prices::PriceBook;
use crate::sandbox;

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
    let book = PriceBook::builtin().map_err(|errors| anyhow::anyhow!("the price book built into the binary is broken: {errors:?}"))?;
    let listed = |provider: &str| book.models(provider).map(str::to_owned).collect();
    let models = sandbox::ServedModels { openai: listed("openai"), anthropic: listed("anthropic") };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", args.listen))?;
        let stop = crate::server::stop_signal()?;
        super::say(&format!("simulating OpenAI's and Anthropic's APIs on http://{}/v1", listener.local_addr()?));
        sandbox::serve(listener, models, stop).await?;
        Ok(ExitCode::SUCCESS)
    })
}
