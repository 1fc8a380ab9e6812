//! The guide as one self-contained page: no network, no scripts, light and dark, printable.

use analyzer::diagnosis::{Proof, Verdict};
use handlebars::Handlebars;
use serde::Serialize;

use crate::escape::{self, cut};
use crate::guide::{Cause, Guide, Quote, in_words, short};
use crate::{RenderError, json, markdown, picture, prose};

const TEMPLATE: &str = include_str!("../templates/guide.html.hbs");

/// Renders a guide; the template escapes every value that is not HTML of Medic's own.
pub fn render(guide: &Guide) -> Result<String, RenderError> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(escape::html);
    Ok(handlebars.render_template(TEMPLATE, &view(guide)?)?)
}

#[derive(Serialize)]
struct View {
    mark: &'static str,
    verdict: &'static str,
    headline: String,
    root: Option<RootView>,
    happened: String,
    chain: String,
    evidence: Vec<QuoteView>,
    to_do: String,
    remedies: Vec<RemedyView>,
    next: Vec<NextView>,
    changed: Vec<String>,
    ruled_out: Vec<RuledView>,
    timeline: Vec<MomentView>,
    timeline_picture: String,
    gaps: Vec<GapView>,
    records: u64,
    streams: u64,
    redacted: String,
    json: String,
}

#[derive(Serialize)]
struct RootView {
    id: String,
    class: String,
    title: String,
    percent: u32,
    words: &'static str,
    proof: &'static str,
    proof_look: &'static str,
    severity: &'static str,
    tasks: String,
    proof_says: Vec<String>,
    because: Vec<String>,
}

#[derive(Serialize)]
struct QuoteView {
    number: usize,
    source: &'static str,
    place: String,
    time: Option<String>,
    many: bool,
    count: u64,
    text: String,
    show: String,
}

#[derive(Serialize)]
struct RemedyView {
    title: String,
    safety: &'static str,
    minutes: u32,
    undo: String,
    preview: String,
}

#[derive(Serialize)]
struct NextView {
    class: &'static str,
    title: String,
    because: String,
}

#[derive(Serialize)]
struct RuledView {
    cause: String,
    because: String,
}

#[derive(Serialize)]
struct MomentView {
    time: String,
    source: &'static str,
    text: String,
    evident: bool,
    many: bool,
    count: u64,
}

#[derive(Serialize)]
struct GapView {
    what: String,
    because: String,
    remedy: String,
}

fn view(guide: &Guide) -> Result<View, RenderError> {
    let happened: String = guide.happened.iter().map(|sentence| prose::html(sentence)).collect();
    Ok(View {
        mark: crate::mark(guide.verdict),
        verdict: match guide.verdict {
            Verdict::Healthy => "healthy",
            Verdict::Failed => "failed",
            Verdict::CannotTell => "cannot-tell",
        },
        headline: guide.headline.replace('`', ""),
        root: guide.root.as_ref().map(|root| root_view(root, guide)),
        happened,
        chain: picture::chain(&guide.chain),
        evidence: guide.evidence.iter().enumerate().map(|(index, item)| quote(index + 1, item)).collect(),
        to_do: prose::html(&guide.to_do),
        remedies: guide
            .remedies
            .iter()
            .map(|remedy| RemedyView {
                title: remedy.title.clone(),
                safety: remedy.safety.as_str(),
                minutes: remedy.estimated_minutes,
                undo: remedy.undo.clone().unwrap_or_else(|| "nothing to undo".to_owned()),
                preview: remedy.preview.clone().unwrap_or_default(),
            })
            .collect(),
        next: guide
            .next
            .iter()
            .map(|next| NextView {
                class: next.class.as_str(),
                title: next.title.clone(),
                because: next.because.clone(),
            })
            .collect(),
        changed: guide.changed.clone(),
        ruled_out: guide
            .ruled_out
            .iter()
            .map(|ruled| RuledView { cause: ruled.cause.replace('`', ""), because: cut(&ruled.because, 600) })
            .collect(),
        timeline: guide
            .timeline
            .iter()
            .map(|moment| MomentView {
                time: moment.time.map(short).unwrap_or_default(),
                source: moment.source.as_str(),
                text: cut(escape::without_transport(&moment.text), 300),
                evident: moment.cause.is_some(),
                many: moment.count > 1,
                count: moment.count,
            })
            .collect(),
        timeline_picture: picture::timeline(&guide.timeline),
        gaps: guide
            .gaps
            .iter()
            .map(|gap| GapView {
                what: gap.what.clone(),
                because: gap.because.clone(),
                remedy: gap.remedy.clone().unwrap_or_default(),
            })
            .collect(),
        records: guide.records,
        streams: guide.streams,
        redacted: crate::redacted(guide),
        // Inside of a script element only `<` could end it.
        json: json::render(guide)?.replace('<', "\\u003c"),
    })
}

fn root_view(root: &Cause, guide: &Guide) -> RootView {
    let (proof, proof_look) = match root.proof {
        Proof::Confirmed => ("confirmed by the described state", "good"),
        Proof::Refuted => ("refuted", "bad"),
        Proof::Unchecked => ("not checked against the account", "warn"),
    };
    let tasks = match (guide.deployment.running, guide.deployment.desired) {
        (Some(running), Some(desired)) => format!("{running} of {desired} tasks run"),
        _ => String::new(),
    };
    RootView {
        id: root.id.clone(),
        class: root.class.to_string(),
        title: root.title.clone(),
        percent: (root.confidence * 100.0).round() as u32,
        words: in_words(root.confidence),
        proof,
        proof_look,
        severity: root.severity.as_str(),
        tasks,
        proof_says: root.proof_says.clone(),
        because: root.confidence_because.clone(),
    }
}

fn quote(number: usize, quote: &Quote) -> QuoteView {
    let place = if quote.line_number > 0 {
        format!("{}:{}", quote.stream, quote.line_number)
    } else {
        quote.stream.clone()
    };
    let lines: Vec<String> = markdown::shown(quote)
        .lines()
        .map(|line| {
            let safe = escape::html(line);
            if line.trim_end() == escape::without_transport(quote.line.trim_end())
                && quote.text.lines().count() > 1
            {
                format!("<mark>{safe}</mark>")
            } else {
                safe
            }
        })
        .collect();
    QuoteView {
        number,
        source: quote.source.as_str(),
        place,
        time: quote.time.map(short),
        many: quote.count > 1,
        count: quote.count,
        text: lines.join("\n"),
        show: quote.show.clone(),
    }
}
