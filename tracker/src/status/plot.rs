//! Plots as inline SVG, with their labels as text beside it, so that these keep their shape at any width.

use std::fmt::Write as _;
use std::time::Duration;

/// One plot: layers upon each other, or lines across each other.
#[derive(Clone, Debug)]
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) unit: Unit,
    /// From the bottom to the top.
    pub(super) layers: Vec<Layer<'a>>,
    /// A fixed height to compare with, such as a budget.
    pub(super) bound: Option<(&'a str, f64)>,
    /// Between two points.
    pub(super) step: Duration,
    /// Points that there is room for.
    pub(super) window: usize,
}

/// One series of a plot.
#[derive(Clone, Debug)]
pub(super) struct Layer<'a> {
    pub(super) label: &'a str,
    /// Which of the page's six colours.
    pub(super) color: usize,
    /// Stands upon the layers before it; otherwise a dashed line of its own.
    pub(super) stacked: bool,
    /// Oldest first, the last one now; no more than the window.
    pub(super) points: Vec<f32>,
}

/// What the numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Rate,
    Bytes,
}

impl Unit {
    /// A number as a person reads it: three digits at most, but every digit of a small whole number.
    pub(super) fn show(self, value: f64) -> String {
        let steps: &[(f64, &str)] = match self {
            Self::Bytes => {
                &[(1_099_511_627_776.0, " TiB"), (1_073_741_824.0, " GiB"), (1_048_576.0, " MiB"), (1024.0, " KiB")]
            }
            _ => &[(1e9, "G"), (1e6, "M"), (1e4, "k")],
        };
        for &(size, suffix) in steps {
            if value >= size {
                let divisor = if suffix == "k" { 1e3 } else { size };
                return digits(value / divisor) + suffix;
            }
        }
        match self {
            Self::Bytes => format!("{value:.0} B"),
            Self::Count => format!("{value:.0}"),
            Self::Rate => digits(value),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Bytes => "bytes",
        }
    }

    /// The next round number at or above `value`.
    fn round_up(self, value: f64) -> f64 {
        if value <= 0.0 || !value.is_finite() {
            return match self {
                Self::Bytes => 1024.0,
                Self::Count => 2.0,
                Self::Rate => 1.0,
            };
        }
        if self == Self::Bytes {
            return value.log2().ceil().exp2();
        }
        let size = value.log10().floor();
        let power = 10_f64.powf(size);
        // The middle is labelled too: half of a few things must be a whole number.
        let factors: &[f64] = match self {
            Self::Count if value <= 100.0 => &[1.0, 2.0, 4.0, 10.0],
            _ => &[1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0],
        };
        let round = factors.iter().map(|factor| factor * power).find(|&round| round >= value).unwrap_or(value);
        if self == Self::Count { round.max(2.0) } else { round }
    }
}

