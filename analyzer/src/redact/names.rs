//! Tells by its name whether what is assigned to it is a secret.

/// A name to which secrets are assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    pub family: Family,
    /// One word that also stands in sentences (`token`), and not what only a program writes (`API_TOKEN`, `apiToken`).
    pub is_word: bool,
    /// Nothing but `pass`, which tests have as well.
    pub is_pass: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Password,
    Token,
    Key,
    /// Secrets and credentials: sentences give their names rather than their values.
    Secret,
}

/// What stands before `key` where the key is a secret.
pub const KEYS: &[&str] = &[
    "access",
    "account",
    "admin",
    "aes",
    "anthropic",
    "api",
    "app",
    "application",
    "auth",
    "authentication",
    "cipher",
    "cookie",
    "crypto",
    "datadog",
    "decryption",
    "deploy",
    "dkim",
    "encrypt",
    "encryption",
    "fernet",
    "gpg",
    "hmac",
    "ingest",
    "ingestion",
    "instrumentation",
    "integration",
    "jwt",
    "license",
    "mailgun",
    "master",
    "openai",
    "pgp",
    "private",
    "root",
    "secret",
    "sendgrid",
    "session",
    "shared",
    "sign",
    "signing",
    "signature",
    "ssh",
    "storage",
    "stripe",
    "subscription",
    "symmetric",
    "unseal",
    "vault",
    "webhook",
    "wrapping",
];

/// Words that are written together with what comes before them: `PGPASSWORD`, `clientsecret`.
pub const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "contrasena",
    "motdepasse",
    "wachtwoord",
    "senha",
];

/// Words that are passwords only when they stand alone, or in one of these.
const SHORT_PASSWORDS: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "adminpass",
    "adminpw",
    "adminpwd",
    "bindpw",
    "dbpass",
    "dbpwd",
    "keypass",
    "mailpass",
    "redispass",
    "requirepass",
    "rootpass",
    "rootpw",
    "rootpwd",
    "smtppass",
    "storepass",
    "userpass",
    "userpwd",
];

/// What nginx, test runners and graphics pass.
const OTHER_PASSES: &[&str] = &[
    "by",
    "fastcgi",
    "first",
    "grpc",
    "memcached",
    "multi",
    "proxy",
    "render",
    "scgi",
    "second",
    "single",
    "test",
    "tests",
    "uwsgi",
];

const TOKENS: &[&str] =
    &["accesstoken", "apitoken", "authtoken", "bearertoken", "githubtoken", "refreshtoken"];
const WHOLE_TOKENS: &[&str] = &[
    "bottoken",
    "csrftoken",
    "ghtoken",
    "idtoken",
    "identitytoken",
    "registrytoken",
    "sessiontoken",
    "usertoken",
];

/// Tokens that only say where to go on.
const OTHER_TOKENS: &[&str] = &[
    "cancel",
    "cancellation",
    "continuation",
    "continue",
    "correlation",
    "cursor",
    "deduplication",
    "expected",
    "idempotency",
    "next",
    "page",
    "pagination",
    "request",
    "resume",
    "starting",
    "sync",
    "trace",
    "tracing",
    "unexpected",
    "watermark",
];

/// What may follow the word that tells, without becoming another thing: a `PASSWORD_FILE` is none.
const ENDINGS: &[&str] = &[
    "again",
    "admin",
    "b64",
    "backup",
    "base64",
    "confirm",
    "confirmation",
    "current",
    "db",
    "default",
    "dev",
    "development",
    "eu",
    "live",
    "new",
    "old",
    "pem",
    "plain",
    "plaintext",
    "prd",
    "prev",
    "previous",
    "primary",
    "prod",
    "production",
    "raw",
    "reader",
    "repeat",
    "replica",
    "ro",
    "root",
    "rw",
    "sandbox",
    "secondary",
    "stage",
    "staging",
    "stg",
    "us",
    "value",
    "writer",
];

const LONGEST: usize = 96;

/// Returns what a name says about what is assigned to it, or nothing where that is no secret.
pub fn secret_name(name: &[u8]) -> Option<Name> {
    let name = name.get(name.len().saturating_sub(LONGEST)..).unwrap_or_default();
    let mut buffer = [0; 2 * LONGEST];
    let words = words(name, &mut buffer);
    let family = family(words, name)?;
    let is_loud = !name.iter().any(u8::is_ascii_lowercase);
    // `API key: x` stands in sentences as `token: x` does.
    let is_word = (!words.contains('_') || name.contains(&b' ')) && !is_loud;
    Some(Name { family, is_word, is_pass: name.eq_ignore_ascii_case(b"pass") })
}

/// Whether a text is the name of a variable whose value is a secret, and so none itself.
pub fn is_variable(text: &[u8]) -> bool {
    text.contains(&b'_')
        && text.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && secret_name(text).is_some()
}

/// Returns the first word of a name.
pub fn first_word(name: &[u8]) -> String {
    let mut buffer = [0; 2 * LONGEST];
    let words = words(&name[..name.len().min(LONGEST)], &mut buffer);
    words.split('_').next().unwrap_or_default().to_owned()
}

/// Writes a name in small letters with `_` between its words: `dbPassword`, `DB-Password` and `db.password` are one name.
fn words<'b>(name: &[u8], buffer: &'b mut [u8; 2 * LONGEST]) -> &'b str {
    let mut length = 0;
    for (at, &byte) in name.iter().enumerate() {
        let byte = match byte {
            // Both bytes of `ñ` are one letter.
            0xc3 => continue,
            0xb1 | 0x91 => b'n',
            byte => byte,
        };
        let before = at.checked_sub(1).and_then(|before| name.get(before)).copied().unwrap_or(b'_');
        let after = name.get(at + 1).copied().unwrap_or(b'_');
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || before.is_ascii_uppercase() && after.is_ascii_lowercase());
        let is_letter = byte.is_ascii_alphanumeric();
        let is_open = length > 0 && buffer[length - 1] != b'_';
        if is_open && (begins || !is_letter) {
            buffer[length] = b'_';
            length += 1;
        }
        if is_letter {
            buffer[length] = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    std::str::from_utf8(&buffer[..length]).unwrap_or_default().trim_end_matches('_')
}

