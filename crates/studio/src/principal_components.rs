//! Projection to two dimensions by the principal components, which preserve as much of the variance as two numbers can.

/// Number of iterations of the power method. After them, the directions change by less than a point of the picture.
const ROUNDS: usize = 24;

/// Returns each vector's position along the two directions of greatest variance.
///
/// It uses the power method on the vectors themselves, without their covariance matrix: two passes over the vectors per
/// iteration.
pub(super) fn project(vectors: &[Vec<f32>]) -> Vec<(f32, f32)> {
    let Some(dimensions) = vectors.first().map(Vec::len) else { return Vec::new() };
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let share = 1.0 / vectors.len() as f32;
    let mut mean = vec![0.0; dimensions];
    for vector in vectors {
        add(&mut mean, vector, share);
    }
    let centred: Vec<Vec<f32>> =
        vectors.iter().map(|one| one.iter().zip(&mean).map(|(x, mean)| x - mean).collect()).collect();
    let first = direction(&centred, dimensions, None);
    let second = direction(&centred, dimensions, Some(&first));
    centred.iter().map(|vector| (dot(vector, &first), dot(vector, &second))).collect()
}

/// Returns the direction of greatest variance, or of the greatest among those orthogonal to `beside`.
fn direction(vectors: &[Vec<f32>], dimensions: usize, beside: Option<&[f32]>) -> Vec<f32> {
    // Any initial vector works unless it is orthogonal to the result.
    let mut best: Vec<f32> = (0..dimensions).map(|at| if at % 3 == 0 { 1.0 } else { 0.5 }).collect();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; dimensions];
        for vector in vectors {
            add(&mut next, vector, dot(vector, &best));
        }
        if let Some(beside) = beside {
            let along = dot(&next, beside);
            add(&mut next, beside, -along);
        }
        let length = dot(&next, &next).sqrt();
        if length <= f32::EPSILON {
            return next;
        }
        for one in &mut next {
            *one /= length;
        }
        best = next;
    }
    best
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn add(to: &mut [f32], what: &[f32], times: f32) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what * times);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_directions_of_most_difference_are_found() {
        // Long along (1, 1, 0), less so along (0, 0, 1), and independently of each other.
        let values = (0..20u8).flat_map(|a| [-3.0, 3.0].map(|b| (f32::from(a), b)));
        let (vectors, known): (Vec<_>, Vec<_>) =
            values.map(|(a, b)| (vec![a, a, b], ((a - 9.5) * 2f32.sqrt(), b))).unzip();
        let places = project(&vectors);
        // A direction has no sign.
        for (place, known) in places.iter().zip(known) {
            assert!((place.0.abs() - f32::abs(known.0)).abs() < 1e-3, "{place:?} {known:?}");
            assert!((place.1.abs() - f32::abs(known.1)).abs() < 1e-3, "{place:?} {known:?}");
        }
        assert!(places.windows(3).all(|near| matches!(near, [one, _, other] if (one.0 - other.0).abs() > 1.0)));
    }

    #[test]
    fn vectors_that_do_not_differ_are_one_point() {
        assert_eq!(project(&[vec![1.0, 2.0], vec![1.0, 2.0]]), [(0.0, 0.0), (0.0, 0.0)]);
        assert!(project(&[]).is_empty());
    }
}
