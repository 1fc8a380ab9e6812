//! Times as people write them.

use anyhow::bail;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a time, or a span before now.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // Without a zone a time is one of UTC, as in logs.
    if let Ok(time) = text.parse::<DateTime>() {
        return time.to_zoned(TimeZone::UTC).map(|time| time.timestamp()).map_err(|error| error.to_string());
    }
    let wrong = || {
        format!(
            "`{text}` is neither a time (`2026-05-01T10:00:00Z`, `2026-05-01`) nor a span before now (`90m`, `2h`, `1d`)"
        )
    };
    let span: crate::config::Span = text.parse().map_err(|_| wrong())?;
    Timestamp::now().checked_sub(span.0).map_err(|_| wrong())
}

/// Refuses a span that ends before it begins.
pub fn check_order(since: Option<Timestamp>, until: Option<Timestamp>) -> anyhow::Result<()> {
    match (since, until) {
        (Some(since), Some(until)) if since > until => {
            bail!("--since ({since}) is after --until ({until}): no record lies between them")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_keeps_its_clock() {
        let time = |text: &str| parse(text).map(|time| time.to_string());
        for text in
            ["2026-05-01T10:30:00Z", "2026-05-01T12:30:00+02:00", "2026-05-01T10:30:00", "2026-05-01 10:30"]
        {
            assert_eq!(time(text).as_deref(), Ok("2026-05-01T10:30:00Z"), "{text}");
        }
        assert_eq!(time("2026-05-01").as_deref(), Ok("2026-05-01T00:00:00Z"));
        assert!(time("10:30").is_err());
    }

    #[test]
    fn a_span_ends_after_it_begins() {
        let (early, late) = (parse("2026-05-01").ok(), parse("2026-05-02").ok());
        for (since, until) in [(early, late), (early, early), (late, None), (None, early), (None, None)] {
            assert!(check_order(since, until).is_ok(), "{since:?} to {until:?}");
        }
        let error = check_order(late, early).unwrap_err().to_string();
        assert!(error.starts_with("--since (2026-05-02T00:00:00Z) is after --until"), "{error}");
    }
}
