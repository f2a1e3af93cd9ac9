//! SQL types that Diesel lacks, and their Rust values.
//!
//! | in the database | SQL type | Rust value |
//! |---|---|---|
//! | `vector(1536)` | [`Vector`] | [`Embedding`] |
//! | `bit(1536)` | [`Bit`] | [`SignBits`] |
//! | an enum such as `document_status` | the enum itself | [`DocumentStatus`], ...; yours by [`pg_enums!`](crate::pg_enums) |
//! | `tsvector` | [`Tsvector`] | none: queries search it and don't read it |
//! | `text[]` whose elements are not null | `Array<Nullable<Text>>` | [`TextArray`] |
//! | `text` with a language | `Text` | [`LanguageTag`] |
//! | `text[]` with languages | `Array<Nullable<Text>>` | [`LanguageTags`] |
//! | `text` that people type | `Text` | [`Email`], [`Slug`], [`Name`], [`Prose`], [`HexColor`], [`WebUrl`], [`ImageUrl`] |
//! | `jsonb` from outside | `Jsonb` | [`Metadata`] |
//! | `bytea` with a secret | `Bytea` | [`SealedSecret`] |
//! | `text` with the hash of a password | `Text` | [`PasswordHash`] |
//! | `bytea` with the hash of a token | `Bytea` | [`TokenHash`] |
//! | `updated_at` in a changeset | `Timestamptz` | [`StatementTime`] |
//!
//! The operators of pgvector are methods on expressions: [`VectorExpressionMethods`] and [`BitExpressionMethods`].

mod bit;
mod checked_text;
mod decimal;
mod embedding;
mod enums;
mod interval;
mod language_tag;
mod metadata;
mod operators;
mod password_hash;
mod pg_enums;
mod placement;
mod sealed_secret;
mod statement_time;
mod text_array;
mod token_hash;
mod vector;

pub use diesel_full_text_search::{TsQuery, Tsvector};

pub use self::bit::{Bit, BitExpressionMethods, HammingDistance, ScannedHammingDistance, SignBits};
pub use self::checked_text::{Email, HexColor, ImageUrl, Name, Prose, Slug, WebUrl};
pub(crate) use self::decimal::as_text as decimal_as_text;
pub use self::embedding::{DIMENSIONS, Embedding, EmbeddingError, MIN_DIMENSIONS};
pub use self::enums::{
    AdminRole, AdminStatus, AdminTokenKind, AuditActor, ConversationSpeaker, ConversationStatus, DatasourceSyncStatus,
    DatasourceType, DocumentStatus, FeedbackJudge, JobStatus, JobUniqueness, MessageRole, MessageState, PG_ENUMS,
    ServiceAccess,
};
pub(crate) use self::interval::interval;
pub use self::language_tag::{LanguageTag, LanguageTags};
pub use self::metadata::Metadata;
pub(crate) use self::metadata::{MAX_LEVELS, has_nul, is_deeper};
pub use self::password_hash::PasswordHash;
pub(crate) use self::password_hash::{Memory, PUBLISHED_PASSWORD};
#[doc(hidden)]
pub use self::pg_enums::not_a_label;
pub use self::sealed_secret::{SealedSecret, SecretKey};
pub use self::statement_time::StatementTime;
pub use self::text_array::TextArray;
pub use self::token_hash::TokenHash;
pub use self::vector::{
    CosineDistance, CosineSimilarity, L2Distance, NegativeInnerProduct, Vector, VectorExpressionMethods,
};
