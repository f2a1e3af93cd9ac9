//! The fixed rotation that places a vector of fewer dimensions into the column.

/// The largest power of two that divides the column's dimensions.
const BLOCK: usize = 512;
const DIMENSIONS: usize = 3 * BLOCK;

/// Number of rounds. One would leave the signs of the three blocks equal if only the first block holds a vector; two make
/// each component a sum over all others with signs of its own.
const ROUNDS: u64 = 2;

/// Returns the rotated vector. The rotation is orthogonal, so lengths, inner products and distances stay.
///
/// A round changes signs, and multiplies by a Hadamard matrix within each block and by a reflection across the blocks, as
/// Andoni et al. rotate vectors ("Practical and Optimal LSH for Angular Distance", 2015).
pub(super) fn rotated(components: &[f32]) -> Vec<f32> {
    let mut values: Vec<f64> = components.iter().map(|&component| component.into()).collect();
    values.resize(DIMENSIONS, 0.0);
    for round in 0..ROUNDS {
        change_signs(&mut values, round);
        mix(&mut values);
    }
    to_single_precision(&values)
}

/// Returns the vector that [`rotated`] was given, with zeros in place of the missing dimensions.
pub(super) fn rotated_back(components: &[f32]) -> Vec<f32> {
    let mut values: Vec<f64> = components.iter().map(|&component| component.into()).collect();
    for round in (0..ROUNDS).rev() {
        // The matrices of a round are their own inverses, and commute.
        mix(&mut values);
        change_signs(&mut values, round);
    }
    to_single_precision(&values)
}

/// Multiplies by the normalized Hadamard matrix within each block, and reflects the blocks: each loses two thirds of the
/// sum of all.
fn mix(values: &mut [f64]) {
    for block in values.chunks_exact_mut(BLOCK) {
        let mut half = BLOCK / 2;
        while half > 0 {
            for pair in block.chunks_exact_mut(2 * half) {
                let (left, right) = pair.split_at_mut(half);
                for (left, right) in left.iter_mut().zip(right) {
                    (*left, *right) = (*left + *right, *left - *right);
                }
            }
            half /= 2;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "512 is exact")]
    let scale = (BLOCK as f64).sqrt().recip();
    let (first, rest) = values.split_at_mut(BLOCK);
    let (second, third) = rest.split_at_mut(BLOCK);
    for ((a, b), c) in first.iter_mut().zip(second).zip(third) {
        let two_thirds = (*a + *b + *c) * (2.0 / 3.0);
        (*a, *b, *c) = ((*a - two_thirds) * scale, (*b - two_thirds) * scale, (*c - two_thirds) * scale);
    }
}

/// Changes the sign of about half of the values, by SplitMix64 (Steele et al., 2014). Stored vectors depend on these signs:
/// they never change.
fn change_signs(values: &mut [f64], round: u64) {
    let mut bits = 0_u64;
    for (index, value) in (round * DIMENSIONS as u64..).zip(values) {
        bits = if index % 64 == 0 { split_mix(index) } else { bits >> 1 };
        if bits & 1 == 1 {
            *value = -*value;
        }
    }
}

fn split_mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[expect(clippy::cast_possible_truncation, reason = "the column holds f32")]
fn to_single_precision(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns vectors of a model with this number of dimensions, the same on every machine.
    fn model(dimensions: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..20).map(|_| (0..dimensions).map(|_| random.f32() - 0.5).collect()).collect()
    }

    fn length(vector: &[f32]) -> f64 {
        product(vector, vector).sqrt()
    }

    fn signs(vector: &[f32]) -> Vec<bool> {
        rotated(vector).iter().map(|x| *x > 0.0).collect()
    }

    fn product(one: &[f32], other: &[f32]) -> f64 {
        one.iter().zip(other).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    }

    fn distance(one: &[f32], other: &[f32]) -> f64 {
        one.iter().zip(other).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn products_and_distances_stay_as_they_are() {
        for dimensions in [32, 64, 100, 256, 384, 512, 768, 1024, 1535, 1536] {
            let vectors = model(dimensions, 1);
            let turned: Vec<Vec<f32>> = vectors.iter().map(|vector| rotated(vector)).collect();
            for (one, turned_one) in vectors.iter().zip(&turned) {
                for (other, turned_other) in vectors.iter().zip(&turned) {
                    let scale = length(one) * length(other);
                    assert!(
                        (product(one, other) - product(turned_one, turned_other)).abs() < 1e-6 * scale,
                        "{dimensions}"
                    );
                    let apart = distance(one, other) - distance(turned_one, turned_other);
                    assert!(apart.abs() < 1e-6 * length(one), "{dimensions}");
                }
            }
        }
    }

    /// The expected share of equal signs is 1 - angle / pi (Goemans and Williamson, 1995), if each sign has a plane of its own.
    #[test]
    fn every_sign_depends_on_the_whole_vector() {
        for dimensions in [32, 256, 768] {
            let vectors = model(dimensions, 2);
            let mut random = fastrand::Rng::with_seed(3);
            let near: Vec<Vec<f32>> =
                vectors.iter().map(|vector| vector.iter().map(|x| x + (random.f32() - 0.5) * 0.8).collect()).collect();
            let (mut expected, mut found) = (0.0, 0.0);
            for (one, other) in vectors.iter().zip(&near) {
                let cosine = product(one, other) / (length(one) * length(other));
                expected += 1.0 - cosine.acos() / std::f64::consts::PI;
                let equal = signs(one).iter().zip(signs(other)).filter(|(x, y)| **x == *y).count();
                found += f64::from(u32::try_from(equal).unwrap()) / 1536.0;
            }
            assert!((expected - found).abs() / 20.0 < 0.02, "{dimensions}: {expected} and {found}");
            // No two blocks of signs are equal or opposite.
            let signs = signs(&vectors[0]);
            for (one, other) in [(0, 512), (0, 1024), (512, 1024)] {
                let equal = (0..512).filter(|at| signs[one + at] == signs[other + at]).count();
                assert!((100..412).contains(&equal), "{dimensions}: {equal} of 512 signs are equal");
            }
        }
    }

    #[test]
    fn the_rotation_is_the_same_in_every_version() {
        let mut first = vec![0.0; 384];
        first[0] = 1.0;
        let head: Vec<f32> = rotated(&first).iter().take(8).map(|x| (x * 1e6).round()).collect();
        assert_eq!(
            head,
            [49045.0, -23872.0, -47309.0, 16927.0, 14323.0, -4774.0, -16059.0, 4774.0],
            "the stored vectors of every database would no longer fit"
        );
    }

    #[test]
    fn a_rotated_vector_is_rotated_back() {
        for vector in model(300, 6) {
            let back = rotated_back(&rotated(&vector));
            assert!(vector.iter().zip(&back).all(|(x, y)| (x - y).abs() < 1e-6));
            assert!(back.iter().skip(300).all(|x| x.abs() < 1e-6));
        }
    }
}
