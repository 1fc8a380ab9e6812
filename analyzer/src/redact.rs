//! Removes secrets from text before it is stored, printed or sent.
//!
//! A secret is known by its form (`forms`), by the command or statement that takes it (`commands`),
//! or by the name to which it is assigned (`assigned` and what it calls).

mod assigned;
mod bare;
mod blocks;
mod columns;
mod commands;
mod encoded;
mod entries;
mod forms;
mod headers;
mod names;
mod options;
mod places;
mod quotes;
mod rules;
mod said;
mod telling;
mod values;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use crate::matching::{COMMON, Filter, Strings, choose_grams};
use quotes::Quote;
use rules::RULES;

/// How many secrets of each kind were removed.
pub type Redactions = BTreeMap<String, u64>;

/// Returns the text without secrets; what was removed reads `[redacted:KIND]` and is counted.
///
/// Text without secrets costs one pass of a filter, so that every record can be asked.
pub fn redact<'t>(text: &'t str, redactions: &mut Redactions) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    // What is removed can leave what is now known to be one: redacting twice is redacting once.
    for _ in 0..MOST_ROUNDS {
        match round(&text, redactions) {
            Some(changed) => text = Cow::Owned(changed),
            None => break,
        }
    }
    text
}

const MOST_ROUNDS: usize = 8;

/// The kind of what is known by its name or by who takes it.
const PASSWORD: &str = "password";

/// Returns the text without what all rules find; nothing where they find nothing.
fn round(text: &str, redactions: &mut Redactions) -> Option<String> {
    let mut found = suspects(text);
    if found.rules == 0 && found.assigned.is_empty() {
        return None;
    }
    let mut changed: Option<String> = None;
    for (index, rule) in RULES.iter().enumerate() {
        if found.rules & (1u64 << index) == 0 {
            continue;
        }
        if let Some((clean, count)) = rule.apply(changed.as_deref().unwrap_or(text)) {
            *redactions.entry(rule.kind.to_owned()).or_default() += count;
            let again = suspects(&clean);
            found = Found { rules: found.rules | again.rules, assigned: again.assigned };
            changed = Some(clean);
        }
    }
    match without(changed.as_deref().unwrap_or(text), found.assigned, PASSWORD) {
        Some((clean, count)) => {
            *redactions.entry(PASSWORD.to_owned()).or_default() += count;
            Some(clean)
        }
        None => changed,
    }
}

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Secret {
    range: Range<usize>,
    /// The quotes that what takes its place needs.
    quotes: Option<Quote>,
}

/// Returns the text without these secrets, and how many they were; nothing where there are none.
fn without(text: &str, mut secrets: Vec<Secret>, kind: &str) -> Option<(String, u64)> {
    if secrets.is_empty() {
        return None;
    }
    secrets.sort_by_key(|secret| (secret.range.start, std::cmp::Reverse(secret.range.end)));
    let mut clean = String::new();
    let mut count = 0;
    let mut at = 0;
    for secret in secrets {
        let Some(before) = text.get(at..secret.range.start) else {
            // It overlaps with the last one, which then ends where this one does.
            at = at.max(secret.range.end);
            continue;
        };
        clean.push_str(before);
        if let Some(quote) = secret.quotes {
            quote.write(&mut clean);
        }
        clean.push_str("[redacted:");
        clean.push_str(kind);
        clean.push(']');
        if let Some(quote) = secret.quotes {
            quote.write(&mut clean);
        }
        count += 1;
        at = secret.range.end;
    }
    clean.push_str(text.get(at..).unwrap_or_default());
    (count > 0).then_some((clean, count))
}

/// What one pass finds.
struct Found {
    /// The rules that could change the text, a bit a rule.
    rules: u64,
    /// The secrets that are assigned to names.
    assigned: Vec<Secret>,
}

fn suspects(text: &str) -> Found {
    let bytes = text.as_bytes();
    let mut found = Found { rules: 0, assigned: Vec::new() };
    let mut end = 0;
    WORDS.filter.scan(bytes, |mut place, word| {
        let follow = WORDS.follow[word].as_bytes();
        if !follow.is_empty() {
            let folded = |byte: &u8| byte | 0x20;
            let Some(next) = bytes.get(place.end).map(folded) else { return };
            if !follow.iter().any(|byte| folded(byte) == next) {
                return;
            }
            place.end += 1;
        }
        found.rules |= WORDS.rules[word];
        // A name has several of these words.
        if WORDS.rules[word] == 0 && place.end > end {
            end = assigned::find(bytes, place, &mut found.assigned);
        }
    });
    // `://` is common and short; the `@` behind a password is rare.
    if memchr::memchr(b'@', bytes).is_some() {
        found.rules |= WORDS.at_sign;
    }
    found
}

