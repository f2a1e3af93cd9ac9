use futures_util::TryStreamExt as _;
use serde_json::Value;
use workspace_db::conversations::{
    FeedbackInput, MessageInput, Rating, TrainingFormat, append, give_feedback, training_lines,
};
use workspace_db::id::{ConversationId, MessageId};
use workspace_db::models::{NewConversation, NewFeedback, NewMessage};
use workspace_db::schema::{conversations, feedback, messages};
use workspace_db::sql_types::{FeedbackJudge, MessageRole};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};

use super::Fixture;

/// Checks the messages of a line by the strictest of the published formats: the system message is first, then the visitor and the
/// assistant alternate, and the visitor begins. Returns the last role.
fn check_messages(messages: &Value) -> Result<String, String> {
    let messages = messages.as_array().filter(|all| !all.is_empty()).ok_or("messages is no list")?;
    let mut last = String::new();
    for message in messages {
        let fields = message.as_object().ok_or("a message is no object")?;
        let keys: Vec<_> = fields.keys().map(String::as_str).collect();
        if keys != ["content", "role"] && keys != ["role", "content"] {
            return Err(format!("a message has the fields {keys:?}"));
        }
        let role = fields["role"].as_str().ok_or("a role is no text")?;
        if fields["content"].as_str().is_none_or(|content| content.trim().is_empty()) {
            return Err("a message has no text".to_owned());
        }
        let may_follow = match role {
            "system" => last.is_empty(),
            "user" => ["", "system", "assistant"].contains(&last.as_str()),
            "assistant" => last == "user",
            _ => false,
        };
        if !may_follow {
            return Err(format!("{role:?} follows {last:?}"));
        }
        role.clone_into(&mut last);
    }
    Ok(last)
}

fn check_chat(line: &Value) -> Result<(), String> {
    let fields = line.as_object().ok_or("a line is no object")?;
    if fields.len() != 1 {
        return Err("a line has other fields than messages".to_owned());
    }
    (check_messages(&line["messages"])? == "assistant").then_some(()).ok_or_else(|| "the last is no answer".to_owned())
}

fn check_preference(line: &Value) -> Result<(), String> {
    let fields = line.as_object().ok_or("a line is no object")?;
    if fields.len() != 3 || line["input"].as_object().is_none_or(|input| input.len() != 1) {
        return Err("a line has other fields".to_owned());
    }
    if check_messages(&line["input"]["messages"])? != "user" {
        return Err("the visitor does not speak last".to_owned());
    }
    let mut answers = Vec::new();
    for field in ["preferred_output", "non_preferred_output"] {
        let [answer] = line[field].as_array().map(Vec::as_slice).ok_or("no answer")? else {
            return Err(format!("{field} has not one answer"));
        };
        if answer["role"] != "assistant" || answer["content"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{field} is no answer"));
        }
        answers.push(answer["content"].clone());
    }
    (answers[0] != answers[1]).then_some(()).ok_or_else(|| "both answers are the same".to_owned())
}

/// The lines, each valid.
async fn lines(fixture: &mut Fixture, format: TrainingFormat, max_messages: u32) -> Vec<Value> {
    let lines: Vec<String> =
        training_lines(&mut fixture.ws, format, max_messages).await.unwrap().try_collect().await.unwrap();
    let again: Vec<String> =
        training_lines(&mut fixture.ws, format, max_messages).await.unwrap().try_collect().await.unwrap();
    assert_eq!(lines, again, "two runs differ");
    let parse = |line: &String| {
        assert!(!line.contains('\n'), "{line}");
        let value: Value = serde_json::from_str(line).unwrap();
        let checked = match format {
            TrainingFormat::Chat => check_chat(&value),
            TrainingFormat::Preference => check_preference(&value),
        };
        assert_eq!(checked, Ok(()), "{line}");
        value
    };
    lines.iter().map(parse).collect()
}

