//! The guide as a Slack message: Block Kit within its limits.

use analyzer::diagnosis::Proof;
use serde_json::{Value, json};

use crate::escape::{cut, slack, slack_code};
use crate::guide::{Changed, Guide, in_words};
use crate::prose;
use crate::treatment::Treatment;

/// Limits of Block Kit, in characters; and of the whole message in bytes.
pub const MOST_BLOCKS: usize = 50;
pub const LONGEST_SECTION: usize = 3000;
pub const LONGEST_HEADER: usize = 150;
pub const MOST_BYTES: usize = 12_000;
const LONGEST_TEXT: usize = 900;

/// Renders a payload for an incoming webhook or `chat.postMessage`.
pub fn render(guide: &Guide) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&payload(guide)).map(|json| json + "\n")
}

pub fn payload(guide: &Guide) -> Value {
    // What says least goes first when the message is too large.
    for detail in (0..=3).rev() {
        let payload = blocks(guide, detail);
        if payload["blocks"].to_string().len() <= MOST_BYTES {
            return payload;
        }
    }
    json!({ "text": fallback(guide), "blocks": [section(&fallback(guide))] })
}

fn blocks(guide: &Guide, detail: usize) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": header(guide), "emoji": false },
    })];
    if let Some(root) = &guide.root {
        let proof = match root.proof {
            Proof::Confirmed => "confirmed by the described state",
            Proof::Refuted => "refuted",
            Proof::Unchecked => "not checked against the account",
        };
        let facts = format!(
            "`{}` · {} % ({}) · {proof} · severity {}",
            slack(&root.id),
            (root.confidence * 100.0).round(),
            in_words(root.confidence),
            root.severity.as_str()
        );
        blocks.push(context(&facts));
        let happened: Vec<String> =
            guide.happened.iter().map(|sentence| plain(sentence, LONGEST_TEXT)).collect();
        blocks.push(section(&cut(&format!("*What happened*\n{}", happened.join("\n")), 2400)));
        for quote in guide.evidence.iter().take(1 + detail) {
            let place = if quote.line_number > 0 {
                format!("{}:{}", quote.stream, quote.line_number)
            } else {
                quote.stream.clone()
            };
            let line = quote.telling(200 + 200 * detail);
            blocks.push(section(&format!(
                "{} `{}`\n```{}```",
                quote.source.as_str(),
                slack(&cut(&place, 120)),
                slack_code(&line)
            )));
        }
        blocks.push(section(&cut(&format!("*What to do now*\n{}", plain(&guide.to_do, 1800)), 2600)));
        let remedies: Vec<String> =
            guide.remedies.iter().take(4).map(|remedy| treatment(remedy, detail)).collect();
        if !remedies.is_empty() {
            blocks.push(section(&cut(&remedies.join("\n"), LONGEST_SECTION)));
        }
    } else {
        blocks.push(section(&slack(&guide.headline.replace('`', ""))));
        if !guide.to_do.is_empty() {
            blocks.push(section(&cut(&format!("*What to do now*\n{}", plain(&guide.to_do, 1800)), 2600)));
        }
    }
    if detail > 0
        && let Some(changes) = &guide.changes
    {
        blocks.push(section(&cut(&changed(changes, 2 * detail), LONGEST_SECTION)));
    }
    if detail > 0 && !guide.next.is_empty() {
        let next: Vec<String> =
            guide.next.iter().take(5).map(|next| format!("• {}", slack(&cut(&next.title, 200)))).collect();
        blocks.push(section(&cut(&format!("*What would fail next*\n{}", next.join("\n")), LONGEST_SECTION)));
    }
    if detail > 1 && !guide.gaps.is_empty() {
        let gaps: Vec<String> = guide.gaps.iter().take(4).map(|gap| slack(&cut(&gap.what, 160))).collect();
        blocks.push(context(&cut(&format!("Not seen: {}", gaps.join("; ")), 1500)));
    }
    blocks.push(context(&slack(&format!("{}; {}", crate::read(guide), crate::redacted(guide)))));
    blocks.truncate(MOST_BLOCKS);
    json!({ "text": fallback(guide), "blocks": blocks })
}

/// Says a remedy, with the command that previews it and the one that does it.
fn treatment(remedy: &Treatment, detail: usize) -> String {
    let mut text = format!("• *{}* ({}", slack(&remedy.title), remedy.safety.in_words());
    match &remedy.undo {
        Some(undo) => text.push_str(&format!("; undo: {})", slack(undo))),
        None => text.push(')'),
    }
    if let Some(caution) = &remedy.caution {
        text.push_str(&format!("\n      caution: {}", slack(caution)));
    }
    let commands = [("preview", &remedy.preview), ("do", &remedy.apply)];
    for (name, command) in commands.into_iter().filter(|_| detail > 0) {
        if let Some(command) = command {
            text.push_str(&format!("\n      {name}: `{}`", slack_code(command)));
        }
    }
    text
}

fn changed(changes: &Changed, most: usize) -> String {
    let mut text = format!("*What changed*\n{}", plain(&crate::markdown::prose(&changes.says), LONGEST_TEXT));
    for item in changes.items.iter().take(most) {
        let named = if item.is_named { " (named by the root cause)" } else { "" };
        text.push_str(&format!("\n• {}{named}", slack(&cut(&item.line(), 300))));
    }
    if changes.items.len() > most {
        text.push_str(&format!("\nand {} more", changes.items.len() - most));
    }
    text
}

fn header(guide: &Guide) -> String {
    // A header is plain text: nothing in it is interpreted.
    let text = crate::escape::printable(&guide.headline).replace(['\n', '\t'], " ").replace('`', "");
    cut(&format!("{} {text}", crate::mark(guide.verdict)), LONGEST_HEADER)
}

/// What notifications and old clients show: the verdict, how sure it is, and the first thing to do.
fn fallback(guide: &Guide) -> String {
    let headline = slack(&guide.headline.replace('`', ""));
    let mut text = format!("{} {}", crate::mark(guide.verdict), cut(&headline, 1200));
    if let Some(root) = &guide.root {
        text.push_str(&format!(" ({} %)", (root.confidence * 100.0).round()));
        let first = prose::paragraphs(&guide.to_do).into_iter().next();
        let first =
            first.map(|first| first.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>());
        if let Some(first) = first {
            text.push_str(&format!(" First: {}", cut(&slack(first.trim()), 600)));
        }
    }
    cut(&text, 2800)
}

/// Links, mentions and markup are off: `verbatim` keeps Slack from finding any.
fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, LONGEST_SECTION), "verbatim": true } })
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": cut(text, LONGEST_SECTION), "verbatim": true }] })
}

/// Turns the Markdown of a page into mrkdwn.
fn plain(markdown: &str, most: usize) -> String {
    let mut out = String::new();
    for paragraph in prose::paragraphs(markdown) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&paragraph.marker);
        for piece in &paragraph.pieces {
            let is_code = piece.code || paragraph.verbatim;
            match is_code && !piece.text.trim().is_empty() && !piece.text.contains('\n') {
                true => out.push_str(&format!("`{}`", slack_code(piece.text.trim()))),
                false => out.push_str(&slack(&piece.text)),
            }
        }
        if out.chars().count() > most {
            break;
        }
    }
    // A cut inside of code would leave it open.
    let short = cut(&out, most);
    if short.matches('`').count() % 2 == 1 { short + "`" } else { short }
}
