use super::*;

#[test]
fn a_password_in_a_url_ends_at_its_last_at() {
    for (text, clean) in [
        ("postgres://shop:p@ss:Pa55@db", "postgres://shop:[redacted:url-password]@db"),
        ("redis://:p@ss@cache:6379/0", "redis://:[redacted:url-password]@cache:6379/0"),
        ("postgres://shop:pa/ss+d=@db:5432/shop", "postgres://shop:[redacted:url-password]@db:5432/shop"),
        ("postgres://shop:pa?s#s@db:5432/shop", "postgres://shop:[redacted:url-password]@db:5432/shop"),
        (
            "amqp://a:b1@c:1,amqp://a:b2@d:1",
            "amqp://a:[redacted:url-password]@c:1,amqp://a:[redacted:url-password]@d:1",
        ),
        ("jdbc:oracle:thin:shop/p@ss@db:1521/x", "jdbc:oracle:thin:shop/[redacted:url-password]@db:1521/x"),
        ("https://a:b1@c/d@e", "https://a:[redacted:url-password]@c/d@e"),
    ] {
        check(text, clean);
    }
    for text in [
        "http://127.0.0.1:8000/path@x",
        "http://localhost:5173/@vite/client",
        "http://[::1]:5173/@vite/client",
        "https://db.internal:8080?mail=a@b.internal",
        "postgres://shop:***@db",
        "postgres://shop:$PASSWORD@db",
        "postgres://shop:${PASSWORD}@db",
    ] {
        stays(text);
    }
}

#[test]
fn passwords_in_urls_of_stores_may_have_any_sign() {
    for (text, clean) in [
        ("postgres://app:p@ss/word@db/app", "postgres://app:[redacted:url-password]@db/app"),
        (
            "mysql+pymysql://app:p@s/s#x@db:3306/app",
            "mysql+pymysql://app:[redacted:url-password]@db:3306/app",
        ),
        ("mongodb+srv://a:b/c@d@h1/x?w=1", "mongodb+srv://a:[redacted:url-password]@h1/x?w=1"),
        ("mongodb://a:b@h1:27017,h2:27017/db", "mongodb://a:[redacted:url-password]@h1:27017,h2:27017/db"),
        ("postgres://a:b@db/app?user=x@y", "postgres://a:[redacted:url-password]@db/app?user=x@y"),
        ("redis://Zx9Qm4vT7kLp2Rw8@cache:6379", "redis://[redacted:url-password]@cache:6379"),
        (
            "https://0123456789abcdef0123@errors.internal/1",
            "https://[redacted:url-password]@errors.internal/1",
        ),
        (
            "url=https%3A%2F%2Fapp%3AZx9Qm4vT%40db%2Fx",
            "url=https%3A%2F%2Fapp%3A[redacted:url-password]%40db%2Fx",
        ),
    ] {
        check(text, clean);
    }
    for text in [
        "git clone ssh://git@github.com/shop/web.git",
        "https://deployment-user@registry.internal/v2/",
        "redis://default@cache:6379",
        "https://cdn.internal/npm/web@1.2.3/x.js",
        "mongodb://h1:27017,h2:27017/db",
    ] {
        stays(text);
    }
}

