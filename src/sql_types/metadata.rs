//! JSON objects from outside, with limits.

use diesel_derive_newtype::DieselNewType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// Maximum size of the object as text, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Maximum number of nested levels of arrays and objects.
const MAX_DEPTH: usize = 32;

/// A JSON object of at most 64 KiB as text and 32 nested levels. It has no NUL character, which PostgreSQL can't store.
///
/// ```
/// use serde_json::json;
/// use workspace_db::sql_types::Metadata;
///
/// assert!(Metadata::try_from(json!({ "plan": "pro" })).is_ok());
/// assert!(Metadata::try_from(json!(["no object"])).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DieselNewType)]
#[serde(try_from = "Value", into = "Value")]
pub struct Metadata(Value);

impl TryFrom<Value> for Metadata {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        check(&value).map_err(|error| error.about("metadata"))?;
        Ok(Self(value))
    }
}

fn check(value: &Value) -> Result<()> {
    if !value.is_object() {
        return Err(Error::invalid("the metadata is not a JSON object").remedy("write it as {\"key\": value}"));
    }
    if is_deeper(value, MAX_DEPTH) {
        return Err(Error::invalid(format!("the metadata is nested more than {MAX_DEPTH} levels deep")));
    }
    let bytes = value.to_string().len();
    if bytes > MAX_BYTES {
        return Err(Error::invalid(format!("the metadata has {bytes} bytes, but the maximum is {MAX_BYTES}")));
    }
    if has_nul(value) {
        return Err(Error::invalid("the metadata contains the character NUL"));
    }
    Ok(())
}

impl From<Metadata> for Value {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

/// Maximum number of nested levels of arrays and objects that `serde_json` reads.
pub(crate) const MAX_LEVELS: usize = 127;

/// Returns true if arrays and objects are nested more than `max_depth` levels deep.
pub(crate) fn is_deeper(value: &Value, max_depth: usize) -> bool {
    match value {
        Value::Array(items) => max_depth == 0 || items.iter().any(|item| is_deeper(item, max_depth - 1)),
        Value::Object(fields) => max_depth == 0 || fields.values().any(|field| is_deeper(field, max_depth - 1)),
        _ => false,
    }
}

/// Returns true if a text in the value has a character that PostgreSQL can't store.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(key, field)| key.contains('\0') || has_nul(field)),
        _ => false,
    }
}
