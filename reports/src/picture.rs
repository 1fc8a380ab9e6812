//! Pictures: the causal chain and the timeline, as SVG without scripts.

use jiff::Timestamp;
use std::collections::BTreeMap;

use crate::escape::{cut, html};
use crate::guide::{Link, Moment, short, span};

/// Draws what explains what, the root cause on top: dots on a line, whose texts wrap on narrow screens.
pub fn chain(links: &[Link]) -> String {
    if links.len() < 2 {
        return String::new();
    }
    let mut list =
        "<ol class=\"chain\" aria-label=\"What explains what, the root cause first\">\n".to_owned();
    for (index, link) in links.iter().enumerate() {
        let kind = match (index, link.symptom) {
            (0, _) => "root",
            (_, true) => "symptom",
            _ => "cause",
        };
        list.push_str(&format!(
            "<li class=\"{kind}\"><svg viewBox=\"0 0 18 18\" aria-hidden=\"true\"><circle class=\"dot\" cx=\"9\" cy=\"9\" r=\"6\"/></svg>\
             <span class=\"title\">{}</span> <span class=\"id\">{}</span></li>\n",
            html(&cut(&link.title, 200)),
            html(&cut(&link.id, 120)),
        ));
    }
    list.push_str("</ol>\n");
    list
}

const WIDTH: f64 = 900.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 24.0;
const LANE: f64 = 26.0;
/// Above the lanes stand the lengths of what is drawn short.
const TOP: f64 = 18.0;
/// So much of the width a span in which nothing happened takes.
const BREAK: f64 = 0.07;
const MOST_BREAKS: usize = 4;
/// In milliseconds.
const SHORTEST_BREAK: i64 = 120_000;
/// A label of a time is about as wide, and one with its day.
const LABEL: f64 = 62.0;
const LABEL_WITH_DAY: f64 = 100.0;

/// Draws when what was seen, a lane for each source; nothing where fewer than two times are known.
/// Long spans without anything are drawn short, so that the minutes that matter are told apart.
pub fn timeline(moments: &[Moment]) -> String {
    let mut times: Vec<i64> =
        moments.iter().filter_map(|moment| moment.time).map(|time| time.as_millisecond()).collect();
    times.sort_unstable();
    times.dedup();
    if times.len() < 2 {
        return String::new();
    }
    let axis = Axis::new(&times);
    let mut lanes: BTreeMap<&str, usize> = BTreeMap::new();
    for moment in moments.iter().filter(|moment| moment.time.is_some()) {
        let next = lanes.len();
        lanes.entry(moment.source.as_str()).or_insert(next);
    }
    let middle = |lane: usize| TOP + LANE * (lane as f64 + 0.5);
    let bottom = TOP + LANE * lanes.len() as f64;
    let mut svg = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of the timeline\"><svg class=\"picture\" viewBox=\"0 0 {WIDTH} {}\" \
         role=\"img\" aria-label=\"When what was seen; the table below says the same\">\n",
        bottom + 24.0
    );
    for (source, lane) in &lanes {
        let y = middle(*lane);
        svg.push_str(&format!(
            "<text class=\"lane\" x=\"{}\" y=\"{}\">{}</text>\n<line class=\"rail\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\n",
            LEFT - 12.0,
            y + 4.0,
            html(source),
            WIDTH - RIGHT + 8.0
        ));
    }
    for (from, to, left_out) in axis.breaks() {
        for x in [from, to] {
            svg.push_str(&format!(
                "<line class=\"break\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\n"
            ));
        }
        let x = (from + to) / 2.0;
        svg.push_str(&format!("<text x=\"{x:.1}\" y=\"12\" text-anchor=\"middle\">{left_out}</text>\n"));
    }
    // Evidence is drawn last, over what surrounds it.
    let (evident, other): (Vec<&Moment>, Vec<&Moment>) =
        moments.iter().partition(|moment| moment.cause.is_some());
    for moment in other.into_iter().chain(evident) {
        let (Some(time), Some(lane)) = (moment.time, lanes.get(moment.source.as_str())) else { continue };
        let (x, y) = (axis.place(time.as_millisecond()), middle(*lane));
        let (kind, radius) = if moment.cause.is_some() { ("evident-dot", 6) } else { ("event", 4) };
        svg.push_str(&format!(
            "<circle class=\"{kind}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"{radius}\"><title>{} {}</title></circle>\n",
            short(time),
            html(&cut(&moment.text, 200))
        ));
    }
    let is_one_day = is_one_day(&times);
    for (x, time) in axis.labels(if is_one_day { LABEL } else { LABEL_WITH_DAY }) {
        let Ok(time) = Timestamp::from_millisecond(time) else { continue };
        let time = time.strftime(if is_one_day { "%H:%M:%S" } else { "%m-%d %H:%M:%S" });
        svg.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{time}</text>\n",
            bottom + 18.0
        ));
    }
    svg.push_str("</svg></div>\n");
    svg
}

fn is_one_day(times: &[i64]) -> bool {
    let day = |time: &i64| time.div_euclid(86_400_000);
    times.iter().all(|time| day(time) == day(&times[0]))
}

/// Where times stand: proportional, but for spans in which nothing happened.
struct Axis {
    /// Times and their places, in order; between two of them places are proportional.
    points: Vec<(i64, f64)>,
    /// Of each step between points, whether it is a break.
    is_break: Vec<bool>,
}

