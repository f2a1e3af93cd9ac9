//! The web inspector: the database as one workspace sees it, in a browser on the same machine.
//!
//! In the view of a workspace, rows are read on a [`WorkspaceConnection`](workspace_db::tenancy::WorkspaceConnection), so row-level
//! security determines what is visible. Across workspaces they are read with the platform login, and every page says so.
//! Transactions are also read-only for PostgreSQL. A dynamic statement ends after [`TIMEOUT`], and every request after 30 s.
//! Secrets are never shown: neither passwords and tokens nor their hashes, nor JSON that is not known to be harmless.
//!
//! The studio listens only on loopback, and answers only a browser that has opened the link with its one-time token.
//!
//! ```toml
//! [dependencies]
//! workspace-db = { path = "../workspace-db" }
//! workspace-db-studio = { path = "../workspace-db/crates/studio" }
//! ```
//!
//! ```no_run
//! use workspace_db::config::Config;
//! use workspace_db::embeddings::FeatureHashing;
//! use workspace_db_studio::{StudioOptions, Studio};
//!
//! # async fn example() -> workspace_db::Result<()> {
//! let listen = "127.0.0.1:0".parse().expect("an address");
//! let options = StudioOptions { listen, may_write: false, embedders: vec![Box::new(FeatureHashing)] };
//! let studio = Studio::bind(&Config::from_env()?, options).await?;
//! println!("{}", studio.link());
//! studio.serve(std::future::pending()).await
//! # }
//! ```
//!
//! The command `workspace-db studio` does the same.

mod access_control;
mod assets;
mod audit;
mod browse;
mod catalog;
mod column_kind;
mod conversations;
mod diagram;
mod display;
mod doctor;
mod edit;
mod gate;
mod jobs;
mod json;
mod layout;
mod map;
mod markdown;
mod params;
mod principal_components;
mod problem;
mod request;
mod row;
mod row_change;
mod schema;
mod search;
mod secrets;
mod serve;
mod state;
mod statement;
mod static_files;
mod uuid_v7;
mod view;
mod workspaces;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use self::gate::Gate;
use self::state::{AppState, CatalogCache, WorkspaceNames};
pub use self::statement::TIMEOUT;
use workspace_db::config::Config;
use workspace_db::embeddings::Embedder;
use workspace_db::tenancy::Database;
use workspace_db::{Error, ErrorKind, Result};

/// Maximum bytes of a form.
const MAX_POSTED: usize = 4 << 20;

/// Returns a random loopback address that other servers hardly use. Browsers and cookies ignore ports, so the address makes
/// the studio a site of its own. It is 127.0.0.1 if the system has no other, as on macOS.
///
/// ```
/// assert!(workspace_db_studio::random_loopback_address().is_loopback());
/// ```
#[must_use]
pub fn random_loopback_address() -> IpAddr {
    let mut bytes = [0; 3];
    let [network, subnet, host] = match getrandom::fill(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => return Ipv4Addr::LOCALHOST.into(),
    };
    let address = Ipv4Addr::new(127, network.max(1), subnet, host.clamp(1, 254));
    let is_there = std::net::TcpListener::bind((address, 0)).is_ok();
    IpAddr::V4(if is_there { address } else { Ipv4Addr::LOCALHOST })
}

/// Options of a studio.
pub struct StudioOptions {
    /// Address to listen on; only loopback, port 0 for a free one.
    pub listen: SocketAddr,
    /// True if rows can be changed.
    pub may_write: bool,
    /// Embedders for the questions of searches. In each workspace, the one that created its vectors is used.
    pub embedders: Vec<Box<dyn Embedder>>,
}

impl fmt::Debug for StudioOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudioOptions")
            .field("listen", &self.listen)
            .field("may_write", &self.may_write)
            .field("embedders", &self.embedders.iter().map(|embedder| embedder.model()).collect::<Vec<_>>())
            .finish()
    }
}

/// A studio that has bound its port, and answers once it is [served](Self::serve).
///
/// ```no_run
/// use workspace_db::config::Config;
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db_studio::{StudioOptions, Studio};
///
/// # async fn example() -> workspace_db::Result<()> {
/// let listen = "127.0.0.1:0".parse().expect("an address");
/// let options = StudioOptions { listen, may_write: false, embedders: vec![Box::new(FeatureHashing)] };
/// let studio = Studio::bind(&Config::from_env()?, options).await?;
/// println!("{}", studio.link());
/// studio.serve(std::future::pending()).await
/// # }
/// ```
pub struct Studio {
    listener: TcpListener,
    shared: Arc<AppState>,
}

