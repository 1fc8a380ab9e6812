//! Pictures: the causal chain and the timeline, as SVG without scripts.

use std::collections::BTreeMap;

use crate::escape::{cut, html};
use crate::guide::{Link, Moment, short};

const BOX_WIDTH: usize = 680;
const BOX_HEIGHT: usize = 54;
const BOX_GAP: usize = 30;
const LABEL: usize = 88;

/// Draws what explains what, the root cause on top.
pub fn chain(links: &[Link]) -> String {
    if links.len() < 2 {
        return String::new();
    }
    let height = links.len() * (BOX_HEIGHT + BOX_GAP) - BOX_GAP + 4;
    let mut svg = format!(
        "<svg class=\"picture\" viewBox=\"0 0 {} {height}\" role=\"img\" aria-label=\"What explains what\">\n",
        BOX_WIDTH + 4
    );
    svg.push_str("<defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"4\" refY=\"4\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" class=\"tip\"/></marker></defs>\n");
    for (index, link) in links.iter().enumerate() {
        let y = 2 + index * (BOX_HEIGHT + BOX_GAP);
        let kind = match (index, link.symptom) {
            (0, _) => "root",
            (_, true) => "symptom",
            _ => "cause",
        };
        if index > 0 {
            let (from, to) = (y - BOX_GAP, y - 6);
            let x = BOX_WIDTH / 2;
            svg.push_str(&format!("<line class=\"arrow\" x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{to}\" marker-end=\"url(#tip)\"/>\n"));
        }
        svg.push_str(&format!(
            "<rect class=\"box {kind}\" x=\"2\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"8\"/>\n\
             <text class=\"title\" x=\"18\" y=\"{}\">{}</text>\n<text class=\"id\" x=\"18\" y=\"{}\">{}</text>\n",
            y + 23,
            html(&cut(&link.title, LABEL)),
            y + 42,
            html(&cut(&link.id, 90)),
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

const WIDTH: i64 = 900;
const LEFT: i64 = 150;
const LANE: i64 = 30;

/// Draws when what was seen, a lane for each source; nothing where fewer than two times are known.
pub fn timeline(moments: &[Moment]) -> String {
    let times: Vec<i64> =
        moments.iter().filter_map(|moment| moment.time).map(|time| time.as_millisecond()).collect();
    let (Some(&first), Some(&last)) = (times.iter().min(), times.iter().max()) else { return String::new() };
    if first == last {
        return String::new();
    }
    let mut lanes: BTreeMap<&str, i64> = BTreeMap::new();
    for moment in moments.iter().filter(|moment| moment.time.is_some()) {
        let next = lanes.len() as i64;
        lanes.entry(moment.source.as_str()).or_insert(next);
    }
    let bottom = 10 + lanes.len() as i64 * LANE;
    let mut svg = format!(
        "<svg class=\"picture\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"When what was seen\">\n",
        bottom + 26
    );
    for (source, lane) in &lanes {
        let y = 10 + lane * LANE + LANE / 2;
        svg.push_str(&format!(
            "<text class=\"lane\" x=\"{}\" y=\"{}\">{}</text>\n<line class=\"rail\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\n",
            LEFT - 12,
            y + 4,
            html(source),
            WIDTH - 16
        ));
    }
    let span = (last - first) as f64;
    let x_of = |time: i64| LEFT + 8 + ((time - first) as f64 / span * (WIDTH - LEFT - 40) as f64) as i64;
    for moment in moments {
        let (Some(time), Some(lane)) = (moment.time, lanes.get(moment.source.as_str())) else { continue };
        let (x, y) = (x_of(time.as_millisecond()), 10 + lane * LANE + LANE / 2);
        let (kind, radius) = if moment.cause.is_some() { ("evidence", 7) } else { ("event", 4) };
        svg.push_str(&format!(
            "<circle class=\"{kind}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"><title>{} {}</title></circle>\n",
            short(time),
            html(&cut(&moment.text, 200))
        ));
    }
    for (time, anchor) in [(first, "start"), (last, "end")] {
        let label = moments
            .iter()
            .filter_map(|moment| moment.time)
            .find(|moment| moment.as_millisecond() == time)
            .map(short);
        svg.push_str(&format!(
            "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>\n",
            x_of(time),
            bottom + 18,
            label.unwrap_or_default()
        ));
    }
    svg.push_str("</svg>\n");
    svg
}