impl Plot<'_> {
    /// The plot as a card of the page.
    pub(super) fn render(&self) -> String {
        let top = self.unit.round_up(self.highest());
        let mut out = format!("<section class=\"card\"><h2>{}</h2><div class=\"legend\">", escaped(self.title));
        // Writing to a string cannot fail.
        for layer in self.layers.iter().rev() {
            let now = layer.points.last().map_or(0.0, |&value| f64::from(value));
            let class = if layer.stacked { "" } else { " class=\"dash\"" };
            let label = escaped(layer.label);
            let value = self.unit.show(now);
            let _ = write!(out, "<span{class} style=\"--color:var(--c{})\">{label} <b>{value}</b></span>", layer.color);
        }
        if let Some((label, value)) = self.bound {
            let value = self.unit.show(value);
            let label = escaped(label);
            let _ = write!(out, "<span class=\"dash\" style=\"--color:var(--c4)\">{label} <b>{value}</b></span>");
        }
        out.push_str("</div>");
        let empty = self.layers.iter().all(|layer| layer.points.is_empty());
        if empty {
            out.push_str("<div class=\"plot\"><div class=\"none\">the first points come in 20 seconds</div>");
        } else {
            let (step, values) = (self.step.as_secs(), escaped(&self.values()));
            let (unit, last) = (self.unit.name(), self.window - 1);
            let _ = write!(
                out,
                "<div class=\"plot\" data-unit=\"{unit}\" data-step=\"{step}\" data-last=\"{last}\" data-values=\"{values}\">"
            );
        }
        self.draw(&mut out, top);
        self.axes(&mut out, top);
        out + "</div></section>"
    }

    fn highest(&self) -> f64 {
        let stacked = self.edges().into_iter().flatten().fold(0.0, f64::max);
        stacked.max(self.bound.map_or(0.0, |(_, value)| value))
    }

    /// The upper edge of each layer.
    fn edges(&self) -> Vec<Vec<f64>> {
        let mut ground: Vec<f64> = vec![];
        let mut edges = vec![];
        for layer in &self.layers {
            let own = layer.points.iter().map(|&value| f64::from(value));
            if layer.stacked {
                ground.resize(layer.points.len(), 0.0);
                ground.iter_mut().zip(own).for_each(|(sum, value)| *sum += value);
                edges.push(ground.clone());
            } else {
                edges.push(own.collect());
            }
        }
        edges
    }

    fn draw(&self, out: &mut String, top: f64) {
        let label = format!("{}, over {}", self.title, ago(self.span()));
        let (label, last) = (escaped(&label), self.window - 1);
        let _ = write!(
            out,
            "<svg role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {last} 100\" preserveAspectRatio=\"none\">"
        );
        for height in [0, 25, 50, 75, 100] {
            let _ = write!(out, "<line class=\"grid\" x1=\"0\" x2=\"{last}\" y1=\"{height}\" y2=\"{height}\"/>");
        }
        let edges = self.edges();
        let mut ground = vec![];
        for (layer, edge) in self.layers.iter().zip(&edges) {
            let (color, path) = (layer.color, path(edge, self.window, top));
            if edge.is_empty() {
                continue;
            }
            if layer.stacked {
                if ground.is_empty() {
                    ground = vec![0.0; edge.len()];
                }
                let mut back: Vec<_> = ground.clone();
                back.reverse();
                let back = path_reversed(&back, last, top);
                let _ = write!(out, "<path class=\"area\" style=\"--color:var(--c{color})\" d=\"{path}{back}Z\"/>");
                ground.clone_from(edge);
            }
            let class = if layer.stacked { "edge" } else { "dash" };
            let _ = write!(out, "<path class=\"{class}\" style=\"--color:var(--c{color})\" d=\"{path}\"/>");
        }
        if let Some((_, value)) = self.bound {
            let y = 100.0 - value / top * 100.0;
            let _ = write!(out, "<path class=\"dash\" style=\"--color:var(--c4)\" d=\"M0 {y:.1}H{last}\"/>");
        }
        out.push_str("</svg>");
    }

    fn span(&self) -> Duration {
        self.step * u32::try_from(self.window).unwrap_or(u32::MAX)
    }

    fn axes(&self, out: &mut String, top: f64) {
        let span = self.span();
        for third in [0_u8, 1, 2] {
            let (left, text) = (f64::from(third) * 100.0 / 3.0, ago(span / 3 * u32::from(3 - third)));
            let _ = write!(out, "<u class=\"x\" style=\"left:{left:.1}%\">\u{2212}{text}</u>");
        }
        out.push_str("<u class=\"x last\" style=\"left:100%\">now</u>");
        for quarter in [0_u8, 2, 4] {
            let value = self.unit.show(top * f64::from(quarter) / 4.0);
            let _ = write!(out, "<u class=\"y\" style=\"bottom:{}%\">{value}</u>", quarter * 25);
        }
    }

    /// What the page's script shows under the pointer.
    fn values(&self) -> String {
        let layers = self.layers.iter().rev().map(|layer| {
            let values = layer
                .points
                .iter()
                .map(|&value| if value < 100.0 { (value * 100.0).round() / 100.0 } else { value.round() });
            let color = format!("var(--c{})", layer.color);
            serde_json::json!({ "label": layer.label, "color": color, "values": values.collect::<Vec<_>>() })
        });
        serde_json::Value::from(layers.collect::<Vec<_>>()).to_string()
    }
}

