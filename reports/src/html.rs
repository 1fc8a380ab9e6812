//! The guide as one self-contained page: no network, no scripts, light and dark, printable.

use analyzer::changes::Kind;
use analyzer::diagnosis::{Proof, Verdict};
use handlebars::Handlebars;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::escape::{self, cut};
use crate::guide::{Cause, Changed, Guide, Quote, in_words, short};
use crate::treatment::Treatment;
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
    changes: Option<ChangesView>,
    ruled_out: Vec<RuledView>,
    timeline: Vec<MomentView>,
    timeline_day: String,
    timeline_picture: String,
    gaps: Vec<GapView>,
    read: String,
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
    instant: String,
    many: bool,
    count: u64,
    text: String,
    show: String,
}

#[derive(Serialize)]
struct ChangesView {
    says: String,
    items: Vec<ChangeView>,
    show: String,
}

#[derive(Serialize)]
struct ChangeView {
    kind: &'static str,
    mark: &'static str,
    container: String,
    what: String,
    before: String,
    after: String,
    is_named: bool,
}

#[derive(Serialize)]
struct RemedyView {
    title: String,
    safety: &'static str,
    safety_says: &'static str,
    minutes: u32,
    steps: Vec<StepView>,
}

#[derive(Serialize)]
struct StepView {
    name: &'static str,
    command: String,
    words: String,
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
    instant: String,
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
    is_command: bool,
}

fn view(guide: &Guide) -> Result<View, RenderError> {
    let one_day = guide.one_day();
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
                safety_says: remedy.safety.in_words(),
                minutes: remedy.estimated_minutes,
                steps: steps(remedy),
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
        changes: guide.changes.as_ref().map(changes),
        ruled_out: guide
            .ruled_out
            .iter()
            .map(|ruled| RuledView { cause: ruled.cause.replace('`', ""), because: cut(&ruled.because, 600) })
            .collect(),
        timeline: guide
            .timeline
            .iter()
            .map(|moment| MomentView {
                time: moment.time.map(|time| clock(time, one_day)).unwrap_or_default(),
                instant: moment.time.map(|time| time.to_string()).unwrap_or_default(),
                source: moment.source.as_str(),
                text: cut(analyzer::record::without_transport(&moment.text), 300),
                evident: moment.cause.is_some(),
                many: moment.count > 1,
                count: moment.count,
            })
            .collect(),
        timeline_day: one_day.map(|day| day.to_string()).unwrap_or_default(),
        timeline_picture: picture::timeline(&guide.timeline),
        gaps: guide
            .gaps
            .iter()
            .map(|gap| GapView {
                what: gap.what.clone(),
                because: gap.because.clone(),
                remedy: gap.remedy.clone().unwrap_or_default(),
                is_command: gap.remedy.as_deref().is_some_and(crate::commands::is_command),
            })
            .collect(),
        read: crate::read(guide),
        redacted: crate::redacted(guide),
        // Inside of a script element only `<` could end it.
        json: json::render(guide)?.replace('<', "\\u003c"),
    })
}

fn steps(remedy: &Treatment) -> Vec<StepView> {
    let step = |name, command: &Option<String>| {
        command.clone().map(|command| StepView { name, command, words: String::new() })
    };
    let caution = remedy.caution.clone();
    let caution = caution.map(|words| StepView { name: "caution", command: String::new(), words });
    let mut steps: Vec<StepView> = [
        caution,
        step("preview", &remedy.preview),
        step("do", &remedy.apply),
        step("verify", &remedy.verify),
        step("undo", &remedy.undo_command),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let (None, Some(undo)) = (&remedy.undo_command, &remedy.undo) {
        steps.push(StepView { name: "undo", command: String::new(), words: undo.clone() });
    }
    steps
}

fn changes(changed: &Changed) -> ChangesView {
    let value = |value: &Option<String>, is_hidden: bool| match (value, is_hidden) {
        (Some(value), _) => value.clone(),
        (None, true) => "not shown".to_owned(),
        (None, false) => "–".to_owned(),
    };
    ChangesView {
        says: prose::html(&markdown::prose(&changed.says)),
        items: changed
            .items
            .iter()
            .map(|item| ChangeView {
                kind: match item.kind {
                    Kind::Added => "added",
                    Kind::Removed => "removed",
                    Kind::Changed => "changed",
                },
                mark: match item.kind {
                    Kind::Added => "+",
                    Kind::Removed => "−",
                    Kind::Changed => "~",
                },
                container: item.container.clone().unwrap_or_else(|| "task".to_owned()),
                what: item.what.clone(),
                before: value(&item.before, item.kind != Kind::Added),
                after: value(&item.after, item.kind != Kind::Removed),
                is_named: item.is_named,
            })
            .collect(),
        show: changed.show.clone().unwrap_or_default(),
    }
}

fn clock(time: Timestamp, one_day: Option<Date>) -> String {
    match one_day {
        Some(_) => time.strftime("%H:%M:%S").to_string(),
        None => time.strftime("%m-%d %H:%M:%S").to_string(),
    }
}

fn root_view(root: &Cause, guide: &Guide) -> RootView {
    let (proof, proof_look) = match root.proof {
        Proof::Confirmed => ("confirmed by the described state", "good"),
        Proof::Refuted => ("refuted", "bad"),
        Proof::Unchecked => ("not checked against the account", "warn"),
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
        tasks: guide.tasks.clone().unwrap_or_default(),
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
    let telling = quote.telling(markdown::LONGEST);
    let lines: Vec<String> = markdown::shown(quote)
        .lines()
        .map(|line| {
            let safe = escape::html(line);
            if line == telling && quote.readable().lines().count() > 1 {
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
        instant: quote.time.map(|time| time.to_string()).unwrap_or_default(),
        many: quote.count > 1,
        count: quote.count,
        text: lines.join("\n"),
        show: quote.show.clone(),
    }
}
