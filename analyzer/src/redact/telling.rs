//! Tells what stands in the place of a secret and is none from what could be one.

use super::names::{is_variable, secret_name};
use super::values::{count, mark};

/// Words that stand where a secret could stand and tell nothing.
const WORDS: &[&str] = &[
    "absent",
    "any",
    "blank",
    "bool",
    "boolean",
    "configured",
    "denied",
    "disabled",
    "empty",
    "enabled",
    "encrypted",
    "eof",
    "expired",
    "failed",
    "false",
    "filtered",
    "forbidden",
    "found",
    "hidden",
    "incorrect",
    "inherit",
    "int",
    "invalid",
    "latest",
    "masked",
    "missing",
    "nil",
    "no",
    "none",
    "notfound",
    "null",
    "number",
    "object",
    "off",
    "ok",
    "omitted",
    "on",
    "optional",
    "present",
    "protected",
    "provided",
    "read",
    "redacted",
    "rejected",
    "removed",
    "required",
    "sensitive",
    "set",
    "str",
    "string",
    "timeout",
    "true",
    "unauthorized",
    "undefined",
    "unknown",
    "unset",
    "valid",
    "write",
    "wrong",
    "yes",
];

/// How references begin: they say where a secret is kept.
const REFERENCES: &[&str] = &[
    "arn:",
    "ssm:",
    "vault:",
    "secretsmanager:",
    "awssm:",
    "op://",
    "sm://",
    "file:",
    "projects/",
    "!Ref",
    "!Sub",
    "!GetAtt",
    "!ImportValue",
    "os.",
    "process.env",
    "import.meta",
    "ENV[",
    "ENV.",
    "env.",
    "secrets.",
    "settings.",
    "config.",
    "self.",
    "this.",
    "var.",
    "data.",
    "module.",
    "local.",
];

const FOLDERS: &[&str] = &[
    "/app/",
    "/etc/",
    "/home/",
    "/mnt/",
    "/opt/",
    "/root/",
    "/run/",
    "/secrets/",
    "/srv/",
    "/tmp/",
    "/usr/",
    "/var/",
    "/vault/",
    "./",
    "~/",
];

/// What a sentence has and a passphrase has not.
const OF_SENTENCES: &[&str] = &[
    "be", "cannot", "contain", "empty", "expected", "expired", "failed", "field", "found", "has", "invalid",
    "is", "least", "missing", "must", "not", "received", "required", "should", "too", "value",
];

/// Whether what stands in the place of a secret is none: a placeholder, a reference, a word that says that there is none.
pub fn says_nothing(value: &[u8]) -> bool {
    if mark(value) == Some(value.len()) {
        return true;
    }
    let is_around = |byte: &u8| b"\"'()[]<>\\.,:;!".contains(byte);
    let start = value.iter().take_while(|byte| is_around(byte)).count();
    let end = value.iter().rev().take_while(|byte| is_around(byte)).count();
    let Some(bare) = value.get(start..value.len() - end).filter(|bare| !bare.is_empty()) else { return true };
    let is_bracketed = value.first() == Some(&b'<') && value.last() == Some(&b'>');
    is_bracketed
        || is_filler(bare)
        || is_placeholder(value)
        || is_error(bare)
        || is_variable(bare)
        || WORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(bare))
        || REFERENCES.iter().any(|word| value.starts_with(word.as_bytes()))
        || FOLDERS.iter().any(|folder| value.starts_with(folder.as_bytes()))
}

/// Whether what has the form of a secret was hidden by who printed it.
pub fn hides(value: &[u8]) -> bool {
    const WORDS: [&str; 7] = ["filtered", "hidden", "masked", "none", "null", "redacted", "undefined"];
    mark(value) == Some(value.len())
        || is_filler(value)
        || is_placeholder(value)
        || is_variable(value)
        || WORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value))
}

/// Whether a quoted value is a sentence about what should stand there.
pub fn is_sentence(value: &[u8]) -> bool {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.clone().count() > 1
        && words
            .clone()
            .any(|word| OF_SENTENCES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word)))
        && !words.clone().any(|word| looks_random(word, Rigour::Strict))
}

/// Whether a value is the name of a secret: `prod/web/database`.
pub fn is_path_of_words(value: &[u8]) -> bool {
    let is_word = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_lowercase() || b"-_.".contains(byte));
    value.contains(&b'/') && value.split(|byte| *byte == b'/').all(is_word)
}

