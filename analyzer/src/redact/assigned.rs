//! Finds secrets by the names to which they are assigned:
//! `NAME=x`, `"name": "x"`, `name: x`, `:name => "x"`, `--name x`, `PASSWORD 'x'`, `<name>x</name>`.

use std::ops::Range;

use super::headers::header;
use super::names::{Family, Name, secret_name};
use super::options::{option, sql};
use super::places::{Place, is_verb, place};
use super::quotes::{Quote, closing, may_follow, quote_at, quote_before, slashes_before};
use super::telling::{Rigour, is_code, is_path_of_words, is_sentence, looks_random, says_nothing};
use super::values::{Value, count, depth, mark, next_value, skip_spaces, skip_whitespace, value_at};
use super::{Secret, blocks, columns, encoded, entries, headers, options, said};

/// A name as it stands in a text.
pub struct Written {
    pub range: Range<usize>,
    /// How many dashes make it an option.
    pub dashes: usize,
    pub opening: Option<Quote>,
    pub closing: Option<Quote>,
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Equals,
    Arrow,
    Colon,
}

const LONGEST_NAME: usize = 128;

/// Finds what is assigned to the name that a word is a part of; returns where what was found ends.
pub fn find(text: &[u8], word: Range<usize>, secrets: &mut Vec<Secret>) -> usize {
    let written = written(text, word);
    let end = written.range.end;
    let link = link(text, &written);
    if let Some(header) = header(&text[written.range.clone()]) {
        let at = link.map(|(_, at)| at).or_else(|| headers::listed(text, &written));
        return at.and_then(|at| headers::find(text, header, at, secrets)).unwrap_or(end);
    }
    if link.is_none() && !may_tell_otherwise(text, &written) {
        return end;
    }
    let Some(name) = secret_name(&text[written.range.clone()]) else { return end };
    let value = match link {
        Some((Link::Colon, at)) if blocks::begins(text, at) => {
            return blocks::find(text, &written, at, secrets).unwrap_or(end);
        }
        Some((link, at)) => {
            let value = assigned(text, &written, name, link, at);
            let is_said = value.as_ref().is_some_and(|value| !says_nothing(&text[value.range.clone()]));
            let reported = || {
                let is_colon = link == Link::Colon;
                is_colon
                    .then(|| said::behind(text, &written, name).or_else(|| said::before(text, &written)))?
            };
            if is_said { value } else { reported().or(value) }
        }
        None => otherwise(text, &written, name, secrets),
    };
    let Some(mut value) = value else { return end };
    let mut end = end;
    loop {
        if !says_nothing(&text[value.range.clone()]) {
            end = value.end;
            let of_json = written.closing.filter(|_| link.is_some_and(|(link, _)| link == Link::Colon));
            let quotes = of_json.filter(|quote| value.lacks(text, *quote));
            secrets.push(Secret { range: value.range.clone(), quotes });
        }
        value = match next_value(text, &value) {
            Some(next) => next,
            None => return end,
        };
    }
}

/// Returns the name around a word.
fn written(text: &[u8], word: Range<usize>) -> Written {
    // The last two are the second bytes of what stands in the Spanish word.
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.\xc3\xb1\x91".contains(byte);
    let before = text[..word.start].iter().rev().take(LONGEST_NAME).take_while(is_name).count();
    let mut start = word.start - before;
    let mut end = word.start + text[word.start..].iter().take(LONGEST_NAME).take_while(is_name).count();
    // `API key` is one name of two words.
    let is_spaced = text[word.clone()].trim_ascii_end().contains(&b' ');
    if is_spaced && !text.get(word.end).is_some_and(u8::is_ascii_alphanumeric) {
        end = word.end;
    }
    while end > start + 1 && b"-.".contains(&text[end - 1]) {
        end -= 1;
    }
    start += encoded::sign_before(text, start).min(word.start - start);
    // The letter of `\n`, and the number of a quote, are no part of a name.
    if slashes_before(text, start) > 0 {
        let rest = &text[start..word.start.max(start)];
        start += match rest {
            [b'u', b'0', b'0', b'2', b'2' | b'7', ..] => 5,
            [b'x', b'2', b'2' | b'7', ..] => 3,
            [b'n' | b'r' | b't', ..] => 1,
            _ => 0,
        };
    }
    let dashes = count(text, start, |byte| byte == b'-');
    start = (start + dashes + count(text, start + dashes, |byte| byte == b'.')).min(end);
    let opening = quote_before(text, start - dashes.min(start));
    let closing = quote_at(text, end);
    Written { range: start..end, dashes, opening, closing }
}

