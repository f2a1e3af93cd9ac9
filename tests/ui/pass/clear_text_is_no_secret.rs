use workspace_db::id::WorkspaceId;
use workspace_db::models::NewWebhookSubscription;
use workspace_db::sql_types::{SealedSecret, SecretKey};

pub fn main() {
    let key = SecretKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").unwrap();
    let secret = SealedSecret::seal(&key, WorkspaceId::generate(), &"whsec_1".to_owned().into()).unwrap();
    let _ = NewWebhookSubscription {
        secret: Some(secret),
        ..NewWebhookSubscription::new("https://example.com/hook")
    };
}