/// Whether code stands where a value could stand: `config.password`, `get_secret("db")`, `Token::new()`.
pub fn is_code(value: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphabetic() || b"_.:".contains(byte);
    let name = value.iter().take_while(|byte| is_name(byte)).count();
    let (name, rest) = value.split_at(name);
    if !name.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let last = name.rsplit(|byte| b".:".contains(byte)).next().unwrap_or_default();
    let has_parts = name.iter().any(|byte| b"_.:".contains(byte));
    let is_nested = rest.iter().all(|byte| is_name(byte) || b"()".contains(byte)) && rest.ends_with(b")");
    let is_call = is_nested && (has_parts || rest == b"()" || rest.contains(&b'.'));
    // Generated passwords have brackets too: what a function is given tells, a text or more code.
    let is_read = || [&b"get"[..], b"env", b"config"].iter().any(|word| name.starts_with(word));
    match rest {
        [] => {
            name.contains(&b'.') && is_member(last)
                || memchr::memmem::find(name, b"::").is_some()
                || is_of_resource(name)
        }
        [b'(', b'"' | b'\'', ..] => has_parts || is_read(),
        [b'(', ..] => is_call || is_declaration(name, rest),
        _ => false,
    }
}

/// Whether Terraform is told which resource to ask: `random_password.db.result`.
fn is_of_resource(name: &[u8]) -> bool {
    let parts = name.split(|byte| *byte == b'.');
    let is_kind = name.split(|byte| *byte == b'.').next().is_some_and(|kind| kind.contains(&b'_'));
    is_kind && parts.count() > 2 && name.iter().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(byte))
}

/// Whether a model says what it holds: `models.CharField(max_length=128)`, `z.string().min(8)`.
fn is_declaration(name: &[u8], rest: &[u8]) -> bool {
    let is_argument = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.=()".contains(byte);
    name.contains(&b'.') && rest.ends_with(b")") && rest.iter().all(is_argument)
}

