use workspace_db::models::NewWebhookSubscription;

fn main() {
    let _ = NewWebhookSubscription {
        secret: Some("whsec_1".into()),
        ..NewWebhookSubscription::new("https://example.com/hook")
    };
}
