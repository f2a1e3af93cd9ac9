//! `workspace-db studio`

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use clap::Args;
use workspace_db::studio::{Options, Studio as Inspector, own_address};

use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::{Context, output};

/// Look at the data in a browser, as one workspace sees it
///
/// Prints a link that lets one browser in; Enter prints another.
#[derive(Args, Debug)]
pub(super) struct Studio {
    /// Loopback address to listen on; without it, one that no other server of this machine has
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// Port to listen on; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 4980)]
    port: u16,
    /// Let rows be changed; each change goes into the audit log
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

/// A browser asks for several things at once.
const CONNECTIONS: usize = 6;

impl Studio {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let config = DatabaseTarget::of(context)?.config()?;
        let config = workspace_db::config::Config { pool_size: CONNECTIONS, ..config };
        let options = Options {
            listen: SocketAddr::new(self.listen.unwrap_or_else(own_address), self.port),
            may_write: self.write,
            embedder: self.embedder.embedder()?,
        };
        let studio = Inspector::bind(&config, options).await?;
        let links = studio.links();
        output::print_lines([links.next()])?;
        // A thread of its own, which ends with the process: one of the runtime's would keep it from ending until Enter is pressed.
        std::thread::spawn(move || {
            for _ in std::io::stdin().lines().map_while(std::result::Result::ok) {
                let _ = output::print_lines([links.next()]);
            }
        });
        studio.serve(super::shutdown_signal()).await?;
        Ok(())
    }
}
