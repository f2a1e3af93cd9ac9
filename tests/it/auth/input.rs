//! What people type, in every form that hurts: a typed error that names the field, or a value that is what it says.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::auth::{self, SettingsInput, Token};
use workspace_db::models::{NewWorkspace, WorkspaceSettingsChanges};
use workspace_db::schema::{workspace_settings, workspaces};
use workspace_db::sql_types::{Email, HexColor, LanguageTag, Metadata, Name, Prose, Slug, WebUrl};

use super::Fixture;

#[rstest]
#[case("jane@example.com", true)]
#[case("jane+tag.x@mail.example.co.uk", true)]
#[case("JANE@EXAMPLE.COM", true)]
#[case("jane@xn--bcher-kva.example", true)]
#[case("jane@bücher.example", false)]
#[case("jаne@example.com", false)]
#[case("jane@example", false)]
#[case("jane", false)]
#[case("@example.com", false)]
#[case("jane@", false)]
#[case("jane@@example.com", false)]
#[case("jane@example..com", false)]
#[case(".jane@example.com", false)]
#[case("jane doe@example.com", false)]
#[case("jane@example.com\n", false)]
#[case("jane\0@example.com", false)]
#[case("jane@-example.com", false)]
#[case("\"jane\"@example.com", false)]
#[case("", false)]
fn an_email(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(text.parse::<Email>().is_ok(), is_one, "{text:?}");
}

#[rstest]
#[case("acme", true)]
#[case("a", true)]
#[case("acme-2-b", true)]
#[case("Acme", false)]
#[case("acme_2", false)]
#[case("-acme", false)]
#[case("acme-", false)]
#[case("acme--2", false)]
#[case("асme", false)]
#[case("ａcme", false)]
#[case("acme\u{200b}", false)]
#[case("a/../b", false)]
#[case("", false)]
#[case(&"a".repeat(63), true)]
#[case(&"a".repeat(64), false)]
fn a_slug(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(text.parse::<Slug>().is_ok(), is_one, "{text:?}");
}

#[rstest]
#[case("Zoë's Café", true)]
#[case("ريم", true)]
#[case("👩‍👩‍👧 family", true)]
#[case("  padded  ", true)]
#[case("two\nlines", false)]
#[case("bell\u{7}", false)]
#[case("evil\u{202e}txt.exe", false)]
#[case("hid\u{200b}den", false)]
#[case("nul\0", false)]
#[case("   ", false)]
#[case(&"ü".repeat(200), true)]
#[case(&"ü".repeat(201), false)]
fn a_name(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(text.parse::<Name>().is_ok(), is_one, "{text:?}");
}

#[rstest]
#[case("https://example.com/logo.svg?x=1#y", true)]
#[case("http://127.0.0.1:8080/", true)]
#[case("javascript:alert(1)", false)]
#[case("data:text/html,x", false)]
#[case("//example.com", false)]
#[case("https://", false)]
#[case("https://user:password@example.com", false)]
#[case("https://example.com/a b", false)]
#[case("https://exam\nple.com", false)]
#[case("ftp://example.com", false)]
fn an_address(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(text.parse::<WebUrl>().is_ok(), is_one, "{text:?}");
}

#[rstest]
#[case("#abc", true)]
#[case("#AABBCC80", true)]
#[case("#ab", false)]
#[case("abc", false)]
#[case("#ggg", false)]
#[case("red", false)]
#[case("#abc;background:url(x)", false)]
fn a_colour(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(text.parse::<HexColor>().is_ok(), is_one, "{text:?}");
}