/// A line through the points, which end at the right.
fn path(edge: &[f64], window: usize, top: f64) -> String {
    let mut path = String::new();
    let start = window.saturating_sub(edge.len());
    let mut command = 'M';
    for (n, value) in edge.iter().enumerate() {
        let _ = write!(path, "{command}{} {:.1}", start + n, 100.0 - value / top * 100.0);
        command = 'L';
    }
    path
}

/// The way back along a lower edge, given from the right to the left.
fn path_reversed(edge: &[f64], last: usize, top: f64) -> String {
    let mut path = String::new();
    for (n, value) in edge.iter().enumerate() {
        let _ = write!(path, "L{} {:.1}", last.saturating_sub(n), 100.0 - value / top * 100.0);
    }
    path
}

/// A span as a person says it.
pub(super) fn ago(span: Duration) -> String {
    let seconds = span.as_secs();
    for (size, one, many) in [(86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min")] {
        if seconds >= size {
            let count = seconds / size;
            return format!("{count}\u{a0}{}", if count == 1 { one } else { many });
        }
    }
    format!("{seconds}\u{a0}s")
}

/// At most three digits that say something.
fn digits(value: f64) -> String {
    match value {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => trimmed(format!("{value:.1}")),
        value => trimmed(format!("{value:.2}")),
    }
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Text as HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (unit, value, text) in [
            (Unit::Count, 0.0, "0"),
            (Unit::Count, 9_999.0, "9999"),
            (Unit::Count, 12_345.0, "12.3k"),
            (Unit::Count, 3_700_000.0, "3.7M"),
            (Unit::Rate, 0.256, "0.26"),
            (Unit::Rate, 1234.5, "1234"),
            (Unit::Bytes, 512.0, "512 B"),
            (Unit::Bytes, 170.0 * 1_048_576.0, "170 MiB"),
            (Unit::Bytes, 6.0 * 1_073_741_824.0, "6 GiB"),
        ] {
            assert_eq!(unit.show(value), text);
        }
    }

    #[test]
    fn an_axis_ends_at_a_round_number_that_holds_everything() {
        for (unit, value, top) in [
            (Unit::Rate, 0.0, 1.0),
            (Unit::Rate, 1123.0, 1200.0),
            (Unit::Rate, 0.031, 0.04),
            (Unit::Count, 1.0, 2.0),
            (Unit::Count, 5.0, 10.0),
            (Unit::Count, 1_010_000.0, 1_200_000.0),
            (Unit::Bytes, 300.0 * 1_048_576.0, 512.0 * 1_048_576.0),
        ] {
            assert!((unit.round_up(value) / top - 1.0).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn layers_stand_upon_each_other_and_end_at_the_right() {
        let layer = |points: &[f32], stacked| Layer { label: "a<b", color: 1, stacked, points: points.to_vec() };
        let plot = Plot {
            title: "Peers",
            unit: Unit::Rate,
            layers: vec![layer(&[1.0, 2.0], true), layer(&[3.0, 2.0], true), layer(&[1.0, 0.0], false)],
            bound: Some(("budget", 5.0)),
            step: Duration::from_secs(10),
            window: 360,
        };
        let html = plot.render();
        for part in [
            "d=\"M358 80.0L359 60.0L359 100.0L358 100.0Z\"",
            "d=\"M358 20.0L359 20.0L359 60.0L358 80.0Z\"",
            "class=\"dash\" style=\"--color:var(--c1)\" d=\"M358 80.0L359 100.0\"",
            "d=\"M0 0.0H359\"",
            "a&lt;b <b>2</b>",
            ">\u{2212}20\u{a0}min</u>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    #[test]
    fn a_plot_without_points_says_so() {
        let layers = vec![Layer { label: "a", color: 0, stacked: true, points: vec![] }];
        let plot =
            Plot { title: "Peers", unit: Unit::Count, layers, bound: None, step: Duration::from_secs(10), window: 90 };
        assert!(plot.render().contains("the first points come"));
    }
}
