//! `peers.svg`: a bar for every peer and piece of work, a panel for each number of threads.

use super::axis::{Axis, speed};
use super::figures::digits;
use crate::machine::Machine;
use crate::peer::OURS;
use crate::record::{Record, Row};

/// The colours of Okabe and Ito, which colour-blind readers tell apart; dark grey for their pale yellow.
const COLOURS: [&str; 8] = [
    "#999999", "#0072B2", "#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#E69F00", "#333333",
];
const LABELS: f64 = 190.0;
const PANEL: f64 = 480.0;
/// Room beside the bars for their figures.
const MARGIN: f64 = 44.0;
const TOP: f64 = 114.0;
const BOTTOM: f64 = 56.0;
const BAR: f64 = 9.0;
/// Between rows, and above the heading of a kind of work.
const GAP: f64 = 7.0;
const HEADING: f64 = 22.0;

/// The picture.
pub(crate) fn svg(machine: &Machine, records: &[Record]) -> String {
    let Some(first) = records.first() else {
        return String::new();
    };
    let names: Vec<&str> = first.peers.iter().map(|peer| peer.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| *name != OURS).collect();
    let axis = Axis::of(records, &names);
    let rows = place(first, &names);
    let bottom = rows.last().map_or(TOP, |row| row.y + row.height + GAP);
    let mut picture = Picture::default();
    let width = LABELS + PANEL * records.len() as f64;
    picture.heading(machine, &names, width);
    for (i, record) in (0u8..).zip(records) {
        let left = LABELS + f64::from(i) * PANEL;
        picture.panel(
            record,
            &Panel {
                left,
                bottom,
                axis: &axis,
                rows: &rows,
                names: &names,
            },
        );
    }
    picture.labels(&rows);
    picture.finish(width, bottom + BOTTOM)
}

/// A row of the first record, and where it stands; the others have the same rows.
struct Placed {
    heading: Option<&'static str>,
    size: String,
    y: f64,
    height: f64,
}

fn place(record: &Record, names: &[&str]) -> Vec<Placed> {
    let mut y = TOP;
    let mut title = "";
    let mut placed = Vec::new();
    for row in &record.rows {
        let heading = (row.work.title() != title).then(|| row.work.title());
        title = row.work.title();
        y += GAP + if heading.is_some() { HEADING } else { 0.0 };
        let bars = names
            .iter()
            .filter(|name| row.cells.iter().any(|cell| cell.peer == **name))
            .count();
        let height = BAR * bars.max(2) as f64;
        let size = row.work.size();
        placed.push(Placed {
            heading,
            size,
            y,
            height,
        });
        y += height;
    }
    placed
}

struct Panel<'a> {
    left: f64,
    bottom: f64,
    axis: &'a Axis,
    rows: &'a [Placed],
    names: &'a [&'a str],
}

impl Panel<'_> {
    fn x(&self, speed: f64) -> f64 {
        self.left + MARGIN + self.axis.place(speed) * (PANEL - 2.0 * MARGIN)
    }
}

#[derive(Default)]
struct Picture {
    body: String,
}

impl Picture {
    fn heading(&mut self, machine: &Machine, names: &[&str], width: f64) {
        self.text(
            12.0,
            26.0,
            "title",
            "Speed relative to elision (higher is faster)",
        );
        let cores = machine.cores;
        let place = format!("{}; {} cores; {}", machine.processor, cores, machine.date);
        self.text(12.0, 45.0, "plain", &place);
        let (mut x, mut y) = (12.0, 57.0);
        for (name, colour) in names.iter().zip(COLOURS) {
            let needed = 34.0 + 7.0 * name.len() as f64;
            if x + needed > width {
                (x, y) = (12.0, y + 18.0);
            }
            self.bar(x, y, 12.0, 12.0, colour);
            self.text(x + 17.0, y + 10.0, "plain", name);
            x += needed;
        }
    }

    fn labels(&mut self, rows: &[Placed]) {
        for row in rows {
            if let Some(heading) = row.heading {
                self.text(12.0, row.y - 7.0, "bold", heading);
            }
            self.text(
                LABELS - 6.0,
                row.y + row.height / 2.0 + 4.0,
                "end",
                &row.size,
            );
        }
    }

    fn panel(&mut self, record: &Record, panel: &Panel<'_>) {
        let middle = panel.left + PANEL / 2.0;
        let plural = if record.threads == 1 { "" } else { "s" };
        self.text(
            middle,
            TOP - 4.0,
            "middle",
            &format!("{} thread{plural}", record.threads),
        );
        for tick in panel.axis.ticks() {
            let x = panel.x(tick);
            self.line(x, TOP + 4.0, panel.bottom, "#dddddd");
            self.text(x, panel.bottom + 16.0, "middle", &tick.to_string());
        }
        for (row, placed) in record.rows.iter().zip(panel.rows) {
            self.row(row, placed, panel);
        }
        self.line(panel.x(1.0), TOP + 4.0, panel.bottom, "#000000");
        let axis = "times elision's speed, logarithmic; bars beyond the ends are cut";
        self.text(middle, panel.bottom + 36.0, "middle", axis);
    }

    fn row(&mut self, row: &Row, placed: &Placed, panel: &Panel<'_>) {
        let mut y = placed.y;
        for (name, colour) in panel.names.iter().zip(COLOURS) {
            let Some(speed) = speed(row, name) else {
                continue;
            };
            let (one, x) = (panel.x(1.0), panel.x(speed));
            self.bar(
                one.min(x),
                y + 0.5,
                (x - one).abs().max(0.5),
                BAR - 1.0,
                colour,
            );
            let (at, anchor) = if x < one {
                (x - 3.0, "small end")
            } else {
                (x + 3.0, "small")
            };
            self.text(at, y + BAR - 1.5, anchor, &digits(speed));
            y += BAR;
        }
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.body += &format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>\n"
        );
    }

    fn line(&mut self, x: f64, top: f64, bottom: f64, colour: &str) {
        self.body += &format!(
            "<line x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{colour}\"/>\n"
        );
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.body += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>\n");
    }

    fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\">\n\
             <style>text {{ font: 12px sans-serif; }} .title {{ font-size: 18px; }} \
             .small {{ font-size: 8px; }} .bold {{ font-weight: bold; }} \
             .end {{ text-anchor: end; }} .middle {{ text-anchor: middle; }} \
             .bold, .end {{ paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }
}
