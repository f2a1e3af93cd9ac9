//! Passages that share words with a text, in their own language, in one workspace; and both lists together.

use rstest::rstest;
use workspace_db::Error;
use workspace_db::search::{Hit, Plan, Search, SearchChunks as _};

use super::*;

async fn found(fixture: &mut Fixture, text: &str) -> Vec<String> {
    let answer = fixture.chunks().full_text(text, 10).run(&mut fixture.ws).await.unwrap();
    answer.hits.into_iter().map(|hit| hit.content).collect()
}

#[rstest]
#[case::stemmed("mending a tyre", &["She mends flat tyres on Sundays."])]
#[case::all_words_before_any("flat hill", &["The flat hill road.", "The hill is steep.", "She mends flat tyres on Sundays."])]
#[case::a_phrase("\"hill is steep\"", &["The hill is steep."])]
#[case::without("hill -steep", &["The flat hill road."])]
#[case::either("steep or tyre", &["The hill is steep.", "She mends flat tyres on Sundays."])]
#[case::no_such_word("bicycle", &[])]
#[case::function_words_alone("the of and is", &[])]
#[case::no_words_at_all("?! ...", &[])]
#[case::what_would_be_syntax("steep' & !!( |", &["The hill is steep."])]
#[tokio::test]
async fn words_are_found_as_a_search_engine_finds_them(#[case] text: &str, #[case] expected: &[&str]) {
    let mut fixture = Fixture::new().await;
    let passages = ["She mends flat tyres on Sundays.", "The hill is steep.", "The flat hill road."];
    fixture.texts(fixture.a, &passages).await;
    let mut found = found(&mut fixture, text).await;
    let mut expected: Vec<&str> = expected.to_vec();
    if text.contains("flat hill") {
        assert_eq!(found[0], expected[0], "both words come first");
    }
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Whatever the words are, among them the one that a workspace is stored as.
#[tokio::test]
async fn another_workspaces_words_are_not_found() {
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["mine alone"]).await;
    fixture.texts(fixture.b, &["the words of the question", "mine alone"]).await;
    let theirs = format!("workspace/{} or question or -nothing", fixture.b);
    for text in ["question", "mine", &theirs] {
        let answer = fixture.chunks().full_text(text, 10).run(&mut fixture.ws).await.unwrap();
        assert!(
            answer.hits.iter().all(|hit| hit.content == "mine alone") && answer.returned <= 1,
            "{text}: {answer:?}"
        );
    }
}

/// The function asks past row-level security, so what it gives must be the workspace's own, whoever asks, whatever for.
#[tokio::test]
async fn the_function_beneath_gives_ids_of_the_set_workspace_alone() {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Array<diesel::sql_types::Uuid>)]
        ids: Vec<uuid::Uuid>,
    }
    const EVERYTHING: &str = "SELECT workspace_db_matching_chunks('!nothing'::tsquery, 100) AS ids";
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["mine"]).await;
    fixture.texts(fixture.b, &["theirs", "theirs too"]).await;
    let row: Row = fixture
        .ws
        .under_row_security("to ask the function itself", async |conn| {
            Ok::<_, Error>(diesel::sql_query(EVERYTHING).get_result(conn).await?)
        })
        .await
        .unwrap();
    let mine: Vec<uuid::Uuid> = document_chunks::table
        .filter(document_chunks::workspace_id.eq(fixture.a))
        .select(document_chunks::id)
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(row.ids, mine);

    let mut app = workspace_db::db::connect(&fixture.database.app_url().unwrap()).await.unwrap();
    let row: Row = diesel::sql_query(EVERYTHING).get_result(&mut app).await.unwrap();
    assert!(row.ids.is_empty(), "a transaction without a workspace found something");
}

