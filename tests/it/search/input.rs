//! Questions that can't be asked, and workspaces that have no answer.

use rstest::rstest;
use workspace_db::embeddings::FeatureHashing;
use workspace_db::search::{MAX_K, Search, SearchChunks as _};

use super::*;

#[rstest]
#[case::no_passages(|chunks: Chunks, question: &Question| chunks.nearest(question, 0), "request 1 to 1000")]
#[case::too_many(|chunks: Chunks, question: &Question| chunks.nearest(question, MAX_K + 1), "request 1 to 1000")]
#[case::no_text(|chunks: Chunks, _: &Question| chunks.full_text(" \n", 5), "at least one word")]
#[case::no_text_for_both(|chunks: Chunks, question: &Question| chunks.hybrid(question, "", 5), "at least one word")]
#[case::too_many_neighbours(|chunks: Chunks, question: &Question| chunks.nearest(question, 5).neighbours(11), "at most 10")]
#[case::no_weight(|chunks: Chunks, question: &Question| chunks.nearest(question, 5).diversify(1.5), "between 0")]
#[case::no_number(|chunks: Chunks, question: &Question| chunks.nearest(question, 5).diversify(f64::NAN), "between 0")]
#[case::no_least(|chunks: Chunks, question: &Question| chunks.nearest(question, 5).min_score(f64::NAN), "between -1 and 1")]
#[case::no_question(|chunks: Chunks, _: &Question| chunks.full_text("word", 5).diversify(0.5), "have a question")]
#[tokio::test]
async fn what_can_not_be_asked_is_refused_with_a_remedy(
    #[case] search: fn(Chunks, &Question) -> Search,
    #[case] remedy: &str,
) {
    let mut fixture = Fixture::new().await;
    let question = question(&random(&mut fastrand::Rng::with_seed(1)));
    let error = search(fixture.chunks(), &question).run(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(remedy), "{error}");
}

/// No question can be made of them: the type is refused before a search is.
#[rstest]
#[case::not_a_number(vec![f32::NAN; DIMENSIONS], "must be finite")]
#[case::too_short(vec![1.0; 1535], "1536 dimensions, got 1535")]
#[case::too_long(vec![1.0; 3072], "got 3072")]
#[case::no_direction(vec![0.0; DIMENSIONS], "must not be the zero vector")]
fn a_vector_that_is_none_is_refused(#[case] components: Vec<f32>, #[case] why: &str) {
    let error = workspace_db::Error::from(Embedding::<DIMENSIONS>::try_from(components).unwrap_err());
    assert!(error.is_invalid_input() && error.to_string().contains(why), "{error}");
}

#[tokio::test]
async fn a_workspace_without_chunks_has_no_hits() {
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.b, &["theirs"]).await;
    let question = question(&random(&mut fastrand::Rng::with_seed(1)));
    for search in [
        fixture.chunks().nearest(&question, 5),
        fixture.chunks().nearest(&question, 5).exact(),
        fixture.chunks().full_text("theirs", 5),
        fixture.chunks().hybrid(&question, "theirs", 5).neighbours(1).diversify(0.5),
    ] {
        let answer = search.run(&mut fixture.ws).await.unwrap();
        assert_eq!((answer.returned, answer.is_bounded()), (0, false));
    }
}

#[tokio::test]
async fn vectors_of_another_model_are_refused_and_not_compared() {
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["bicycles and wheels"]).await;
    let other = Question::new(random(&mut fastrand::Rng::with_seed(1)), "another-model");
    let error = fixture.chunks().nearest(&other, 5).run(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(MODEL), "{error}");
}

#[tokio::test]
async fn a_question_without_words_has_no_vector() {
    let error = Question::embed(&FeatureHashing, "?!").await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
}

#[tokio::test]
async fn a_connection_of_another_workspace_is_refused() {
    let mut fixture = Fixture::new().await;
    let b = WorkspaceScope::unchecked(fixture.b, "a test");
    let question = question(&random(&mut fastrand::Rng::with_seed(1)));
    let theirs = document_chunks::table.in_workspace(&b);
    for search in [theirs.nearest(&question, 5), theirs.nearest(&question, 5).exact(), theirs.full_text("word", 5)] {
        let error = search.run(&mut fixture.ws).await.unwrap_err();
        assert!(error.is_invalid_input() && error.to_string().contains("is scoped to workspace"), "{error}");
    }
}

#[tokio::test]
async fn a_document_that_is_deleted_meanwhile_is_not_in_the_next_answer() {
    let mut fixture = Fixture::new().await;
    let document = fixture.texts(fixture.a, &["bicycles", "wheels"]).await;
    let question = question(&random(&mut fastrand::Rng::with_seed(1)));
    let search = fixture.chunks().nearest(&question, 5).neighbours(1).diversify(0.5);
    assert_eq!(search.clone().run(&mut fixture.ws).await.unwrap().returned, 2);
    documents::table.in_workspace(&fixture.scope).find(document).delete().execute(&mut fixture.ws).await.unwrap();
    assert_eq!(search.run(&mut fixture.ws).await.unwrap().returned, 0);
    assert_eq!(fixture.chunks().full_text("bicycles", 5).run(&mut fixture.ws).await.unwrap().returned, 0);
}