impl Axis {
    /// Takes at least two times, sorted. A span longer than half of what is drawn is a break.
    fn new(times: &[i64]) -> Axis {
        let mut is_break: Vec<bool> = vec![false; times.len() - 1];
        let gap = |step: usize| times[step + 1] - times[step];
        for _ in 0..MOST_BREAKS.min(times.len().saturating_sub(2)) {
            let drawn: i64 = (0..is_break.len()).filter(|&step| !is_break[step]).map(gap).sum();
            let longest = (0..is_break.len()).filter(|&step| !is_break[step]).max_by_key(|&step| gap(step));
            let Some(longest) = longest.filter(|&step| gap(step) * 2 > drawn && gap(step) >= SHORTEST_BREAK)
            else {
                break;
            };
            is_break[longest] = true;
        }
        let breaks = is_break.iter().filter(|&&it| it).count();
        let drawn: i64 = (0..is_break.len()).filter(|&step| !is_break[step]).map(gap).sum();
        let room = WIDTH - LEFT - RIGHT - 8.0;
        let rest = room * (1.0 - BREAK * breaks as f64);
        let mut points = vec![(times[0], LEFT + 8.0)];
        let mut x = LEFT + 8.0;
        for step in 0..is_break.len() {
            x += match (is_break[step], drawn) {
                (true, _) => room * BREAK,
                (false, 0) => 0.0,
                (false, drawn) => rest * gap(step) as f64 / drawn as f64,
            };
            points.push((times[step + 1], x));
        }
        Axis { points, is_break }
    }

    fn place(&self, time: i64) -> f64 {
        match self.points.binary_search_by_key(&time, |point| point.0) {
            Ok(at) => self.points[at].1,
            Err(at) => self.points[at.min(self.points.len() - 1)].1,
        }
    }

    /// Returns where breaks begin and end, with how long they are.
    fn breaks(&self) -> Vec<(f64, f64, String)> {
        let steps = self.points.windows(2).zip(&self.is_break).filter(|(_, is_break)| **is_break);
        let steps =
            steps.map(|(pair, _)| (pair[0].1 + 10.0, pair[1].1 - 10.0, span((pair[1].0 - pair[0].0) / 1000)));
        steps.collect()
    }

    /// Returns times to write below the axis: its ends, the ends of breaks, and steps between, as far as there is room.
    fn labels(&self, wide: f64) -> Vec<(f64, i64)> {
        let last = self.points.len() - 1;
        let at_break = |index: usize| {
            self.is_break.get(index).copied().unwrap_or(false) || index > 0 && self.is_break[index - 1]
        };
        let mut order: Vec<usize> = vec![0, last];
        order.extend((1..last).filter(|&index| at_break(index)));
        order.extend(1..last);
        let mut taken: Vec<f64> = Vec::new();
        let mut labels = Vec::new();
        for index in order {
            let (time, x) = self.points[index];
            // What is wider than the room beside it would be cut off.
            let x = x.min(WIDTH - wide / 2.0);
            if taken.iter().all(|other| (other - x).abs() >= wide) {
                taken.push(x);
                labels.push((x, time));
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_long_span_without_anything_is_drawn_short() {
        let times = [0, MINUTE, 91 * MINUTE, 92 * MINUTE, 93 * MINUTE];
        let axis = Axis::new(&times);
        let breaks: Vec<String> = axis.breaks().into_iter().map(|(.., left_out)| left_out).collect();
        assert_eq!(breaks, ["90 min"]);
        let width = |from: i64, to: i64| axis.place(to) - axis.place(from);
        assert!(width(91 * MINUTE, 92 * MINUTE) > 3.0 * width(MINUTE, 91 * MINUTE));
        assert!(
            (width(0, MINUTE) - width(92 * MINUTE, 93 * MINUTE)).abs() < 0.01,
            "the rest is proportional"
        );
    }

    #[test]
    fn times_of_several_days_are_labelled_with_their_days() {
        let moment = |time: &str| Moment {
            time: time.parse().ok(),
            stream: String::new(),
            source: analyzer::record::Source::EcsServiceEvent,
            level: analyzer::record::Level::Info,
            text: String::new(),
            cause: None,
            count: 1,
        };
        let drawn = timeline(&[moment("2026-05-20T10:09:00Z"), moment("2026-06-02T10:09:00Z")]);
        assert!(drawn.contains(">05-20 10:09:00<") && drawn.contains(">06-02 10:09:00<"), "{drawn}");
        let axis = Axis::new(&[0, 900 * MINUTE, 1000 * MINUTE, 1060 * MINUTE, 1090 * MINUTE, 1100 * MINUTE]);
        let mut places: Vec<f64> = axis.labels(LABEL_WITH_DAY).into_iter().map(|(x, _)| x).collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_WITH_DAY), "{places:?}");
        assert!(places.iter().all(|x| x + LABEL_WITH_DAY / 2.0 <= WIDTH), "{places:?}");
        let drawn = timeline(&[moment("2026-06-02T10:01:00Z"), moment("2026-06-02T10:09:00Z")]);
        assert!(drawn.contains(">10:01:00<") && drawn.contains(">10:09:00<"), "{drawn}");
    }

    #[test]
    fn times_stay_in_the_picture_and_in_order() {
        for times in
            [vec![0, 1], vec![0, MINUTE, 1000 * MINUTE], (0..60).map(|at| at * at * MINUTE).collect()]
        {
            let axis = Axis::new(&times);
            let places: Vec<f64> = times.iter().map(|&time| axis.place(time)).collect();
            assert!(places.windows(2).all(|pair| pair[0] <= pair[1]), "{places:?}");
            assert!(places[0] >= LEFT && places[places.len() - 1] <= WIDTH - RIGHT + 0.01, "{places:?}");
            let labels = axis.labels(LABEL);
            assert!(labels.len() >= 2 || times.len() == 2, "{labels:?}");
        }
    }
}