/// Words of four bytes are found at every second place by one of their two grams.
const NARROW: usize = 3;

/// The words of which one stands in whatever is removed, found in one pass.
struct Words {
    filter: Filter<2, NARROW, false>,
    /// For each of them, a bit for the rule that it speaks for; none for a part of a name.
    rules: Vec<u64>,
    /// For each of them, the signs of which one must stand behind it; empty where anything may.
    follow: Vec<&'static str>,
    /// The rules whose word is an `@`.
    at_sign: u64,
}

/// The name of each secret has one of these in it, or one of those that mean a password.
const NAMES: &[&str] = &[
    "rootpw",
    "adminpw",
    "bindpw",
    "github_pat",
    "gh_pat",
    "redis_auth",
    "rediscli_auth",
    "valkey_auth",
    "contrase",
    "mot_de_passe",
    "mot-de-passe",
    "secret",
    "token",
    "creds",
    "credential",
    "authorization",
    "registry-auth",
    "registry_auth",
    "cookie",
    "_key",
    "-key",
    ".key",
];

/// Names that people write as words.
const SPACED: &[&str] =
    &["api key", "access key", "secret key", "private key", "signing key", "encryption key", "unseal key"];

/// Words that begin too many others, or are too short for the filter: what may follow them.
const SHORT: &[(&str, &str)] = &[
    ("eyJ", "abcdefghijklmnopqrstuvwxyz0123456789_-"),
    ("xox", "abcdefghijklmnopqrstuvwxyz"),
    ("pass", BEHIND_NAMES),
    ("pwd", BEHIND_NAMES),
    ("_pw", BEHIND_NAMES),
    ("-pw", BEHIND_NAMES),
    ("login", BEHIND_COMMANDS),
    ("mongo", BEHIND_COMMANDS),
    ("mysql", BEHIND_COMMANDS),
    ("mariadb", BEHIND_COMMANDS),
    ("curl", BEHIND_COMMANDS),
    ("identified", " \t\n\\"),
    ("auth", "\"'\\"),
    ("SG.", OF_TOKENS),
    (":AA", OF_TOKENS),
    ("hf_", OF_TOKENS),
    ("_auth", "=: \t"),
];

const BEHIND_NAMES: &str = "=:\"'\\ \t\r\n]>,);%&_-0123456789";

const OF_TOKENS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-";

const BEHIND_COMMANDS: &str = " \t\"'\\";

/// Words of logs that have parts of those above: the filter looks for other parts.
const TYPICAL: &[u8] = b"words keyword taken broken passed passes passing compass passenger bypass authorized oauth author \
    login plugin begin origin margin modified verified specified notified client-cli -client curl url secretary discrete \
    credit differential sequential essential potential monkey turkey hotkey api-keys keys key- key: key= _id= _key_ \
    session_token_id base64 data postgresql password1 ghost connection connect disconnect function( action( application session \
    .com .org .net /api/ bind binding set reset offset construct structure user( stdin recorded: provided: added: failed: \
    zip - ip - id= sessionid= cookies conversation iteration authorization registry";

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut texts: Vec<String> = Vec::new();
    let (mut rules, mut follows) = (Vec::new(), Vec::new());
    let mut at_sign = 0u64;
    let mut add = |word: &str, bit: u64| {
        let follow = SHORT.iter().find(|(short, _)| *short == word).map_or("", |(_, follow)| follow);
        let (all, follow): (Vec<String>, _) = match word.len() > NARROW {
            true => (vec![word.to_owned()], follow),
            // The filter finds no word that is so short: it looks for that with whatever may follow.
            false => (follow.chars().map(|next| format!("{word}{next}")).collect(), ""),
        };
        rules.extend(all.iter().map(|_| bit));
        follows.extend(all.iter().map(|_| follow));
        texts.extend(all);
    };
    for (index, rule) in RULES.iter().enumerate() {
        for word in rule.words {
            match *word {
                "@" => at_sign |= 1 << index,
                word => add(word, 1 << index),
            }
        }
    }
    for word in NAMES.iter().chain(names::PASSWORDS).chain(&["pass", "pwd", "_pw", "-pw", "_auth"]) {
        add(word, 0);
    }
    for word in names::KEYS {
        add(&format!("{word}key"), 0);
    }
    for word in SPACED {
        add(word, 0);
    }
    let literals: Strings = texts.iter().map(String::as_bytes).collect();
    let starts = choose_grams::<2, NARROW, false>(&literals, &[(TYPICAL, 1), (COMMON, 1)]);
    Words { filter: Filter::new(&literals, &starts), rules, follow: follows, at_sign }
});