#[test]
fn tokens_are_known_by_how_they_begin() {
    let long = "Zx9Qm4vT7kLp2Rw8aBcDeFgHIjKlMnOpQrStUvWxYz0";
    let hex = "0123456789abcdef0123456789abcdef0123456789abcdef";
    for (text, kind) in [
        (format!("SG.Zx9Qm4vT7kLp2Rw8aBcDeg.{long}"), "api-token"),
        (format!("sk-ant-api03-{long}-AA"), "api-token"),
        (format!("sk-proj-{long}"), "api-token"),
        (format!("sk-{long}"), "api-token"),
        (format!("gsk_{long}"), "api-token"),
        (format!("hf_{long}"), "api-token"),
        (format!("hvs.CAESI{long}"), "api-token"),
        (format!("dp.st.prd.{long}"), "api-token"),
        (format!("dop_v1_{hex}"), "api-token"),
        (format!("shpat_{hex}"), "api-token"),
        (format!("lin_api_{long}"), "api-token"),
        (format!("glrt-{long}"), "api-token"),
        (format!("whsec_{long}"), "api-token"),
        ("1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawZ".to_owned(), "api-token"),
    ] {
        check(&format!("used {text} refused"), &format!("used [redacted:{kind}] refused"));
        check(&format!("\"{text}\""), &format!("\"[redacted:{kind}]\""));
    }
    check(
        "POST https://api.telegram.org/bot1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawZ/sendMessage 401",
        "POST https://api.telegram.org/bot[redacted:api-token]/sendMessage 401",
    );
    check(
        &format!("POST https://discord.com/api/webhooks/1234567890123456789/{long} 401"),
        "POST https://discord.com/api/webhooks/1234567890123456789/[redacted:webhook] 401",
    );
    check(
        &format!("https://acme.webhook.office.com/webhookb2/6b1f@6b1f/IncomingWebhook/{long}/6b1f7a1e"),
        "https://acme.webhook.office.com/webhookb2/6b1f@6b1f/IncomingWebhook/[redacted:webhook]",
    );
    check(&format!("AGE-SECRET-KEY-1{}", hex.to_ascii_uppercase()), "AGE-SECRET-KEY-[redacted:private-key]");
    for text in [
        "msg.level.warning changed",
        "the task-definition-revision-with-a-long-name-0123456789",
        "disk sk-1 is full",
        "half_open_connections_of_the_pool_of_the_shop",
        "mac 00:AA:12:34:56:78",
        "https://discord.com/api/webhooks/",
    ] {
        stays(text);
    }
}

#[test]
fn signatures_and_sessions_are_removed() {
    check(
        "https://x.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sp=r&sig=Zx9Qm4vT7kLp2Rw8aBcDeFgH%2BIjKlMnOp%3D",
        "https://x.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sp=r&sig=[redacted:signature]",
    );
    check(
        "k?X-Amz-Security-Token=IQoJb3JpZ2luX2VjZx9Qm4vT7kLp2Rw8&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0 failed",
        "k?X-Amz-Security-Token=[redacted:aws-session-token]&X-Amz-Signature=[redacted:signature] failed",
    );
    check("a\\u0026sig=Zx9Qm4vT7kLp2Rw8aBcDeFgH\"", "a\\u0026sig=[redacted:signature]\"");
    check("/x;jsessionid=0123456789ABCDEF?a=b", "/x;jsessionid=[redacted:session]?a=b");
    stays("kill sig=9");
    stays("?sig=invalid");
}

#[test]
fn the_rest_of_a_key_whose_beginning_is_cut_off_is_removed() {
    let line = "MIIEowIBAAKCAQEAZx9Qm4vT7kLp2Rw8MIIEowIBAAKCAQEAZx9Qm4vT7kLp2Rw8";
    for break_ in ["\n", "\\n", "\r\n"] {
        check(
            &format!("{line}{break_}{line}{break_}Zx9Q=={break_}-----END RSA PRIVATE KEY-----{break_}next"),
            &format!("[redacted:private-key]{break_}-----END RSA PRIVATE KEY-----{break_}next"),
        );
    }
    stays("-----END RSA PRIVATE KEY-----");
    stays("-----END CERTIFICATE-----");
}

#[test]
fn a_key_that_was_cut_off_takes_no_log_with_it() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let begin = "-----BEGIN RSA PRIVATE KEY-----";
    check(&format!("{begin}\n{line}\n{line}\npanic: x"), &format!("{begin}[redacted:private-key]\npanic: x"));
    check(&format!("{begin}\nProc-Type: 4,ENCRYPTED\n\n{line}"), &format!("{begin}[redacted:private-key]"));
    check(&format!("k=\"{begin}\\n{line}\\nab\" y"), &format!("k=\"{begin}[redacted:private-key]\\nab\" y"));
    stays(
        "key must start with -----BEGIN RSA PRIVATE KEY-----\nFATAL dial tcp 10.0.0.6:5432: connection refused",
    );
    stays("-----BEGIN RSA PRIVATE KEY-----\n***\nexit status 1");
}

