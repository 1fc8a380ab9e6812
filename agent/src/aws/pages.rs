//! The pages of a listing.

use std::collections::BTreeSet;
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

/// Which page of a listing comes next. A listing ends where no page is named, or one that was asked for before:
/// an endpoint that names the same pages again and again would be asked for ever.
#[derive(Debug, Default)]
pub struct Pages {
    token: Option<String>,
    asked: BTreeSet<u64>,
}

impl Pages {
    /// Returns what names the page to ask for; the first one has no name.
    pub fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Turns to the page that an answer names; false at the end. `what` is listed.
    pub fn turn(&mut self, named: Option<&str>, what: &str) -> bool {
        self.token = named.filter(|token| !token.is_empty()).map(str::to_owned);
        let Some(token) = &self.token else { return false };
        let is_new = self.asked.insert(xxh3_64(token.as_bytes()));
        if !is_new {
            warn!(what, "the same page is named twice: the listing ends there");
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many pages are asked for when the answers name these.
    fn asked(named: &[Option<&str>]) -> usize {
        let mut pages = Pages::default();
        named.iter().take_while(|named| pages.turn(**named, "tasks")).count() + 1
    }

    #[test]
    fn a_listing_ends() {
        assert_eq!(asked(&[None]), 1);
        assert_eq!(asked(&[Some("")]), 1);
        assert_eq!(asked(&[Some("a"), Some("b"), None]), 3);
        assert_eq!(asked(&[Some("a"); 9]), 2, "the same page again");
        assert_eq!(asked(&[Some("a"), Some("b"), Some("a"), Some("b"), Some("a")]), 3, "pages in a circle");
    }
}
