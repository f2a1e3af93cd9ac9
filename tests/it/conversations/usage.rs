use std::time::Duration;

use chrono::{TimeDelta, Utc};
use workspace_db::bigdecimal::BigDecimal;
use workspace_db::conversations::{
    AnswerFacts, AnswerTimes, MessageInput, ModelCallInput, ModelPrice, ModelUsage, TokenUsage, UsageOf, model_usage,
    record_model_call,
};
use workspace_db::id::MessageId;
use workspace_db::models::ModelCall;
use workspace_db::schema::model_calls;
use workspace_db::tenancy::InWorkspace as _;

use super::{Fixture, conversation};

fn price(input: &str, cached: Option<&str>, output: &str) -> ModelPrice {
    let dollars = |text: &str| text.parse::<BigDecimal>().unwrap();
    ModelPrice {
        version: "2026-11".to_owned(),
        input: dollars(input),
        cached_input: cached.map(dollars),
        output: dollars(output),
    }
}

fn tokens(input: u32, output: u32) -> TokenUsage {
    TokenUsage { input: Some(input), output: Some(output), ..TokenUsage::default() }
}

async fn usage_of(fixture: &mut Fixture, of: UsageOf) -> Vec<ModelUsage> {
    model_usage(&mut fixture.ws, of).await.unwrap()
}

#[tokio::test]
async fn absent_zero_and_cached_tokens_differ() {
    let mut fixture = Fixture::new().await;
    let answer = fixture.append(MessageInput::bot("At nine.")).await.message;
    let list = price("1.25", Some("0.125"), "10");
    let cached = TokenUsage { cached: Some(1_000), reasoning: Some(7), ..tokens(3_000, 40) };
    for call in [
        ModelCallInput::new("silent").price(list.clone()),
        ModelCallInput::new("zero").usage(tokens(0, 0)).price(list.clone()),
        ModelCallInput::new("cached").usage(cached).price(list),
        ModelCallInput::new("free").usage(tokens(5, 5)),
    ] {
        record_model_call(&mut fixture.ws, answer, &call).await.unwrap();
    }
    let usage = usage_of(&mut fixture, UsageOf::Message(answer)).await;
    let told: Vec<_> = usage
        .iter()
        .map(|one| {
            let cost = one.cost_usd.as_ref().map(ToString::to_string);
            (one.model.as_str(), one.input_tokens, one.output_tokens, one.calls_without_tokens, cost)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("cached", Some(3_000), Some(40), 0, Some("0.003025".to_owned())),
            ("free", Some(5), Some(5), 0, None),
            ("silent", None, None, 1, None),
            ("zero", Some(0), Some(0), 0, Some("0".to_owned())),
        ]
    );
    assert_eq!((usage[0].cached_tokens, usage[0].reasoning_tokens), (Some(1_000), Some(7)));
    assert_eq!((usage[1].price_version.as_deref(), usage[1].calls_without_cost), (None, 1));
    assert_eq!((usage[2].price_version.as_deref(), usage[2].calls_without_cost), (Some("2026-11"), 1));
}

