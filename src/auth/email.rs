//! Comparison of emails.

use diesel::define_sql_function;
use diesel::sql_types::Text;

/// Maximum length of an email. A request may contain a longer text.
const MAX_EMAIL_BYTES: usize = 254;

/// Returns the form in which emails are compared. A text that can't be an email becomes empty, which matches no
/// account.
pub(super) fn known_form(email: &str) -> String {
    let email = email.trim().to_lowercase();
    if email.len() > MAX_EMAIL_BYTES || email.contains('\0') { String::new() } else { email }
}

define_sql_function! {
    /// Lowercases a text, as the unique index on emails does.
    fn lower(text: Text) -> Text;
}
