//! Turns pages into patterns, and says what is wrong with them.

use analyzer::checks::Check;
use analyzer::matching::{self, required_literals};
use analyzer::pattern::{Condition, Pattern, Role, Test, Within};
use analyzer::taxonomy::{Class, Remedy};
use std::collections::{BTreeMap, BTreeSet};

use crate::parse::{EvidenceHeader, OneOrMany, Page, PageError};

/// Compiles one page.
pub fn compile(page: &Page) -> Result<Pattern, PageError> {
    let error = |needle: &str, message: String| PageError {
        file: format!("{}.md", page.id),
        line: line_of(page, needle),
        message,
    };
    let header = &page.header;
    let mut conditions = Vec::new();
    let mut variables = BTreeSet::new();
    for evidence in &header.evidence {
        let condition = condition(evidence).map_err(|(needle, message)| error(&needle, message))?;
        for expression in condition.expressions() {
            let compiled = matching::compile(expression).map_err(|message| error(expression, message))?;
            if condition.is_sought() {
                required_literals(expression, |_| 0)
                    .map_err(|problem| error(expression, problem.to_string()))?;
            }
            variables.extend(compiled.names().map(str::to_owned));
        }
        conditions.push(condition);
    }
    if !conditions.iter().any(|condition| condition.role == Role::Required) {
        return Err(error("evidence", "a page needs at least one required [[evidence]]".to_owned()));
    }
    for name in header.differ.iter().flat_map(|(one, other)| [one, other]) {
        if !variables.contains(name) {
            return Err(error(
                name,
                format!("`differ` names `{name}`, which no expression of the page captures"),
            ));
        }
    }
    let remedies: Result<Vec<Remedy>, _> = header.remedies.iter().map(|name| named(name, &error)).collect();
    let confirm: Result<Vec<Check>, _> = header.confirm.iter().map(|name| named(name, &error)).collect();
    let pattern = Pattern {
        id: page.id.clone(),
        class: page.class,
        title: page.title.clone(),
        severity: header.severity,
        remedies: remedies?,
        explains: header.explains.clone(),
        confirm: confirm?,
        symptom: header.symptom,
        generic: header.generic,
        elsewhere: header.elsewhere,
        differ: header.differ.clone(),
        conditions,
        variables: variables.into_iter().collect(),
        what_happened: page.what_happened.clone(),
        what_to_do: page.what_to_do.clone(),
    };
    check_texts(&pattern, page)?;
    Ok(pattern)
}

/// Returns what is wrong with pages as a set: unknown names in `explains`, missing samples.
pub fn lint(pages: &[Page]) -> Vec<PageError> {
    let ids: BTreeSet<&str> = pages.iter().map(|page| page.id.as_str()).collect();
    let mut errors = Vec::new();
    for page in pages {
        let file = format!("{}.md", page.id);
        for name in &page.header.explains {
            if !ids.contains(name.as_str()) && name.parse::<Class>().is_err() {
                let message = format!("`explains` names `{name}`, which is neither a cause nor a class");
                errors.push(PageError { file: file.clone(), line: line_of(page, name), message });
            }
        }
        // A page that only a check can meet has no text to show.
        let reads_text = page.header.evidence.iter().any(|evidence| evidence.find.is_some());
        for (expects_match, kind) in [(true, "Match"), (false, "Near miss")] {
            if reads_text && !page.samples.iter().any(|sample| sample.expects_match == expects_match) {
                let message = format!("a page needs at least one sample `### {kind}: …`");
                errors.push(PageError { file: file.clone(), line: page.header_line, message });
            }
        }
    }
    errors
}

type Needle<T> = Result<T, (String, String)>;

fn condition(evidence: &EvidenceHeader) -> Needle<Condition> {
    let role = match evidence.role.as_deref() {
        None | Some("required") => Role::Required,
        Some("supporting") => Role::Supporting,
        Some("excluding") => Role::Excluding,
        Some(other) => {
            let message = format!("unknown role `{other}`, expected `required`, `supporting` or `excluding`");
            return Err((other.to_owned(), message));
        }
    };
    let mut sources = Vec::new();
    for name in &evidence.source {
        sources.push(name.parse().map_err(|error| (name.clone(), format!("{error}")))?);
    }
    let within = evidence.within.as_deref().map(within).transpose()?;
    Ok(Condition {
        role,
        signal: evidence.signal,
        sources,
        test: test(evidence)?,
        within,
        after: evidence.after,
    })
}

fn test(evidence: &EvidenceHeader) -> Needle<Test> {
    match (&evidence.find, &evidence.check, &evidence.name) {
        (Some(OneOrMany::One(expression)), None, None) => Ok(Test::Find(vec![expression.clone()])),
        (Some(OneOrMany::Many(list)), None, None) if !list.is_empty() => Ok(Test::Find(list.clone())),
        (None, Some(name), None) => {
            name.parse().map(Test::Check).map_err(|error| (name.clone(), format!("{error}")))
        }
        (None, None, Some(name)) if evidence.above.is_some() || evidence.below.is_some() => {
            let for_seconds = evidence.lasting.as_deref().map(seconds).transpose()?.unwrap_or(0);
            Ok(Test::Metric { name: name.clone(), above: evidence.above, below: evidence.below, for_seconds })
        }
        _ => Err((
            "evidence".to_owned(),
            "each [[evidence]] has one of `find`, `check`, or `name` with `above` or `below`".to_owned(),
        )),
    }
}

fn within(text: &str) -> Needle<Within> {
    match text.strip_suffix(" lines") {
        Some(lines) => lines.trim().parse().map(Within::Lines).map_err(|_| bad_distance(text)),
        None => seconds(text).map(Within::Seconds),
    }
}

fn seconds(text: &str) -> Needle<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| bad_distance(text))?;
    match unit {
        "s" => Ok(number),
        "m" => Ok(number.saturating_mul(60)),
        "h" => Ok(number.saturating_mul(3600)),
        _ => Err(bad_distance(text)),
    }
}

fn bad_distance(text: &str) -> (String, String) {
    (
        text.to_owned(),
        format!("`{text}` is neither a duration (`30s`, `5m`, `1h`) nor a distance (`30 lines`)"),
    )
}

fn named<T>(name: &str, error: &impl Fn(&str, String) -> PageError) -> Result<T, PageError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    name.parse().map_err(|problem: T::Err| error(name, problem.to_string()))
}

/// Renders the texts with empty variables, so that a misspelled one fails here and not at two in the morning.
fn check_texts(pattern: &Pattern, page: &Page) -> Result<(), PageError> {
    let mut handlebars = handlebars::Handlebars::new();
    handlebars.set_strict_mode(true);
    let values: BTreeMap<&str, &str> = pattern.variables.iter().map(|name| (name.as_str(), "x")).collect();
    for (heading, text) in
        [("## What happened", &pattern.what_happened), ("## What to do", &pattern.what_to_do)]
    {
        handlebars.render_template(text, &values).map_err(|problem| PageError {
            file: format!("{}.md", page.id),
            line: line_of(page, heading),
            message: format!("{heading}: {problem}"),
        })?;
    }
    Ok(())
}

/// Returns the line on which something in the header stands, or the first line of the header.
fn line_of(page: &Page, needle: &str) -> usize {
    let source = &page.text;
    source.lines().position(|line| line.contains(needle)).map_or(page.header_line, |index| index + 1)
}