/// Each field with something that it can't be.
#[rstest]
#[case("tone", json!("two\nlines"))]
#[case("primary_color", json!("red"))]
#[case("accent_color", json!("#12345"))]
#[case("background_color", json!(""))]
#[case("welcome_message", json!("x\u{1b}[31m"))]
#[case("welcome_message", json!("x".repeat(10_001)))]
#[case("logo_url", json!("javascript:alert(1)"))]
#[case("logo_url", json!("data:image/svg+xml;base64,PHN2Zy8+"))]
#[case("banner_url", json!(format!("data:image/png;base64,{}", "AAAA".repeat(65_536))))]
#[case("webhook_url", json!("data:image/png;base64,iVBORw0KGgo="))]
#[case("banner_url", json!(format!("https://example.com/{}", "x".repeat(3_000))))]
#[case("support_email", json!("nobody"))]
#[case("fallback_language", json!("klingon_KL"))]
#[case("languages", json!(["nl", "en_US"]))]
#[case("languages", json!(vec!["en"; 101]))]
#[case("webhook_url", json!("file:///etc/passwd"))]
#[case("webhook_events", json!([""]))]
#[case("webhook_events", json!(vec!["x"; 101]))]
#[case("temperature", json!(2.1))]
#[case("temperature", json!(-0.1))]
#[case("metadata", json!([]))]
#[case("metadata", json!({ "x": "y".repeat(70_000) }))]
#[case("metadata", json!({ "x": "nul\0" }))]
#[case("metadata", (0..40).fold(json!({}), |inner, _| json!({ "x": inner })))]
#[case("audit_retention_days", json!(0))]
#[case("job_retention_days", json!(-1))]
#[case("conversation_retention_days", json!(i32::MAX))]
#[tokio::test]
async fn a_setting_that_can_not_be_is_refused_by_its_name(#[case] field: &str, #[case] value: Value) {
    // Beside one that can be: nothing of it is written.
    let input: SettingsInput = serde_json::from_value(json!({ "watermark_enabled": true, field: value })).unwrap();
    let error = input.checked().unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
    assert_eq!(error.field(), Some(field));
    assert!(error.to_string().starts_with(field) && error.to_string().len() < 300, "{error}");
}

#[test]
fn what_does_not_parse_names_its_field() {
    for (field, error) in [
        ("email", "x".parse::<Email>().unwrap_err()),
        ("slug", "X".parse::<Slug>().unwrap_err()),
        ("name", "".parse::<Name>().unwrap_err()),
        ("text", "\0".parse::<Prose>().unwrap_err()),
        ("color", "red".parse::<HexColor>().unwrap_err()),
        ("url", "x".parse::<WebUrl>().unwrap_err()),
        ("language", "x".parse::<LanguageTag>().unwrap_err()),
        ("metadata", Metadata::try_from(json!(1)).unwrap_err()),
    ] {
        assert!(error.is_invalid_input() && error.field() == Some(field), "{field}: {error:?}");
    }
}

#[test]
fn an_unknown_setting_is_an_error_and_not_ignored() {
    for body in [json!({ "is_published": true }), json!({ "webhook_secret": "x" }), json!({ "workspace_id": "x" })] {
        assert!(serde_json::from_value::<SettingsInput>(body).is_err());
    }
}

#[tokio::test]
async fn numbers_that_are_none_are_refused_before_anything_is_written() {
    let mut fixture = Fixture::new().await;
    let owner = fixture.administer().await;
    for temperature in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.000_1] {
        let changes = WorkspaceSettingsChanges {
            tone: Some(Some("dry".parse().unwrap())),
            temperature: Some(Some(temperature)),
            ..Default::default()
        };
        let error = auth::change_settings(&fixture.db, &owner, &changes).await.unwrap_err();
        assert_eq!(error.field(), Some("temperature"));
    }
    for threshold in [f64::NAN, -0.1, 1.1] {
        let changes =
            workspace_db::models::WorkspaceChanges { confidence_threshold: Some(threshold), ..Default::default() };
        let error = auth::change_workspace(&fixture.db, &owner, &changes).await.unwrap_err();
        assert_eq!(error.field(), Some("confidence_threshold"));
    }
    let tone: Option<String> = workspace_settings::table
        .filter(workspace_settings::workspace_id.eq(fixture.a.workspace))
        .select(workspace_settings::tone)
        .first(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(tone.as_deref(), Some("professional"));
}

