//! What formats write: headers, blocks, differences, tables.

use super::*;

#[test]
fn keys_in_headers_are_removed() {
    hides(r#"{"authorization":"‹Zx9Qm4vT7kLp2Rw8aBcD1234›"}"#);
    hides(r#"{\"Authorization\":\"‹Zx9Qm4vT7kLp2Rw8aBcD›\"}"#);
    hides("      Authorization: '‹Zx9Qm4vT7kLp2Rw8aBcD›',");
    hides("authorization: ‹Zx9Qm4vT7kLp2Rw8aBcD›");
    hides("Authorization: GenieKey ‹eb243592-faa2-4ba2-a551-1afdf565c889›");
    hides(r#"{"authorization":["‹Zx9Qm4vT7kLp2Rw8aBcD›"]}"#);
    hides("['Authorization', '‹Zx9Qm4vT7kLp2Rw8aBcD›']");
    hides("(b'authorization', b'‹Zx9Qm4vT7kLp2Rw8aBcD›')");
    hides("  'x-api-key': '‹hunter›',");
    for text in [
        "authorization: required",
        "Authorization: failed for user shop",
        "authorization: https://auth.internal/oauth2/authorize",
        "The authorization header is malformed; the authorization component is empty",
        r#"{"authorization":"none"}"#,
        r#"{"authorization":"custom-authorizer"}"#,
        "CORS: headers Authorization, Content-Type",
    ] {
        stays(text);
    }
}

#[test]
fn sessions_in_cookies_are_removed() {
    hides("Cookie: connect.sid.x=‹s%3AZx9Qm4vT7kLp2Rw8aBcDeFgH.2bXyZ9%2Fabcdef›; theme=dark");
    hides(r#"{"cookie":"sessionid=‹Zx9Qm4vT7kLp2Rw8aBcDeFgH›; csrftoken=‹aaa›","host":"x"}"#);
    hides(r#"{\"cookie\":\"sessionid=‹Zx9Qm4vT7kLp2Rw8aBcDeFgH›; theme=dark\",\"host\":\"x\"}"#);
    hides("      Cookie: 'sessionid=‹Zx9Qm4vT7kLp2Rw8aBcDeFgH›'");
    hides(
        "Set-Cookie: sid=‹Zx9Qm4vT7kLp2Rw8aBcDeFgH›; path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly",
    );
    hides(r#"{"set-cookie":["sid=‹Zx9Qm4vT7kLp›; Path=/","auth=‹b›; Secure"],"a":"b=c1d2e3"}"#);
    hides("curl -H 'Cookie: sid=‹Zx9Qm4vT7kLp›' http://a=b1c2d3e4.internal");
    stays("Set-Cookie: theme=dark; path=/");
    stays("cookie: rejected, because it has no domain");
}

#[test]
fn blocks_of_yaml_are_removed() {
    hides("db:\n  password: |-\n    ‹hunter›\n  host: db");
    hides("DB_PASSWORD: >\n  ‹hunter›\n\n  ‹two›\nDB_HOST: db");
    hides("- password: |\n    ‹hunter 2›\n- host: db");
    hides(r#"{"log":"password: |\n  ‹hunter›\nhost: db\n"}"#);
    stays("password: |\nhost: db");
    stays("DB_PASSWORD: |");
}

#[test]
fn elements_and_docker_configurations_are_removed() {
    hides("<entry key=\"db.password\">‹hunter›</entry>");
    hides("<property name='api_key'>‹hunter›</property>");
    hides("<property><name>fs.s3a.secret.key</name><value>‹hunter›</value></property>");
    hides("<key>password</key>\n<string>‹hunter›</string>");
    hides(r#"{"auths":{"ghcr.io":{"auth":"‹YXBwOlN1cGVyU2VjcmV0MTIzIQ==›"}}}"#);
    hides(r#"{\"ghcr.io\":{\"auth\":\"‹YXBwOlN1cGVyU2VjcmV0MTIzIQ==›\"}}"#);
    hides("//npm.internal/:_auth=‹YXBwOlN1cGVyU2VjcmV0MTIzIQ==›");
    hides("_auth = ‹YXBwOlN1cGVyU2VjcmV0MTIzIQ==›");
    hides("//npm.internal/:_authToken=‹hunter›");
    hides("//npm.internal/:_password=\"‹aHVudGVy›\"");
    stays(r#"{"auth":"disabled"}"#);
    stays(r#"{"auth":"oauth2"}"#);
    stays("always-auth=true");
    stays("<entry key=\"db.password\">${DB_PASSWORD}</entry>");
    stays("<label for=\"password\">Password</label>");
}

#[test]
fn both_sides_of_a_difference_are_removed() {
    hides("~ {\n    name  = \"DB_PASSWORD\"\n  ~ value = \"‹old one›\" -> \"‹new one›\"\n  },");
    hides("~ {\n  ~ value = \"‹old one›\" -> \"‹new one›\"\n    name  = \"DB_PASSWORD\"\n  },");
    hides("[ ] \"Name\": \"DB_PASSWORD\",\n[-] \"Value\": \"‹x1›\"\n[+] \"Value\": \"‹x2›\"\n[ ] }");
    hides("\"Name\": \"DB_PASSWORD\" [+]       \"Value\": \"‹x2›\"");
    hides("   \"Name\": \"DB_PASSWORD\",\n-  \"Value\": \"‹x1›\"\n+  \"Value\": \"‹x2›\"");
    stays("~ {\n    name  = \"DB_HOST\"\n  ~ value = \"a\" -> \"b\"\n  },");
}

#[test]
fn tables_and_arrows_are_removed() {
    hides("ENVIRONMENT\tDB_PASSWORD\t‹hunter›");
    hides("  ENVIRONMENT\tDB_PASSWORD\t‹Zx9Qm4vT7kLp2Rw8›\nENVIRONMENT\tDB_HOST\tdb");
    hides("DB_HOST       db\nDB_PASSWORD   ‹hunter›\nDB_PORT       5432");
    hides("db.password   ‹Zx9Qm4vT7›");
    hides("| DB_PASSWORD | ‹Zx9Qm4vT7› |");
    hides("||||  DB_PASSWORD |  ‹Zx9Qm4vT7›  ||||");
    hides("DB_PASSWORD -> ‹hunter›");
    hides("DB_PASSWORD => ‹hunter›");
    hides("DB_PASSWORD → ‹hunter›");
    for text in [
        "SECRETS\tDB_PASSWORD\tarn:aws:ssm:eu-west-1:111122223333:parameter/db",
        "TOKEN   USER   AGE",
        "DB_PASSWORD   SecureString   3",
        "DB_PASSWORD   Updated 3 days ago",
        "DB_PASSWORD   The password of the database",
        "  DB_PASSWORD    prod/web/db",
        "token   expired",
        "fn token() -> String",
        "password -> hash",
        "API_TOKEN    required",
    ] {
        stays(text);
    }
}

#[test]
fn urls_in_urls_are_removed() {
    hides("body: user%3Dapp%26password%3D‹Zx9Qm4vT7›");
    hides("next=%2Flogin%3Ftoken%3D‹Zx9Qm4vT7›%26a%3Db");
    hides("%7B%22password%22%3A%22‹hunter›%22%7D");
    hides("a%253Fpassword%253D‹hunter›");
    stays("a%26password%3D");
    stays("the password%20field");
}

#[test]
fn values_in_braces_are_removed() {
    hides("Server=db;UID=sa;PWD={‹hunter2›};Encrypt=yes");
    hides("Server=db;UID=sa;PWD={‹Zx9;Qm}}4v›};Encrypt=yes");
    stays("Server=db;UID=sa;PWD={password};Encrypt=yes");
}

#[test]
fn names_of_other_languages_are_known() {
    hides("DB_PASSWORT=‹hunter›");
    hides("kennwort: ‹hunter›");
    hides("MOT_DE_PASSE=‹hunter›");
    hides("db.motdepasse=‹hunter›");
    hides("contraseña: ‹hunter›");
    hides("DB_CONTRASEÑA=‹hunter›");
    hides(r#"{"contrasena":"‹hunter›"}"#);
}

#[test]
fn tokens_that_are_no_secrets_stay() {
    for name in [
        "correlationToken",
        "correlation_token",
        "traceToken",
        "request-token",
        "continuationToken",
        "nextToken",
        "idempotencyToken",
        "pageToken",
        "cursor_token",
    ] {
        stays(&format!("{name}=8e5c1b2a-77aa-4c1d-9a3e-0b1c2d3e4f5a"));
        stays(&format!("\"{name}\": \"8e5c1b2a-77aa-4c1d-9a3e-0b1c2d3e4f5a\""));
    }
}
