//! Reads what a person writes into a query: words, phrases, identifiers, fields, and how they are joined.

use analyzer::record::{Level, Source};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;
use tantivy::query::{BooleanQuery, EmptyQuery, Occur, Query, QueryParser};
use tantivy::query_grammar::{
    Delimiter, UserInputAst, UserInputBound, UserInputLeaf, UserInputLiteral, parse_query,
};
use tantivy::schema::{Schema, Term};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};

use super::context::Part;
use super::context_query::{ContextQuery, TimeQuery, Wanted};
use super::documents::stored_time;
use super::fields::{Fields, WORDS};
use super::id_query::{IdQuery, RunQuery};
use super::phrase_query::{Placed, phrase};
use super::query::{all_of, all_records};
use super::signs;
use super::tables::Tables;
use super::tokens::{Word, Words, words};

/// Reads queries for one schema.
pub struct Phrasing<'f> {
    fields: &'f Fields,
    tables: Tables,
    /// Reads all that has to do with neither identifiers nor the way parts are joined.
    parser: QueryParser,
}

impl<'f> Phrasing<'f> {
    pub fn new(schema: &Schema, fields: &'f Fields, tables: Tables) -> Phrasing<'f> {
        let tokenizers = TokenizerManager::default();
        tokenizers.register(WORDS, TextAnalyzer::builder(Words::default()).build());
        Phrasing { fields, tables, parser: QueryParser::new(schema.clone(), vec![fields.text], tokenizers) }
    }

    /// Reads a query, or says why it is none.
    pub fn read(&self, text: &str) -> Result<Box<dyn Query>, String> {
        let text = signs::spelt_out(text);
        if let Some(because) = signs::too_deep(&text) {
            return Err(because);
        }
        let parts = parse_query(&text).map_err(|_| "its signs do not fit together".to_owned())?;
        self.part(parts)
    }

    fn part(&self, part: UserInputAst) -> Result<Box<dyn Query>, String> {
        match part {
            UserInputAst::Clause(parts) => {
                let mut clauses = Vec::new();
                for (occur, part) in parts {
                    // Words beside each other must all be there.
                    clauses.push((occur.unwrap_or(Occur::Must), self.part(part)?));
                }
                if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
                    clauses.push((Occur::Must, all_records(&self.tables.rows)));
                }
                Ok(all_of(clauses))
            }
            // Records are found in the order of time: none weighs more than another.
            UserInputAst::Boost(part, _) => self.part(*part),
            UserInputAst::Leaf(leaf) => self.leaf(*leaf),
        }
    }

    fn leaf(&self, leaf: UserInputLeaf) -> Result<Box<dyn Query>, String> {
        match leaf {
            UserInputLeaf::All => Ok(all_records(&self.tables.rows)),
            UserInputLeaf::Literal(literal) => match part(literal.field_name.as_deref()) {
                Some(part) if literal.prefix => Ok(self.context(part, Wanted::BeginsWith(literal.phrase))),
                Some(part) => self.value(part, literal),
                None if is_text(literal.field_name.as_deref()) => self.text(literal),
                None if is_time(literal.field_name.as_deref()) => self.at(&[literal.phrase]),
                None => self.parsed(UserInputLeaf::Literal(literal)),
            },
            UserInputLeaf::Set { field, elements } => match part(field.as_deref()) {
                Some(part) => Ok(self.context(part, wanted(part, &elements)?)),
                None if is_text(field.as_deref()) => {
                    let elements = elements.iter().map(|element| Ok(self.run(words_of(element, false)?, 0)));
                    Ok(Box::new(BooleanQuery::union(elements.collect::<Result<_, String>>()?)))
                }
                None if is_time(field.as_deref()) => self.at(&elements),
                None => self.parsed(UserInputLeaf::Set { field, elements }),
            },
            UserInputLeaf::Regex { field, pattern } => match part(field.as_deref()) {
                Some(part) => {
                    let whole = Regex::new(&format!("^(?:{pattern})$"));
                    let whole = whole.map_err(|error| error.to_string().replace('\n', " "))?;
                    Ok(self.context(part, Wanted::Matches(whole)))
                }
                None => Err(format!(
                    "words are found whole, and `/{pattern}/` is read for the value of a field only"
                )),
            },
            UserInputLeaf::Exists { field } => match part(Some(&field)) {
                Some(part) => Ok(self.context(part, Wanted::Something)),
                None if is_time(Some(&field)) => Ok(all_records(&self.tables.rows)),
                None => self.parsed(UserInputLeaf::Exists { field }),
            },
            UserInputLeaf::Range { field, lower, upper } => match field.as_deref() {
                name if is_time(name) => self.between(&lower, &upper),
                Some(name) if part(Some(name)).is_none() && !is_text(Some(name)) => {
                    self.parsed(UserInputLeaf::Range { field, lower, upper })
                }
                _ => Err("only `time:` has a range".to_owned()),
            },
        }
    }

