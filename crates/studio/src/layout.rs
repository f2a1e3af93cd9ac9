//! The frame of every page: the view, the navigation and the footer.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::display::{plain, text};
use super::problem::head;
use super::request::StudioRequest;
use super::state::AppState;
use super::view::View;

/// Every page in the order of the navigation. A future page (webhooks with their deliveries, analytics) needs a line here,
/// one in `routes`, and a file of its own.
const PAGES: &[(&str, &str)] = &[
    ("tables", "Tables"),
    ("schema", "Schema"),
    ("search", "Search"),
    ("map", "Map"),
    ("jobs", "Jobs"),
    ("conversations", "Conversations"),
    ("audit", "Audit log"),
    ("doctor", "Doctor"),
];

/// Returns the page with that name, or `tables` for any unknown name.
pub(super) fn known_page(name: &str) -> &'static str {
    PAGES.iter().map(|(page, _)| *page).find(|page| *page == name).unwrap_or("tables")
}

/// Returns the path of a page. The doctor always checks the whole database.
fn path(view: &View, page: &str) -> String {
    if page == "doctor" { View::Platform.path(page) } else { view.path(page) }
}

/// Renders a page of a view.
pub(super) fn page(visit: &StudioRequest, current: &str, title: &str, body: &Markup) -> Html<String> {
    let view = &visit.view;
    let (class, slug) = match view {
        View::Platform => ("platform", ""),
        View::Workspace { slug, .. } => ("workspace", slug.as_str()),
    };
    let around = html! {
        form class="bar switch" action="/switch" {
            label for="to" { "Workspace" }
            input id="to" name="to" value=(slug) placeholder="slug" autocomplete="off" spellcheck="false" required;
            input type="hidden" name="page" value=(current);
            button { "Switch" }
            @if *view == View::Platform {
                strong class="loud" { "All workspaces" }
            } @else {
                a href={ "/platform/" (current) } { "Show all workspaces" }
            }
        }
        @if visit.shared.can_undo(view) {
            form method="post" action=(view.path("undo")) {
                input type="hidden" name="form_token" value=(visit.browser_session.form_token);
                button { "Undo the last change" }
            }
        }
    };
    let nav = html! {
        nav aria-label="Pages" {
            ul {
                @for (page, name) in PAGES {
                    li { a href=(path(view, page)) aria-current=[(*page == current).then_some("page")] { (name) } }
                }
            }
        }
    };
    let name = match view {
        View::Platform => "all workspaces".to_owned(),
        View::Workspace { name, .. } => name.clone(),
    };
    whole(
        class,
        &plain(&format!("{title} · {name}")),
        &visit.shared,
        &around,
        &nav,
        &html! { h1 { (text(title)) } (body) },
    )
}

/// Renders a page before a view is chosen.
pub(super) fn front(title: &str, shared: &AppState, body: &Markup) -> Html<String> {
    whole("front", title, shared, &html! {}, &html! {}, &html! { h1 { (title) } (body) })
}

fn whole(class: &str, title: &str, shared: &AppState, around: &Markup, nav: &Markup, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                link rel="stylesheet" href=(assets::path("uplot.min.css"));
                (head(title))
                script src=(assets::path("htmx.min.js")) defer {}
                script src=(assets::path("uplot.min.js")) defer {}
                script src=(assets::path("studio.js")) defer {}
            }
            body class=(class) {
                a class="skip" href="#main" { "Skip to content" }
                header {
                    a class="home" href="/" { "workspace-db" }
                    span class="quiet" { @if shared.may_write { "read-write" } @else { "read-only" } }
                    (around)
                }
                (nav)
                main id="main" tabindex="-1" { (body) }
                footer class="quiet" {
                    a href=(assets::path("licences.txt")) { "Licences" }
                    " · " kbd { "/" } " focuses the search field · "
                    a href="/leave" { "End session" }
                }
            }
        }
    };
    Html(page.into_string())
}
