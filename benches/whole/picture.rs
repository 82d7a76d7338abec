//! Draws the growth of wall time with the work from the figures, both axes logarithmic.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 180.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;

/// A line of the picture: its name, its colour, and its points (work, milliseconds).
struct Series {
    name: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// Draws the picture as SVG from the JSON of the report.
pub fn draw(report: &Value) -> String {
    let all = [
        series(report, "sweep", "gloo-rs, cluster", "#0b62a8", |row| &row["cost"]),
        series(report, "sweep", "bare PATCHes", "#888888", |row| &row["floor"]["cost"]),
        series(report, "files", "gloo-rs, files", "#b8480a", |row| &row["cost"]),
    ];
    let drawn: Vec<_> = all.into_iter().filter(|series| !series.points.is_empty()).collect();
    let points = || drawn.iter().flat_map(|series| &series.points);
    let across = Axis::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let up = Axis::over(points().map(|point| point.1), HEIGHT - BOTTOM, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">enable-mtls --all: wall time by number of Upstreams</text>\n"
    );
    for (at, label) in across.marks() {
        let bottom = HEIGHT - BOTTOM;
        line(&mut svg, (at, TOP), (at, bottom));
        text(&mut svg, (at, bottom + 20.0), "middle", &label);
    }
    for (at, label) in up.marks() {
        line(&mut svg, (LEFT, at), (WIDTH - RIGHT, at));
        text(&mut svg, (LEFT - 8.0, at + 4.0), "end", &format!("{label} ms"));
    }
    text(&mut svg, (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 16.0), "middle", "Upstreams");
    for series in &drawn {
        series.draw(&mut svg, &across, &up);
    }
    svg.push_str("</svg>\n");
    svg
}

fn series(
    report: &Value,
    wanted: &str,
    name: &'static str,
    colour: &'static str,
    cost: impl Fn(&Value) -> &Value,
) -> Series {
    let rows = report["rows"].as_array().into_iter().flatten().filter(|row| row["work"]["series"] == wanted);
    let points = rows.filter_map(|row| Some((row["work"]["amount"].as_f64()?, cost(row)["wallMs"].as_f64()?)));
    Series { name, colour, points: points.collect() }
}

impl Series {
    fn draw(&self, svg: &mut String, across: &Axis, up: &Axis) {
        let Self { name, colour, points } = self;
        let places: Vec<_> = points.iter().map(|(work, time)| (across.place(*work), up.place(*time))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        let _ = writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        for (x, y) in &places {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>");
        }
        if let (Some((x, y)), Some((_, time))) = (places.last(), points.last()) {
            // The two lines of a bulk run end close to each other.
            let lift = if name.starts_with("bare") { 18.0 } else { 0.0 };
            text(svg, (x + 10.0, y + 4.0 + lift), "start", &format!("{name}: {:.1} s", time / 1e3));
        }
    }
}

/// A logarithmic axis between two powers of ten.
struct Axis {
    powers: (i32, i32),
    from: f64,
    to: f64,
}

impl Axis {
    #[expect(clippy::cast_possible_truncation, reason = "a power of ten that is measured is small")]
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor() as i32;
        let most = values.fold(1.0, f64::max).log10().ceil() as i32;
        Self { powers: (least.min(most - 1), most), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let (least, most) = self.powers;
        self.from + (self.to - self.from) * (value.log10() - f64::from(least)) / f64::from(most - least)
    }

    fn marks(&self) -> Vec<(f64, String)> {
        let (least, most) = self.powers;
        (least..=most).map(|power| 10f64.powi(power)).map(|value| (self.place(value), value.to_string())).collect()
    }
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#dddddd\"/>");
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, words: &str) {
    let (x, y) = at;
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}
