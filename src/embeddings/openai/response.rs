//! Responses of an endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::model_endpoint::in_order;

/// A list of embeddings.
#[derive(Deserialize)]
pub(super) struct Response {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    /// Place of the text. Endpoints that omit it return the vectors in order.
    index: Option<usize>,
    embedding: Components,
}

/// Numbers, or base64 of little-endian numbers in single precision.
#[derive(Deserialize)]
#[serde(untagged)]
enum Components {
    Numbers(Vec<f32>),
    Base64(String),
}

impl Response {
    /// Returns the vectors in the order of the texts, or the reason why there is not one for each.
    pub(super) fn vectors(self, expected: usize) -> Result<Vec<Vec<f32>>, String> {
        let items =
            self.data.into_iter().zip(0..).map(|(item, at)| (item.index.unwrap_or(at), item.embedding)).collect();
        in_order(items, expected, "vector", "text")?.into_iter().map(Components::numbers).collect()
    }
}

impl Components {
    fn numbers(self) -> Result<Vec<f32>, String> {
        let text = match self {
            Self::Numbers(numbers) => return Ok(numbers),
            Self::Base64(text) => text,
        };
        let bytes = BASE64.decode(text).map_err(|error| format!("a vector of its response is not base64: {error}"))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err("a vector of its response does not consist of numbers of 4 bytes".to_owned());
        }
        Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(json: &str, expected: usize) -> Result<Vec<Vec<f32>>, String> {
        serde_json::from_str::<Response>(json).unwrap().vectors(expected)
    }

    #[test]
    fn numbers_and_base64_are_read_in_the_order_of_the_texts() {
        let swapped = r#"{"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": "AACAPw=="}]}"#;
        assert_eq!(vectors(swapped, 2).unwrap(), [[1.0], [2.0]]);
        let without_index = r#"{"data": [{"embedding": [1]}, {"embedding": [2]}]}"#;
        assert_eq!(vectors(without_index, 2).unwrap(), [[1.0], [2.0]]);
        for broken in ["AAA=", "not base64"] {
            let json = format!(r#"{{"data": [{{"index": 0, "embedding": {broken:?}}}]}}"#);
            assert!(vectors(&json, 1).unwrap_err().starts_with("a vector of its response"), "{broken}");
        }
        assert!(vectors(swapped, 3).unwrap_err().contains("2 vectors for 3 texts"));
        let twice = r#"{"data": [{"index": 1, "embedding": [2]}, {"index": 1, "embedding": [2]}]}"#;
        assert!(vectors(twice, 2).unwrap_err().contains("not return exactly one vector for each text"));
    }
}
