//! The guide as Markdown.

use analyzer::changes::Kind;
use handlebars::Handlebars;
use serde::Serialize;

use crate::RenderError;
use crate::escape::{self, cut};
use crate::guide::{Cause, Changed, Guide, Link, Quote, in_words, short};
use crate::treatment::Treatment;

const TEMPLATE: &str = include_str!("../templates/guide.md.hbs");
/// A record is quoted up to here.
const MOST_LINES: usize = 14;
pub(crate) const LONGEST: usize = 600;

/// Renders a guide; everything that comes from records is escaped before it meets the template.
pub fn render(guide: &Guide) -> Result<String, RenderError> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    let text = handlebars.render_template(TEMPLATE, &view(guide))?;
    Ok(without_blank_runs(&text))
}

#[derive(Serialize)]
struct View {
    mark: &'static str,
    headline: String,
    root: Option<RootView>,
    happened: Vec<String>,
    chain: Vec<String>,
    evidence: Vec<QuoteView>,
    to_do: String,
    remedies: Vec<RemedyView>,
    next: Vec<NextView>,
    changes: Option<ChangesView>,
    ruled_out: Vec<RuledView>,
    timeline: Vec<MomentView>,
    gaps: Vec<GapView>,
    read: String,
    redacted: String,
}

#[derive(Serialize)]
struct ChangesView {
    says: String,
    items: Vec<ChangeView>,
    show: Option<String>,
}

#[derive(Serialize)]
struct ChangeView {
    container: String,
    what: String,
    before: String,
    after: String,
}

#[derive(Serialize)]
struct RootView {
    id: String,
    class: String,
    title: String,
    percent: u32,
    words: &'static str,
    proof: String,
    severity: &'static str,
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
    block: String,
    show: Option<String>,
}

#[derive(Serialize)]
struct RemedyView {
    title: String,
    safety: &'static str,
    minutes: u32,
    commands: Vec<String>,
}

#[derive(Serialize)]
struct NextView {
    class: String,
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
}

#[derive(Serialize)]
struct GapView {
    what: String,
    because: String,
    remedy: Option<String>,
}

fn view(guide: &Guide) -> View {
    View {
        mark: crate::mark(guide.verdict),
        headline: prose(&guide.headline),
        root: guide.root.as_ref().map(root),
        happened: guide.happened.iter().map(|sentence| page(sentence)).collect(),
        chain: if guide.chain.len() > 1 { mermaid(&guide.chain) } else { Vec::new() },
        evidence: guide.evidence.iter().enumerate().map(|(index, item)| quote(index + 1, item)).collect(),
        to_do: page(&guide.to_do),
        remedies: guide
            .remedies
            .iter()
            .map(|remedy| RemedyView {
                title: escape::markdown(&remedy.title),
                safety: remedy.safety.in_words(),
                minutes: remedy.estimated_minutes,
                commands: commands(remedy),
            })
            .collect(),
        next: guide
            .next
            .iter()
            .map(|next| NextView {
                class: next.class.to_string(),
                title: escape::markdown(&next.title),
                because: escape::markdown(&next.because),
            })
            .collect(),
        changes: guide.changes.as_ref().map(changes),
        ruled_out: guide
            .ruled_out
            .iter()
            .map(|ruled| RuledView {
                cause: prose(&ruled.cause),
                because: escape::markdown(&cut(&ruled.because, LONGEST)),
            })
            .collect(),
        timeline: guide
            .timeline
            .iter()
            .map(|moment| MomentView {
                time: moment.time.map(short).unwrap_or_default(),
                source: moment.source.as_str(),
                text: format!(
                    "{}{}",
                    escape::markdown(&cut(analyzer::record::without_transport(&moment.text), 200)),
                    moment.cause.as_ref().map(|cause| format!(" → {}", code(cause))).unwrap_or_default()
                ),
            })
            .collect(),
        gaps: guide
            .gaps
            .iter()
            .map(|gap| GapView {
                what: escape::markdown(&gap.what),
                because: escape::markdown(&gap.because),
                remedy: gap.remedy.as_deref().map(closing),
            })
            .collect(),
        read: crate::read(guide),
        redacted: crate::redacted(guide),
    }
}

/// Returns what previews a remedy, does it, shows that it worked, and undoes it, a line each.
fn commands(remedy: &Treatment) -> Vec<String> {
    let named = [("preview", &remedy.preview), ("do", &remedy.apply), ("verify", &remedy.verify)];
    let caution = remedy.caution.iter().map(|caution| format!("caution: {}", escape::markdown(caution)));
    let named = named.into_iter();
    let named = named
        .filter_map(|(name, command)| command.as_ref().map(|command| format!("{name}: {}", code(command))));
    let mut lines: Vec<String> = caution.chain(named).collect();
    match (&remedy.undo_command, &remedy.undo) {
        (Some(command), _) => lines.push(format!("undo: {}", code(command))),
        (None, Some(undo)) => lines.push(format!("undo: {}", escape::markdown(undo))),
        (None, None) => {}
    }
    lines
}

