//! Languages as BCP 47 tags.

use std::fmt;
use std::str::FromStr;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Array, Nullable, Text};
use diesel_derive_newtype::DieselNewType;
use serde::{Deserialize, Serialize};

use super::text_array::TextArray;
use crate::error::{Error, Result};

/// Maximum number of languages in a list, as in the database's CHECK.
const MAX_TAGS: usize = 100;

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

/// A list of at most 100 languages for a column of type `text[]`.
///
/// ```
/// use workspace_db::sql_types::{LanguageTag, LanguageTags};
///
/// let languages = LanguageTags::try_from(vec!["nl".parse::<LanguageTag>()?, "pt-BR".parse()?])?;
/// assert_eq!(languages.as_slice().len(), 2);
/// assert_eq!(serde_json::to_string(&languages)?, r#"["nl","pt-BR"]"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = Array<Nullable<Text>>)]
#[serde(try_from = "Vec<LanguageTag>", into = "Vec<LanguageTag>")]
pub struct LanguageTags(Vec<LanguageTag>);

impl LanguageTags {
    /// Returns the languages, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[LanguageTag] {
        &self.0
    }
}

impl TryFrom<Vec<LanguageTag>> for LanguageTags {
    type Error = Error;

    fn try_from(tags: Vec<LanguageTag>) -> Result<Self> {
        if tags.len() > MAX_TAGS {
            return Err(
                Error::invalid(format!("must be a list of at most {MAX_TAGS} language tags")).about("languages")
            );
        }
        Ok(Self(tags))
    }
}

impl From<LanguageTags> for Vec<LanguageTag> {
    fn from(tags: LanguageTags) -> Self {
        tags.0
    }
}

impl ToSql<Array<Nullable<Text>>, Pg> for LanguageTags {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let tags = self.0.iter().map(LanguageTag::as_str).collect::<TextArray>();
        ToSql::<Array<Nullable<Text>>, Pg>::to_sql(&tags, &mut out.reborrow())
    }
}

impl FromSql<Array<Nullable<Text>>, Pg> for LanguageTags {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let tags = TextArray::from_sql(value)?.0.into_iter().map(LanguageTag);
        Ok(Self(tags.collect()))
    }
}