/// Role and text of messages, one per line.
fn said(messages: &Value) -> Vec<String> {
    let text = |message: &Value| {
        format!("{}: {}", message["role"].as_str().unwrap_or_default(), message["content"].as_str().unwrap_or_default())
    };
    messages.as_array().unwrap().iter().map(text).collect()
}

async fn review(fixture: &mut Fixture, answer: MessageId, rating: Rating, better: Option<&str>) {
    let mut review = FeedbackInput::reviewer(fixture.a.admin_user, rating);
    if let Some(better) = better {
        review = review.better_answer(better);
    }
    give_feedback(&mut fixture.ws, answer, &review).await.unwrap();
}

#[tokio::test]
async fn reviewed_answers_are_chats_with_their_branch_before_them() {
    let mut fixture = Fixture::new().await;
    fixture.append(MessageInput::bot("Welcome!")).await;
    fixture.append(MessageInput::user("Hello\nthere \"you\" \u{2028}")).await;
    fixture.append(MessageInput::system("Be brief.")).await;
    fixture.append(MessageInput::user("When do you open?")).await;
    let first = fixture.append(MessageInput::bot("At ten.")).await.message;
    // Another answer to the same question is of another branch.
    let second = fixture.append(MessageInput::bot("At nine.").beside(first)).await.message;
    fixture.append(MessageInput::tool("{\"open\": 9}")).await;
    fixture.append(MessageInput::user("And on Sundays?")).await;
    let third = fixture.append(MessageInput::bot("Not at all.")).await.message;
    review(&mut fixture, first, Rating::Bad, None).await;
    review(&mut fixture, second, Rating::Good, None).await;
    review(&mut fixture, third, Rating::Neutral, Some("We are closed on Sundays.")).await;
    let chats = lines(&mut fixture, TrainingFormat::Chat, 50).await;
    let mut told: Vec<Vec<String>> = chats.iter().map(|chat| said(&chat["messages"])).collect();
    told.sort_by_key(Vec::len);
    let question = "user: Hello\nthere \"you\" \u{2028}\n\nWhen do you open?";
    assert_eq!(
        told,
        [
            vec!["system: Be brief.", question, "assistant: At nine."],
            vec![
                "system: Be brief.",
                question,
                "assistant: At nine.",
                "user: And on Sundays?",
                "assistant: We are closed on Sundays."
            ],
        ]
    );
    let pairs = lines(&mut fixture, TrainingFormat::Preference, 50).await;
    let of = |pair: &Value, field: &str| pair[field][0]["content"].as_str().unwrap().to_owned();
    let mut told: Vec<_> =
        pairs.iter().map(|pair| (of(pair, "preferred_output"), of(pair, "non_preferred_output"))).collect();
    told.sort();
    let expected = [("At nine.", "At ten."), ("We are closed on Sundays.", "Not at all.")];
    assert_eq!(told, expected.map(|(better, worse)| (better.to_owned(), worse.to_owned())));
    // With one message before it, only the question is left.
    let short = lines(&mut fixture, TrainingFormat::Chat, 1).await;
    assert!(short.iter().all(|chat| said(&chat["messages"]).len() == 2), "{short:?}");
}