#[tokio::test]
async fn a_passage_is_stemmed_by_its_own_language_and_so_is_the_question() {
    let mut fixture = Fixture::new().await;
    let document = fixture.texts(fixture.a, &["Wij verkopen fietsen", "We sell bicycles", "fietsen & bicycles"]).await;
    for (place, language) in [(0, "nl"), (1, "en-GB"), (2, "xx")] {
        diesel::update(document_chunks::table)
            .filter(document_chunks::document_id.eq(document).and(document_chunks::chunk_index.eq(place)))
            .set(document_chunks::language.eq(language))
            .execute(&mut fixture.conn)
            .await
            .unwrap();
    }
    // The workspace's own language is English, but the question is parsed in that of every passage.
    assert_eq!(found(&mut fixture, "bicycle").await, ["We sell bicycles"]);
    assert_eq!(found(&mut fixture, "verkoop").await, ["Wij verkopen fietsen"]);
    let dutch = fixture.chunks().full_text("verkoop", 10).language("nl".parse().unwrap());
    assert_eq!(dutch.run(&mut fixture.ws).await.unwrap().hits[0].content, "Wij verkopen fietsen");
    let unknown = fixture.chunks().full_text("fietsen", 10).language("xx".parse().unwrap());
    assert_eq!(unknown.run(&mut fixture.ws).await.unwrap().hits[0].content, "fietsen & bicycles");
    let english = fixture.chunks().full_text("verkoop", 10).language("en".parse().unwrap());
    assert_eq!(english.run(&mut fixture.ws).await.unwrap().returned, 0);
}

#[tokio::test]
async fn the_languages_of_a_question_are_those_of_its_own_workspace() {
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["Wij verkopen fietsen"]).await;
    let elsewhere = fixture.texts(fixture.b, &["Wij verkopen fietsen"]).await;
    diesel::update(document_chunks::table.filter(document_chunks::document_id.eq(elsewhere)))
        .set(document_chunks::language.eq("nl"))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(found(&mut fixture, "verkopen").await, ["Wij verkopen fietsen"], "a word as it is written");
    assert_eq!(
        found(&mut fixture, "verkoop").await,
        Vec::<String>::new(),
        "parsed in the language of another workspace"
    );
}

#[tokio::test]
async fn more_matches_than_are_ranked_are_told() {
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["a hill", "the hill", "one hill"]).await;
    let few = SearchLimits { max_matches: 2, ..SearchLimits::default() };
    let answer = fixture.chunks().full_text("hill", 1).limits(few).run(&mut fixture.ws).await.unwrap();
    assert!(answer.is_bounded());
    assert_eq!(answer.by_words.unwrap().candidates, Some(2));
    let answer = fixture.chunks().full_text("hill", 1).run(&mut fixture.ws).await.unwrap();
    let list = answer.by_words.unwrap();
    assert_eq!((list.plan, list.candidates, answer.is_bounded()), (Plan::Words, Some(3), false));
}

#[tokio::test]
async fn a_text_of_any_length_and_kind_is_stored_and_found() {
    let mut fixture = Fixture::new().await;
    let long = (0..200_000).map(|at| format!("word{at}")).collect::<Vec<_>>().join(" ");
    let passages = [&long, "שלום עולם", "emoji 🚲 ride", "a\u{202e}b", "x".repeat(3000).as_str()].map(String::from);
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    fixture.texts(fixture.a, &passages).await;
    assert_eq!(found(&mut fixture, "word77").await.len(), 1);
    assert_eq!(found(&mut fixture, "שלום").await, ["שלום עולם"]);
    assert_eq!(found(&mut fixture, "ride").await, ["emoji 🚲 ride"]);
}