/// Returns what links a name to a value, and where the value begins.
fn link(text: &[u8], written: &Written) -> Option<(Link, usize)> {
    let mut at = written.range.end + written.closing.map_or(0, Quote::len);
    let rest = text.get(at..)?;
    at += if rest.starts_with(b"]") {
        1
    } else if rest.starts_with(b"%5D") {
        3
    } else {
        0
    };
    at = skip_spaces(text, at);
    let (link, length) = match text.get(at..)? {
        [b'=', b'>', ..] => (Link::Arrow, 2),
        // A comparison, unless what follows without a space was generated.
        [b'=', b'=' | b'~', rest @ ..] => {
            let value = &rest[..count(rest, 0, |byte| !byte.is_ascii_whitespace())];
            let is_tight = !text[at - 1].is_ascii_whitespace();
            (is_tight && looks_random(value, Rigour::Strict) && !value.starts_with(b"[redacted:"))
                .then_some((Link::Equals, 1))?
        }
        [b':', b':', ..] => return None,
        [b'|', b'|', b'=', ..] | [b'?', b'?', b'=', ..] => (Link::Equals, 3),
        [b':' | b'?', b'=', ..] => (Link::Equals, 2),
        [b'=', ..] => (Link::Equals, 1),
        [b':', ..] => (Link::Colon, 1),
        _ => return None,
    };
    let from = skip_spaces(text, at + length);
    // A value on the next line is quoted, or it is the next setting.
    let below = skip_whitespace(text, from);
    let is_below = below > from && (quote_at(text, below).is_some() || text[below..].starts_with(b"string("));
    Some((link, if is_below { below } else { from }))
}

/// Whether a name that nothing links to a value can tell of one all the same.
fn may_tell_otherwise(text: &[u8], written: &Written) -> bool {
    let Range { start, end } = written.range;
    written.dashes > 0
        || matches!(text.get(end..), Some([b' ' | b'\t' | b'(', ..])) && sql(text, written).is_some()
        || start > 0 && matches!(text[start - 1], b'<' | b'>')
        || written.closing.is_some_and(|quote| text.get(end + quote.len()) == Some(&b'>'))
        || encoded::is_linked(text, end)
        || said::may_be_said(text, written)
        || options::may_be_set(text, written)
        || options::may_be_paired(text, written)
        || columns::may_be_column(text, written)
        || entries::may_be_named(text, written)
}

/// Returns the value of an option, a statement, an element; those of entries and rows are put to the secrets.
fn otherwise(text: &[u8], written: &Written, name: Name, secrets: &mut Vec<Secret>) -> Option<Value> {
    if written.dashes > 0 {
        return option(text, written).or_else(|| said::before(text, written));
    }
    if name.family == Family::Password
        && let Some(value) = sql(text, written)
    {
        return Some(value);
    }
    if let Some(range) = encoded::value(text, written.range.end) {
        return Some(Value::plain(range));
    }
    let value = options::element(text, written)
        .or_else(|| {
            (!name.is_word || text[written.range.start] == b'_')
                .then(|| options::set(text, written))
                .flatten()
        })
        .or_else(|| options::paired(text, written))
        .or_else(|| said::behind(text, written, name))
        .or_else(|| said::before(text, written));
    if value.is_none() {
        columns::find(text, written, secrets);
        entries::find(text, written, secrets);
    }
    value
}

/// Returns the value that a name is linked to, where it can be a secret.
fn assigned(text: &[u8], written: &Written, name: Name, link: Link, at: usize) -> Option<Value> {
    let end = written.range.end + written.closing.map_or(0, Quote::len);
    let is_tight = !text[end..at].iter().any(u8::is_ascii_whitespace);
    let place = place(text, written);
    let is_in_text = link == Link::Colon && written.closing.is_none();
    if is_in_text && place == Place::Path {
        return None;
    }
    let is_header_list =
        link == Link::Colon && is_tight && text.get(at) == Some(&b'[') && mark(&text[at..]).is_none();
    let whole = if link == Link::Equals && is_tight {
        whole(text, written, at).or_else(|| braced(text, written, at))
    } else {
        None
    };
    let value = whole.or_else(|| value_at(text, at));
    let value = value.or_else(|| is_header_list.then(|| value_at(text, at + 1)).flatten())?;
    if is_other(text, written, name, &value) {
        return None;
    }
    let is_secret = match link {
        Link::Arrow => true,
        Link::Equals if is_tight || value.quote.is_some() => true,
        Link::Equals => {
            let is_spaced = text[end].is_ascii_whitespace();
            (is_spaced || !is_next_setting(text, value.range.start))
                && is_said(text, written, name, place, link, &value)
        }
        Link::Colon => {
            let content = &text[value.range.clone()];
            let is_address = content.starts_with(b"http://") || content.starts_with(b"https://");
            let is_bare = value.quote.is_none();
            // `PASS: TestCheckout` of test runners.
            let is_verdict = is_bare && name.is_pass && text[written.range.start].is_ascii_uppercase();
            let is_tag = is_bare && is_tight && !is_tight_setting(text, written, name, place, content);
            let is_act =
                is_in_text && is_verb(&text[written.range.clone()]) && !looks_random(content, Rigour::Strict);
            !is_address
                && !is_verdict
                && !is_tag
                && !is_act
                && is_said(text, written, name, place, link, &value)
        }
    };
    is_secret.then_some(value)
}

