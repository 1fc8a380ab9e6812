//! Keeps text from logs text: what is a mention, a link, markup or a command elsewhere is only shown.

use std::ops::Range;

/// Joins what it stands between and is not seen; it breaks the syntax of whatever reads it.
const JOINER: char = '\u{2060}';

/// Makes text safe inside a line of Markdown. What would become a link, a mention or an emoji is shown as code,
/// so that what is copied is what was written.
pub fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    let line: String = text
        .chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|&c| !is_invisible(c))
        .collect();
    for (index, word) in line.split(' ').enumerate() {
        if index > 0 {
            safe.push(' ');
        }
        match is_more_than_text(word) {
            true => push_code(&mut safe, word),
            false => push_escaped(&mut safe, word),
        }
    }
    safe
}

/// Whether a reader of Markdown finds something in a word that nobody marked up.
fn is_more_than_text(word: &str) -> bool {
    let has_www = || word.to_ascii_lowercase().contains("www.");
    // `:rocket:` is an emoji, `10:04:00` a time.
    let has_shortcode = || {
        let between = word.match_indices(':').zip(word.match_indices(':').skip(1));
        let mut names = between.map(|((from, _), (to, _))| &word[from + 1..to]);
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
        names.any(|name| name.len() > 1 && name.chars().all(is_of_name) && !is_of_a_time(name))
    };
    word.contains("::") || word.contains(":/") || word.contains('@') || has_www() || has_shortcode()
}