    fn context(&self, part: Part, wanted: Wanted) -> Box<dyn Query> {
        Box::new(ContextQuery::new(part, wanted, self.tables.rows.clone()))
    }

    /// Returns the query for what happened between two times.
    fn between(&self, lower: &UserInputBound, upper: &UserInputBound) -> Result<Box<dyn Query>, String> {
        let first = match lower {
            UserInputBound::Inclusive(time) => time_of(time)?,
            UserInputBound::Exclusive(time) => time_of(time)?.saturating_add(1),
            UserInputBound::Unbounded => i64::MIN,
        };
        let last = match upper {
            UserInputBound::Inclusive(time) => time_of(time)?,
            UserInputBound::Exclusive(time) => time_of(time)?.saturating_sub(1),
            UserInputBound::Unbounded => i64::MAX,
        };
        Ok(Box::new(TimeQuery::new(first..=last, self.tables.rows.clone())))
    }

    /// Returns the query for what happened at one of some times.
    fn at(&self, times: &[String]) -> Result<Box<dyn Query>, String> {
        let mut found: Vec<Box<dyn Query>> = Vec::new();
        for time in times {
            let time = time_of(time)?;
            found.push(Box::new(TimeQuery::new(time..=time, self.tables.rows.clone())));
        }
        Ok(Box::new(BooleanQuery::union(found)))
    }

    /// Returns the query for a part of a context with a value; `*` in it leaves open what stands there.
    fn value(&self, part: Part, literal: UserInputLiteral) -> Result<Box<dyn Query>, String> {
        let UserInputLiteral { phrase, delimiter, slop, .. } = literal;
        let is_quoted = delimiter != Delimiter::None;
        if slop > 0 || !is_quoted && signs::asks_for_similar(&phrase) {
            return Err(format!(
                "fields have their values as they are written, and `{phrase}~` asks for similar ones"
            ));
        }
        if !is_quoted && phrase.starts_with('!') {
            return Err(format!(
                "what is not wanted is named before its field, and not before its value `{phrase}`"
            ));
        }
        let wanted = match is_quoted {
            true => Wanted::AnyOf(vec![as_stored(part, &phrase)?]),
            false => wanted(part, &[phrase])?,
        };
        Ok(self.context(part, wanted))
    }

    fn text(&self, literal: UserInputLiteral) -> Result<Box<dyn Query>, String> {
        let words = words_of(&literal.phrase, literal.delimiter != Delimiter::None)?;
        match literal.prefix {
            true => Err(format!("words are found whole, and `{}` ends with a part of one", literal.phrase)),
            false => Ok(self.run(words, literal.slop)),
        }
    }

    /// Returns the query for words that follow each other, or stand as far apart as `slop`.
    fn run(&self, run: Vec<Word>, slop: u32) -> Box<dyn Query> {
        let text = self.fields.text;
        let mut plain: Vec<Placed> = Vec::new();
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (place, word) in run.iter().enumerate() {
            match word {
                Word::Plain(word) => plain.push((place, Term::from_field_text(text, word))),
                Word::Id(id) => {
                    clauses.push((Occur::Must, Box::new(IdQuery::new(id, self.tables.ids.clone()))))
                }
            }
        }
        let tells_all = slop == 0 && clauses.is_empty();
        if slop > 0 {
            let words = plain.into_iter().map(|word| phrase(vec![word], &self.tables.shapes));
            clauses.extend(words.map(|word| (Occur::Must, word)));
        } else if !plain.is_empty() {
            clauses.push((Occur::Must, phrase(plain, &self.tables.shapes)));
        }
        match run.len() {
            0 => Box::new(EmptyQuery),
            1 => all_of(clauses),
            _ if tells_all => all_of(clauses),
            _ => Box::new(RunQuery::new(all_of(clauses), text, run, slop)),
        }
    }