fn changes(changed: &Changed) -> ChangesView {
    let value = |value: &Option<String>, is_hidden: bool| match (value, is_hidden) {
        (Some(value), _) => code(value),
        (None, true) => "*not shown*".to_owned(),
        (None, false) => "–".to_owned(),
    };
    ChangesView {
        says: prose(&changed.says),
        items: changed
            .items
            .iter()
            .map(|item| {
                let what = escape::markdown(&item.what);
                ChangeView {
                    container: escape::markdown(item.container.as_deref().unwrap_or("task")),
                    what: if item.is_named { format!("**{what}** (named by the root cause)") } else { what },
                    before: value(&item.before, item.kind != Kind::Added),
                    after: value(&item.after, item.kind != Kind::Removed),
                }
            })
            .collect(),
        show: changed.show.as_deref().map(code),
    }
}

fn root(cause: &Cause) -> RootView {
    RootView {
        id: cause.id.clone(),
        class: cause.class.to_string(),
        title: prose(&cause.title),
        percent: (cause.confidence * 100.0).round() as u32,
        words: in_words(cause.confidence),
        proof: format!("{:?}", cause.proof).to_lowercase(),
        severity: cause.severity.as_str(),
        proof_says: cause.proof_says.iter().map(|said| escape::markdown(said)).collect(),
        because: cause.confidence_because.iter().map(|because| escape::markdown(because)).collect(),
    }
}

fn quote(number: usize, quote: &Quote) -> QuoteView {
    let place = if quote.line_number > 0 {
        format!("{}:{}", quote.stream, quote.line_number)
    } else {
        quote.stream.clone()
    };
    QuoteView {
        number,
        source: quote.source.as_str(),
        place: code(&place),
        time: quote.time.map(short),
        many: quote.count > 1,
        count: quote.count,
        block: escape::fenced(&shown(quote)),
        show: (!quote.show.is_empty()).then(|| code(&quote.show)),
    }
}

/// Shortens a record to what a reader needs; the line that tells is always there.
pub(crate) fn shown(quote: &Quote) -> String {
    let lines: Vec<&str> = quote.readable().lines().collect();
    let shortened = |line: &str| quote.shortened(line, LONGEST);
    if lines.len() <= MOST_LINES {
        return lines.into_iter().map(shortened).collect::<Vec<_>>().join("\n");
    }
    let telling = lines.iter().position(|line| quote.is_telling(line)).unwrap_or(0);
    let mut shown: Vec<String> = Vec::new();
    let mut left_out = 0;
    for (index, line) in lines.iter().enumerate() {
        if index < 4 || index.abs_diff(telling) <= 2 {
            if left_out > 0 {
                shown.push(format!("… {left_out} lines …"));
                left_out = 0;
            }
            shown.push(shortened(line));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        shown.push(format!("… {left_out} lines …"));
    }
    shown.join("\n")
}

/// The text of a page is Markdown already; the values in it were made safe when it was rendered.
fn page(markdown: &str) -> String {
    escape::printable(markdown)
}

/// A sentence of Medic's that may quote a record: names in backticks stay, the rest is escaped.
pub(crate) fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 && part.trim().is_empty() {
            continue;
        }
        if index % 2 == 1 {
            if out.ends_with('`') {
                out.push(' ');
            }
            out.push_str(&code(part));
        } else {
            let text = escape::markdown(part);
            // Two spans side by side would be one.
            if out.ends_with('`') && text.starts_with('`') {
                out.push(' ');
            }
            out.push_str(&text);
        }
    }
    out
}

/// Says what closes a gap: a command is code, a sentence is none.
fn closing(remedy: &str) -> String {
    if crate::commands::is_command(remedy) { code(remedy) } else { prose(remedy) }
}

/// Shows text as code inside a line.
fn code(text: &str) -> String {
    let text = escape::printable(text).replace(['\n', '\t'], " ").replace('`', "'").replace('|', "\u{2502}");
    format!("`{}`", text.trim())
}

/// Draws the chain; labels hold letters, digits and blanks only.
fn mermaid(chain: &[Link]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, link) in chain.iter().enumerate() {
        let label: String = link.title.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let label = cut(&label.split_whitespace().collect::<Vec<_>>().join(" "), 80).replace('…', "");
        lines.push(format!("c{index}[\"{label}\"]"));
        if index > 0 {
            lines.push(format!("c{} --> c{index}", index - 1));
        }
    }
    lines
}

/// Collapses blank lines outside of code blocks.
fn without_blank_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<String> = None;
    let mut blank = false;
    for line in text.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match &fence {
            Some(open) if ticks >= open.len() && line.trim_end().len() == ticks => fence = None,
            None if ticks >= 3 => fence = Some("`".repeat(ticks)),
            _ => {}
        }
        if fence.is_none() && line.trim().is_empty() {
            if blank {
                continue;
            }
            blank = true;
        } else {
            blank = false;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}
