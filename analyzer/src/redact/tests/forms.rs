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
