//! Throughput over time as an SVG, a line for each run.

use super::run::Seen;
use std::fmt::Write;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
/// Room for the numbers on the left and below, and for the names on the right.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Told apart by people who do not see red and green alike (Okabe and Ito's palette).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Events a second at a time since the first poll.
type Line = Vec<(f64, f64)>;

/// Draws the runs.
pub fn svg(title: &str, runs: &[Seen]) -> String {
    let lines: Vec<Line> = runs.iter().map(|run| rates(&run.settled)).collect();
    let points = || lines.iter().flatten();
    let x_max = points().map(|(x, _)| *x).fold(1.0, f64::max).ceil();
    let y_max = round_up(points().map(|(_, y)| *y).fold(1.0, f64::max));
    let x = |at: f64| LEFT + at / x_max * (WIDTH - LEFT - RIGHT);
    let y = |rate: f64| HEIGHT - BOTTOM - rate / y_max * (HEIGHT - TOP - BOTTOM);

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    for step in 0..=5 {
        let rate = y_max * f64::from(step) / 5.0;
        let (end, at) = (WIDTH - RIGHT, y(rate));
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{rate:.0}</text>",
            LEFT - 8.0,
            at + 4.0
        );
        let second = x_max * f64::from(step) / 5.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{second:.0} s</text>",
            x(second),
            HEIGHT - BOTTOM + 20.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\">events settled a second, over the time since the first poll</text>",
        HEIGHT - 10.0
    );
    for (n, (run, line)) in runs.iter().zip(&lines).enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let path: Vec<String> =
            line.iter().map(|(at, rate)| format!("{:.1},{:.1}", x(*at), y(*rate))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            WIDTH - RIGHT + 10.0,
            TOP + 12.0 + 18.0 * n as f64,
            escaped(&run.name)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The rate between two samples, at the time of the later one.
fn rates(settled: &[(std::time::Duration, u64)]) -> Line {
    let pairs = settled.windows(2).filter(|pair| pair[1].0 > pair[0].0);
    pairs
        .map(|pair| {
            let took = (pair[1].0 - pair[0].0).as_secs_f64();
            (pair[1].0.as_secs_f64(), pair[1].1.saturating_sub(pair[0].1) as f64 / took)
        })
        .collect()
}

/// To 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|n| *n >= value).unwrap_or(value)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rates_are_those_between_samples() {
        let at = |ms| Duration::from_millis(ms);
        let line = rates(&[(at(0), 0), (at(250), 1_000), (at(250), 1_000), (at(750), 1_500)]);
        assert_eq!(line, [(0.25, 4_000.0), (0.75, 1_000.0)]);
        assert_eq!([round_up(1.0), round_up(11_234.0), round_up(450.0)], [1.0, 20_000.0, 500.0]);
    }
}