#[tokio::test]
async fn a_run_that_repeats_the_tokens_of_its_calls_is_not_summed() {
    let mut fixture = Fixture::new().await;
    let answer = fixture.append(MessageInput::bot("At nine.")).await.message;
    let list = price("1", None, "1");
    let begun = ModelCallInput::new("agent");
    let run = begun.clone().usage(tokens(30, 3)).price(list.clone());
    let step = ModelCallInput::new("step").usage(tokens(20, 2)).within(run.id()).price(list.clone());
    let calls = [
        run.clone(),
        step.clone(),
        ModelCallInput::new("model").usage(tokens(20, 2)).within(step.id()).price(list.clone()),
        ModelCallInput::new("model").usage(tokens(10, 1)).within(run.id()).price(list),
    ];
    // The run is recorded at its start, without what only its end knows. Each twice: a recorder that lost its connection tries again.
    for call in [&begun].into_iter().chain(&calls).chain(&calls) {
        record_model_call(&mut fixture.ws, answer, call).await.unwrap();
    }
    let talk = fixture.talk;
    let now = Utc::now();
    let hour = UsageOf::Between(now - TimeDelta::hours(1), now + TimeDelta::hours(1));
    for of in [UsageOf::Message(answer), UsageOf::Conversation(talk), hour] {
        let usage = usage_of(&mut fixture, of).await;
        // The seeded call of another message is of this hour too.
        let usage: Vec<_> = usage.into_iter().filter(|one| one.model != "seeded").collect();
        assert_eq!(usage.len(), 1, "{of:?}: {usage:?}");
        assert_eq!((usage[0].calls, usage[0].input_tokens, usage[0].output_tokens), (2, Some(30), Some(3)), "{of:?}");
        assert_eq!(usage[0].cost_usd, Some("0.000033".parse().unwrap()));
    }
    assert_eq!(
        usage_of(&mut fixture, UsageOf::Between(now + TimeDelta::hours(1), now + TimeDelta::hours(2))).await,
        []
    );
    let of_run = model_calls::table.in_workspace(&fixture.ws).find(run.id());
    let stored: ModelCall = of_run.first(&mut fixture.ws).await.unwrap();
    assert_eq!((stored.input_tokens, stored.price_version.as_deref()), (Some(30), Some("2026-11")));
    assert_eq!(serde_json::to_value(&stored).unwrap()["cost_usd"], "0.000033");
    // Numbers that belong together are of one record, and of one message.
    let other = fixture.append(MessageInput::bot("At ten.")).await.message;
    let later = TokenUsage { cached: Some(40), ..tokens(50, 9) };
    let later = run.clone().usage(later).price(price("7", None, "7")).stop_reason("end");
    record_model_call(&mut fixture.ws, other, &later).await.unwrap();
    record_model_call(&mut fixture.ws, answer, &later).await.unwrap();
    let of_run = model_calls::table.in_workspace(&fixture.ws).find(run.id());
    let again: ModelCall = of_run.first(&mut fixture.ws).await.unwrap();
    assert_eq!(again, ModelCall { stop_reason: Some("end".to_owned()), ..stored });
}

#[tokio::test]
async fn the_cost_of_a_conversation_is_that_of_its_calls_to_the_last_digit() {
    let mut fixture = Fixture::new().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut messages: Vec<MessageId> = Vec::new();
    for _ in 0..20 {
        messages.push(fixture.append(MessageInput::bot("At nine.")).await.message);
    }
    let mut expected = BigDecimal::from(0);
    for _ in 0..1_000 {
        let decimals = |number: u32| BigDecimal::new(number.into(), 7);
        let list = ModelPrice {
            version: "random".to_owned(),
            input: decimals(random.u32(..)),
            cached_input: random.bool().then(|| decimals(random.u32(..))),
            output: decimals(random.u32(..)),
        };
        let input = random.u32(0..2_000_000);
        let usage = TokenUsage { cached: Some(random.u32(0..=input)), ..tokens(input, random.u32(0..100_000)) };
        let call = ModelCallInput::new("random").usage(usage).price(list.clone());
        let answer = *random.choice(&messages).unwrap();
        record_model_call(&mut fixture.ws, answer, &call).await.unwrap();
        // A sum of another form than the library's.
        let cached = usage.cached.unwrap_or(0);
        let parts = [
            (list.input.clone(), input),
            (-list.input.clone(), cached),
            (list.cached_input.unwrap_or(list.input), cached),
            (list.output, usage.output.unwrap_or(0)),
        ];
        for (price, count) in parts {
            expected += price * BigDecimal::from(count) / BigDecimal::from(1_000_000);
        }
    }
    let mut summed = BigDecimal::from(0);
    for answer in messages {
        for usage in usage_of(&mut fixture, UsageOf::Message(answer)).await {
            summed += usage.cost_usd.unwrap();
        }
    }
    let talk = fixture.talk;
    let whole = usage_of(&mut fixture, UsageOf::Conversation(talk)).await;
    assert_eq!((whole[0].calls, whole[0].cost_usd.clone().unwrap()), (1_000, expected.clone()));
    assert_eq!(summed, expected);
}