    fn parsed(&self, leaf: UserInputLeaf) -> Result<Box<dyn Query>, String> {
        let leaf = UserInputAst::Leaf(Box::new(leaf));
        let query = self.parser.build_query_from_user_input_ast(leaf);
        query.map_err(|error| with_small_letter(&error.to_string()))
    }
}

/// Returns the words of a text, or says why they are not found as they are meant.
fn words_of(text: &str, is_quoted: bool) -> Result<Vec<Word>, String> {
    if let Some(because) = signs::refused(text).filter(|_| !is_quoted) {
        return Err(because);
    }
    let words = words(text);
    match words.is_empty() {
        true => Err(format!("there is no word in `{text}`, and only words are found")),
        false => Ok(words),
    }
}

/// Returns what a part has to be: one of these, each as it is written or with `*` for whatever stands there.
fn wanted(part: Part, values: &[String]) -> Result<Wanted, String> {
    if !values.iter().any(|value| value.contains('*')) {
        let values = values.iter().map(|value| as_stored(part, value));
        return Ok(Wanted::AnyOf(values.collect::<Result<_, _>>()?));
    }
    let mut open = Vec::new();
    for value in values {
        open.push(match value.contains('*') {
            true => value.split('*').map(regex::escape).collect::<Vec<String>>().join(".*"),
            false => regex::escape(&as_stored(part, value)?),
        });
    }
    let expression = Regex::new(&format!("(?s)^(?:{})$", open.join("|")));
    let expression = expression.map_err(|error| error.to_string().replace('\n', " "))?;
    let is_possible = match part {
        Part::Severity => Level::ALL.iter().any(|level| expression.is_match(level.as_str())),
        Part::Source => Source::ALL.iter().any(|source| expression.is_match(source.as_str())),
        _ => true,
    };
    // The value as it is written is refused then, with those that there are.
    let wrong = values.iter().find(|_| !is_possible);
    wrong.map_or(Ok(String::new()), |value| as_stored(part, value))?;
    Ok(Wanted::Matches(expression))
}

/// Returns a value as records have it; a kind or a severity that none can have is refused.
fn as_stored(part: Part, value: &str) -> Result<String, String> {
    match part {
        Part::Severity => Level::named(value)
            .map(|level| level.as_str().to_owned())
            .ok_or_else(|| format!("`{value}` is no severity: trace, debug, info, warn, error or fatal is")),
        Part::Source => value.parse::<Source>().map(|source| source.as_str().to_owned()).map_err(|_| {
            let known: Vec<&str> = Source::ALL.iter().map(|source| source.as_str()).collect();
            format!("`{value}` is no kind of records; the kinds are {}", known.join(", "))
        }),
        _ => Ok(value.to_owned()),
    }
}

fn part(field: Option<&str>) -> Option<Part> {
    Part::named(&field?.to_ascii_lowercase())
}

fn is_time(field: Option<&str>) -> bool {
    field.is_some_and(|field| field.eq_ignore_ascii_case("time"))
}

/// Reads a time, in nanoseconds.
fn time_of(written: &str) -> Result<i64, String> {
    // Without a zone a time is one of UTC, and a date is the beginning of its day, as for `--since`.
    let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|time| time.timestamp());
    let time = written.parse::<Timestamp>().or_else(|_| written.parse::<DateTime>().and_then(in_utc));
    let time = time.map_err(|_| {
        format!("`{written}` is no time: write it as `2026-05-01T10:00:00Z`, or a date as `2026-05-01`")
    })?;
    Ok(stored_time(time))
}

/// Whether the text of records is asked for, which is what no field means.
fn is_text(field: Option<&str>) -> bool {
    field.is_none_or(|field| field.eq_ignore_ascii_case("text"))
}

/// Returns a message as it stands within another: what it quotes stays as it was typed.
fn with_small_letter(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
