//! Plots as SVG: lines, areas and bands over two axes. Colours are the page's, by class, so that
//! they follow light and dark.

// For strings, to which writing does not fail: what `write!` answers is left.
use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 34.0;
/// Width of a letter of a band's name, in a plot as wide as the page and in one half as wide.
const LETTER: [f64; 2] = [7.0, 12.0];

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// One axis: where its ticks are, and how they read.
#[derive(Debug)]
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to at least `to`, with some four ticks at round values.
    pub(super) fn linear(to: f64, read: impl Fn(f64) -> String) -> Self {
        let step = round_step(to / 4.0);
        let steps = (to / step).ceil().max(1.0);
        Self {
            scale: Scale::Linear,
            from: 0.0,
            to: step * steps,
            ticks: (0..=steps as u32)
                .map(|n| (step * f64::from(n), read(step * f64::from(n))))
                .collect(),
        }
    }

    /// From zero to `to` and no further.
    pub(super) fn exactly(to: f64, read: impl Fn(f64) -> String) -> Self {
        let mut axis = Self::linear(to, read);
        axis.to = to;
        axis.ticks.retain(|&(value, _)| value <= to);
        axis
    }

    /// Whole decades around `least..=most`.
    pub(super) fn logarithmic(least: f64, most: f64, read: impl Fn(f64) -> String) -> Self {
        let (first, last) = (least.log10().floor() as i32, most.log10().ceil() as i32);
        let last = last.max(first + 1);
        Self {
            scale: Scale::Logarithmic,
            from: 10f64.powi(first),
            to: 10f64.powi(last),
            ticks: (first..=last)
                .map(|power| (10f64.powi(power), read(10f64.powi(power))))
                .collect(),
        }
    }

    /// With ticks at values of the caller's choice.
    pub(super) fn with_ticks(to: f64, ticks: Vec<(f64, String)>) -> Self {
        Self {
            scale: Scale::Linear,
            from: 0.0,
            to,
            ticks,
        }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => {
                (value.max(self.from) / self.from).log10() / (self.to / self.from).log10()
            }
        };
        part.clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 of a power of ten, not below `step`.
fn round_step(step: f64) -> f64 {
    let step = step.max(1e-9);
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|f| f * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

/// A stretch of the horizontal axis with a name.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

#[derive(Debug)]
struct Line {
    name: String,
    /// Number of its colour.
    color: usize,
    points: Vec<(f64, f64)>,
    /// The area between it and these values is filled.
    above: Option<Vec<f64>>,
}

#[derive(Debug)]
pub(super) struct Plot {
    x: Axis,
    y: Axis,
    height: f64,
    letter: f64,
    bands: Vec<Band>,
    lines: Vec<Line>,
}

impl Plot {
    pub(super) fn new(x: Axis, y: Axis) -> Self {
        Self {
            x,
            y,
            height: 300.0,
            letter: LETTER[0],
            bands: vec![],
            lines: vec![],
        }
    }

    pub(super) fn height(mut self, height: f64) -> Self {
        self.height = height;
        self
    }

    /// To stand beside another one: drawn to half the size, so that letters take more room.
    pub(super) fn half(mut self) -> Self {
        (self.height, self.letter) = (420.0, LETTER[1]);
        self
    }

    pub(super) fn bands(mut self, bands: &[Band]) -> Self {
        self.bands = bands.to_vec();
        self
    }

    pub(super) fn line(mut self, name: &str, color: usize, points: Vec<(f64, f64)>) -> Self {
        self.lines.push(Line {
            name: name.to_owned(),
            color,
            points,
            above: None,
        });
        self
    }

    /// A line whose area down to `above` is filled.
    pub(super) fn area(
        mut self,
        name: &str,
        color: usize,
        points: Vec<(f64, f64)>,
        above: Vec<f64>,
    ) -> Self {
        self = self.line(name, color, points);
        if let Some(line) = self.lines.last_mut() {
            line.above = Some(above);
        }
        self
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.height - BOTTOM - self.y.place(value) * (self.height - TOP - BOTTOM)
    }

    /// The legend, if there is more than one line, and the drawing.
    pub(super) fn draw(&self, about: &str) -> String {
        let mut out = String::new();
        if self.lines.len() > 1 {
            out += "<ul class=\"legend\">";
            for line in &self.lines {
                // A string never refuses.
                let _ = write!(out, "<li class=\"c{}\">{}</li>", line.color, line.name);
            }
            out += "</ul>";
        }
        let height = self.height;
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{about}\">"
        );
        self.draw_bands(&mut out);
        self.draw_axes(&mut out);
        for line in &self.lines {
            self.draw_line(&mut out, line);
        }
        out += "</svg>";
        out
    }

    fn draw_bands(&self, out: &mut String) {
        let (top, bottom) = (TOP - 20.0, self.height - BOTTOM);
        for (index, band) in self.bands.iter().enumerate() {
            let (from, to) = (self.x(band.from), self.x(band.to));
            let (width, parity) = ((to - from).max(0.5), index % 2);
            let name = &band.name;
            let _ = write!(
                out,
                "<g class=\"band b{parity}\"><title>{name}, {:.1} s</title>\
                 <rect x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
                band.to - band.from,
                bottom - top
            );
            if width > self.letter * name.chars().count() as f64 {
                let middle = f64::midpoint(from, to);
                let _ = write!(
                    out,
                    "<text x=\"{middle:.1}\" y=\"{:.1}\">{name}</text>",
                    top + 13.0
                );
            }
            *out += "</g>";
        }
    }

    fn draw_axes(&self, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, self.height - BOTTOM);
        for (value, text) in &self.y.ticks {
            let y = self.y(*value);
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for (value, text) in &self.x.ticks {
            let x = self.x(*value);
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{text}\
                 </text>",
                bottom + 5.0,
                bottom + 20.0
            );
        }
    }

    fn draw_line(&self, out: &mut String, line: &Line) {
        let mut path = String::new();
        for (index, &(x, y)) in line.points.iter().enumerate() {
            let step = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{step}{:.1} {:.1}", self.x(x), self.y(y));
        }
        if let Some(above) = &line.above {
            let mut area = path.clone();
            for (&(x, _), &y) in line.points.iter().zip(above).rev() {
                let _ = write!(area, "L{:.1} {:.1}", self.x(x), self.y(y));
            }
            let _ = write!(out, "<path class=\"area c{}\" d=\"{area}Z\"/>", line.color);
        }
        let _ = write!(out, "<path class=\"line c{}\" d=\"{path}\"/>", line.color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_end() {
        let axis = Axis::linear(1_000_000.0, |value| format!("{value}"));
        let ticks: Vec<_> = axis.ticks.iter().map(|(value, _)| *value as u32).collect();
        assert_eq!(ticks, [0, 500_000, 1_000_000]);
        assert_eq!(Axis::linear(7.0, |v| v.to_string()).to, 8.0);
        let axis = Axis::logarithmic(0.4, 230.0, |value| format!("{value}"));
        assert_eq!((axis.from, axis.to, axis.ticks.len()), (0.1, 1000.0, 5));
        assert!((axis.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(1e9)), (0.0, 1.0));
    }

    #[test]
    fn what_is_drawn_stays_inside() {
        let plot = Plot::new(
            Axis::exactly(10.0, |v| v.to_string()),
            Axis::linear(1.0, |v| v.to_string()),
        );
        let svg = plot
            .line("a", 0, vec![(0.0, 0.0), (20.0, 5.0)])
            .draw("a line");
        assert!(svg.contains("M68.0 266.0L944.0 26.0"), "{svg}");
    }
}
