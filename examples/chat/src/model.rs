//! A model behind an endpoint that speaks OpenAI's protocol for chat completions, and a stub that speaks it too.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};
use std::{error, result, sync::Arc, sync::OnceLock};

use axum::{Json, Router, body::Body, routing::post};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use workspace_db::conversations::{ModelCallInput, TokenUsage};
use workspace_db::{Error, ErrorKind, Result};

/// `CHAT_URL`, such as `https://api.openai.com/v1`, `CHAT_MODEL` and `CHAT_KEY`; without the first, a stub.
#[derive(Clone)]
pub(crate) struct ChatModel {
    url: String,
    model: String,
    key: Option<String>,
}

impl ChatModel {
    pub(crate) async fn from_env() -> std::io::Result<Self> {
        let url = match std::env::var("CHAT_URL") {
            Ok(url) => url.trim_end_matches('/').to_owned(),
            Err(_) => start_stub().await?,
        };
        let model = std::env::var("CHAT_MODEL").unwrap_or("gpt-4o-mini".to_owned());
        Ok(Self { url, model, key: std::env::var("CHAT_KEY").ok() })
    }

    /// Returns the parts of the answer, and the call with its tokens, which is set at the end.
    pub(crate) fn answer(
        &self,
        messages: Vec<Value>,
    ) -> (impl Stream<Item = Result<String>> + use<>, Arc<OnceLock<(ModelCallInput, TokenUsage)>>) {
        let (sender, receiver) = mpsc::channel(64);
        let (this, call) = (self.clone(), Arc::new(OnceLock::new()));
        let made = Arc::clone(&call);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = this.read(&messages, &made, &|part| sender.blocking_send(Ok(part)).is_ok()) {
                let _ = sender.blocking_send(Err(Error::new(ErrorKind::Io, format!("the model: {error}"))));
            }
        });
        let parts = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        (parts, call)
    }

    /// Reads server-sent events until the end, or until nobody listens.
    fn read(
        &self,
        messages: &[Value],
        call: &OnceLock<(ModelCallInput, TokenUsage)>,
        send: &dyn Fn(String) -> bool,
    ) -> result::Result<(), Box<dyn error::Error>> {
        let options = json!({ "include_usage": true });
        let body = json!({ "model": self.model, "messages": messages, "stream": true, "stream_options": options });
        let mut request = ureq::post(format!("{}/chat/completions", self.url));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let (asked, mut usage, mut reason) = (Instant::now(), TokenUsage::default(), None);
        for line in BufReader::new(request.send_json(&body)?.into_body().into_reader()).lines() {
            let line = line?;
            let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
            if data == "[DONE]" {
                let made = ModelCallInput::new(&self.model).usage(usage).latency(asked.elapsed());
                let _ = call.set((reason.into_iter().fold(made, ModelCallInput::stop_reason), usage));
                return Ok(());
            }
            let event: Value = serde_json::from_str(data)?;
            usage = event.get("usage").map_or(usage, TokenUsage::from_openai);
            reason = event
                .pointer("/choices/0/finish_reason")
                .and_then(Value::as_str)
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .or(reason);
            let part = event.pointer("/choices/0/delta/content").and_then(Value::as_str).unwrap_or_default();
            if !part.is_empty() && !send(part.to_owned()) {
                return Ok(());
            }
        }
        Err("its answer ended before [DONE]".into())
    }
}

/// Starts a stub, which repeats the best passage word by word, and returns its address.
async fn start_stub() -> std::io::Result<String> {
    println!("CHAT_URL is not set: a stub answers, which repeats the best passage");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = Router::new().route("/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(format!("http://{address}"))
}

async fn complete(Json(request): Json<Value>) -> Body {
    let system = request.pointer("/messages/0/content").and_then(Value::as_str).unwrap_or_default();
    let passage = system.split("[1] ").nth(1).and_then(|passages| passages.split("\n\n").next());
    let text = passage.map_or("I found nothing about that.".to_owned(), |passage| format!("{passage} [1]"));
    let pause = std::env::var("CHAT_STUB_PAUSE_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let part = |word| json!({ "choices": [{ "delta": { "content": word } }] }).to_string();
    let mut events: Vec<String> = text.split_inclusive(' ').map(part).collect();
    events.push(json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }).to_string());
    events
        .push(json!({ "usage": { "prompt_tokens": system.len() / 4, "completion_tokens": events.len() } }).to_string());
    events.push("[DONE]".to_owned());
    Body::from_stream(stream::iter(events).then(move |event| async move {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok::<_, std::convert::Infallible>(format!("data: {event}\n\n"))
    }))
}