/// Returns what `x y` is in `["NAME=x y"]` and `-e "NAME=x y"`, where name and value are quoted as one.
fn whole(text: &[u8], written: &Written, at: usize) -> Option<Value> {
    let quote = written.opening.filter(|_| written.closing.is_none() && quote_at(text, at).is_none())?;
    let before = text[..written.range.start - quote.len()].trim_ascii_end();
    let is_item = before.ends_with(b"[") || before.ends_with(b",") && !before.ends_with(b"-c\",");
    let is_taken =
        [&b"-e"[..], b"--env", b"--build-arg", b"export"].iter().any(|option| before.ends_with(option));
    let (to, end) = closing(text, at, quote)?;
    let is_last = matches!(text.get(end), None | Some(b',' | b']' | b' ' | b'\n' | b'\r'));
    (is_last && (is_item || is_taken)).then(|| Value::plain(at..to))
}

/// Returns the value in `;PWD={x}`, as ODBC writes what has semicolons.
fn braced(text: &[u8], written: &Written, at: usize) -> Option<Value> {
    let is_of_list = text[..written.range.start].trim_ascii_end().ends_with(b";");
    let inside = text.get(at..)?.strip_prefix(b"{").filter(|_| is_of_list)?;
    let mut length = 0;
    loop {
        length += count(inside, length, |byte| !byte.is_ascii_control() && byte != b'}');
        match inside.get(length..)? {
            [b'}', b'}', ..] => length += 2,
            [b'}', ..] => break,
            _ => return None,
        }
    }
    // `{password}` is put there later.
    let is_name = inside[..length].iter().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(byte));
    let is_closed = matches!(inside.get(length + 1), None | Some(b';' | b'"' | b'\'' | b'\\' | b' ' | b'\n'));
    let range = at + 1..at + 1 + length;
    (is_closed && !is_name).then(|| Value::plain(range))
}

/// Whether what a name is linked to is something else than its secret, whatever links them.
fn is_other(text: &[u8], written: &Written, name: Name, value: &Value) -> bool {
    let content = &text[value.range.clone()];
    let is_bare = value.quote.is_none();
    let is_number = content.len() <= 5 && content.iter().all(u8::is_ascii_digit);
    // `first pass: 120ms`
    let is_time = name.is_pass && content.first().is_some_and(u8::is_ascii_digit) && content.ends_with(b"s");
    let is_count = is_number && (name.is_pass || name.family == Family::Token) || is_time;
    // In `"password: " + x` and in "`token:` of" the quote closes what stands before.
    let may_close = content.first().is_none_or(|byte| *byte == b'+' || may_follow(Some(byte)));
    let is_closed = !is_bare && may_close && written.closing.is_none() && value.quote == written.opening;
    let is_sentence = !is_bare && (content.starts_with(b" ") || is_sentence(content));
    // An id of an access key and where it is used: who signed a request, and no secret.
    let is_scope = content.starts_with(b"[redacted:aws-access-key]/");
    let is_of_secret = name.family == Family::Secret && is_path_of_words(content);
    let is_name = is_of_secret
        || names_a_secret(&text[written.range.clone()]) && !looks_random(content, Rigour::Strict);
    let is_fingerprint = is_fingerprint(&text[written.range.clone()], content);
    let is_code = is_bare && (is_code(content) || is_itself(&text[written.range.clone()], content));
    is_count
        || is_closed
        || is_sentence
        || is_scope
        || is_name
        || is_fingerprint
        || is_code
        || is_folder(text, written, content)
}

