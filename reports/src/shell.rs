//! Words of a command line.

use handlebars::handlebars_helper;

/// Returns a name as one word of a shell. Texts put a backtick around a command, so none may be left in it:
/// a name with one, or with what is not printed, is written with its codes (`$'…'`, as bash, ksh and zsh read it).
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':');
    if !name.is_empty() && name.chars().all(plain) && !name.starts_with('-') {
        return name.to_owned();
    }
    if !name.contains(|c: char| c == '`' || c.is_control()) {
        return format!("'{}'", name.replace('\'', r"'\''"));
    }
    let mut codes = String::from("$'");
    for c in name.chars() {
        match c {
            '\'' | '\\' => codes.extend(['\\', c]),
            c if c == '`' || c.is_ascii_control() => codes.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => codes.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => codes.push(c),
        }
    }
    codes.push('\'');
    codes
}

/// Writes the captured values that stand in the code of a page as they are: in a command as a word of a shell,
/// as a command is one that somebody runs, elsewhere so that what is copied is what was captured.
pub fn with_words(template: &str) -> String {
    let mut written = String::with_capacity(template.len());
    for (index, part) in template.split('`').enumerate() {
        written.push_str(if index > 0 { "`" } else { "" });
        let literal = part.split("{{").next().unwrap_or_default();
        match (index % 2 == 1, literal.trim_start().contains(' ')) {
            (true, true) => written.push_str(&values_with("as-word", part)),
            (true, false) => written.push_str(&values_with("as-code", part)),
            (false, _) => written.push_str(part),
        }
    }
    written
}

fn values_with(helper: &str, text: &str) -> String {
    let mut pieces = text.split("{{");
    let mut written = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let name = piece.split("}}").next().unwrap_or_default();
        let is_value = name != "else" && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match piece.strip_prefix(name).and_then(|rest| rest.strip_prefix("}}")).filter(|_| is_value) {
            Some(rest) => written.extend(["{{{", helper, " ", name, "}}}", rest]),
            None => written.extend(["{{", piece]),
        }
    }
    written
}

// Nothing that is marked up or that ends a line gets into a command.
handlebars_helper!(word: |value: str| {
    let text = in_one_line(value);
    if text.is_empty() { String::new() } else { quoted(&text) }
});

// Code is closed by a backtick alone.
handlebars_helper!(code: |value: str| in_one_line(value).replace('`', "'"));

fn in_one_line(value: &str) -> String {
    let text: String = crate::escape::printable(value).chars().take(200).collect();
    let mend = |c: char| match c {
        '<' => '‹',
        '>' => '›',
        c if c.is_control() => ' ',
        c => c,
    };
    let text: String = text.chars().map(mend).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_commands_are_words() {
        let written = with_words("see `{{host}}`: `dig {{#if host}}{{host}}{{else}}<name>{{/if}}`, {{host}}");
        let expected =
            "see `{{{as-code host}}}`: `dig {{#if host}}{{{as-word host}}}{{else}}<name>{{/if}}`, {{host}}";
        assert_eq!(written, expected);
    }

    #[test]
    fn a_name_stays_one_word_that_nothing_is_run_of() {
        assert_eq!(quoted("logs/web.log"), "logs/web.log");
        assert_eq!(quoted("orders 5xx $(date)"), "'orders 5xx $(date)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("-rf"), "'-rf'");
        assert_eq!(quoted("a`$(date)`'b"), r"$'a\x60$(date)\x60\'b'");
        assert_eq!(quoted("a\nb\u{85}"), r"$'a\x0ab\u0085'");
    }
}
