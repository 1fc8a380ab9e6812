//! The guide for GitHub Actions: a job summary, and annotations.

use analyzer::diagnosis::Verdict;

use crate::escape::{command_data, command_property, cut};
use crate::guide::Guide;
use crate::{RenderError, markdown, prose};

/// GitHub shows a summary of up to 1 MiB a step; the worst comes first, so what is cut is the end.
pub const LARGEST_SUMMARY: usize = 900 << 10;
/// A block of code may have been open where the summary was cut.
const NOTE: &str = "\n```````\n\nThe summary was cut here; the full report is in the job's artifacts.\n";
/// GitHub keeps ten errors and ten warnings of a step.
const MOST_WARNINGS: usize = 9;
/// How many steps of what to do an annotation holds.
const MOST_STEPS: usize = 3;

/// Returns the job summary as Markdown.
pub fn summary(guide: &Guide) -> Result<String, RenderError> {
    summary_within(guide, LARGEST_SUMMARY)
}

/// Returns the job summary, cut to what else fits into it.
pub fn summary_within(guide: &Guide, room: usize) -> Result<String, RenderError> {
    let mut text = markdown::render(guide)?;
    if text.len() > room {
        let mut end = room.saturating_sub(NOTE.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let end = text[..end].rfind('\n').unwrap_or(end);
        text.truncate(end);
        text.push_str(NOTE);
    }
    Ok(text)
}

/// Returns workflow commands: an error for the root cause, warnings for what would fail next and for gaps.
pub fn annotations(guide: &Guide) -> String {
    let mut out = String::new();
    match (&guide.root, guide.verdict) {
        (Some(root), _) => {
            let title = format!(
                "{} ({} %)",
                cut(&root.title.replace('`', ""), 200),
                (root.confidence * 100.0).round()
            );
            let mut message = guide.headline.replace('`', "");
            if let Some(lead) = guide.evidence.first() {
                message.push('\n');
                message.push_str(&lead.telling(400));
            }
            for step in
                prose::paragraphs(&guide.to_do).iter().filter(|step| !step.marker.is_empty()).take(MOST_STEPS)
            {
                let text: String = step.pieces.iter().map(|piece| piece.text.as_str()).collect();
                message.push_str(&format!("\n{}{}", step.marker, cut(text.trim(), 300)));
            }
            let named = guide.changes.iter().flat_map(|changes| &changes.items).filter(|item| item.is_named);
            for item in named.take(2) {
                message.push_str(&format!("\nchanged: {}", cut(&item.line(), 300)));
            }
            let place = guide.evidence.first().filter(|lead| lead.is_in_a_file());
            message.push_str(&format!("\ncause: {}", root.id));
            let file = place
                .map(|lead| format!("file={},line={},", command_property(&lead.stream), lead.line_number));
            out.push_str(&format!(
                "::error {}title={}::{}\n",
                file.unwrap_or_default(),
                command_property(&title),
                command_data(&message)
            ));
        }
        (None, Verdict::Healthy) => {
            out.push_str(&format!("::notice title=medic::{}\n", command_data(&guide.headline)))
        }
        (None, _) => out.push_str(&format!("::warning title=medic::{}\n", command_data(&guide.headline))),
    }
    let next =
        guide.next.iter().map(|next| ("would fail next", format!("{} ({})", next.title, next.because)));
    let gaps = guide.gaps.iter().map(|gap| ("not seen", format!("{}: {}", gap.what, gap.because)));
    for (title, text) in next.chain(gaps).take(MOST_WARNINGS) {
        out.push_str(&format!(
            "::warning title={}::{}\n",
            command_property(title),
            command_data(&cut(&text, 600))
        ));
    }
    out
}

/// Returns annotations and summary for one stream: while the summary is printed, commands are off.
pub fn render(guide: &Guide) -> Result<String, RenderError> {
    let summary = summary(guide)?;
    let token = token(&summary);
    Ok(format!("{}::stop-commands::{token}\n{summary}::{token}::\n", annotations(guide)))
}

/// A word that does not stand in the text.
fn token(text: &str) -> String {
    let mut number = text.len();
    loop {
        let token = format!("medic-{number:x}");
        if !text.contains(&token) {
            return token;
        }
        number += 1;
    }
}