fn is_of_a_time(part: &str) -> bool {
    part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes a word as code; punctuation around it stays outside.
fn push_code(safe: &mut String, word: &str) {
    let start = word.len() - word.trim_start_matches(['(', '[', '{', '"', '\'', '<']).len();
    let end = word.trim_end_matches([')', ']', '}', '"', '\'', '>', ',', ';', '.', '!', '?']).len();
    let (start, end) = match word.get(start..end) {
        Some(core) if is_more_than_text(core) => (start, end),
        _ => (0, word.len()),
    };
    push_escaped(safe, &word[..start]);
    safe.push('`');
    // A bar would end the cell of a table.
    safe.extend(word[start..end].chars().map(|c| match c {
        '`' => '\'',
        '|' => '\u{2502}',
        c => c,
    }));
    safe.push('`');
    push_escaped(safe, &word[end..]);
}

fn push_escaped(safe: &mut String, word: &str) {
    for (index, c) in word.chars().enumerate() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~'
            | '$' | '"' | '\'' => safe.extend(['\\', c]),
            '-' | '=' if index == 0 => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
}

/// Returns a fenced block whose fence is longer than any in the text.
pub fn fenced(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{}\n{fence}", printable(text).trim_end())
}

/// Removes control characters that could steer a terminal; line ends and tabs stay.
pub fn printable(text: &str) -> String {
    text.chars().filter(|&c| matches!(c, '\n' | '\t') || !is_invisible(c)).collect()
}

/// Control characters, and marks that turn the direction of text.
pub fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Keeps the syntax of an address from being one.
pub fn unlinked(text: &str) -> String {
    text.replace("://", ":\u{2060}//").replace("www.", "www\u{2060}.")
}

/// Makes text safe inside HTML and its attributes.
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Makes text safe inside Slack's mrkdwn.
pub fn slack(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '`' => safe.push('\''),
            '*' | '_' | '~' => {
                safe.push(JOINER);
                safe.push(c);
            }
            '@' | '#' => {
                safe.push(c);
                safe.push(JOINER);
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Makes text safe inside a block of code of Slack: nothing is formatted there, but a tag would still be one.
pub fn slack_code(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}

/// Makes text the message of a workflow command.
pub fn command_data(text: &str) -> String {
    printable(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Makes text a property of a workflow command.
pub fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Shortens text to a number of characters: its start stays, and what stands around a place in it;
/// without a place its end, as reasons come last.
pub fn around(text: &str, place: Option<Range<usize>>, most: usize) -> String {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let count = starts.len();
    if count <= most {
        return text.to_owned();
    }
    if most < 40 {
        return cut(text, most);
    }
    let column = |byte: usize| starts.partition_point(|&start| start < byte);
    let told = place.map_or(count, |place| column(place.end));
    let head = most / 4;
    let room = most - head - 4;
    let at = |column: usize| starts.get(column).copied().unwrap_or(text.len());
    // Reasons come last: where the end is too far away to be in the window, it gets some of the room.
    let tail = match told + room / 3 >= count {
        true => String::new(),
        false => format!(" … {}", text[at(count - room / 4)..].trim_start()),
    };
    let room = if tail.is_empty() { room } else { room - room / 4 - 3 };
    let end = (told + room / 3).min(count);
    let start = end.saturating_sub(room);
    if start <= head + 3 {
        let start =
            if tail.is_empty() { cut(text, most) } else { text[..at(head + 3 + room)].trim_end().to_owned() };
        return start + &tail;
    }
    format!("{} … {}{tail}", text[..at(head)].trim_end(), text[at(start)..at(end)].trim())
}

/// Cuts text at a number of characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) if most == 0 => String::new(),
        Some(_) => {
            let end = text.char_indices().nth(most - 1).map_or(text.len(), |(at, _)| at);
            format!("{}…", &text[..end])
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(html("<b a='1'>&"), "&lt;b a=&#39;1&#39;&gt;&amp;");
        assert_eq!(markdown("[x] @you <b>"), r"\[x\] `@you` &lt;b&gt;");
        assert!(!slack("<!channel> ```").contains(['<', '`']));
        assert_eq!(command_data("a\n%b"), "a%0A%25b");
        assert!(fenced("a ```` b").starts_with("`````text"));
        assert_eq!(printable("a\u{1b}[31mb"), "a[31mb");
        assert_eq!(cut("abcdef", 3), "ab…");
    }

    #[track_caller]
    fn shown(text: &str, expected: &str) {
        assert_eq!(markdown(text), expected);
    }

    #[test]
    fn what_would_become_a_link_or_an_emoji_is_code_that_can_be_copied() {
        shown("CREATE_FAILED AWS::ECS::Service Web", "CREATE\\_FAILED `AWS::ECS::Service` Web");
        shown("(arn:aws:ecs:eu-west-1:1:task/a).", "\\(`arn:aws:ecs:eu-west-1:1:task/a`\\).");
        shown("see http://a.example", "see `http://a.example`");
        shown("go :rocket: WWW.a.example", "go `:rocket:` `WWW.a.example`");
        shown("2026-06-02T10:04:00Z db:5432 - a::b`c|d", "2026-06-02T10:04:00Z db:5432 \\- `a::b'c│d`");
        shown("<b>&", "&lt;b&gt;&amp;");
    }

    #[test]
    fn what_tells_stays_in_a_long_line() {
        let line =
            format!("task stopped: {}because access is denied{} at last", "x ".repeat(200), " y".repeat(100));
        let at = line.find("because").unwrap();
        let short = around(&line, Some(at..at + 24), 120);
        assert!(short.starts_with("task stopped: x x"), "{short}");
        assert!(short.contains("because access is denied y") && short.ends_with("y at last"), "{short}");
        assert!(short.chars().count() <= 120, "{short}");
        let short = around(&line, None, 100);
        assert!(short.ends_with("y y at last") && short.chars().count() <= 100, "{short}");
        assert_eq!(around("short", None, 100), "short");
        let first = around(&line, Some(0..4), 100);
        assert!(first.starts_with("task stopped") && first.ends_with("at last"), "{first}");
        for most in [40, 41, 57, 90, 200] {
            for place in [None, Some(0..3), Some(600..603), Some(897..900)] {
                let short = around(&"日".repeat(300), place, most);
                assert!(short.chars().count() <= most, "{most}: {short}");
            }
        }
    }
}
