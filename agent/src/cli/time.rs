//! Times as people write them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Reads a time, or a span before now.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<Date>() {
        return date.to_zoned(TimeZone::UTC).map(|day| day.timestamp()).map_err(|error| error.to_string());
    }
    let wrong = || {
        format!(
            "`{text}` is neither a time (`2026-05-01T10:00:00Z`, `2026-05-01`) nor a span before now (`90m`, `2h`, `1d`)"
        )
    };
    let span: crate::config::Span = text.parse().map_err(|_| wrong())?;
    Timestamp::now().checked_sub(span.0).map_err(|_| wrong())
}
