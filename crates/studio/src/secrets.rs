//! Secrets in the names of columns and in JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// Words, in the singular, that the names of shown fields may consist of: this schema's column words, and words for texts,
/// places and amounts. If a secret has such a name, only [`looks_random`] can hide it.
const HARMLESS: &str = "\
    a action active added address admin after agent alt amount analytics annotation answer archive archived area \
    article at attempt audit author backend banner batch before body book bot branch browser by byte cancelled case \
    category changed channel chapter character child chunk cited city class click closed color colour column comment \
    commit completed confidence config content context conversation copied cost count country created cron current \
    cursor customer datasource date day deep default department depth description device dimension direction \
    distance document domain due duplicate duration edition email embedding enabled end ended entry environment \
    error event excerpt expires extension external failed fallback feature feedback field file filter first folder \
    for format found from group heading height hour icon id image in index ingest input interval is item job kind \
    label lane lang language large last latency left length level limit line link list locale location logo managed \
    max message meta metadata method min minute mode model month ms n name nested next note number of on order \
    origin out output owner page paragraph parent path percent pipeline place plan platform position price primary \
    priority product progress project properties property published publisher question queue range rank rating \
    reason reference referrer region replaced report result retention retries revision role root row run scheduled \
    scope score search second section sentiment service setting size skipped slug sort source space stage start \
    started state status step subject summary support sync table tag taken team temperature text theme thread time \
    timezone title to tone topic total type unchanged unit until updated url user version view visitor volume was \
    webhook week welcome why width word worker workspace year zone";
/// Parts of the names of columns that hold secrets, in lower case and without dashes or underscores.
const SECRET_PARTS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "signingkey",
    "credential",
    "authorization",
    "cookie",
    "signature",
    "otpseed",
    "jwt",
    "dsn",
];
/// Endings of such names.
const SECRET_ENDINGS: &[&str] = &["token", "tokens", "tokenhash", "auth", "sessionid"];
const HIDDEN: &str = "(hidden)";
/// Smallest number that may be a PIN.
const SHORTEST_PIN: f64 = 1_000.0;
/// Minimum length of a run of letters and digits that may be a key.
const SHORTEST_KEY: usize = 16;
/// Shannon entropy in bits per character of a key. Prose and repetitions have less in such a short run.
const KEY_ENTROPY: f64 = 3.0;
/// Replaces everything that is not known to be harmless. A value is shown if each word of each name on its path is listed,
/// and if the value does not look like a key.
pub(super) fn without_secrets(value: Value) -> Value {
    redact(value, true)
}

fn redact(value: Value, is_listed: bool) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let value = redact(value, is_listed && is_harmless(&name));
                    (if looks_random(&name) { HIDDEN.to_owned() } else { name }, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| redact(item, is_listed)).collect()),
        Value::String(text) if !is_listed || looks_random(&text) || holds_a_login(&text) => Value::from(HIDDEN),
        Value::Number(number) if !is_listed && number.as_f64().is_none_or(|it| it.abs() >= SHORTEST_PIN) => {
            Value::from(HIDDEN)
        }
        other => other,
    }
}

fn is_harmless(name: &str) -> bool {
    let is_listed = |word: &str| HARMLESS.split(' ').any(|listed| listed == word);
    let mut words = words(name).into_iter().peekable();
    words.peek().is_some() && words.all(|word| is_listed(&word) || word.strip_suffix('s').is_some_and(is_listed))
}

/// Splits a name into words: `externalId`, `external_id` and `External-ID` have two words each.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns true if a text has a long run of letters and digits of several kinds without much repetition: a key, not prose.
/// The parts of a UUID are too short. A capital at the beginning of a run does not count as a kind.
fn looks_random(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let has = |kind: fn(&char) -> bool| run.chars().skip(1).any(|c| kind(&c));
        let kinds = [has(char::is_ascii_digit), has(char::is_ascii_lowercase), has(char::is_ascii_uppercase)];
        run.len() >= SHORTEST_KEY && kinds.into_iter().filter(|one| *one).count() > 1 && entropy(run) > KEY_ENTROPY
    })
}

/// Returns the Shannon entropy in bits per character.
fn entropy(run: &str) -> f64 {
    let mut counts = BTreeMap::<char, u32>::new();
    run.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    let all: f64 = counts.values().copied().map(f64::from).sum();
    counts.values().map(|&count| f64::from(count) / all).map(|share| -share * share.log2()).sum()
}

/// Returns true for a URL with a login before its host, and for the value of an Authorization header.
fn holds_a_login(text: &str) -> bool {
    let has_login = |rest: &str| rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'));
    text.split("://").skip(1).any(has_login) || ["Bearer ", "Basic "].iter().any(|scheme| text.starts_with(scheme))
}

/// Returns true if a column with that name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    SECRET_PARTS.iter().any(|part| name.contains(part)) || SECRET_ENDINGS.iter().any(|end| name.ends_with(end))
}

/// Parses a JSON text and removes secrets. A text that PostgreSQL accepts and this program can't parse, such as an unbounded
/// number, is not shown, because its content is unknown.
pub(super) fn safe(json: &str) -> Value {
    serde_json::from_str(json).map_or_else(|_| Value::from("(can't be displayed)"), without_secrets)
}

/// Returns true if a JSON text is shown unchanged.
pub(super) fn is_safe(json: &str) -> bool {
    serde_json::from_str::<Value>(json).is_ok_and(|plain| without_secrets(plain.clone()) == plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_not_known_to_be_harmless_is_left_out() {
        let hidden = [
            json!({"pwd": "hunter2"}),
            json!({"access_tokens": {"slack": "hunter2", "title": "hunter2"}}),
            json!({"tokens": ["hunter2"]}),
            json!({"auth": [{"note": "hunter2"}]}),
            json!({"passcode": 48_151_623}),
            json!({"Passwort": "hunter2"}),
            json!({"\u{440}assword": "hunter2"}),
            json!({"": "hunter2"}),
            json!({"url": "postgres://me:hunter2@db/x"}),
            json!({"note": "Bearer hunter2"}),
            json!({"note": "the key is AKIAIOSFODNN7EXAMPLE"}),
            json!({"title": "0f343b0931126a20f133d67c2b018a3b"}),
            json!({"note": {"AKIAIOSFODNN7EXAMPLE": true}}),
        ];
        for value in hidden {
            let shown = without_secrets(value.clone()).to_string();
            let leaks = ["hunter2", "48151623", "AKIA", "0f34"].iter().any(|secret| shown.contains(secret));
            assert!(!leaks && shown.contains(HIDDEN), "{value} is shown as {shown}");
        }
    }

    #[test]
    fn what_is_known_to_be_harmless_is_shown() {
        let value = json!({
            "title": "Opening hours", "page": 2026, "tags": ["a b"], "externalId": "A-17", "document_ids": [Uuid::nil()],
            "published_at": "2026-11-01T00:00:00Z", "source": {"url": "https://example.com/a?b=c", "model": "text-embedding-3-large"},
            "token": null, "passwordSet": true, "tokens": 5, "word": "Donaudampfschifffahrtsgesellschaft"
        });
        assert_eq!(without_secrets(value.clone()), value);
    }
}
