//! The views of Medic: one guide, and a renderer for each format.

pub mod guide;
pub mod json;

pub use guide::Guide;

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
pub fn render(guide: &Guide, format: Format, _screen: Screen) -> Result<String, RenderError> {
    match format {
        Format::Json => Ok(json::render(guide)?),
        _ => Ok(guide.headline.clone() + "\n"),
    }
}
