//! Prices of models.

use bigdecimal::BigDecimal;

use super::token_usage::TokenUsage;
use crate::error::{Error, Result};

/// Maximum length of the names of a model, a price list and a stop reason, in characters.
const MAX_NAME_CHARS: usize = 200;
/// Maximum number of decimal places of a price.
const MAX_PRICE_SCALE: i64 = 12;
/// Maximum price of a million tokens, in US dollars.
const MAX_PRICE: i64 = 1_000_000;

/// Prices of a model in US dollars per million tokens, and the list that they are from.
///
/// ```
/// use workspace_db::conversations::ModelPrice;
///
/// let price = ModelPrice {
///     version: "2026-11".to_owned(),
///     input: "1.25".parse()?,
///     cached_input: Some("0.125".parse()?),
///     output: "10".parse()?,
/// };
/// # drop(price);
/// # Ok::<(), workspace_db::bigdecimal::ParseBigDecimalError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPrice {
    /// Name of the price list, such as its date.
    pub version: String,
    /// Price of a million tokens of input.
    pub input: BigDecimal,
    /// Price of a million tokens of input from the provider's cache; `None` if they cost the same.
    pub cached_input: Option<BigDecimal>,
    /// Price of a million tokens of output, those of the reasoning among them.
    pub output: BigDecimal,
}

impl ModelPrice {
    /// Returns the exact cost, or none if input or output are unknown. Cached tokens that are unknown cost as others.
    pub(super) fn cost(&self, usage: TokenUsage) -> Result<Option<BigDecimal>> {
        check_name("price_version", &self.version)?;
        let prices = [Some(&self.input), self.cached_input.as_ref(), Some(&self.output)];
        if let Some(price) = prices.into_iter().flatten().find(|price| !is_price(price)) {
            let text = format!("{price} is no price of a million tokens");
            let remedy = format!("use 0 to {MAX_PRICE} US dollars with at most {MAX_PRICE_SCALE} decimal places");
            return Err(Error::invalid(text).remedy(remedy).about("price"));
        }
        let (Some(input), Some(output)) = (usage.input, usage.output) else { return Ok(None) };
        let cached = usage.cached.unwrap_or(0).min(input);
        let cached_price = self.cached_input.as_ref().unwrap_or(&self.input);
        let per_million = &self.input * BigDecimal::from(input - cached)
            + cached_price * BigDecimal::from(cached)
            + &self.output * BigDecimal::from(output);
        Ok(Some((per_million * BigDecimal::new(1.into(), 6)).normalized()))
    }
}

fn is_price(price: &BigDecimal) -> bool {
    let [free, highest] = [0, MAX_PRICE].map(BigDecimal::from);
    (free..=highest).contains(price) && price.normalized().fractional_digit_count() <= MAX_PRICE_SCALE
}

/// Rejects a name that is empty, too long, or that PostgreSQL can't store.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<()> {
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS || name.contains('\0') {
        return Err(Error::invalid(format!("{field} has {chars} characters, or a NUL character"))
            .remedy(format!("use 1 to {MAX_NAME_CHARS} characters, without NUL"))
            .about(field));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_and_unknown_without_tokens() {
        let price = |text: &str| text.parse::<BigDecimal>().unwrap();
        let list = ModelPrice {
            version: "2026-11".to_owned(),
            input: price("1.25"),
            cached_input: Some(price("0.125")),
            output: price("10"),
        };
        let cost = |input, cached, output| {
            list.cost(TokenUsage { input, cached, output, reasoning: None }).unwrap().map(|cost| cost.to_string())
        };
        assert_eq!(cost(Some(1_000_001), Some(1), Some(3)).as_deref(), Some("1.250030125"));
        assert_eq!(cost(Some(0), None, Some(0)).as_deref(), Some("0"));
        assert_eq!(cost(Some(7), None, None), None);
        let free = ModelPrice { input: price("-0.01"), ..list.clone() };
        assert_eq!(free.cost(TokenUsage::default()).unwrap_err().field(), Some("price"));
    }
}
