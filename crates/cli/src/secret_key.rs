//! The option with the key that seals webhook secrets.

use clap::Args;

#[derive(Args, Debug)]
pub(super) struct SecretKeyArgs {
    /// Key that seals webhook secrets, as the base64 of 32 bytes
    ///
    /// Without it, a copy has no webhook secrets.
    #[arg(long, value_name = "BASE64", env = "WORKSPACE_DB_SECRET_KEY", hide_env_values = true)]
    pub(super) secret_key: Option<String>,
}
