//! Maximal marginal relevance, which prefers passages with new content.

/// Selects `k` of the vectors and returns their positions in the order of selection. Each step selects the largest
/// `weight * relevance - (1 - weight) * likeness`. Likeness is the largest cosine to a vector that is already selected.
///
/// Source: J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.
pub(super) fn select(k: usize, weight: f64, relevance: &[f64], vectors: &[&[f32]]) -> Vec<usize> {
    let mut left: Vec<(usize, f64, &[f32], f64)> = relevance
        .iter()
        .zip(vectors)
        .enumerate()
        .map(|(place, (&relevance, &vector))| (place, relevance, vector, f64::NEG_INFINITY))
        .collect();
    let mut selected = Vec::with_capacity(k.min(left.len()));
    while selected.len() < k {
        let worth = |&(_, relevance, _, likeness): &(usize, f64, &[f32], f64)| {
            let likeness = if likeness.is_finite() { likeness } else { 0.0 };
            weight.mul_add(relevance, (weight - 1.0) * likeness)
        };
        // With equal values, the more relevant vector wins, which comes first.
        let best = left
            .iter()
            .enumerate()
            .max_by(|(at, one), (beside, other)| worth(one).total_cmp(&worth(other)).then_with(|| beside.cmp(at)));
        let Some((at, _)) = best else { break };
        let (place, _, vector, _) = left.remove(at);
        selected.push(place);
        for (_, _, other, likeness) in &mut left {
            *likeness = likeness.max(cosine(vector, other));
        }
    }
    selected
}

pub(super) fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let (mut product, mut length, mut other_length) = (0.0, 0.0, 0.0);
    for (&x, &y) in one.iter().zip(other) {
        let (x, y) = (f64::from(x), f64::from(y));
        product += x * y;
        length += x * x;
        other_length += y * y;
    }
    product / f64::sqrt(length * other_length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: [&[f32]; 3] = [&[1.0, 0.0], &[1.0, 0.01], &[0.6, 0.8]];
    const RELEVANCE: [f64; 3] = [1.0, 0.99, 0.6];

    #[test]
    fn relevance_alone_keeps_the_order() {
        assert_eq!(select(3, 1.0, &RELEVANCE, &VECTORS), [0, 1, 2]);
    }

    #[test]
    fn what_is_new_comes_before_what_is_said_already() {
        assert_eq!(select(2, 0.5, &RELEVANCE, &VECTORS), [0, 2]);
        assert_eq!(select(9, 0.5, &RELEVANCE, &VECTORS), [0, 2, 1]);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(select(3, 0.5, &[], &[]).is_empty());
    }
}
