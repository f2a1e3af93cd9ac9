//! `workspace-db studio`

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use clap::Args;
use workspace_db::embeddings::Embedder;
use workspace_db_studio::{Studio as Inspector, StudioOptions, random_loopback_address};

use super::context::Context;
use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::output;
use super::signal::shutdown_signal;

/// Inspect the data of one workspace at a time in a browser
///
/// The command prints a link that admits one browser. Press Enter for another link.
#[derive(Args, Debug)]
pub(super) struct Studio {
    /// Loopback address; default: one that no other server on this machine uses
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// Port to listen on; 0 selects a free port
    #[arg(long, value_name = "PORT", default_value_t = 4980)]
    port: u16,
    /// Allow changes to rows; the audit log records each change
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

/// Size of the connection pool: a browser sends several requests at once.
const CONNECTIONS: usize = 6;

impl Studio {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let config = DatabaseTarget::from_context(context)?.config()?;
        let config = workspace_db::config::Config { pool_size: CONNECTIONS, ..config };
        let (embedder, other) = self.embedder.embedders()?.into_parts();
        let other = other.map(|other| Box::new(other) as Box<dyn Embedder>);
        let options = StudioOptions {
            listen: SocketAddr::new(self.listen.unwrap_or_else(random_loopback_address), self.port),
            may_write: self.write,
            embedders: std::iter::once(embedder).chain(other).collect(),
        };
        let studio = Inspector::bind(&config, options).await?;
        let links = studio.links();
        output::print_lines([links.next()])?;
        // This thread ends with the process. A thread of the runtime would keep the process running until Enter is pressed.
        std::thread::spawn(move || {
            for _ in std::io::stdin().lines().map_while(std::result::Result::ok) {
                let _ = output::print_lines([links.next()]);
            }
        });
        studio.serve(shutdown_signal()).await?;
        Ok(())
    }
}