#[tokio::test]
async fn both_lists_are_fused_by_score() {
    let mut fixture = Fixture::new().await;
    let mut rng = fastrand::Rng::with_seed(13);
    let query_vector = random(&mut rng);
    let document = fixture.document(fixture.a, &NewDocument::new("Notes")).await;
    let passages = vec![
        ("nothing in common".to_owned(), between(&query_vector, &random(&mut rng), 0.2)),
        ("a steep hill".to_owned(), between(&query_vector, &random(&mut rng), 0.4)),
        ("hills and a hill".to_owned(), random(&mut rng)),
    ];
    fixture.passages(fixture.a, document, passages).await;
    let answer = fixture.chunks().hybrid(&question(&query_vector), "steep", 3).run(&mut fixture.ws).await.unwrap();
    assert_eq!(answer.hits[0].content, "a steep hill", "second by vector and first by words is the best of both");
    let places = (answer.hits[0].by_vector.unwrap().rank, answer.hits[0].by_words.unwrap().rank);
    assert_eq!(places, (2, 1));
    // Its cosine on the scale from the worst of the three to the best, and the only rank by words.
    let mut cosines: Vec<f64> = answer.hits.iter().map(|hit| hit.by_vector.unwrap().score).collect();
    cosines.sort_by(f64::total_cmp);
    let expected = f64::midpoint((cosines[1] - cosines[0]) / (cosines[2] - cosines[0]), 1.0);
    assert!((answer.hits[0].score - expected).abs() < 1e-12, "{} {expected}", answer.hits[0].score);
    assert_eq!(answer.hits[1].by_words, None);
    assert_eq!((answer.by_vector.unwrap().plan, answer.by_words.unwrap().plan), (Plan::Bits, Plan::Words));

    // A least score means the cosine, and what words alone found stays.
    let strict = fixture
        .chunks()
        .hybrid(&question(&query_vector), "hills", 3)
        .min_score(0.99)
        .run(&mut fixture.ws)
        .await
        .unwrap();
    let contents: Vec<&str> = strict.hits.iter().map(|hit| hit.content.as_str()).collect();
    assert_eq!(contents, ["hills and a hill", "a steep hill"]);
}

