//! Results of a search, for a person.

use anyhow::Result;
use workspace_db::noun::noun_for;
use workspace_db::search::{Hit, SearchResults};

use crate::output;

/// Prints the hits, best first: title and headings, file and line, and the best sentences or the whole passage.
pub(super) fn print(results: &SearchResults, full: bool) -> Result<()> {
    let hits = results.hits.iter().enumerate().flat_map(|(at, hit)| lines(at + 1, hit, full));
    let end = if results.hits.is_empty() { "No passage answers the question.".to_owned() } else { summary(results) };
    output::print_harmless(hits.chain([output::harmless(&end).into_owned()]))
}

fn lines(rank: usize, hit: &Hit, full: bool) -> Vec<String> {
    let head = format!("{rank}. {:.2}  {}", hit.score, hit.path().join(" › "));
    let place = place(hit);
    let mut lines = vec![output::harmless(&head).into_owned(), format!("   {}", output::harmless(&place))];
    if full {
        let before = hit.before.iter().map(|neighbour| &neighbour.content);
        let after = hit.after.iter().map(|neighbour| &neighbour.content);
        let passages = before.chain([&hit.content]).chain(after);
        lines.extend(passages.flat_map(|passage| passage.lines()).map(|line| format!("   {}", output::harmless(line))));
    } else if hit.excerpt.is_empty() {
        lines.extend(hit.content.lines().next().map(|line| format!("   {}", output::harmless(line))));
    } else {
        lines.push(format!("   {}", hit.excerpt.iter().map(output::marked).collect::<String>().trim_end()));
    }
    lines.push(String::new());
    lines
}

/// Returns the name of the document with the line of the passage, or its number without lines.
fn place(hit: &Hit) -> String {
    let name = hit.external_id.as_deref().unwrap_or(&hit.title);
    match hit.line() {
        Some(line) => format!("{name}:{line}"),
        None => format!("{name} #{}", hit.chunk_index),
    }
}

/// Summarizes the number of hits and the search methods.
fn summary(results: &SearchResults) -> String {
    let lists: Vec<String> =
        [&results.by_vector, &results.by_words].into_iter().flatten().map(ToString::to_string).collect();
    let (returned, requested) = (results.returned, results.requested);
    format!("{returned} of {requested} {}: {}", noun_for(requested, "passage"), lists.join("; "))
}
