//! Texts that people type and others read. Each type checks its text on input, so a value is always valid.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use diesel_derive_newtype::DieselNewType;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Result};

macro_rules! checked_texts {
    ($($(#[$doc:meta])* $name:ident = $check:path, $field:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, DieselNewType)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                $check(text).map(Self).map_err(|error| error.about($field))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

checked_texts! {
    /// An email address, in lower case and ASCII, of at most 254 bytes. A domain of other letters is written in its `xn--`
    /// form, so that a look-alike of another address can't be registered.
    ///
    /// ```
    /// use workspace_db::sql_types::Email;
    ///
    /// let email: Email = "Jane@Example.com".parse()?;
    /// assert_eq!(email.as_str(), "jane@example.com");
    /// assert!("jаne@example.com".parse::<Email>().is_err(), "the second letter is Cyrillic");
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    Email = email, "email";

    /// The name of a workspace in URLs: groups of lower-case ASCII letters and digits, joined by single hyphens. It has at
    /// most 63 characters, as a label of a domain name has.
    ///
    /// ```
    /// use workspace_db::sql_types::Slug;
    ///
    /// assert!("acme-2".parse::<Slug>().is_ok());
    /// assert!("Acme".parse::<Slug>().is_err() && "acme--2".parse::<Slug>().is_err());
    /// ```
    Slug = slug, "slug";

    /// A name for people: one line of 1 to 200 characters. It has no control characters, and none that hide text or change
    /// its direction. Surrounding spaces are removed.
    ///
    /// ```
    /// use workspace_db::sql_types::Name;
    ///
    /// let name: Name = "  Zoë's  ".parse()?;
    /// assert_eq!(name.as_str(), "Zoë's");
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    Name = name, "name";

    /// Text of several lines, at most 10,000 characters, without control characters other than line feeds and tabs.
    ///
    /// ```
    /// assert!("Hello!\nWhat would you like to know?".parse::<workspace_db::sql_types::Prose>().is_ok());
    /// ```
    Prose = prose, "text";

    /// A colour in CSS hexadecimal notation: `#rgb`, `#rrggbb`, or either with one or two alpha digits; in lower case.
    ///
    /// ```
    /// use workspace_db::sql_types::HexColor;
    ///
    /// assert_eq!("#FF8800".parse::<HexColor>()?.as_str(), "#ff8800");
    /// # Ok::<(), workspace_db::Error>(())
    /// ```
    HexColor = hex_color, "color";

    /// A web URL: `https` or `http`, with a host and without a login, at most 2,048 bytes.
    ///
    /// ```
    /// use workspace_db::sql_types::WebUrl;
    ///
    /// assert!("https://example.com/logo.svg".parse::<WebUrl>().is_ok());
    /// assert!("javascript:alert(1)".parse::<WebUrl>().is_err());
    /// ```
    WebUrl = web_url, "url";

    /// The address of an image: a [`WebUrl`], or a data URL with a PNG, JPEG, GIF or WebP image in base64, at most 262,144
    /// bytes. SVG is not accepted, because it may contain scripts.
    ///
    /// ```
    /// use workspace_db::sql_types::ImageUrl;
    ///
    /// assert!("https://example.com/logo.svg".parse::<ImageUrl>().is_ok());
    /// assert!("data:image/png;base64,iVBORw0KGgo=".parse::<ImageUrl>().is_ok());
    /// assert!("data:text/html;base64,PGI+".parse::<ImageUrl>().is_err());
    /// ```
    ImageUrl = image_url, "image";
}

fn email(text: &str) -> Result<String> {
    let wrong = |why: &str| {
        Error::invalid(format!("{} is not an email address: {why}", quoted(text)))
            .remedy("write it as name@example.com")
    };
    let Some((local, domain)) = text.rsplit_once('@') else { return Err(wrong("it has no @")) };
    if !text.is_ascii() {
        return Err(wrong("it has characters beyond ASCII"));
    }
    if text.len() > 254 || local.len() > 64 {
        return Err(wrong("it is too long"));
    }
    let is_atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    if !local.split('.').all(is_atom) {
        return Err(wrong("the part before the @ is not a plain name"));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !domain.contains('.') || !domain.split('.').all(is_label) {
        return Err(wrong("the part after the @ is not a domain"));
    }
    Ok(text.to_ascii_lowercase())
}

fn slug(text: &str) -> Result<String> {
    let is_group =
        |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if text.len() <= 63 && text.split('-').all(is_group) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("{} is not a valid slug", quoted(text)))
        .remedy("use at most 63 lower-case letters and digits, in groups joined by single hyphens, such as acme-2"))
}

fn name(text: &str) -> Result<String> {
    let text = text.trim();
    let wrong = |why: &str| Error::invalid(format!("{} is not a valid name: {why}", quoted(text)));
    match text.chars().count() {
        0 => Err(wrong("it is empty")),
        201.. => Err(wrong("it has more than 200 characters")),
        _ if text.chars().any(|c| c.is_control() || misleads(c)) => {
            Err(wrong("it has control characters or invisible characters"))
        }
        _ => Ok(text.to_owned()),
    }
}

fn prose(text: &str) -> Result<String> {
    if text.chars().count() > 10_000 {
        return Err(Error::invalid("the text has more than 10,000 characters"));
    }
    if text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || misleads(c)) {
        return Err(Error::invalid("the text has control characters or invisible characters"));
    }
    Ok(text.to_owned())
}

/// Returns true for line and paragraph separators, zero-width spaces, and characters that change the direction of text.
/// Joiners are allowed: scripts and emoji need them.
fn misleads(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn hex_color(text: &str) -> Result<String> {
    match text.strip_prefix('#') {
        Some(digits)
            if matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err(Error::invalid(format!("{} is not a colour", quoted(text)))
            .remedy("write it as #rgb or #rrggbb, such as #ff8800")),
    }
}

fn web_url(text: &str) -> Result<String> {
    let wrong = |why: &str| {
        Error::invalid(format!("{} is not a valid web address: {why}", quoted(text)))
            .remedy("write it as https://example.com/path")
    };
    if text.len() > 2_048 {
        return Err(wrong("it has more than 2,048 bytes"));
    }
    // `Url` removes these silently, so the stored value would differ from the input.
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong("it has spaces or control characters"));
    }
    let url = Url::parse(text).map_err(|error| wrong("it can't be parsed").caused_by(error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong("it does not begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it contains a user name or a password"));
    }
    Ok(String::from(url))
}

fn image_url(text: &str) -> Result<String> {
    let Some(data) = text.strip_prefix("data:") else { return web_url(text) };
    let wrong = |why: &str| {
        Error::invalid(format!("{} is not a valid image: {why}", quoted(text)))
            .remedy("use a web address, or a data URL such as data:image/png;base64,...")
    };
    if text.len() > 262_144 {
        return Err(wrong("it has more than 262,144 bytes"));
    }
    let formats = ["png", "jpeg", "gif", "webp"];
    let image = formats.iter().find_map(|format| data.strip_prefix(&format!("image/{format};base64,")));
    let image = image.ok_or_else(|| wrong("it is not a PNG, JPEG, GIF or WebP image in base64"))?;
    match BASE64.decode(image) {
        Ok(bytes) if !bytes.is_empty() => Ok(text.to_owned()),
        Ok(_) => Err(wrong("it is empty")),
        Err(error) => Err(wrong("its base64 can't be decoded").caused_by(error)),
    }
}

/// Quotes at most the first 60 characters of the input, for an error.
fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let beginning: String = text.chars().take(MOST).collect();
    if beginning.len() < text.len() { format!("{beginning:?}...") } else { format!("{text:?}") }
}
