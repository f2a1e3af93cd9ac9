//! Responses of an endpoint for reranking.

use serde::Deserialize;

use crate::model_endpoint::in_order;

/// Scores of passages, best first, in one of the three forms that are in use.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Response {
    /// TEI.
    List(Vec<Item>),
    /// Cohere, Jina, vLLM and llama.cpp.
    Results { results: Vec<Item> },
    /// Voyage.
    Data { data: Vec<Item> },
}

#[derive(Deserialize)]
pub(super) struct Item {
    /// Place of the passage in the request.
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f64,
}

impl Response {
    /// Returns the scores in the order of the passages, or the reason why there is not one for each.
    pub(super) fn scores(self, expected: usize) -> Result<Vec<f64>, String> {
        let (Self::List(items) | Self::Results { results: items } | Self::Data { data: items }) = self;
        in_order(items.into_iter().map(|item| (item.index, item.score)).collect(), expected, "score", "passage")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(json: &str, expected: usize) -> Result<Vec<f64>, String> {
        serde_json::from_str::<Response>(json).unwrap().scores(expected)
    }

    #[test]
    fn each_form_is_read_in_the_order_of_the_passages() {
        let items = r#"[{"index": 1, "score": 0.9}, {"index": 0, "relevance_score": 0.1, "document": {"text": "x"}}]"#;
        for json in [
            items.to_owned(),
            format!(r#"{{"id": "a", "results": {items}}}"#),
            format!(r#"{{"object": "list", "data": {items}}}"#),
        ] {
            assert_eq!(scores(&json, 2).unwrap(), [0.1, 0.9], "{json}");
        }
        assert!(scores(items, 3).unwrap_err().contains("2 scores for 3 passages"));
        let twice = r#"[{"index": 1, "score": 0.9}, {"index": 1, "score": 0.1}]"#;
        assert!(scores(twice, 2).unwrap_err().contains("not return exactly one score for each passage"));
    }
}