fn family(words: &str, name: &[u8]) -> Option<Family> {
    let words = without_endings(words);
    let mut reversed = words.rsplit('_');
    let last = reversed.next().unwrap_or_default();
    let before = reversed.next().unwrap_or_default();
    let ends_with = |list: &[&str]| list.iter().any(|word| last.ends_with(word));
    if ends_with(PASSWORDS) || SHORT_PASSWORDS.contains(&last) && !OTHER_PASSES.contains(&before) {
        return Some(Family::Password);
    }
    if words.ends_with("mot_de_passe") || words.ends_with("pass_phrase") {
        return Some(Family::Password);
    }
    if last.ends_with("creds")
        || last.ends_with("secret")
        || last.ends_with("credential")
        || last.ends_with("credentials")
    {
        return Some(Family::Secret);
    }
    if matches!(last, "secretstring" | "secretbinary")
        || before == "secret" && matches!(last, "string" | "binary")
    {
        return Some(Family::Secret);
    }
    if last == "auth" && matches!(before, "redis" | "rediscli" | "valkey") {
        return Some(Family::Password);
    }
    // AWS calls ids of requests tokens, and writes them in one word.
    let is_of_request = before == "client" && !name.iter().any(|byte| b"_-".contains(byte));
    let is_public = words.ends_with("public_key_token");
    if last == "token" && !OTHER_TOKENS.contains(&before) && !is_of_request && !is_public
        || ends_with(TOKENS)
        || name == b"_auth"
        || words.ends_with("registry_auth")
        || words.ends_with("erlang_cookie")
        || WHOLE_TOKENS.contains(&last)
        || last == "pat" && matches!(before, "github" | "gh" | "gitlab" | "azure" | "ado")
    {
        return Some(Family::Token);
    }
    let joined = last.strip_suffix("key").unwrap_or_default();
    let is_plural =
        last == "keys" && matches!(before, "api" | "app") && !name.iter().any(u8::is_ascii_lowercase);
    let is_key = is_plural
        || last == "key" && KEYS.contains(&before)
        || KEYS.contains(&joined)
        || KEYS.iter().any(|word| word.len() > 5 && joined.ends_with(word) || joined.ends_with("api"))
        || last == "base" && before == "key"
        || words.ends_with("service_role_key");
    is_key.then_some(Family::Key)
}

/// Takes off `_confirmation`, `_prod`, `_2` and the like.
fn without_endings(mut words: &str) -> &str {
    loop {
        let bare = words.trim_end_matches(|c: char| c.is_ascii_digit());
        let bare = bare.strip_suffix("_v").unwrap_or(bare).trim_end_matches('_');
        let ended =
            bare.rsplit_once('_').filter(|(_, last)| ENDINGS.contains(last)).map_or(bare, |(rest, _)| rest);
        if ended.is_empty() || ended == words {
            return words;
        }
        words = ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &str, family: Option<Family>) {
        for name in names.split_whitespace() {
            assert_eq!(secret_name(name.as_bytes()).map(|name| name.family), family, "{name}");
        }
    }

    #[test]
    fn names_of_secrets_are_known_however_they_are_written() {
        check(
            "password PASSWORD DB_PASSWORD dbPassword db-password db.password DBPassword PGPASSWORD passwd passphrase \
             DB_PASS SMTP_PASS pass MYSQL_PWD redis_pwd Pwd DB_PW new_password password2 password_confirmation \
             DB_PASSWORD_PROD SSH_PASSPHRASE requirepass dbpass keystore.password",
            Some(Family::Password),
        );
        check(
            "secret CLIENT_SECRET clientSecret client-secret clientsecret JWT_SECRET SecretString credentials \
             app.secret webhookSecret",
            Some(Family::Secret),
        );
        check(
            "token API_TOKEN apiToken authtoken AccessToken refresh_token id_token idToken GITHUB_TOKEN ghtoken \
             X-Auth-Token slackToken client_token VAULT_TOKEN token2",
            Some(Family::Token),
        );
        check(
            "RAILS_MASTER_KEY masterKey SECRET_KEY_BASE secret_key SECRET_KEY STRIPE_API_KEY X-Api-Key apikey apiKey \
             SecretAccessKey aws_secret_access_key PRIVATE_KEY privatekey JWT_SIGNING_KEY signingKey ENCRYPTION_KEY \
             encryptionKey APP_KEY FERNET_KEY AccountKey PRIVATE_KEY_PEM PRIVATE_KEY_BASE64 HMAC-Key APIKey",
            Some(Family::Key),
        );
    }

    #[test]
    fn names_of_other_things_are_left() {
        check(
            "key cache_key primary_key foreignKey public_key partitionKey monkey keys tokens max_tokens tokenizer \
             token_type nextToken next_token NextPageToken ClientRequestToken clientToken RequestToken tokenCount \
             PASSWORD_FILE password_hash passwordPolicy secret_name SECRET_ARN secretId secrets access_key_id \
             ACCESS_KEY_ID bypass compass passed proxy_pass fastcgi_pass tests_pass keyboard credentialProvider \
             password_encoder private_key_path kms_key KMS_KEY_ID invalidtoken \
             PublicKeyToken",
            None,
        );
    }
}
