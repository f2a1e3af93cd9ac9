//! Real embeddings: those of `benches/data`, in the schema's 1536 dimensions, in workspaces as uneven as real ones.

use std::f32::consts::TAU;

use fastrand::Rng;

/// The components of an embedding.
pub type Vector = Vec<f32>;

/// Those of the schema.
const DIMENSIONS: usize = 1536;
/// What the file was made with.
const MAGIC: &[u8] = b"WSEMB1\0\0";
/// The matrix is the same in every run, and so is which vectors are questions.
const SEED: u64 = 1;
/// One vector in so many is a question, and in no workspace.
const QUESTIONS: usize = 10;
/// Length of the noise that makes a copy, beside a vector of length 1: the cosine to the original is then 0.96.
const NOISE: f32 = 0.3;

/// The vectors in their own dimensions, and the matrix that brings them into the schema's.
pub struct Dataset {
    /// Those of each workspace, the largest first.
    pub workspaces: Vec<Vec<Vector>>,
    /// Questions: vectors that are in no workspace, each with the number of the workspace that its passage was in.
    pub questions: Vec<(usize, Vector)>,
    matrix: Vec<Vector>,
}

impl Dataset {
    /// The dataset of this repository.
    ///
    /// # Panics
    ///
    /// Where the file is not what it was.
    #[must_use]
    pub fn read() -> Self {
        let bytes = include_bytes!("../embeddings.bin");
        let (magic, rest) = bytes.split_at(8);
        assert_eq!(magic, MAGIC);
        let (rows, rest) = number(rest);
        let (dimensions, rest) = number(rest);
        let (workspaces, rest) = rest.split_at(2 * rows);
        let (scales, components) = rest.split_at(4 * rows);
        let mut all: Vec<(Vec<Vector>, Vec<Vector>)> = Vec::new();
        let scales = scales.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let workspaces = workspaces.as_chunks::<2>().0.iter().map(|bytes| usize::from(u16::from_le_bytes(*bytes)));
        for (row, ((workspace, scale), components)) in
            workspaces.zip(scales).zip(components.chunks_exact(dimensions)).enumerate()
        {
            let vector = components.iter().map(|&byte| scale * f32::from(byte.cast_signed())).collect();
            all.resize_with(all.len().max(workspace + 1), Default::default);
            let (kept, questions) = &mut all[workspace];
            if row % QUESTIONS == 0 { questions.push(vector) } else { kept.push(vector) }
        }
        all.sort_by_key(|(kept, _)| std::cmp::Reverse(kept.len()));
        let mut rng = Rng::with_seed(SEED);
        let matrix = (0..DIMENSIONS).map(|_| (0..dimensions).map(|_| normal(&mut rng)).collect()).collect();
        let mut dataset = Self { workspaces: Vec::new(), questions: Vec::new(), matrix };
        for (number, (kept, questions)) in all.into_iter().enumerate() {
            dataset.workspaces.push(kept);
            dataset.questions.extend(questions.into_iter().map(|vector| (number, vector)));
        }
        rng.shuffle(&mut dataset.questions);
        dataset
    }

    /// A vector in the schema's dimensions, of length 1.
    #[must_use]
    pub fn embed(&self, vector: &[f32]) -> Vector {
        let turned: Vec<f32> = self.matrix.iter().map(|row| row.iter().zip(vector).map(|(x, y)| x * y).sum()).collect();
        let length = turned.iter().map(|x| x * x).sum::<f32>().sqrt();
        turned.into_iter().map(|x| x / length).collect()
    }

    /// As many vectors as are asked for: those of the dataset in a random order, then copies of them with noise.
    #[must_use]
    pub fn many(&self, count: usize, rng: &mut Rng) -> Vec<Vector> {
        let mut all: Vec<&Vector> = self.workspaces.iter().flatten().collect();
        rng.shuffle(&mut all);
        (0..count).map(|at| noisy(all[at % all.len()], rng)).collect()
    }
}

fn noisy(vector: &[f32], rng: &mut Rng) -> Vector {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred dimensions")]
    let scale = NOISE / (vector.len() as f32).sqrt();
    vector.iter().map(|x| x + scale * normal(rng)).collect()
}

/// A standard normal number, by the method of Box and Muller.
fn normal(rng: &mut Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.f32()).ln()).sqrt();
    radius * (TAU * rng.f32()).cos()
}

fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let (number, rest) = bytes.split_first_chunk().unwrap();
    (u32::from_le_bytes(*number) as usize, rest)
}
