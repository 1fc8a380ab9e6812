//! The Markdown of pages, turned into what other formats show.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::escape;

/// Renders the Markdown of a page as HTML; HTML inside it is shown, not used.
pub fn html(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        // Links of pages are shown with their address; an image has no place in a guide.
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        other => Some(other),
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    out
}

/// A piece of a line with its look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub code: bool,
    pub strong: bool,
}

/// A paragraph or list item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paragraph {
    /// What stands before its first line: `1. `, `• `.
    pub marker: String,
    /// How deep it is in lists.
    pub depth: usize,
    pub pieces: Vec<Piece>,
    /// A block of code keeps its lines.
    pub verbatim: bool,
    pub is_heading: bool,
}

/// Reads the Markdown of a page as paragraphs of text.
pub fn paragraphs(markdown: &str) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut current = Paragraph::default();
    let mut lists: Vec<Option<u64>> = Vec::new();
    let mut strong = false;
    let mut flush = |current: &mut Paragraph| {
        let whole = std::mem::take(current);
        if !whole.pieces.is_empty() {
            paragraphs.push(whole);
        }
    };
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::List(first)) => {
                flush(&mut current);
                lists.push(first);
            }
            Event::End(TagEnd::List(_)) => {
                flush(&mut current);
                lists.pop();
            }
            Event::Start(Tag::Item) => {
                flush(&mut current);
                current.depth = lists.len();
                current.marker = match lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "• ".to_owned(),
                };
            }
            Event::Start(Tag::Heading { .. }) => {
                flush(&mut current);
                current.is_heading = true;
            }
            Event::Start(Tag::CodeBlock(_)) => {
                flush(&mut current);
                current.verbatim = true;
                current.depth = lists.len();
            }
            Event::End(TagEnd::Item | TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::Heading(_)) => {
                flush(&mut current);
                current.depth = lists.len();
            }
            Event::Start(Tag::Strong | Tag::Emphasis) => strong = true,
            Event::End(TagEnd::Strong | TagEnd::Emphasis) => strong = false,
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                current.pieces.push(Piece { text: escape::printable(&text), code: false, strong });
            }
            Event::Code(text) => {
                current.pieces.push(Piece { text: escape::printable(&text), code: true, strong })
            }
            Event::SoftBreak | Event::HardBreak => {
                current.pieces.push(Piece { text: " ".to_owned(), code: false, strong });
            }
            _ => {}
        }
    }
    flush(&mut current);
    paragraphs
}