/// A pasted message, one word again and again, a book: each takes little time, or is refused.
#[tokio::test]
async fn a_question_takes_time_by_its_words_and_no_more() {
    let mut fixture = Fixture::new().await;
    let words: Vec<String> =
        (0..400).map(|n| format!("{}{n}", char::from(b'a' + u8::try_from(n % 26).unwrap()))).collect();
    let mut rng = fastrand::Rng::with_seed(7);
    let passages: Vec<String> = (0..500)
        .map(|_| (0..150).map(|_| rng.choice(&words).unwrap().as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    fixture.texts(fixture.a, &passages).await;
    let message = words[..300].join(" ");
    let answer = fixture.chunks().full_text(&message, 10).run(&mut fixture.ws).await.unwrap();
    assert_eq!((answer.returned, answer.by_words.unwrap().words_left_out), (10, 236));
    let again = fixture.chunks().full_text("a0 ".repeat(2_000), 10).run(&mut fixture.ws).await.unwrap();
    assert_eq!((again.returned, again.by_words.unwrap().words_left_out), (10, 0));
    let error = fixture.chunks().full_text("word ".repeat(200_000), 10).run(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.field() == Some("text"), "{error}");
    let large = serde_json::json!({ "team": "x".repeat(10_000) });
    let error = fixture.chunks().full_text("a0", 10).metadata(large).run(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.field() == Some("metadata"), "{error}");
    let error = fixture.chunks().full_text("a\0b", 10).run(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.field() == Some("text"), "{error}");
}

#[tokio::test]
async fn an_excerpt_marks_the_words_in_every_form_of_the_passages_language() {
    let mut fixture = Fixture::new().await;
    let long = format!("{} Bicycles are repaired on Mondays. {}", "Nothing here. ".repeat(40), "Nor here. ".repeat(40));
    fixture.texts(fixture.a, &[&long, "A \u{2}bicycle\u{3} <b>stands</b> here."]).await;
    diesel::update(document_chunks::table)
        .set(document_chunks::language.eq("en"))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    let search = fixture.chunks().full_text("repairing a bicycle", 10).excerpts("repairing a bicycle");
    let mut hits = search.run(&mut fixture.ws).await.unwrap().hits;
    hits.sort_by_key(|hit| hit.chunk_index);
    let marked = |hit: &Hit| {
        let parts = hit.excerpt.iter().filter(|part| part.is_match);
        parts.map(|part| part.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(marked(&hits[0]), ["Bicycles", "repaired"]);
    let whole: String = hits[0].excerpt.iter().map(|part| part.text.as_str()).collect();
    assert!(whole.len() < 400, "{whole}");
    assert_eq!(marked(&hits[1]), ["bicycle"], "the passage's own control characters mark nothing");
    let none = fixture.chunks().full_text("bicycle", 10).excerpts("---").run(&mut fixture.ws).await.unwrap();
    assert!(none.hits.iter().all(|hit| marked(hit).is_empty() && !hit.excerpt.is_empty()));
    let code = fixture.chunks().full_text("bicycle", 10).excerpts("src/bicycle.rs <b> -here");
    let hits = code.run(&mut fixture.ws).await.unwrap().hits;
    let short = hits.iter().find(|hit| hit.chunk_index == 1).unwrap();
    assert_eq!(marked(short), ["bicycle", "b", "b"], "a word of a path, and a tag, but no excluded word");
    let whole: String = short.excerpt.iter().map(|part| part.text.as_str()).collect();
    assert!(whole.contains("bicycle <b>stands</b> here"), "{whole}");
    let odd = fixture.chunks().full_text("bicycle", 10).excerpts("a\0b").run(&mut fixture.ws).await.unwrap_err();
    assert!(odd.is_invalid_input(), "{odd}");
    let long = "漢字".repeat(4_000);
    fixture.chunks().full_text("bicycle", 10).excerpts(long).run(&mut fixture.ws).await.unwrap();
    let plain = fixture.chunks().full_text("bicycle", 10).run(&mut fixture.ws).await.unwrap();
    assert!(plain.hits.iter().all(|hit| hit.excerpt.is_empty()));
}

#[tokio::test]
async fn a_document_counts_as_often_as_it_may() {
    let mut fixture = Fixture::new().await;
    let first = fixture.texts(fixture.a, &["hill hill hill", "hill hill", "a hill and more words"]).await;
    let second = fixture.texts(fixture.a, &["a hill and many more words than that"]).await;
    let mut documents = async |hits: usize, k: u32| {
        let search = fixture.chunks().full_text("hill", k).per_document(hits);
        let hits = search.run(&mut fixture.ws).await.unwrap().hits;
        hits.into_iter().map(|hit| hit.document_id).collect::<Vec<_>>()
    };
    assert_eq!(documents(1, 2).await, [first, second]);
    assert_eq!(documents(2, 3).await, [first, first, second]);
    assert_eq!(documents(9, 2).await, [first, first]);
    let none = fixture.chunks().full_text("hill", 2).per_document(0).run(&mut fixture.ws).await.unwrap_err();
    assert!(none.is_invalid_input(), "{none}");
}

#[tokio::test]
async fn a_copy_of_a_better_passage_is_left_out() {
    let mut fixture = Fixture::new().await;
    let words = (0..200).map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ");
    let passages = [
        format!("The hill, the hill: {words}"),
        format!("the HILL! The hill. {words}"),
        format!("The hill, the hill: {}", words.replace("word77 ", "other ")),
        "another hill".to_owned(),
    ];
    for passage in &passages {
        fixture.texts(fixture.a, &[passage]).await;
    }
    let mut contents = async |search: Search| {
        let hits = search.run(&mut fixture.ws).await.unwrap().hits;
        hits.into_iter().map(|hit| hit.content.contains("word")).collect::<Vec<_>>()
    };
    let chunks = document_chunks::table.in_workspace(&fixture.scope);
    let both = contents(chunks.full_text("hill", 4).without_near_duplicates()).await;
    assert!(both.len() == 2 && both.contains(&true) && both.contains(&false), "{both:?}");
    // A place that a copy would have had is another passage's.
    assert_eq!(contents(chunks.full_text("hill", 2).without_near_duplicates()).await.len(), 2);
    assert_eq!(contents(chunks.full_text("hill", 4)).await.len(), 4, "unless they are asked for");
    // A copy does not take the place of its document's next passage.
    let copy = fixture.texts(fixture.a, &[&passages[0], "yet another hill"]).await;
    let chunks = document_chunks::table.in_workspace(&fixture.scope);
    let search = chunks.full_text("hill", 9).per_document(1).without_near_duplicates();
    let hits = search.run(&mut fixture.ws).await.unwrap().hits;
    assert_eq!(hits.len(), 3, "{hits:?}");
    assert!(hits.iter().filter(|hit| hit.document_id == copy).count() == 1, "{hits:?}");
}