impl Studio {
    /// Binds the port, and verifies that the database answers.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if `listen` is not on loopback: a client that reaches the studio can
    /// read every workspace, so use an SSH tunnel from other machines. [`is_conflict`](Error::is_conflict) if the port is in
    /// use; as [`Database::open`].
    pub async fn bind(config: &Config, options: StudioOptions) -> Result<Self> {
        let StudioOptions { listen, may_write, embedders } = options;
        if !listen.ip().is_loopback() {
            return Err(Error::invalid(format!("the studio does not listen on {}", listen.ip())).remedy(
                "it has neither TLS nor a login, and shows every workspace: let it listen on 127.0.0.1, and reach it \
                 with `ssh -L 4980:127.0.0.1:4980 the-machine`",
            ));
        }
        let db = Database::open(config).await?;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            Error::new(ErrorKind::Conflict, format!("the studio can't listen on {listen}"))
                .remedy("stop the program that listens there, or choose another port with --port")
                .caused_by(error)
        })?;
        let address = listener.local_addr().map_err(|error| io("the studio can't read its own address", error))?;
        let gate = Gate::new(address)?;
        let shared = Arc::new(AppState {
            db,
            config: config.clone(),
            gate,
            may_write,
            embedders,
            catalog: CatalogCache::default(),
            names: WorkspaceNames::default(),
            searching: Mutex::default(),
            last_change: Mutex::default(),
        });
        Ok(Self { listener, shared })
    }

    /// Returns the address to open, with a token that admits one browser once.
    #[must_use]
    pub fn link(&self) -> String {
        self.links().next()
    }

    /// Returns the source of further links while the studio is served.
    #[must_use]
    pub fn links(&self) -> StudioLinks {
        StudioLinks(Arc::clone(&self.shared))
    }

    /// Answers requests until `end` completes. Then running requests may continue for up to 5 s.
    ///
    /// A connection is closed if the head of its request takes longer than 10 s. With more than 128 connections, the oldest
    /// is closed.
    ///
    /// # Errors
    ///
    /// None at present.
    pub async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        serve::serve(self.listener, routes(self.shared), end).await;
        Ok(())
    }
}

/// Links to a studio, each of which admits one browser.
#[derive(Clone)]
pub struct StudioLinks(Arc<AppState>);

impl StudioLinks {
    /// Returns a new link.
    #[must_use]
    pub fn next(&self) -> String {
        self.0.gate.link()
    }
}

impl fmt::Debug for StudioLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StudioLinks")
    }
}

impl fmt::Debug for Studio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Studio({:?})", self.listener)
    }
}

fn io(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, what).caused_by(error)
}

/// Returns all routes, one per line. A new page needs a line here and one in `layout`'s list.
fn routes(shared: Arc<AppState>) -> Router {
    let pages = Router::new()
        .route("/", get(workspaces::choose))
        .route("/switch", get(workspaces::switch))
        .route("/leave", get(access_control::leave))
        .route("/{view}/tables", get(schema::tables))
        .route("/{view}/tables/{table}", get(browse::page))
        .route("/{view}/tables/{table}/copy", get(browse::copy))
        .route("/{view}/tables/{table}/row", get(row::page))
        .route("/{view}/tables/{table}/new", get(edit::new).post(edit::insert))
        .route("/{view}/tables/{table}/edit", get(edit::edit).post(edit::update))
        .route("/{view}/tables/{table}/delete", post(edit::delete))
        .route("/{view}/undo", post(edit::undo))
        .route("/{view}/schema", get(schema::page))
        .route("/{view}/search", get(search::page))
        .route("/{view}/search/{way}", get(search::list))
        .route("/{view}/map", get(map::page))
        .route("/{view}/map/picture", get(map::picture))
        .route("/{view}/jobs", get(jobs::page))
        .route("/{view}/jobs/live", get(jobs::live))
        .route("/{view}/jobs/{job}", get(jobs::one))
        .route("/{view}/jobs/{job}/retry", post(jobs::retry))
        .route("/{view}/jobs/{job}/cancel", post(jobs::cancel))
        .route("/{view}/conversations", get(conversations::page))
        .route("/{view}/conversations/{conversation}", get(conversations::one))
        .route("/{view}/conversations/{conversation}/status", post(conversations::status))
        .route("/{view}/conversations/{conversation}/reply", post(conversations::reply))
        .route("/{view}/doctor", get(doctor::page))
        .route("/{view}/doctor/checks", get(doctor::checks))
        .route("/{view}/audit", get(audit::page))
        .fallback(problem::no_page)
        .layer(from_fn_with_state(Arc::clone(&shared), access_control::require_browser_session));
    pages
        .route("/enter", get(access_control::enter))
        .route("/assets/{version}/{name}", get(static_files::file))
        .layer(DefaultBodyLimit::max(MAX_POSTED))
        .layer(from_fn_with_state(Arc::clone(&shared), access_control::require_same_origin))
        .with_state(shared)
}