/// Any text, and text that looks like what is asked for.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,80}",
        "[a-zA-Z0-9.+_-]{1,20}@[a-zA-Z0-9.-]{1,20}",
        "[a-z0-9-]{0,70}",
        "#[0-9a-fA-F]{0,9}",
        "https?://[a-z0-9.:@/?#% \\[\\]-]{0,40}",
        "[a-zA-Z]{1,9}(-[a-zA-Z0-9]{1,9}){0,3}",
        "wdb_(session|api|password|service|invitation)_[A-Za-z0-9_-]{0,80}",
    ]
}

#[test]
fn whatever_is_typed_is_refused_or_is_what_it_says() {
    let is_stable = |text: &str, again: Result<String, workspace_db::Error>| again.is_ok_and(|again| again == text);
    crate::generator(20_261_126, 20_000)
        .run(&texts(), |text| {
            if let Ok(email) = text.parse::<Email>() {
                prop_assert!(email.as_str().is_ascii() && !email.as_str().contains(char::is_whitespace));
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert!(is_stable(email.as_str(), email.as_str().parse::<Email>().map(String::from)));
            }
            if let Ok(slug) = text.parse::<Slug>() {
                prop_assert!(slug.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!((1..=63).contains(&slug.as_str().len()));
            }
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!(!name.as_str().chars().any(char::is_control) && !name.as_str().is_empty());
                prop_assert!(is_stable(name.as_str(), name.as_str().parse::<Name>().map(String::from)));
            }
            if let Ok(prose) = text.parse::<Prose>() {
                prop_assert!(!prose.as_str().contains('\0'));
            }
            if let Ok(url) = text.parse::<WebUrl>() {
                prop_assert!(url.as_str().starts_with("https://") || url.as_str().starts_with("http://"));
                prop_assert!(!url.as_str().contains(char::is_whitespace) && !url.as_str().contains('"'));
                prop_assert!(is_stable(url.as_str(), url.as_str().parse::<WebUrl>().map(String::from)));
            }
            if let Ok(color) = text.parse::<HexColor>() {
                prop_assert!(color.as_str().len() <= 9 && color.as_str().starts_with('#'));
            }
            if let Ok(tag) = text.parse::<LanguageTag>() {
                prop_assert!(tag.as_str().is_ascii());
            }
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.expose(), text.as_str());
                let shown = format!("{token:?}");
                prop_assert!(!shown.contains(&text[20..]), "{}", shown);
            }
            Ok(())
        })
        .unwrap();
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(40, 60, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[tokio::test]
async fn what_the_types_accept_the_database_keeps_as_it_is() {
    let mut fixture = Fixture::new().await;
    let mut runner = crate::generator(20_261_126, 1);
    let mut kept = 0;
    for n in 0..300 {
        let text = texts().new_tree(&mut runner).unwrap().current();
        let value = json_values().new_tree(&mut runner).unwrap().current();
        let (Ok(name), Ok(prose)) = (text.parse::<Name>(), text.parse::<Prose>()) else { continue };
        let new = NewWorkspace {
            description: Some(prose.clone()),
            ..NewWorkspace::new(format!("w{n}").parse().unwrap(), name.clone())
        };
        diesel::insert_into(workspaces::table).values(&new).execute(&mut fixture.conn).await.unwrap();
        let (back, description): (String, Option<String>) = workspaces::table
            .find(new.id)
            .select((workspaces::name, workspaces::description))
            .first(&mut fixture.conn)
            .await
            .unwrap();
        assert_eq!((back.as_str(), description.as_deref()), (name.as_str(), Some(prose.as_str())));
        if let Ok(metadata) = Metadata::try_from(json!({ "value": value })) {
            let row = (workspace_settings::workspace_id.eq(new.id), workspace_settings::metadata.eq(&metadata));
            diesel::insert_into(workspace_settings::table).values(row).execute(&mut fixture.conn).await.unwrap();
            kept += 1;
        }
    }
    assert!(kept > 50, "only {kept} values were accepted: the test tries the wrong ones");
}
