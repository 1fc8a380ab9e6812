//! The views of Medic: one guide, and a renderer for each format.

mod commands;
pub mod escape;
pub mod github;
pub mod guide;
mod html;
pub mod json;
mod markdown;
mod page;
mod picture;
mod prose;
mod quote;
mod sentences;
mod shell;
pub mod slack;
mod stack;
pub mod status;
mod text;
pub mod treatment;
mod wrap;

pub use guide::Guide;
pub use sentences::headline;

use analyzer::diagnosis::Verdict;

/// How a guide is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Markdown,
    Html,
    Slack,
    Github,
    Json,
}

impl Format {
    pub const ALL: [Format; 6] =
        [Format::Text, Format::Markdown, Format::Html, Format::Slack, Format::Github, Format::Json];
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    pub width: usize,
    pub hyperlinks: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("cannot render the template: {0}")]
    Template(#[from] handlebars::RenderError),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Renders a guide.
pub fn render(guide: &Guide, format: Format, screen: Screen) -> Result<String, RenderError> {
    match format {
        Format::Text => Ok(text::render(guide, screen)),
        Format::Markdown => markdown::render(guide),
        Format::Html => html::render(guide),
        Format::Slack => Ok(slack::render(guide)?),
        Format::Github => github::render(guide),
        Format::Json => Ok(json::render(guide)?),
    }
}

/// Renders the Markdown of a page for a terminal.
pub fn page(markdown: &str, screen: Screen) -> String {
    text::page(markdown, screen)
}

/// Writes the placeholders in the code of a page as words in capitals, as a shell takes brackets for a redirection.
pub fn with_placeholders(markdown: &str) -> String {
    let parts = markdown.split('`').enumerate().map(|(index, part)| match index % 2 == 1 {
        true => commands::in_capitals(part, |_| None),
        false => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "✔",
        Verdict::Failed => "✘",
        Verdict::CannotTell => "?",
    }
}

/// Says how much was read.
fn read(guide: &Guide) -> String {
    let many =
        |count: u64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    format!("{} in {}", many(guide.records, "record"), many(guide.streams, "stream"))
}

/// Says how many secrets were removed.
fn redacted(guide: &Guide) -> String {
    match guide.redacted() {
        0 => "no secrets had to be removed".to_owned(),
        1 => "1 secret was removed".to_owned(),
        count => format!("{count} secrets were removed"),
    }
}
