//! Times as people write them.

use jiff::Timestamp;

/// Reads a time, or a span before now.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let wrong = || {
        format!(
            "`{text}` is neither a time (`2026-05-01T10:00:00Z`) nor a span before now (`90m`, `2h`, `1d`)"
        )
    };
    let span: crate::config::Span = text.parse().map_err(|_| wrong())?;
    Timestamp::now().checked_sub(span.0).map_err(|_| wrong())
}
