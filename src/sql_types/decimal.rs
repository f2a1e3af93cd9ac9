//! Decimal numbers as JSON.

use bigdecimal::BigDecimal;
use serde::Serializer;

/// Writes a decimal number as a text with all of its digits, and without an exponent, which the number's own form has for small ones.
#[expect(clippy::ref_option, reason = "the form that serde wants")]
pub(crate) fn as_text<S: Serializer>(number: &Option<BigDecimal>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.serialize_str(&number.to_plain_string()),
        None => serializer.serialize_none(),
    }
}
