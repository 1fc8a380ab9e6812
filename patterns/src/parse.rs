//! Reads a pattern page: Markdown to sections, with the line of everything that can be wrong.

use analyzer::record::{Signal, Source};
use analyzer::taxonomy::{Class, Severity};
use serde::Deserialize;
use std::fmt;

/// A page as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub id: String,
    pub class: Class,
    pub title: String,
    pub header: Header,
    pub header_line: usize,
    pub what_happened: String,
    pub what_to_do: String,
    pub samples: Vec<Sample>,
    /// The page itself.
    pub text: String,
}

/// The `toml` block of a page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub severity: Severity,
    #[serde(default)]
    pub remedies: Vec<String>,
    #[serde(default)]
    pub explains: Vec<String>,
    #[serde(default)]
    pub confirm: Vec<String>,
    #[serde(default)]
    pub symptom: bool,
    #[serde(default)]
    pub generic: bool,
    #[serde(default)]
    pub elsewhere: bool,
    pub differ: Option<(String, String)>,
    pub evidence: Vec<EvidenceHeader>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceHeader {
    pub signal: Option<Signal>,
    pub find: Option<OneOrMany>,
    #[serde(default)]
    pub source: Vec<String>,
    pub role: Option<String>,
    pub within: Option<String>,
    #[serde(default)]
    pub after: bool,
    pub check: Option<String>,
    pub name: Option<String>,
    pub above: Option<f64>,
    pub below: Option<f64>,
    #[serde(rename = "for")]
    pub lasting: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A text that a page must recognise, or must not.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub expects_match: bool,
    pub title: String,
    pub source: Source,
    pub text: String,
    pub line: usize,
}

/// What is wrong with a page, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PageError {
    pub file: String,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Reads one page; `file` is its path below the folder of patterns.
pub fn parse(file: &str, text: &str) -> Result<Page, PageError> {
    let error = |line: usize, message: String| PageError { file: file.to_owned(), line, message };
    let file_path = file.replace('\\', "/");
    let id = file_path.strip_suffix(".md").unwrap_or(&file_path).to_owned();
    let class = class_of(&id).ok_or_else(|| {
        error(1, "a page lives at <domain>/<class>/<cause>.md, with one of the twelve classes".to_owned())
    })?;
    let sections = split(text).map_err(|(line, message)| error(line, message))?;
    let header: Header = toml::from_str(&sections.header).map_err(|problem| {
        let offset = problem.span().map_or(0, |span| span.start);
        let line =
            sections.header_line + sections.header[..offset.min(sections.header.len())].matches('\n').count();
        error(line, problem.message().to_owned())
    })?;
    if header.evidence.is_empty() {
        return Err(error(sections.header_line, "a page needs at least one [[evidence]]".to_owned()));
    }
    let mut samples = Vec::new();
    for sample in sections.samples {
        samples.push(read_sample(sample, class).map_err(|(line, message)| error(line, message))?);
    }
    Ok(Page {
        id,
        class,
        title: sections.title,
        header,
        header_line: sections.header_line,
        what_happened: sections.what_happened,
        what_to_do: sections.what_to_do,
        samples,
        text: text.to_owned(),
    })
}

/// Returns the class of a cause: the folder that its page is in.
pub fn class_of(id: &str) -> Option<Class> {
    let (class, cause) = id.rsplit_once('/')?;
    let named = !cause.is_empty()
        && cause.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if named { class.parse().ok() } else { None }
}

type Located<T> = Result<T, (usize, String)>;

struct Sections {
    title: String,
    header: String,
    header_line: usize,
    what_happened: String,
    what_to_do: String,
    samples: Vec<RawSample>,
}

struct RawSample {
    heading: String,
    heading_line: usize,
    info: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Top,
    Happened,
    Do,
    Samples,
}

