//! The static files of the pages, embedded in the binary. The licence files next to them name their authors.

/// Version in the paths of the files, so that a browser fetches each file once per version of the program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const FILES: &[(&str, &str, &str)] = &[
    ("studio.css", "text/css; charset=utf-8", include_str!("assets/studio.css")),
    ("studio.js", "text/javascript; charset=utf-8", include_str!("assets/studio.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    // htmx 4.0.1
    ("htmx.min.js", "text/javascript; charset=utf-8", include_str!("assets/htmx.min.js")),
    // uPlot 1.6.32
    ("uplot.min.js", "text/javascript; charset=utf-8", include_str!("assets/uplot.min.js")),
    ("uplot.min.css", "text/css; charset=utf-8", include_str!("assets/uplot.min.css")),
    (
        "licences.txt",
        "text/plain; charset=utf-8",
        concat!(
            "htmx 4.0.1\n\n",
            include_str!("assets/htmx.LICENSE"),
            "\nuPlot 1.6.32\n\n",
            include_str!("assets/uplot.LICENSE")
        ),
    ),
];

/// Returns the path of a file.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{VERSION}/{name}")
}

/// Returns the content type and the text of a file.
pub(super) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    FILES.iter().find(|(known, ..)| *known == name).map(|(_, kind, text)| (*kind, *text))
}