fn is_member(name: &[u8]) -> bool {
    secret_name(name).is_some()
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rigour {
    /// What is not a word could be a secret.
    Lenient,
    /// Names with numbers are still names: `db2-users`.
    Strict,
}

/// Whether a value is none of the words, numbers, names and versions of which sentences are made.
pub fn looks_random(value: &[u8], rigour: Rigour) -> bool {
    let end = value.iter().rev().take_while(|byte| b".,:;!?)".contains(byte)).count();
    let value = &value[..value.len() - end];
    if value.len() < 4 {
        return false;
    }
    let has_letter = value.iter().any(u8::is_ascii_alphabetic);
    if rigour == Rigour::Lenient && has_letter && value.iter().any(|byte| b"!@#$%^*+~?".contains(byte)) {
        return true;
    }
    if rigour == Rigour::Strict && value.len() < 8 {
        return false;
    }
    let has_digit = value.iter().any(u8::is_ascii_digit);
    if has_letter && has_digit && value.iter().any(|byte| b"!#$%^*+~".contains(byte)) {
        return true;
    }
    let is_between = |byte: &u8| b"-_./:=()[]{}'\"<>,&|".contains(byte);
    value.split(is_between).any(|part| is_mixed(part, rigour))
}

/// Whether letters and digits stand together as they do not in names.
fn is_mixed(part: &[u8], rigour: Rigour) -> bool {
    const TECHNICAL: [&str; 14] = [
        "base64", "ec2", "http1", "http2", "ipv4", "ipv6", "imdsv2", "imdsv1", "md5", "oauth2", "sha1",
        "sha256", "utf8", "x509",
    ];
    let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let digits = part[letters..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_numbered = letters > 0 && letters + digits == part.len();
    let has_both = part.iter().any(u8::is_ascii_digit) && part.iter().any(u8::is_ascii_alphabetic);
    let is_technical = TECHNICAL.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(part));
    let is_long = rigour == Rigour::Lenient || part.len() > 3;
    has_both
        && is_long
        && !is_technical
        && !(is_numbered && (letters == 1 || rigour == Rigour::Strict && digits <= 3))
}

/// Whether it is made of what hides a secret: `***`, `xxxx`, `...`.
fn is_filler(bare: &[u8]) -> bool {
    let is_sign = |byte: &u8| !byte.is_ascii_alphanumeric() && byte.is_ascii();
    let Some(first) = bare.first() else { return true };
    bare == "…".as_bytes()
        || bare.len() > 2 && bare.iter().all(|byte| b"*xX.".contains(byte))
        || is_sign(first) && bare.iter().all(|byte| byte == first)
}

/// Whether something else is put here later: `$VAR`, `${VAR}`, `$(cmd)`, `{name}`, `%s`, `%VAR%`.
fn is_placeholder(value: &[u8]) -> bool {
    let is_name = |text: &[u8]| {
        !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(byte))
    };
    // `$Pa55w0rd` is no name of a variable.
    let is_plain = |text: &[u8]| {
        let has = |is: fn(&u8) -> bool| text.iter().any(is);
        !(has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
    };
    let named = |text: &[u8]| count(text, 0, |byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    let ends_with_name = |text: &[u8], ends: &[u8]| {
        let length = named(text);
        length > 0 && text[0].is_ascii_alphabetic() && text.get(length).is_none_or(|byte| ends.contains(byte))
    };
    let holds = |mark: &[u8]| memchr::memmem::find(value, mark).is_some();
    match value {
        // Of `${NAME:-other words}` and the like only the first word may be there.
        [b'$', b'{', b'{', ..] | [b'{', b'{', ..] => {
            value.len() <= 3 || holds(b"}}") || value.contains(&b' ')
        }
        [b'$', b'{', name @ ..] => ends_with_name(name, b"}:-?+%/"),
        [b'$', b'(', name @ ..] => ends_with_name(name, b" )-/"),
        [b'#', b'{', name @ ..] => ends_with_name(name, b"} ([") && holds(b"}"),
        [b'%', b'(', name @ ..] => ends_with_name(name, b")"),
        // `$1`, `@p0` and `:password` of statements.
        [b'$', digits @ ..] if digits.len() <= 2 && !digits.is_empty() => {
            digits.iter().all(u8::is_ascii_digit)
        }
        [b'@', b'p', digits @ ..] if !digits.is_empty() => digits.iter().all(u8::is_ascii_digit),
        [b':', name @ ..] if secret_name(name).is_some() => {
            name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
        }
        [b'$', b'$', name @ ..] => is_name(name) && is_plain(name),
        [b'$', name @ ..] => is_name(name) && is_plain(name) && !name[0].is_ascii_digit(),
        [b'{', name @ .., b'}'] | [b'%', name @ .., b'%'] | [b'@', name @ .., b'@'] => {
            is_name(name) && is_plain(name)
        }
        [b'%', letter] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Whether it is the name of an error: `ResourceNotFoundException`, `ECONNREFUSED`.
fn is_error(bare: &[u8]) -> bool {
    const ENDS: [&str; 6] = ["Exception", "Error", "Denied", "NotFound", "Failed", "Expired"];
    let is_code = bare.len() > 4 && bare[0] == b'E' && bare.iter().all(u8::is_ascii_uppercase);
    is_code
        || bare.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'.')
            && ENDS.iter().any(|end| bare.ends_with(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_references_say_nothing() {
        for value in [
            "",
            "***",
            "****",
            "xxxx",
            "XXXX",
            "...",
            "-",
            "null",
            "None",
            "TRUE",
            "[FILTERED]",
            "<hidden>",
            "(sensitive",
            "<your password>",
            "$DB_PASSWORD",
            "${DB_PASSWORD}",
            "${DB_PASSWORD:-x}",
            "$(cat x)",
            "$dbPassword",
            "$env:TOKEN",
            "{password}",
            "{{ vault.password }}",
            "%DB_PASSWORD%",
            "%s",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x",
            "ssm:/prod/db",
            "/run/secrets/db",
            "process.env.TOKEN",
            "DB_PASSWORD",
            "[redacted:jwt]",
            "REDACTED:",
            "AccessDeniedException",
            "ETIMEDOUT",
        ] {
            assert!(says_nothing(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_could_be_a_secret_says_something() {
        for value in [
            "hunter",
            "x",
            "12345",
            "${L]m&<*a",
            "$(Uj+gTd",
            "{{h_Q|gK",
            "$$y(F.;",
            "#{xsud$2",
            "Pa55w0rd",
            "$Pa55w0rd",
            "$2b$10$N9qo8uLOickgx2ZM",
            "%2Babc",
            "<a",
            "E2ABC",
            "*a*",
            "no1",
            "[redacted:jwt]x",
            "secret",
            "password",
            "/+abc",
            "Nothing",
        ] {
            assert!(!says_nothing(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn code_is_told_from_generated_passwords() {
        for value in [
            "config.password",
            "get_secret(\"prod/db\")",
            "os.getenv('TOKEN')",
            "page.next_token()",
            "Token::new()",
            "cert(JSON.parse(process.env.ACCOUNT))",
            "Value::Null",
        ] {
            assert!(is_code(value.as_bytes()), "{value}");
        }
        for value in ["aB_cD(eF1!", "hunter(2)", "hunter(x)", "a.b", "abc(\"x\")", "abc(def", "x_y(z"] {
            assert!(!is_code(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn sentences_are_not_random() {
        for word in [
            "expired",
            "401",
            "HTTP/1.1",
            "x509:",
            "ResourceNotFound",
            "db-credentials",
            "prod/web/db",
            "v2",
            "t3.micro",
        ] {
            assert!(!looks_random(word.as_bytes(), Rigour::Lenient), "{word}");
        }
        for word in ["db-creds-2", "node18", "web123-db", "c5n.large", "0x3b"] {
            assert!(!looks_random(word.as_bytes(), Rigour::Strict), "{word}");
        }
        for word in ["Pa55w0rd1", "0a1b2c3d", "8e5c1b2a-77aa", "hvs.CAESIJ1abc"] {
            assert!(looks_random(word.as_bytes(), Rigour::Strict), "{word}");
        }
        for word in ["hunter22", "Pa55w0rd", "a!bcd"] {
            assert!(looks_random(word.as_bytes(), Rigour::Lenient), "{word}");
        }
    }
}