#[tokio::test]
async fn what_nobody_reviewed_or_nobody_asked_is_left_out() {
    let mut fixture = Fixture::new().await;
    let greeting = fixture.append(MessageInput::bot("Welcome!")).await.message;
    fixture.append(MessageInput::user("When do you open?")).await;
    let by_visitor = fixture.append(MessageInput::bot("At nine.")).await.message;
    give_feedback(&mut fixture.ws, by_visitor, &FeedbackInput::visitor(Rating::Good)).await.unwrap();
    review(&mut fixture, greeting, Rating::Good, Some("Good morning!")).await;
    let neutral = fixture.append(MessageInput::bot("At nine sharp.").beside(by_visitor)).await.message;
    review(&mut fixture, neutral, Rating::Neutral, Some(" \n")).await;
    let question = fixture.append(MessageInput::user("Why?")).await.message;
    review(&mut fixture, question, Rating::Good, None).await;
    // The same words again are no better.
    let same = fixture.append(MessageInput::bot("Because.")).await.message;
    review(&mut fixture, same, Rating::Bad, Some("Because.")).await;
    // Nor are blanks of other alphabets, and what was redacted.
    for empty in ["\u{3000}\u{a0}", "[redacted]"] {
        let answer = fixture.append(MessageInput::bot("So.").beside(same)).await.message;
        review(&mut fixture, answer, Rating::Neutral, Some(empty)).await;
    }
    let redacted = fixture.append(MessageInput::bot("[redacted]").beside(same)).await.message;
    review(&mut fixture, redacted, Rating::Good, None).await;
    let chats = lines(&mut fixture, TrainingFormat::Chat, 50).await;
    assert_eq!(chats.len(), 1, "the better answer alone: {chats:?}");
    assert_eq!(lines(&mut fixture, TrainingFormat::Preference, 50).await, Vec::<Value>::new());
    for count in [0, 1_001] {
        let refused = training_lines(&mut fixture.ws, TrainingFormat::Chat, count).await.map(drop).unwrap_err();
        assert!(refused.is_invalid_input() && refused.field() == Some("max_messages"), "{refused:?}");
    }
}

#[tokio::test]
async fn rows_of_the_old_package_are_chats_in_the_order_of_time_and_of_one_workspace() {
    let mut fixture = Fixture::new().await;
    let scope = WorkspaceScope::unchecked(fixture.b.workspace, "a test");
    let mut theirs = fixture.db.workspace(&scope).await.unwrap();
    let talk = NewConversation::default();
    conversations::table.in_workspace(&theirs).insert(&talk).execute(&mut theirs).await.unwrap();
    let talk: ConversationId = talk.id;
    for (role, content) in
        [(MessageRole::User, "Do you deliver?"), (MessageRole::Assistant, "Yes."), (MessageRole::User, "Thanks")]
    {
        let message = NewMessage::new(talk, role, content);
        messages::table.in_workspace(&theirs).insert(&message).execute(&mut theirs).await.unwrap();
        if role == MessageRole::Assistant {
            let good = NewFeedback { judge: Some(FeedbackJudge::Reviewer), ..NewFeedback::new(message.id, 1) };
            feedback::table.in_workspace(&theirs).insert(&good).execute(&mut theirs).await.unwrap();
        }
    }
    assert_eq!(lines(&mut fixture, TrainingFormat::Chat, 50).await, Vec::<Value>::new(), "another workspace's");
    fixture.ws = theirs;
    let chats = lines(&mut fixture, TrainingFormat::Chat, 50).await;
    assert_eq!(
        chats.iter().map(|chat| said(&chat["messages"])).collect::<Vec<_>>(),
        [["user: Do you deliver?", "assistant: Yes."]]
    );
    // The next append numbers them, and the line stays as it was.
    append(&mut fixture.ws, talk, &MessageInput::user("One more")).await.unwrap();
    assert_eq!(lines(&mut fixture, TrainingFormat::Chat, 50).await, chats);
    // Rows that the old program adds follow the numbered ones.
    let late = NewMessage::new(talk, MessageRole::Assistant, "Anything.");
    messages::table.in_workspace(&fixture.ws).insert(&late).execute(&mut fixture.ws).await.unwrap();
    let good = NewFeedback { judge: Some(FeedbackJudge::Reviewer), ..NewFeedback::new(late.id, 1) };
    feedback::table.in_workspace(&fixture.ws).insert(&good).execute(&mut fixture.ws).await.unwrap();
    let longest = lines(&mut fixture, TrainingFormat::Chat, 50).await.into_iter().map(|chat| said(&chat["messages"]));
    let longest = longest.max_by_key(Vec::len).unwrap();
    let expected = ["user: Do you deliver?", "assistant: Yes.", "user: Thanks\n\nOne more", "assistant: Anything."];
    assert_eq!(longest, expected);
}
