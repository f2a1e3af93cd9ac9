//! The values of this crate's SQL types, against what the database makes of them.

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use diesel::prelude::*;
use diesel::sql_types::{Double, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use secrecy::SecretString;
use workspace_db::id::WorkspaceId;
use workspace_db::schema::{admin_users, document_chunks};
use workspace_db::sql_types::*;
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

async fn seeded() -> (TestDatabase, AsyncPgConnection, SeededWorkspace) {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let a = seed(&mut conn, "a").await.unwrap();
    (database, conn, a)
}

/// Components from a fixed sequence, zeros and both signs among them.
fn vector(seed: u32) -> Embedding {
    let components = (0..u32::try_from(DIMENSIONS).unwrap()).map(|i| {
        let x = (i.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503))) >> 20;
        f32::from(i16::try_from(x).unwrap() - 2048) / 1024.0
    });
    Embedding::try_from(components.collect::<Vec<_>>()).unwrap()
}

#[tokio::test]
async fn an_embedding_and_its_bits_come_back_as_they_went() {
    let (_database, mut conn, a) = seeded().await;
    let mut components = vector(7).as_slice().to_vec();
    components[3] = 0.0;
    components[4] = -0.0;
    components[5] = f32::MIN_POSITIVE;
    let ours = Embedding::try_from(components).unwrap();
    diesel::update(document_chunks::table.find((a.workspace, a.document_chunk)))
        .set(document_chunks::vector.eq(&ours))
        .execute(&mut conn)
        .await
        .unwrap();
    let (stored, bits): (Embedding, SignBits) = document_chunks::table
        .select((document_chunks::vector, document_chunks::vector_bits))
        .first(&mut conn)
        .await
        .unwrap();
    assert_eq!(stored, ours);
    assert_eq!(bits, ours.sign_bits(), "sign_bits and binary_quantize disagree");
    assert_eq!(bits.len(), DIMENSIONS);
}

#[tokio::test]
async fn the_operators_compute_what_their_names_say() {
    let (_database, mut conn, a) = seeded().await;
    let (x, y) = (vector(1), vector(2));
    diesel::update(document_chunks::table.find((a.workspace, a.document_chunk)))
        .set(document_chunks::vector.eq(&x))
        .execute(&mut conn)
        .await
        .unwrap();
    let (cosine, similarity, l2, product, hamming): (f64, f64, f64, f64, f64) = document_chunks::table
        .select((
            document_chunks::vector.cosine_distance(&y),
            document_chunks::vector.cosine_similarity(&y),
            document_chunks::vector.l2_distance(&y),
            document_chunks::vector.negative_inner_product(&y),
            document_chunks::vector_bits.hamming_distance(y.sign_bits()),
        ))
        .first(&mut conn)
        .await
        .unwrap();
    let pairs = || x.as_slice().iter().zip(y.as_slice()).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    let lengths = pairs().map(|(a, _)| a * a).sum::<f64>().sqrt() * pairs().map(|(_, b)| b * b).sum::<f64>().sqrt();
    let differing = pairs().filter(|(a, b)| (*a > 0.0) != (*b > 0.0)).count();
    let near = |ours: f64, theirs: f64| assert!((ours - theirs).abs() < 1e-3 * ours.abs().max(1.0), "{ours} {theirs}");
    near(1.0 - dot / lengths, cosine);
    near(dot / lengths, similarity);
    near(pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(), l2);
    near(-dot, product);
    near(f64::from(u32::try_from(differing).unwrap()), hamming);
}

/// PostgreSQL binds `-` tighter than `<=>`, so an operator without its own parentheses would subtract a vector.
#[tokio::test]
async fn an_operator_may_stand_within_arithmetic() {
    let (_database, mut conn, a) = seeded().await;
    let same = Embedding::try_from([0.5; DIMENSIONS]).unwrap();
    let distance: f64 = document_chunks::table
        .filter(document_chunks::workspace_id.eq(a.workspace))
        .select(2.0.into_sql::<Double>() - document_chunks::vector.cosine_distance(same))
        .first(&mut conn)
        .await
        .unwrap();
    assert!((distance - 2.0).abs() < 1e-6);
}

#[tokio::test]
async fn the_ivfflat_index_serves_the_order_by_cosine_distance_and_not_by_similarity() {
    let (_database, mut conn, _a) = seeded().await;
    conn.batch_execute("SET enable_seqscan = off; SET enable_sort = on").await.unwrap();
    let question = vector(3);
    let plan = |sql: String| format!("EXPLAIN {sql}");
    let by_distance = document_chunks::table
        .order(document_chunks::vector.cosine_distance(&question))
        .select(document_chunks::id)
        .limit(1);
    let by_similarity = document_chunks::table
        .order(document_chunks::vector.cosine_similarity(&question).desc())
        .select(document_chunks::id)
        .limit(1);
    for (query, uses_index) in [
        (diesel::debug_query::<diesel::pg::Pg, _>(&by_distance).to_string(), true),
        (diesel::debug_query::<diesel::pg::Pg, _>(&by_similarity).to_string(), false),
    ] {
        let literal = format!(
            "'[{}]'::vector",
            question.as_slice().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        );
        let sql = query.split(" -- binds").next().unwrap().replace("$1", &literal).replace("$2", "1");
        let lines: Vec<Line> = diesel::sql_query(plan(sql)).load(&mut conn).await.unwrap();
        let plan: String = lines.into_iter().map(|line| line.line + "\n").collect();
        assert_eq!(plan.contains("document_chunks_vector_idx"), uses_index, "{plan}");
    }
}

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

