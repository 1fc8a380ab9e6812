//! Reads a page the way a browser does, roughly: which tags and attributes it has.

use crate::hostile;

/// What the template and the Markdown of pages may make of a guide.
const TAGS: [&str; 53] = [
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "header",
    "h1",
    "h2",
    "h3",
    "ul",
    "ol",
    "li",
    "code",
    "pre",
    "mark",
    "section",
    "p",
    "strong",
    "em",
    "div",
    "span",
    "time",
    "br",
    "hr",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "footer",
    "script",
    "svg",
    "defs",
    "marker",
    "path",
    "line",
    "rect",
    "text",
    "circle",
    "a",
    "blockquote",
    "del",
    "sup",
    "h4",
    "h5",
    "h6",
    "nav",
    "dl",
    "dt",
    "dd",
];
const ATTRIBUTES: [&str; 43] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "type",
    "href",
    "start",
    "viewbox",
    "role",
    "aria-label",
    "markerwidth",
    "markerheight",
    "refx",
    "refy",
    "orient",
    "d",
    "x",
    "y",
    "x1",
    "y1",
    "x2",
    "y2",
    "marker-end",
    "width",
    "height",
    "rx",
    "cx",
    "cy",
    "r",
    "text-anchor",
    "style",
    "colspan",
    "align",
    "datetime",
    "title",
    "scope",
    "tabindex",
    "aria-labelledby",
    "aria-hidden",
    "data-name",
];

/// Returns what is wrong with a page: a tag, attribute, link or script that is not Medic's own.
pub fn is_safe(page: &str) -> Result<(), String> {
    let page = page.strip_prefix("<!doctype html>").ok_or("the page has no doctype")?;
    hostile::no_controls(page)?;
    let mut scripts = 0;
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let (tag, after) = read_tag(&rest[at..])?;
        if tag.name == "script" && !tag.closes {
            scripts += 1;
            let (json, end) = after.split_once("</script>").ok_or("the script is not closed")?;
            is_data(&tag, json)?;
            rest = end;
            continue;
        }
        if tag.name == "style" && !tag.closes {
            rest = after.split_once("</style>").ok_or("the style is not closed")?.1;
            continue;
        }
        is_known(&tag)?;
        rest = after;
    }
    if scripts == 1 { Ok(()) } else { Err(format!("the page has {scripts} scripts")) }
}

struct Tag {
    name: String,
    closes: bool,
    attributes: Vec<(String, String)>,
}

fn read_tag(text: &str) -> Result<(Tag, &str), String> {
    let wrong = || format!("this is no tag: {:.60?}", text);
    let inner = &text[1..];
    let closes = inner.starts_with('/');
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric()).ok_or_else(wrong)?;
    let name = inner[..end].to_ascii_lowercase();
    if name.is_empty() {
        return Err(wrong());
    }
    let mut attributes = Vec::new();
    let mut rest = &inner[end..];
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            return Ok((Tag { name, closes, attributes }, after));
        }
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/')).ok_or_else(wrong)?;
        let attribute = rest[..end].to_ascii_lowercase();
        let value =
            rest[end..].strip_prefix("=\"").and_then(|value| value.split_once('"')).ok_or_else(wrong)?;
        attributes.push((attribute, value.0.to_owned()));
        rest = value.1;
    }
}

fn is_known(tag: &Tag) -> Result<(), String> {
    if !TAGS.contains(&tag.name.as_str()) {
        return Err(format!("the page has a tag <{}>", tag.name));
    }
    for (name, value) in &tag.attributes {
        if !ATTRIBUTES.contains(&name.as_str()) {
            return Err(format!("<{}> has the attribute {name}={value:?}", tag.name));
        }
        let leads_out = value.contains("evil.example") || value.to_ascii_lowercase().contains("javascript:");
        if leads_out && matches!(name.as_str(), "href" | "src" | "style") {
            return Err(format!("<{}> leads to {value:?}", tag.name));
        }
    }
    Ok(())
}

/// The one script is data: JSON that cannot end it.
fn is_data(tag: &Tag, json: &str) -> Result<(), String> {
    let is_json = tag.attributes.iter().any(|(name, value)| name == "type" && value == "application/json");
    if !is_json || json.contains('<') {
        return Err("the script is not data".to_owned());
    }
    serde_json::from_str::<serde_json::Value>(json).map(|_| ()).map_err(|error| error.to_string())
}
