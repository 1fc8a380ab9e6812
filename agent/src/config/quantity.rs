//! Spans of time and sizes, as people write them: `90s`, `5m`, `14d`; `64MB`, `2GB`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || format!("`{text}` is no span of time: write `500ms`, `90s`, `5m`, `2h` or `14d`");
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(milliseconds).map(|all| Span(Duration::from_millis(all))).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.as_millis();
        for (unit, milliseconds) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
            if all >= milliseconds && all.is_multiple_of(milliseconds) {
                return write!(out, "{}{unit}", all / milliseconds);
            }
        }
        write!(out, "{all}ms")
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let wrong = || format!("`{text}` is no size: write `64MB`, `2GB` or a number of bytes");
        if let Ok(bytes) = text.parse() {
            return Ok(Size(bytes));
        }
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
            "b" => 1,
            "kb" | "k" => 1000,
            "mb" | "m" => 1_000_000,
            "gb" | "g" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.checked_mul(bytes).map(Size).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)] {
            if self.0 >= bytes {
                return match self.0.is_multiple_of(bytes) {
                    true => write!(out, "{}{unit}", self.0 / bytes),
                    false => write!(out, "{:.1}{unit}", self.0 as f64 / bytes as f64),
                };
            }
        }
        write!(out, "{}", self.0)
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<$type, D::Error> {
                String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Span);
as_text!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_read_as_written() {
        for text in ["500ms", "90s", "5m", "2h", "14d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for (text, bytes) in [("64MB", 64_000_000), ("2GB", 2_000_000_000), ("1MiB", 1 << 20), ("17", 17)] {
            assert_eq!(text.parse::<Size>().unwrap(), Size(bytes));
        }
        assert!("soon".parse::<Span>().is_err());
        assert!("99999999999999999999d".parse::<Span>().is_err());
        assert!("3 apples".parse::<Size>().is_err());
    }
}
