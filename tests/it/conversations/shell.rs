//! The same from a shell.

use workspace_db::conversations::{
    FeedbackInput, MessageInput, ModelCallInput, Rating, TokenUsage, give_feedback, record_model_call,
};

use super::Fixture;
use crate::cli::Shell;

#[tokio::test]
async fn conversations_are_listed_shown_searched_and_exported() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::user("Do you sell \u{1b}[31mbicycles?")).await;
    let answer = fixture.append(MessageInput::bot("No,\nwe repair them.").confidence(0.2)).await.message;
    let review = FeedbackInput::reviewer(fixture.a.admin_user, Rating::Bad).better_answer("Yes, we do.");
    give_feedback(&mut fixture.ws, answer, &review).await.unwrap();
    let usage = TokenUsage { input: Some(12), output: Some(5), ..TokenUsage::default() };
    record_model_call(&mut fixture.ws, answer, &ModelCallInput::new("gpt-5").usage(usage)).await.unwrap();
    let shell = Shell::for_database(&fixture.database).with("WORKSPACE_DB_WORKSPACE", "a");
    let talk = fixture.talk.to_string();

    let said = shell.succeed(&["conversations", "list"]);
    assert!(said.lines().next().unwrap().starts_with(&talk) && said.contains("\\u001b[31mbicycles?"), "{said}");
    let bad = shell.json(&["conversations", "list", "--rating", "bad", "--status", "open", "--speaker", "bot"]);
    assert_eq!((bad.as_array().unwrap().len(), bad[0]["id"].as_str()), (1, Some(talk.as_str())));
    assert_eq!(shell.json(&["conversations", "list", "--to-review"]), serde_json::json!([]));
    assert!(shell.fails(&["conversations", "list", "--rating", "fine"], 2).contains("bad, neutral or good"));

    let said = shell.succeed(&["conversations", "show", &talk]);
    for part in [
        "1. user",
        "2. assistant",
        "   we repair them.",
        "needs review",
        "better: Yes, we do.",
        "gpt-5  1 calls  12 in  5 out",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let shown = shell.json(&["conversations", "show", &talk, "--limit", "1"]);
    assert_eq!(shown["messages"][0]["message"]["content"], "No,\nwe repair them.");
    assert_eq!(shown["usage"][0]["input_tokens"], 12);
    let before = shown["messages"][0]["message"]["id"].as_str().unwrap();
    let shown = shell.json(&["conversations", "show", &talk, "--before", before]);
    assert_eq!(shown["messages"].as_array().unwrap().len(), 1);
    shell.fails(&["conversations", "show", "00000000-0000-7000-8000-00000000000f"], 3);

    let said = shell.succeed(&["conversations", "search", "repairing", "--rating", "bad"]);
    assert!(said.contains("*repair*") && said.contains("1 of 1 message"), "{said}");
    let found = shell.json(&["conversations", "search", "selling", "--conversation", &talk, "--state", "complete"]);
    assert_eq!(found["matches"], 1);
    shell.fails(&["conversations", "search", " "], 2);

    let chat = shell.succeed(&["conversations", "export", "--format", "chat"]);
    let line: serde_json::Value = serde_json::from_str(&chat).unwrap();
    assert_eq!(line["messages"][1]["content"], "Yes, we do.");
    let said = shell.json(&["conversations", "export", "--format", "preference", "--to", "pairs.jsonl"]);
    assert_eq!(said["lines"], 1);
    let pairs = std::fs::read_to_string(shell.path("pairs.jsonl")).unwrap();
    assert!(pairs.ends_with("}\n") && pairs.contains("non_preferred_output"), "{pairs}");
    shell.fails(&["conversations", "export", "--format", "preference", "--to", "pairs.jsonl"], 7);
}
