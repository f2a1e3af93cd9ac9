//! Recall against latency, as a picture.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::measure::{Measurement, grouped};

const PANELS: [usize; 3] = [2_000, 20_000, 100_000];
const SIZE: (u32, u32) = (1_200, 480);

/// How a side is drawn: the beginning of its name, and a colour.
const COLOURS: [(&str, RGBColor); 5] = [
    ("workspace-db", RGBColor(200, 30, 45)),
    ("exact", RGBColor(60, 60, 60)),
    ("IVFFlat built empty", RGBColor(150, 110, 60)),
    ("IVFFlat retrained", RGBColor(230, 150, 20)),
    ("HNSW", RGBColor(40, 100, 190)),
];

/// Draws those of the sizes that were measured.
pub fn draw(path: &Path, all: &[(usize, Vec<Measurement>)]) -> Result<(), Box<dyn Error>> {
    let shown: Vec<_> = all.iter().filter(|(size, _)| PANELS.contains(size)).collect();
    if shown.is_empty() {
        return Ok(());
    }
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (panels, legend) = root.split_vertically(SIZE.1 - 50);
    for (area, (size, measured)) in panels.split_evenly((1, shown.len())).iter().zip(shown) {
        let slowest = measured.iter().map(|one| one.p50).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{} chunks of the workspace", grouped(*size)), ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(48)
            .build_cartesian_2d((0.3..slowest * 1.6).log_scale(), 0.0..1.04)?;
        chart
            .configure_mesh()
            .x_desc("p50 in ms, logarithmic")
            .y_desc("recall@10, mean")
            .x_label_formatter(&|x| if *x < 1.0 { format!("{x:.1}") } else { format!("{x:.0}") })
            .y_label_formatter(&|y| format!("{y:.1}"))
            .light_line_style(WHITE)
            .draw()?;
        for (name, colour) in COLOURS {
            let mut points: Vec<(f64, f64)> =
                measured.iter().filter(|one| one.side.starts_with(name)).map(|one| (one.p50, one.mean)).collect();
            points.sort_by(|one, other| one.1.total_cmp(&other.1));
            chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(1)))?;
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 5, colour.filled())))?;
        }
    }
    for (at, (name, colour)) in (0..).zip(COLOURS) {
        let left = 60 + at * 230;
        legend.draw(&Circle::new((left, 20), 6, colour.filled()))?;
        let name = if name == "HNSW" { "HNSW, plain, strict, relaxed" } else { name };
        legend.draw(&Text::new(name, (left + 12, 12), ("sans-serif", 16)))?;
    }
    root.present()?;
    Ok(())
}
