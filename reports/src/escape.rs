//! Keeps text from logs text: what is a mention, a link, markup or a command elsewhere is only shown.

/// Joins what it stands between and is not seen; it breaks the syntax of whatever reads it.
const JOINER: char = '\u{2060}';

/// Makes text safe inside a line of Markdown.
pub fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    let mut characters = text.chars().peekable();
    let mut previous = ' ';
    while let Some(c) = characters.next() {
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            c if is_invisible(c) => {}
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~'
            | '$' | '"' | '\'' => {
                safe.push('\\');
                safe.push(c);
            }
            '-' | '=' if previous == ' ' => {
                safe.push('\\');
                safe.push(c);
            }
            '@' => {
                safe.push(c);
                safe.push(JOINER);
            }
            ':' => {
                safe.push(c);
                if matches!(characters.peek(), Some('/' | ':')) {
                    safe.push(JOINER);
                }
            }
            '.' if previous == 'w' || previous.is_ascii_digit() => {
                safe.push(c);
                if previous == 'w' {
                    safe.push(JOINER);
                }
            }
            c => safe.push(c),
        }
        previous = c;
    }
    safe
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
        assert!(!markdown("[x](http://a) @you <b>").contains("@you"));
        assert!(!markdown("see http://a.example").contains("://"));
        assert!(!slack("<!channel> ```").contains(['<', '`']));
        assert_eq!(command_data("a\n%b"), "a%0A%25b");
        assert!(fenced("a ```` b").starts_with("`````text"));
        assert_eq!(printable("a\u{1b}[31mb"), "a[31mb");
        assert_eq!(cut("abcdef", 3), "ab…");
    }
}