#[tokio::test]
async fn a_call_that_is_out_of_bounds_is_refused_with_its_field() {
    let mut fixture = Fixture::new().await;
    let answer = fixture.append(MessageInput::bot("At nine.")).await.message;
    let call = || ModelCallInput::new("model").usage(tokens(1, 1));
    let part = |cached, reasoning| TokenUsage { cached, reasoning, ..tokens(1, 1) };
    let nameless = ModelPrice { version: String::new(), ..price("1", None, "1") };
    for (field, bad) in [
        ("model", ModelCallInput::new("").price(price("1", None, "1"))),
        ("model", ModelCallInput::new("x\0")),
        ("model", ModelCallInput::new("é".repeat(201))),
        ("stop_reason", call().stop_reason("")),
        ("input_tokens", call().usage(tokens(u32::MAX, 0))),
        ("output_tokens", call().usage(tokens(0, 1 << 31))),
        ("cached_tokens", call().usage(part(Some(2), None))),
        ("reasoning_tokens", call().usage(part(None, Some(2)))),
        ("price_version", call().price(nameless)),
        ("price", call().price(price("-0.01", None, "1"))),
        ("price", call().price(price("1", Some("1000000.1"), "1"))),
        ("price", call().price(price("1", None, "1e-13"))),
    ] {
        let error = record_model_call(&mut fixture.ws, answer, &bad).await.unwrap_err();
        assert!(error.is_invalid_input(), "{bad:?}: {error:?}");
        assert_eq!(error.field(), Some(field), "{bad:?}: {error}");
    }
    let other = fixture.append(MessageInput::bot("At ten.")).await.message;
    let outer = call();
    record_model_call(&mut fixture.ws, other, &outer).await.unwrap();
    for parent in [outer.id(), call().id()] {
        let error = record_model_call(&mut fixture.ws, answer, &call().within(parent)).await.unwrap_err();
        assert!(error.is_not_found() && error.field() == Some("parent_id"), "{error:?}");
    }
    for message in [fixture.b.message, MessageId::generate()] {
        let error = record_model_call(&mut fixture.ws, message, &call()).await.unwrap_err();
        assert!(error.is_not_found() && error.to_string().contains("message"), "{error:?}");
    }
    assert_eq!(usage_of(&mut fixture, UsageOf::Message(answer)).await, []);
    let theirs = UsageOf::Message(fixture.b.message);
    let of_b = usage_of(&mut fixture, theirs).await;
    assert_eq!(of_b, [], "another workspace's calls");
}

#[tokio::test]
async fn a_writer_records_its_calls_with_times_and_reason() {
    use diesel::ExpressionMethods as _;
    let mut fixture = Fixture::new().await;
    let mut writer = fixture.begin(&MessageInput::answer(), AnswerTimes::default()).await;
    let call = ModelCallInput::new("gpt-5")
        .usage(tokens(900, 120))
        .latency(Duration::from_millis(1_840))
        .first_token(Duration::from_millis(310))
        .stop_reason("stop");
    writer.record_model_call(&call).await.unwrap();
    writer.push("At nine.").await.unwrap();
    writer.complete(&AnswerFacts::default()).await.unwrap();
    let other = conversation(&mut fixture.ws).await;
    let stored: ModelCall = model_calls::table
        .in_workspace(&fixture.ws)
        .filter(model_calls::message_id.eq(writer.message()))
        .first(&mut fixture.ws)
        .await
        .unwrap();
    assert_eq!((stored.id, stored.model.as_str()), (call.id(), "gpt-5"));
    assert_eq!((stored.latency_ms, stored.first_token_ms), (Some(1_840), Some(310)));
    assert_eq!(stored.stop_reason.as_deref(), Some("stop"));
    assert_eq!(usage_of(&mut fixture, UsageOf::Conversation(other)).await, []);
}