/// Whether what follows `name: ` or `name = ` is its value, and not how a sentence goes on.
fn is_said(text: &[u8], written: &Written, name: Name, place: Place, link: Link, value: &Value) -> bool {
    let content = &text[value.range.clone()];
    let is_strict = name.is_word && name.family != Family::Password;
    let rigour = if is_strict { Rigour::Strict } else { Rigour::Lenient };
    let is_setting = !name.is_word || written.closing.is_some() || place != Place::Sentence;
    if value.quote.is_some() {
        return is_setting || !is_strict || looks_random(content, rigour);
    }
    // `token: x509: …` is a label; `token: Token`, `token: &str` and `token: Option<Token>` are types.
    let is_label = link == Link::Colon && content.ends_with(b":") && !looks_random(content, Rigour::Strict);
    let is_generic = content.iter().all(u8::is_ascii_alphabetic) && text.get(value.end) == Some(&b'<');
    let is_lent =
        link == Link::Colon && content.starts_with(b"&") && content[1..].iter().all(u8::is_ascii_alphabetic);
    let is_type = is_generic || is_lent || content.eq_ignore_ascii_case(&text[written.range.clone()]);
    // A function that is called with several things: `password = read("password: ", …`.
    let is_odd =
        content.iter().any(|byte| b"?@&;|`\\".contains(byte)) && content.iter().any(u8::is_ascii_digit);
    let is_open = depth(content) > 0 && !is_odd && !looks_random(content, Rigour::Strict);
    if is_label || is_type || is_open {
        return false;
    }
    is_setting && ends(text, value.end) || looks_random(content, rigour)
}

/// Whether nothing follows that makes a sentence of what stands before.
pub fn ends(text: &[u8], at: usize) -> bool {
    let at = skip_spaces(text, at);
    let quote = quote_at(text, at).map_or(0, Quote::len);
    if quote > 0 && may_follow(text.get(at + quote)) {
        return true;
    }
    let name = count(text, at + quote, |byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if name > 0 {
        let end = at + quote + name;
        let end = end + quote_at(text, end).map_or(0, Quote::len);
        return matches!(text.get(end), Some(b'=' | b':'));
    }
    text.get(at).is_none_or(|byte| byte.is_ascii_whitespace() || b",;}])|#<\\>&/".contains(byte))
}

/// Whether `name:value` is a setting, and not a tag of an image, a port or a part of a sentence.
fn is_tight_setting(text: &[u8], written: &Written, name: Name, place: Place, content: &[u8]) -> bool {
    if written.closing.is_some()
        || text[written.range.start..].get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"x-"))
    {
        return true;
    }
    let is_version = content.strip_prefix(b"v").unwrap_or(content).first().is_some_and(u8::is_ascii_digit)
        && content.iter().all(|byte| byte.is_ascii_digit() || b".v-".contains(byte));
    // `secret:rds!cluster-1` is the end of the name of a resource.
    let is_resource = name.is_word && name.family == Family::Secret;
    match place {
        Place::Setting if text[..written.range.start].ends_with(b")") => false,
        Place::Line | Place::Sentence if is_resource => false,
        Place::Setting => !is_version || content.len() > 5 && !content.contains(&b'.'),
        Place::Line | Place::Sentence => looks_random(content, Rigour::Strict),
        Place::Path => false,
    }
}

/// Whether a variable is passed on by its own name: `password=password,`, `self.token = token`.
fn is_itself(name: &[u8], content: &[u8]) -> bool {
    let own = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let content = content.strip_suffix(b",").or_else(|| content.strip_suffix(b";")).unwrap_or(content);
    content == own && own.iter().any(u8::is_ascii_lowercase)
}

/// Whether a setting of a chart takes the name of a secret: `existingSecret`, `passwordSecret`.
fn names_a_secret(name: &[u8]) -> bool {
    const SETTINGS: [&str; 4] = ["existingsecret", "passwordsecret", "credentialssecret", "tlssecret"];
    let own = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    SETTINGS.iter().any(|setting| setting.as_bytes().eq_ignore_ascii_case(own))
}

/// Whether it tells which public key a package was signed with, as the images of Python do.
fn is_fingerprint(name: &[u8], content: &[u8]) -> bool {
    const DIGITS: usize = 40;
    name.eq_ignore_ascii_case(b"gpg_key")
        && content.len() == DIGITS
        && content.iter().all(u8::is_ascii_hexdigit)
}

/// Whether the working folder is told: `PWD=/app`.
fn is_folder(text: &[u8], written: &Written, content: &[u8]) -> bool {
    let name = &text[written.range.clone()];
    let is_folder = content.starts_with(b"/") || content.starts_with(b"~") || content.get(1) == Some(&b':');
    is_folder && (name.eq_ignore_ascii_case(b"pwd") || name.eq_ignore_ascii_case(b"oldpwd"))
}

/// Whether nothing is assigned, and the next setting follows: `PASSWORD= HOST=db`.
fn is_next_setting(text: &[u8], at: usize) -> bool {
    let name = count(text, at, |byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let link = text.get(at + name) == Some(&b'=');
    // What is padded with `=` is a value.
    name > 0
        && link
        && text.get(at + name + 1).is_some_and(|byte| *byte != b'=' && !byte.is_ascii_whitespace())
}
