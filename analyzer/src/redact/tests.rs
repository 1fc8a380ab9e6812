use super::*;

mod commands;
mod formats;
mod forms;
mod properties;
mod said;

#[test]
fn every_word_is_long_enough_to_be_found() {
    let words = RULES
        .iter()
        .flat_map(|rule| rule.words)
        .filter(|word| **word != "@")
        .chain(NAMES)
        .chain(names::PASSWORDS);
    for word in words {
        let is_followed = SHORT.iter().any(|(short, _)| short == word);
        assert!(word.len() > NARROW || word.len() == NARROW && is_followed, "{word:?}");
    }
    for (word, _) in SHORT {
        assert!(word.len() >= NARROW, "{word:?}");
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let mut redactions = Redactions::new();
    assert_eq!(redact(text, &mut redactions), expected);
    assert_eq!(redact(expected, &mut redactions.clone()), expected, "twice is once");
    assert_eq!(redactions.is_empty(), text == expected);
}

#[track_caller]
fn stays(text: &str) {
    check(text, text);
}

/// Checks that what stands between ‹ and › is removed, and nothing else.
#[track_caller]
fn hides(marked: &str) {
    let text = marked.replace(['‹', '›'], "");
    let mut expected = String::new();
    for (index, part) in marked.split(['‹', '›']).enumerate() {
        expected.push_str(if index % 2 == 0 { part } else { "[redacted:password]" });
    }
    check(&text, &expected);
}

#[test]
fn secrets_are_removed() {
    check("key AKIAIOSFODNN7EXAMPLE used", "key [redacted:aws-access-key] used");
    check("postgres://app:hunter2@db.internal/app", "postgres://app:[redacted:url-password]@db.internal/app");
    check("DB_PASSWORD=hunter2 DB_HOST=db", "DB_PASSWORD=[redacted:password] DB_HOST=db");
    check(r#"{"password": "hunter2"}"#, r#"{"password": "[redacted:password]"}"#);
    check("Server=db;User Id=sa;Password=hunter2;", "Server=db;User Id=sa;Password=[redacted:password];");
    check("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [redacted:bearer-token]");
    check("xoxb-123456789012-abcdef", "[redacted:slack-token]");
    check("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted:github-token]");
    check(
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----[redacted:private-key]-----END RSA PRIVATE KEY-----",
    );
    check("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[redacted:jwt]");
}

#[test]
fn a_form_is_known_however_it_is_linked_to_its_name() {
    for link in ["=", ": ", " => ", "\":\"", "\\\":\\\"", "\"=>\""] {
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        check(
            &format!("AWS_SECRET_ACCESS_KEY{link}{key}"),
            &format!("AWS_SECRET_ACCESS_KEY{link}[redacted:aws-secret-key]"),
        );
        check(
            &format!("authorization{link}Basic c2hvcDpQYTU1"),
            &format!("authorization{link}Basic [redacted:bearer-token]"),
        );
    }
}

#[test]
fn a_name_needs_no_other_hint_beside_it() {
    hides("access-key=‹0a1b2c3d4e›");
    hides("encryptionKey: '‹0a1b2c3d4e›'");
    hides("encryption_key=‹0a1b2c3d4e›");
}

#[test]
fn what_is_assigned_to_a_name_is_removed() {
    for name in [
        "password",
        "db_passwd",
        "PASSPHRASE",
        "my-pwd",
        "secret",
        "secret_key",
        "SECRET_KEY_BASE",
        "auth-token",
        "ACCESS_TOKEN",
        "refreshToken",
        "id_token",
        "apitoken",
        "GITHUB_TOKEN",
        "ghtoken",
        "token",
        "x_token",
        "apiKey",
        "api-key",
        "api_key",
        "accesskey_secret",
        "accesskey",
        "access-key",
        "encryption-key",
        "encryptionKey",
        "privateKey",
        "private_key",
        "client-secret",
        "credential",
        "credentials",
        "app.secret.key",
        "DB_PASS",
        "SMTP_PASS",
        "MYSQL_PWD",
        "redis_pwd",
        "pass",
        "pwd",
        "RAILS_MASTER_KEY",
        "masterKey",
        "STRIPE_API_KEY",
        "JWT_SIGNING_KEY",
        "signingKey",
        "TLS_PRIVATE_KEY",
        "client_secret",
        "clientSecret",
        "DB_PW",
        "DB_PASSWORD_2",
        "password_confirmation",
        "spring.datasource.password",
        "X-Api-Key",
    ] {
        for shape in [
            "NAME=‹hunter22›",
            "NAME = '‹hunter22›'",
            "NAME=\"‹hunter 22›\"",
            r#"{"NAME": "‹hunter22›"}"#,
            r#"{"NAME":"‹hunter22›","a":1}"#,
            r#"{"log":"{\"NAME\":\"‹hunter22›\"}"}"#,
            "NAME:  ‹hunter22›",
            "\"NAME\" => \"‹hunter22›\"",
            ":NAME=>\"‹hunter22›\"",
            "NAME => ‹hunter22›",
            "{host: db, NAME: ‹hunter22›}",
            "{host: db, NAME: ‹hunter22›, port: 1}",
            "2026-05-12T09:14:25Z INFO NAME: ‹hunter22›",
            "services:\n  web:\n    NAME: ‹hunter22›\n    port: 1",
            "/?user=a&NAME=‹hunter22›&b=c",
            "user[NAME]=‹hunter22›&b=c",
            "env: [\"A=b\",\"NAME=‹hunter22›\"]",
            r#"{"name":"NAME","value":"‹hunter22›"}"#,
            r#"{"value":"‹hunter22›","name":"NAME"}"#,
            "deploy --NAME ‹hunter22› --stage prod",
            "deploy --NAME=‹hunter22› --stage prod",
        ] {
            hides(&shape.replace("NAME", name));
        }
    }
}

#[test]
fn values_of_hashes_are_removed_with_their_quotes_left() {
    hides(r#"{:host=>"db", :password=>"‹Pa55w0rdY2›", :port=>5432}"#);
    hides(r#"{"password"=>"‹Pa55w0rdY2›"}"#);
    hides("password => ‹x1y2›, port => 1");
    hides("[password] => ‹hunter›");
    hides("[\"password\"]=>\n  string(6) \"‹hunter›\"");
    hides("{'password': '‹hunter›', 'user': 'shop'}");
    hides("map[password:‹hunter› user:shop]");
    hides("&{User:shop Password:‹hunter› Host:db}");
    hides("Config { user: \"shop\", password: Some(\"‹hunter›\") }");
    hides("Config(user=shop, password=‹hunter›, ssl=true)");
    hides(r#"{"headers":{"x-api-key":["‹hunter›","‹hunter2›"]}}"#);
    hides(r#"{"password":{"S":"‹hunter›"}}"#);
    hides("+ password = \"‹old one›\" -> \"‹new one›\"");
    hides("<user>shop</user><password>‹hunter›</password>");
    hides("msg={\\u0022password\\u0022:\\u0022‹hunter›\\u0022}");
    hides("{&quot;password&quot;:&quot;‹hunter›&quot;}");
    check(r#"{"password":123456,"a":1}"#, r#"{"password":"[redacted:password]","a":1}"#);
}

#[test]
fn quotes_inside_a_value_do_not_end_it() {
    hides(r#"password="‹a \"b›" host=db"#);
    hides(r#"password="‹a \"b c›""#);
    hides(r"password='‹it\'s›' host=db");
    hides(r#"{"password":"‹a \"b›","host":"db"}"#);
    hides(r#"{"log":"{\"password\":\"‹a \\\"b›\",\"host\":\"db\"}"}"#);
    hides(r#"{"log":"password=\"‹a b›\" host=db"}"#);
    hides("DB_PASSWORD=‹a\"b'c,d;e&f(g)h› DB_HOST=db");
    hides("password=\"‹hunter› at the end of what was cut");
}

#[test]
fn a_value_ends_where_its_line_does() {
    hides("DB_PASSWORD=‹hunter›\nDB_HOST=db");
    hides(r#"{"log":"DB_PASSWORD=‹hunter›\nDB_HOST=db\n"}"#);
    hides(r#"{"log":"DB_PASSWORD: ‹hunter›\nDB_HOST: db\n"}"#);
    hides(r#"{"log":"a\nDB_PASSWORD: ‹hunter›\n","stream":"stdout"}"#);
    stays("PASSWORD=\nDB_HOST=db");
    stays("PASSWORD= DB_HOST=db");
}

#[test]
fn entries_of_an_environment_are_removed() {
    hides(r#"{"name":"DB_PASSWORD","value":"‹x1›"}"#);
    hides(r#"{"Name": "DB_PASSWORD", "Value": "‹x1›"}"#);
    hides(r#"{"value": "‹x1›", "name": "DB_PASSWORD"}, {"value": "db", "name": "DB_HOST"}"#);
    hides(
        r#"{"name":"DB_HOST","value":"db"},{"name":"DB_PASSWORD","value":"‹x1›"},{"name":"A","value":"b"}"#,
    );
    hides(
        "\"environment\": [\n  {\n    \"name\": \"DB_PASSWORD\",\n    \"value\": \"‹x1›\"\n  },\n  {\n    \"name\": \"A\",\n    \"value\": \"b\"\n  }\n]",
    );
    hides("{\n  \"value\": \"‹x1›\",\n  \"name\": \"DB_PASSWORD\"\n}");
    hides(r#"{"log":"{\n  \"name\": \"DB_PASSWORD\",\n  \"value\": \"‹x1›\"\n}"}"#);
    hides(r#"{"Name":"/prod/db/password","Type":"SecureString","Value":"‹x1›","Version":1}"#);
    hides(r#"{"Value":"‹x1›","Type":"SecureString","Name":"/prod/db/password"}"#);
    hides(r#"{"ParameterKey":"DbPassword","ParameterValue":"‹x1›"}"#);
    hides("ParameterKey=DbPassword,ParameterValue=‹x1› ParameterKey=A,ParameterValue=b");
    hides("{Name: DB_PASSWORD, Value: ‹x1›}");
    hides("KeyValuePair(Name=DB_PASSWORD, Value=‹x1›)");
    hides("KeyValuePair { name: Some(\"DB_PASSWORD\"), value: Some(\"‹x1›\") }");
    hides("- name: A\n  value: b\n- name: DB_PASSWORD\n  value: ‹x1›\n- name: C\n  value: d");
    hides("+ name  = \"DB_PASSWORD\"\n+ value = \"‹x1›\"");
    hides("<add key=\"DbPassword\" value=\"‹x1›\"/>");
    hides(r#"{"key":"api_key","value":{"stringValue":"‹x1›"}}"#);
    hides("aws ssm put-parameter --name /prod/db/password --value ‹x1› --type SecureString");
    hides("[\"A=b\", \"DB_PASSWORD=‹x y›\", \"TZ=UTC\"]");
    hides("docker run -e \"DB_PASSWORD=‹x y›\" web");
    hides("Property: app.api-key\n    Value: \"‹x1›\"");
}

#[test]
fn entries_that_refer_to_secrets_stay() {
    stays(r#"{"name":"DB_PASSWORD","valueFrom":"arn:aws:ssm:eu-west-1:111122223333:parameter/db"}"#);
    stays(r#"{"name":"DB_PASSWORD","value":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:db"}"#);
    stays(r#"[{"name":"DB_PASSWORD"},{"name":"A","value":"b"}]"#);
    stays("- name: A\n  value: b\n- name: DB_PASSWORD\n  valueFrom: c\n- name: D\n  value: e");
    stays(r#"{"name":"password","type":"string"}, {"value":"b"}"#);
}

#[test]
fn settings_are_found_behind_what_introduces_them() {
    hides("2026-05-12T09:14:25Z INFO starting with DB_PASSWORD: ‹hunter›");
    hides("config {host: db, password: ‹hunter›}");
    hides("config: host: db, password: ‹hunter›, port: 1");
    hides("GET /v1 X-Api-Key: ‹hunter›");
    hides("DB_PASSWORD: ‹Pa55w0rd› is used for the database");
    hides("Using generated security password: ‹8e5c1b2a-77aa-4c1d-9a3e-0b1c2d3e4f5a›");
    hides("temporary password: ‹Pa55w0rd›");
    hides("- password: ‹hunter›");
    hides("#9 [2/5] ENV DB_PASSWORD ‹hunter›");
    hides("ENV['DB_PASSWORD'] ||= '‹hunter›'");
    hides("DB_PASSWORD ?= ‹hunter›");
    hides("{\"msg\":\"password: ‹hunter›\"}");
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    for text in [
        "Access denied for user 'app'@'10.0.0.1' (using password: YES)",
        "Access denied for user 'app'@'10.0.0.1' (using password: NO)",
        "password authentication failed for user \"app\"",
        "PASSWORD=${DB_PASSWORD}",
        "PASSWORD=$DB_PASSWORD",
        "GH_TOKEN=***",
        "DB_PASSWORD=****",
        "password=NO",
        "password: required",
        "password=null token=none secret= api_key=\"\" enabled=true",
        r#"{"password":null,"token":"","secret":false}"#,
        "Missing `secret_key_base` for 'production' environment",
        "unable to retrieve secret from asm: service call has been retried",
        "http://127.0.0.1:8000/path@x",
        "KeyError: 'SECRET_KEY'",
        "pass=3 fail=0 skip=1",
        "{\"pass\":3,\"fail\":0}",
        "PASS: TestCheckout (0.01s)",
        "--- PASS: TestCheckout (0.01s)",
        "# pass 12",
        "tokens: 512",
        "max_tokens=512, token=512",
        "token expired",
        "token: expired",
        "key: value",
        "key=value",
        "cache_key: users-1",
        "SyntaxError: Unexpected token: }",
        "Unexpected token: string (foo)",
        "line 3: DB_PASSWORD: unbound variable",
        "DB_PASSWORD: must be set",
        "JWT_SECRET: [ 'Required' ]",
        "{\"JWT_SECRET\":\"String must contain at least 32 character(s)\"}",
        "operation error ECR: GetAuthorizationToken: AccessDeniedException",
        "failed to get auth token: Get \"https://auth.internal\": timeout",
        "failed to fetch anonymous token: unexpected status: 401 Unauthorized",
        "cannot read token: x509: certificate signed by unknown authority",
        "open /run/secrets/db_password: no such file or directory",
        "DB_PASSWORD_FILE=/run/secrets/db_password",
        "PWD=/usr/src/app",
        "DB_PASSWORD=arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf",
        "secret: arn:aws:ssm:eu-west-1:111122223333:parameter/prod/db",
        "fetching secret:prod/db-AbCdEf from secrets manager: AccessDeniedException: not allowed",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf",
        "cannot find secret: prod/web/db",
        "(Service: Ecs, Request ID: 0a, Token: 0, RequestToken: 7f6c1a2b-0000, HandlerErrorCode: NotStabilized)",
        "permissions: { id-token: write, contents: read }",
        "password: Option<String>",
        "fn read(token: &str) -> Token",
        "connect(host=host, password=settings.DB_PASSWORD)",
        "token = os.environ[\"API_TOKEN\"]",
        "password = get_secret(\"prod/db\")",
        "image registry.internal/auth-token:1.2.3",
        "pulling api-token:latest",
        "Credential=[redacted:aws-access-key]/20260512/eu-west-1/ecr/aws4_request",
        "NextToken=abcdefgh1234",
        "proxy_pass: http://web:8080",
        "if password == other:",
        "Token::parse failed",
        "at Password.check (password.js:10:3)",
    ] {
        stays(text);
    }
}
