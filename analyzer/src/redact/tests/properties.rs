use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4096,
        rng_seed: RngSeed::Fixed(0x006d_6564_6963),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Feature: deployment-infrastructure-reliability, Property 24: redacting twice is redacting once
    #[test]
    fn redacting_twice_is_redacting_once(pieces in prop::collection::vec(piece(), 1..14)) {
        let text = pieces.concat();
        let once = redact(&text, &mut Redactions::new()).into_owned();
        let mut second = Redactions::new();
        prop_assert_eq!(&redact(&once, &mut second), &once, "of {}", text);
        prop_assert!(second.is_empty());
    }

    /// Feature: deployment-infrastructure-reliability, Property 26: a secret that is assigned to a name is removed
    #[test]
    fn what_is_assigned_is_removed(name in name(), shape in shape(), secret in secret(), around in around()) {
        let text = format!("{}{}{}", around.0, shape.replace("NAME", name).replace('§', &secret), around.1);
        let mut counted = Redactions::new();
        let clean = redact(&text, &mut counted).into_owned();
        prop_assert!(!clean.contains(&secret), "{} became {}", text, clean);
        prop_assert_eq!(counted.values().sum::<u64>(), clean.matches("[redacted:").count() as u64);
    }
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "password",
        "DB_PASSWORD",
        "dbPassword",
        "DB_PASS",
        "MYSQL_PWD",
        "token",
        "API_TOKEN",
        "client_secret",
        "secret",
        "X-Api-Key",
        "RAILS_MASTER_KEY",
        "credentials",
        "spring.datasource.password",
        "SECRET_KEY_BASE",
    ])
}

fn shape() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "NAME=§",
        "NAME='§'",
        "NAME=\"§\"",
        "NAME = \"§\"",
        "NAME: §",
        "NAME: '§'",
        "NAME => §",
        ":NAME=>\"§\"",
        "{\"NAME\":\"§\"}",
        "{\\\"NAME\\\": \\\"§\\\"}",
        "{host: db, NAME: §}",
        "--NAME §",
        "{\"name\":\"NAME\",\"value\":\"§\"}",
        "{\n \"Value\": \"§\",\n \"Name\": \"NAME\"\n}",
        "<NAME>§</NAME>",
        "postgres://shop:§@db",
        "mysql -u root -p§",
        "curl -u shop:§ http://db",
        "docker login -p § db",
        "IDENTIFIED BY '§'",
        "ALTER ROLE shop PASSWORD '§'",
        "[\"NAME=§\"]",
    ])
}

/// A generated password, without what only some shapes can hold; what ends in `-a0a` would be a name as `shop-e2e` is.
fn secret() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9!#%*+_~^-]{5,19}[A-Za-z0-9][0-9][A-Za-z]{2}"
}

fn around() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("", ""),
        ("2026-05-12T09:14:25Z INFO ", " DB_HOST=db"),
        ("a\n", "\nb"),
        ("started with {", "}"),
        ("[", "]"),
        ("cmd: ", ", x: y"),
    ])
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (name(), shape(), secret()).prop_map(|(name, shape, secret)| shape.replace("NAME", name).replace('§', &secret)),
        3 => name().prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            " ", "\n", "=", ": ", ":", " => ", "\"", "'", "\\\"", "\\n", "{", "}", "[", "]", "(", ")", ",", ";", "&", "|", "->", " -> ",
            "[redacted:password]", "[redacted:jwt]", "--", "-p ", "curl -u ", "a:b@c", "://", "Some(", "value: ", "name: ", "<", ">", "$", "é",
            "\"name\": ", "\"value\": ", "null", "hunter", "x", "\\u0022", "&quot;", "''", "-----BEGIN PRIVATE KEY-----", "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "cookie: ", "\"set-cookie\":[", "sid=", "; ", "authorization: ", "Token ", "password: |-\n  ", "\n  ", "\t", "  ", " | ", "==", "=~",
            "INSERT INTO u (a, password) VALUES ('a', '", "')", "parameters: (", "%3D", "%22", "%26", "rejected value [", "input_value='",
            " with value \"", "Invalid value ", " but got '", "invalid value 'x' for ", "[+] ", " is ", ";PWD={", "\"auth\":\"YTpi\"",
            "&sig=", "\"path\": [", "received: ", "<name>", "</name><value>", "key=\"", "echo ", " | docker login --password-stdin",
            "aws configure set ", "postgres://a:b/", "@c/", "-----END PRIVATE KEY-----", "PDO->__construct('a', 'b', ",
        ]).prop_map(str::to_owned),
        2 => "[ -~]{0,8}",
        2 => "[A-Za-z0-9]{1,12}",
    ]
}
