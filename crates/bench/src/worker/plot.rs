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
/// People with red-green blindness can distinguish them (Okabe and Ito's palette).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Events a second at a time since the first poll.
type Line = Vec<(f64, f64)>;

/// Draws the runs.
pub fn svg(title: &str, runs: &[Seen]) -> String {
    let lines: Vec<Line> = runs.iter().map(|run| rates(&run.settled)).collect();
    let points = || lines.iter().flatten();
    let seconds = Axis::up_to(points().map(|(x, _)| *x).fold(1.0, f64::max));
    let rates = Axis::up_to(points().map(|(_, y)| *y).fold(1.0, f64::max));
    let x = |at: f64| LEFT + at / seconds.end() * (WIDTH - LEFT - RIGHT);
    let y = |rate: f64| HEIGHT - BOTTOM - rate / rates.end() * (HEIGHT - TOP - BOTTOM);

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    for rate in rates.ticks() {
        let (end, at) = (WIDTH - RIGHT, y(rate));
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{end}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{rate}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for second in seconds.ticks() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{second} s</text>",
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

/// From zero in equal steps to beyond the largest value.
struct Axis {
    step: f64,
    steps: u32,
}

impl Axis {
    /// Four to eight steps of 1, 2 or 5 times a power of ten.
    fn up_to(value: f64) -> Self {
        let power = 10f64.powf((value / 8.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| value / step <= 8.0);
        let step = step.unwrap_or(value);
        // The last sample may lie a little behind a whole second.
        Self { step, steps: (value / step - 0.05).ceil() as u32 }
    }

    fn end(&self) -> f64 {
        self.step * f64::from(self.steps)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(|n| self.step * f64::from(n))
    }
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
    }

    #[test]
    fn an_axis_has_round_steps_and_room_for_the_largest_value() {
        let axis = |value| {
            let axis = Axis::up_to(value);
            (axis.step, axis.end())
        };
        assert_eq!(
            [axis(20.0), axis(11_234.0), axis(450.0)],
            [(5.0, 20.0), (2_000.0, 12_000.0), (100.0, 500.0)]
        );
        assert_eq!(Axis::up_to(20.0).ticks().collect::<Vec<_>>(), [0.0, 5.0, 10.0, 15.0, 20.0]);
    }
}