#[rstest]
#[case::short(vec![1.0; 2], EmbeddingError::Dimensions { expected: 3, found: 2 })]
#[case::long(vec![1.0; 4], EmbeddingError::Dimensions { expected: 3, found: 4 })]
#[case::none(vec![], EmbeddingError::Dimensions { expected: 3, found: 0 })]
#[case::infinite(vec![1.0, f32::NEG_INFINITY, 0.0], EmbeddingError::NotFinite { index: 1, value: f32::NEG_INFINITY })]
#[case::zero(vec![0.0, -0.0, 0.0], EmbeddingError::ZeroLength { dimensions: 3 })]
fn numbers_that_are_no_embedding_are_refused_with_what_came(
    #[case] numbers: Vec<f32>,
    #[case] expected: EmbeddingError,
) {
    assert_eq!(Embedding::<3>::try_from(numbers).unwrap_err(), expected);
    assert!(workspace_db::Error::from(expected).is_invalid_input());
}

#[test]
fn not_a_number_is_refused_with_its_place() {
    let error = Embedding::<3>::try_from([0.0, 1.0, f32::NAN]).unwrap_err();
    assert!(matches!(error, EmbeddingError::NotFinite { index: 2, value } if value.is_nan()));
    assert_eq!(error.to_string(), "every component of an embedding must be finite, but component 2 is NaN");
}

#[rstest]
#[case("en", true)]
#[case("pt-BR", true)]
#[case("zh-Hant-TW", true)]
#[case("de-1996", true)]
#[case("x", false)]
#[case("", false)]
#[case("pt_BR", false)]
#[case("en-", false)]
#[case("en--GB", false)]
#[case("en-123456789", false)]
#[case("en\n", false)]
#[case("é-FR", false)]
#[tokio::test]
async fn a_language_has_the_same_shape_here_and_in_the_database(#[case] tag: &str, #[case] well_formed: bool) {
    assert_eq!(tag.parse::<LanguageTag>().is_ok(), well_formed);
    let (_database, mut conn, a) = seeded().await;
    let update = diesel::sql_query("UPDATE workspaces SET default_language = $1 WHERE id = $2")
        .bind::<Text, _>(tag)
        .bind::<diesel::sql_types::Uuid, _>(a.workspace)
        .execute(&mut conn)
        .await;
    assert_eq!(update.is_ok(), well_formed, "{update:?}");
}

#[rstest]
#[case::clear_secret(
    "UPDATE webhook_subscriptions SET secret = 'whsec_0123456789012345678901234567890123456789012345678'::bytea"
)]
#[case::clear_default_secret("UPDATE workspace_settings SET webhook_secret = decode(repeat('41', 60), 'hex')")]
#[case::clear_password("UPDATE admin_users SET password_hash = 'ChangeMe123!'")]
#[case::vector_of_zeros("UPDATE document_chunks SET vector = array_fill(0, ARRAY[1536])::vector")]
#[case::null_event("UPDATE webhook_subscriptions SET events = ARRAY['a', NULL]")]
#[case::confidence("UPDATE messages SET confidence = 1.01")]
#[case::temperature("UPDATE workspace_settings SET temperature = 2.01")]
#[case::threshold("UPDATE workspaces SET confidence_threshold = -0.1")]
#[case::tokens("UPDATE messages SET tokens = -1")]
#[case::token_count("UPDATE document_chunks SET token_count = -1")]
#[case::score("UPDATE feedback SET score = 2")]
#[case::priority("UPDATE jobs SET priority = -1")]
#[tokio::test]
async fn the_database_refuses_values_out_of_bounds(#[case] statement: &str) {
    let (_database, mut conn, _a) = seeded().await;
    let error = diesel::sql_query(statement).execute(&mut conn).await.unwrap_err();
    let error = workspace_db::Error::from(error);
    assert!(error.is_invalid_input(), "{error}");
}

#[test]
fn a_sealed_secret_opens_with_its_key_in_its_workspace_alone() {
    let key = SecretKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").unwrap();
    let other_key = SecretKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let (mine, theirs) = (WorkspaceId::generate(), WorkspaceId::generate());
    let secret = SecretString::from("whsec_1");
    let sealed = SealedSecret::seal(&key, mine, &secret).unwrap();
    assert!(sealed.open(&key, mine).is_ok());
    assert!(sealed.open(&key, theirs).unwrap_err().to_string().contains("another workspace"));
    assert!(sealed.open(&other_key, mine).unwrap_err().to_string().contains(&key.id()));
    assert_ne!(SealedSecret::seal(&key, mine, &secret).unwrap(), sealed, "the nonce was used twice");
    let shown = format!("{sealed:?} {key:?}");
    assert!(!shown.contains("whsec") && !shown.contains("q83v"), "{shown}");
}

/// The right password, but a hash that costs more than any release may ask for: what is not computed can't verify.
#[rstest]
#[case::as_ours(19 * 1024, 2, true)]
#[case::stronger(64 * 1024, 3, true)]
#[case::more_memory(65 * 1024, 2, false)]
#[case::more_passes(19 * 1024, 7, false)]
#[tokio::test]
async fn a_planted_hash_that_asks_for_too_much_is_not_computed(
    #[case] kib: u32,
    #[case] passes: u32,
    #[case] verifies: bool,
) {
    let params = Params::new(kib, passes, 1, None).unwrap();
    let planted = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(b"x").unwrap().to_string();
    let (_database, mut conn, _a) = seeded().await;
    diesel::sql_query("UPDATE admin_users SET password_hash = $1")
        .bind::<Text, _>(planted)
        .execute(&mut conn)
        .await
        .unwrap();
    let hash: PasswordHash = admin_users::table.select(admin_users::password_hash).first(&mut conn).await.unwrap();
    assert_eq!(hash.verifies(&SecretString::from("x")), verifies);
}
