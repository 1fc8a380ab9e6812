//! What validators and sentences tell.

use super::*;

#[test]
fn what_validators_tell_is_removed() {
    hides(
        "Config validation error: \"DB_PASSWORD\" with value \"‹hunter›\" fails to match the required pattern: /^[a-z]+$/",
    );
    hides("{\"message\":\"\\\"DB_PASSWORD\\\" with value \\\"‹hunter›\\\" fails to match\"}");
    hides("    DB_PASSWORD: Invalid value \"‹hunter›\"");
    hides("spec.db.password: Invalid value: \"‹hunter›\": must be longer");
    hides(
        "Settings\nsecret_key\n  String should have at least 32 characters [type=string_too_short, input_value='‹hunter›', input_type=str]",
    );
    hides(
        "Settings\ndb.password\n  Input should be longer [type=x, input_value='‹hunter›', input_type=str]\nport\n  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]",
    );
    hides("Field error in object 'app' on field 'password': rejected value [‹hunter›]; codes [Size]");
    hides("[{\"code\":\"too_small\",\"path\":[\"DB_PASSWORD\"],\"received\":\"‹hunter›\"}]");
    hides(
        "{ received: '‹hunter›', code: 'invalid_enum_value', options: [ 'a', 'b' ], path: [ 'DB_PASSWORD' ] }",
    );
    hides(
        "{\"type\":\"string_too_short\",\"loc\":[\"body\",\"password\"],\"msg\":\"String should be longer\",\"input\":\"‹hunter›\"}",
    );
    hides(
        "{\"type\":\"field\",\"value\":\"‹hunter›\",\"msg\":\"Invalid value\",\"path\":\"password\",\"location\":\"body\"}",
    );
    hides("error: invalid value '‹hunter›' for '--password <PASSWORD>'");
    hides("invalid value \"‹hunter›\" for flag -password: parse error");
    hides("argument --token: invalid int value: '‹hunter›'");
    hides("DB_PASSWORD: must be a string: value was \"‹hunter›\"");
    hides("JWT_SECRET must be longer, but got '‹hunter›'");
    for text in [
        "\"DB_PASSWORD\" is required",
        "DB_PASSWORD: Invalid value \"undefined\"",
        "Expected string, received undefined at DB_PASSWORD",
        "{\"code\":\"invalid_type\",\"expected\":\"string\",\"received\":\"undefined\",\"path\":[\"DB_PASSWORD\"],\"message\":\"Required\"}",
        "SyntaxError: Unexpected token: expected \",\" but got \"end\"",
        "secret_key\n  Field required [type=missing, input_value={'x': 1}, input_type=dict]",
        "port\n  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]",
        "[{\"path\":[\"PORT\"],\"received\":\"abc\"}]",
        "waiting for token: value 'x' of 'y'",
    ] {
        stays(text);
    }
}

#[test]
fn what_sentences_tell_is_removed() {
    hides("the password is ‹hunter22›");
    hides("password was \"‹hunter›\"");
    hides("admin password set to ‹Pa55w0rd›");
    hides("DB_PASSWORD is ‹Zx9Qm4vT7›");
    for text in [
        "password is required",
        "password is too short",
        "the password is wrong!",
        "password is \"required\"",
        "password was 'too short'",
        "token is expired",
        "token is invalid",
        "the secret is managed by web-stack",
        "DB_PASSWORD is not set",
        "password is stored in Secrets Manager",
        "password was changed 3 days ago",
        "For *no password is set*, remove it",
        "Incorrect API key provided: sk-12***********89. You can find your key",
    ] {
        stays(text);
    }
}