fn split(text: &str) -> Located<Sections> {
    let mut sections = Sections {
        title: String::new(),
        header: String::new(),
        header_line: 0,
        what_happened: String::new(),
        what_to_do: String::new(),
        samples: Vec::new(),
    };
    let mut place = Place::Top;
    let mut heading: Option<(String, usize)> = None;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if let Some(info) = line.strip_prefix("```")
            && matches!(place, Place::Top | Place::Samples)
        {
            let content = fenced(&mut lines, number)?;
            match (place, heading.take()) {
                (Place::Top, _) if info == "toml" && sections.header_line == 0 => {
                    sections.header = content;
                    sections.header_line = number + 1;
                }
                (Place::Samples, Some((heading, heading_line))) if info.split(' ').next() == Some("log") => {
                    sections.samples.push(RawSample { heading, heading_line, info: info.to_owned(), text: content });
                }
                _ => return Err((number, "a fenced block stands only below a sample's heading (```log) or once at the top (```toml)".to_owned())),
            }
            continue;
        }
        match line {
            "## What happened" => place = Place::Happened,
            "## What to do" => place = Place::Do,
            "## Samples" => place = Place::Samples,
            _ if line.starts_with("## ") => {
                return Err((
                    number,
                    format!(
                        "unknown section `{}`, expected `What happened`, `What to do` or `Samples`",
                        &line[3..]
                    ),
                ));
            }
            _ if place == Place::Top && line.starts_with("# ") && sections.title.is_empty() => {
                sections.title = line[2..].trim().to_owned();
            }
            _ if place == Place::Samples && line.starts_with("### ") => {
                heading = Some((line[4..].trim().to_owned(), number));
            }
            _ => match place {
                Place::Happened => push_line(&mut sections.what_happened, line),
                Place::Do => push_line(&mut sections.what_to_do, line),
                _ if line.trim().is_empty() => {}
                _ => return Err((number, format!("text that belongs to no section: `{line}`"))),
            },
        }
    }
    for (missing, name) in [
        (sections.title.is_empty(), "a title (`# …`)"),
        (sections.header_line == 0, "a ```toml block"),
        (sections.what_happened.trim().is_empty(), "a section `## What happened`"),
        (sections.what_to_do.trim().is_empty(), "a section `## What to do`"),
    ] {
        if missing {
            return Err((1, format!("the page needs {name}")));
        }
    }
    sections.what_happened = sections.what_happened.trim().to_owned();
    sections.what_to_do = sections.what_to_do.trim().to_owned();
    Ok(sections)
}

fn fenced<'t>(lines: &mut impl Iterator<Item = (usize, &'t str)>, start: usize) -> Located<String> {
    let mut content = String::new();
    for (_, line) in lines {
        if line.trim_end() == "```" {
            return Ok(content);
        }
        push_line(&mut content, line);
    }
    Err((start, "this fenced block is never closed".to_owned()))
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn read_sample(sample: RawSample, class: Class) -> Located<Sample> {
    let RawSample { heading, heading_line, info, text } = sample;
    let (kind, title) = heading.split_once(':').unwrap_or((&heading, ""));
    let expects_match = match kind.trim() {
        "Match" => true,
        "Near miss" => false,
        _ => return Err((heading_line, "a sample is titled `Match: …` or `Near miss: …`".to_owned())),
    };
    let mut source = default_source(class);
    for option in info.split_whitespace().skip(1) {
        let name = option.strip_prefix("source=").ok_or_else(|| {
            (heading_line, format!("unknown option `{option}` of a sample, expected `source=…`"))
        })?;
        source = name.parse().map_err(|error| (heading_line, format!("{error}")))?;
    }
    if text.trim().is_empty() {
        return Err((heading_line, "the sample is empty".to_owned()));
    }
    Ok(Sample { expects_match, title: title.trim().to_owned(), source, text, line: heading_line })
}

/// Returns where a sample comes from that does not say so.
pub fn default_source(class: Class) -> Source {
    match class {
        Class::StackFailure => Source::CfnStackEvent,
        Class::ServiceStartup | Class::Network | Class::Capacity => Source::EcsStoppedTask,
        Class::StartupHealth | Class::Database | Class::Configuration | Class::PortBinding => {
            Source::ContainerLog
        }
        Class::Image => Source::DockerBuild,
        Class::Workflow => Source::GithubActions,
        Class::Cdk => Source::Cdk,
        Class::Credentials => Source::DeployTool,
    }
}