#[test]
fn tokens_are_known_behind_escapes_and_colours() {
    let token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    for before in ["\\n", "\\t", "\\u001b[32m", "\\x22", "%3D", "KEY_", "密"] {
        check(&format!("{before}{token}"), &format!("{before}[redacted:github-token]"));
    }
    check("keys:\\nAKIAIOSFODNN7EXAMPLE\\nend", "keys:\\n[redacted:aws-access-key]\\nend");
    stays("highp_precision");
}

#[test]
fn names_of_two_words_and_of_vendors_are_names() {
    hides("API key: ‹0a1b2c3d4e5f6071›");
    hides("Secret Access Key: ‹Zx9Qm4vT7kLp2Rw8aBcDeFgHIj›");
    hides("OPENAI_KEY=‹hunter›");
    hides("rootpw=‹hunter›");
    hides("GITHUB_PAT=‹hunter›");
    hides("REDIS_AUTH=‹hunter›");
    hides("DB_PASSWORD_READER=‹hunter›");
    check("DSN=app:hunter@tcp(db:3306)/shop", "DSN=app:[redacted:url-password]@tcp(db:3306)/shop");
    stays("API key: missing");
    stays("access key: rotated yesterday");
}

#[test]
fn what_starts_with_a_bracket_may_be_a_password() {
    hides("DB_PASSWORD=‹(Zx9Qm4vT7kLp›");
    hides("\"POSTGRES_PASSWORD=‹{Zx9Qm4vT7kLp›\",");
    stays("DB_PASSWORD=(none");
    stays("password={host: db");
}

#[test]
fn what_describes_a_secret_is_none() {
    stays("GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D");
    stays("existingSecret: db-credentials");
    stays("DB_SECRET=prod/db");
    stays("UPDATE users SET password = $1 WHERE token = :token");
    stays("usage: app [--password PASSWORD] [--token TOKEN]");
    stays("   PASS  Tests\\Unit\\ExampleTest");
    stays("    connect(host, password=password, api_key=api_key)");
    stays("'password' => env('DB_PASSWORD'),");
    stays("password = random_password.db.result");
    stays("password = models.CharField(max_length=128)");
    stays("password: z.string().min(8)");
    stays("DB_PASSWORD=<your password>");
    stays("Authorization: Bearer YOUR_TOKEN");
    stays("first pass: 120ms");
}

#[test]
fn pairs_settings_and_sentences_are_known() {
    hides("[('host', 'db'), ('password', '‹hunter22x9›')]");
    hides("[(b'host', b'x'), (b'x-api-key', b'‹Zx9Qm4vT7kLp2Rw8›')]");
    hides("define( 'DB_PASSWORD', '‹hunter22x9›' );");
    hides("fastcgi_param DB_PASSWORD \"‹hunter›\";");
    hides("logging in as admin with password ‹O6hQCZ46DK8!y›");
    hides("token ‹RO2aq5opAEMpc0ZYzYXrmMsoDt7tteKf› is expired");
    hides("password     | ‹1oI1~MpCmXqdx›");
    hides("{\"db_password\":{\"sensitive\":true,\"type\":\"string\",\"value\":\"‹hunter›\"}}");
    hides("{\\x22user\\x22:\\x22jane\\x22,\\x22password\\x22:\\x22‹hunter›\\x22}");
    hides("+ aws ssm put-parameter --type SecureString --name /x/y --value ‹hunter›");
    hides("+ kubectl create secret generic db --from-literal=conn=‹hunter›");
    hides("A temporary password is generated for root@localhost: ‹hunter2x›");
    hides("docker login -u jane -p‹hunter2x› db");
    check("TLS_KEY_B64=LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2", "TLS_KEY_B64=[redacted:private-key]");
    stays("required: [\"password\", \"email\"]");
    stays("the password field");
    stays("token refresh scheduled");
    stays("password     | string");
}
