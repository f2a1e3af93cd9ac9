//! A message with its sources and feedback.

use maud::{Markup, html};

use crate::display::{Budget, cut, moment, text};
use crate::markdown::markdown;
use workspace_db::conversations::{MessageDetail, Rating, SourceDetail};
use workspace_db::models::Feedback;

use super::list::TITLE;

/// Renders a message: its author and state, the text as Markdown, and what it is based on.
pub(super) fn render_message(detail: &MessageDetail, budget: &Budget) -> Markup {
    let one = &detail.message;
    let author = if one.by_human { "human" } else { one.role.label() };
    html! {
        li id={ "m-" (one.id) } class={ "message " (one.role) " " (one.state) } {
            p class="quiet" {
                strong { (author) } " " (moment(one.created_at)) " · "
                span class={ "status " (one.state) } { (one.state) }
                @if let Some(tokens) = one.tokens { " · " (tokens) " tokens" }
                @if let Some(sure) = one.confidence {
                    " · confidence " (format!("{sure:.2}")) " "
                    meter value=(sure) min="0" max="1" aria-label="confidence" {}
                }
                @if one.needs_review { " · needs review" }
            }
            div class="text" { (markdown(&budget.cut(&one.content))) }
            @if !detail.sources.is_empty() {
                details {
                    summary { (detail.sources.len()) " sources" }
                    ol class="sources" { @for source in &detail.sources { (render_source(source, budget)) } }
                }
            }
            @for judged in &detail.feedback { (render_feedback(judged, budget)) }
        }
    }
}

fn render_source(detail: &SourceDetail, budget: &Budget) -> Markup {
    let one = &detail.source;
    html! {
        li value=(one.rank) {
            strong { (text(&cut(&one.title, TITLE))) }
            " " span class="quiet" {
                (format!("{:.3}", one.score)) " by " (text(&one.method))
                @if let Some(number) = one.citation { " · cited as " (number) }
                @if detail.is_gone { " · gone" }
            }
            @if let Some(shown) = &one.shown_text { p { (text(&budget.cut(shown))) } }
        }
    }
}

fn render_feedback(judged: &Feedback, budget: &Budget) -> Markup {
    html! {
        p class="judged" {
            (Rating::from_score(judged.score)) ", by the " (judged.judge)
            @if let Some(label) = &judged.label { " · " (text(&budget.cut(label))) }
            @if let Some(comment) = &judged.comment { " · " (text(&budget.cut(comment))) }
            @if let Some(better) = &judged.better_answer { " · better: " (text(&budget.cut(better))) }
        }
    }
}
