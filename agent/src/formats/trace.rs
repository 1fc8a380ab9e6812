//! Tells stack traces by their first line and their frames.

use aho_corasick::packed::Searcher;
use std::sync::LazyLock;

/// What kind of trace a record has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    None,
    /// Frames of Java, Node, .NET, Ruby or PHP.
    Frames,
    /// Python: indented lines, then the exception.
    Python,
    PythonDone,
    Go,
    Rust,
    /// A private key, up to its last line.
    Key,
    /// Node: the place, the code with a mark below it, a blank line, the error and its frames.
    Node,
}

impl Trace {
    /// Returns the trace that a message begins.
    pub fn begun_by(said: &str) -> Trace {
        let has_word = BEGINNINGS.as_ref().is_none_or(|words| words.find(said).is_some());
        if has_word {
            if said.contains("PRIVATE KEY") && said.contains("-----BEGIN ") {
                return Trace::Key;
            }
            if said.contains("Traceback (most recent call last)") {
                return Trace::Python;
            }
            if said.contains("panic: ") || said.contains("fatal error: ") && !said.contains(".c") {
                return Trace::Go;
            }
        }
        if is_place(said.trim_end()) {
            return Trace::Node;
        }
        if has_word && (said.contains("' panicked at ") || said.contains(") panicked at ")) {
            return Trace::Rust;
        }
        Trace::None
    }
}

/// A frame of a stack trace of one of the usual runtimes.
pub fn is_frame(trimmed: &str, indented: bool) -> bool {
    let java = trimmed.starts_with("at ") && (indented || trimmed.contains('('));
    let more =
        trimmed.starts_with("... ") && (trimmed.ends_with(" more") || trimmed.contains("frames omitted"));
    let python = indented
        && (trimmed.starts_with("File \"") || trimmed.bytes().all(|byte| matches!(byte, b'^' | b'~' | b' ')));
    let ruby = trimmed.starts_with("from ") && trimmed.contains(":in ")
        || trimmed.starts_with('/') && trimmed.contains(":in `")
        || trimmed.starts_with('/') && trimmed.contains(":in '");
    let php = trimmed.starts_with('#')
        && trimmed.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
        && trimmed.contains("): ");
    let dotnet = trimmed.starts_with("--- End of ");
    java || more || python || ruby || php || dotnet
}

/// A cause or a suppressed exception below another one.
pub fn is_nested_cause(trimmed: &str) -> bool {
    ["Caused by:", "Suppressed:", "---> ", "caused by:", "Stack trace:", "[cause]:", "Wrapped by:"]
        .iter()
        .any(|start| trimmed.starts_with(start))
}

/// `java.lang.IllegalStateException: …` alone on a line.
pub fn is_exception_header(trimmed: &str) -> bool {
    let name = trimmed.split([':', ' ']).next().unwrap_or_default();
    let named = name.ends_with("Exception") || name.ends_with("Error") || name.ends_with("Throwable");
    named
        && name.contains('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
}

/// Whether a line can stand in a private key: its text, what stands above it, its end, or stars in its place.
/// Behind another such line it may be as short as a word, which a log could go on with.
pub fn is_of_key(trimmed: &str, is_inside: bool) -> bool {
    const HEADS: [&str; 5] = ["Proc-Type: ", "DEK-Info: ", "Comment: ", "Version: ", "Hash: "];
    const SHORTEST: usize = 16;
    if trimmed.contains("-----END ") || HEADS.iter().any(|head| trimmed.starts_with(head)) {
        return true;
    }
    let around = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | '+' | '\\');
    let text = trimmed.trim_matches(around);
    let text = text.strip_suffix("\\n").or_else(|| text.strip_suffix("\\r\\n")).unwrap_or(text);
    if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
        return true;
    }
    let is_base64 = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let is_mixed = || {
        let rest = text.as_bytes().get(1..).unwrap_or_default();
        let is_word =
            rest.iter().all(u8::is_ascii_lowercase) || text.bytes().all(|byte| byte.is_ascii_uppercase());
        text.ends_with('=') || !is_word
    };
    is_base64 && (text.len() >= SHORTEST || is_inside && is_mixed())
}

/// Items of lists and progress stand for themselves.
pub fn is_list(trimmed: &str) -> bool {
    ["- ", "* ", "✓", "✔", "✘", "✖", "•", "|"].iter().any(|start| trimmed.starts_with(start))
}

/// One of these stands in a line that begins a trace; looked for in one pass, as most lines have none.
static BEGINNINGS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    Searcher::new(["PRIVATE KEY", "Traceback (most recent", "panic: ", "fatal error: ", " panicked at "])
});

/// `node:internal/modules/cjs/loader:1143` alone on a line.
fn is_place(said: &str) -> bool {
    if !said.ends_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    said.rsplit_once(':').is_some_and(|(file, line)| {
        line.bytes().all(|byte| byte.is_ascii_digit())
            && !file.contains(' ')
            && ["node:internal/", "/", "file:///"].iter().any(|start| file.starts_with(start))
    })
}
