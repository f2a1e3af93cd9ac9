//! Languages as BCP 47 tags.

use std::fmt;
use std::str::FromStr;

use diesel_derive_newtype::DieselNewType;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A language such as `en`, `nl` or `pt-BR`, in the shape of a BCP 47 tag.
///
/// Parsing checks the shape, as the database's CHECK does: letters first, then groups of at most eight letters or
/// digits. It does not check that the language exists.
///
/// ```
/// use workspace_db::sql_types::LanguageTag;
///
/// let tag: LanguageTag = "pt-BR".parse()?;
/// assert_eq!(tag.as_str(), "pt-BR");
/// assert!("pt_BR".parse::<LanguageTag>().is_err());
/// # Ok::<(), workspace_db::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, DieselNewType)]
#[serde(try_from = "String", into = "String")]
pub struct LanguageTag(String);

impl LanguageTag {
    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LanguageTag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut subtags = text.split('-');
        let language = subtags.next().unwrap_or_default();
        let well_formed = (2..=8).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_alphabetic())
            && subtags.all(|subtag| {
                (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(format!("{text:?} is not a valid language tag"))
                .remedy("use a BCP 47 tag such as en, nl or pt-BR")
                .about("language"))
        }
    }
}

impl TryFrom<String> for LanguageTag {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<LanguageTag> for String {
    fn from(tag: LanguageTag) -> Self {
        tag.0
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
