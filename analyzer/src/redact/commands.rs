//! Lists the rules for secrets that commands, statements and functions take.

use super::rules::{Rule, Where};

pub fn rules() -> Vec<Rule> {
    let mut rules = options();
    rules.extend(arguments());
    rules.extend(statements());
    rules.extend(functions());
    rules
}

/// What separates the words of a command, also of one that is written as a list.
const GAP: &str = r#"(?:[ \t]+|\\*["'],\s*)"#;
/// What stands before an option.
const BEFORE: &str = r#"[ \t"']"#;

fn options() -> Vec<Rule> {
    vec![
        option(
            Where::Next,
            &[
                "login",
                "sshpass",
                "mongo",
                "mongosh",
                "mongodump",
                "mongorestore",
                "mongoexport",
                "mongoimport",
            ],
            &["-p"],
            "login|sshpass|mongo(?:sh|dump|restore|export|import)?",
            &format!("-p(?:{GAP}|=|)"),
        ),
        option(
            Where::Next,
            &[
                "mysql",
                "mariadb",
                "mysqldump",
                "mysqladmin",
                "mysqlimport",
                "mysqlcheck",
                "mysql_upgrade",
                "mysqlsh",
                "mariadb-dump",
                "mariadb-admin",
                "sshpass",
            ],
            &["-p"],
            "(?:mysql|mariadb)(?:-?(?:dump|admin|import|sh|check)|_upgrade)?|sshpass",
            r#"-p(?-u:\b|\B)"#,
        ),
        option(
            Where::BehindColon,
            &["curl"],
            &["-u", "-user", "u ", "u\""],
            "curl",
            &format!("-[A-Za-z]{{0,5}}u{GAP}|-u=?|--(?:proxy-)?user(?:{GAP}|=)"),
        ),
        option(
            Where::Next,
            &["redis-cli", "valkey-cli"],
            &["-a"],
            "(?:redis|valkey)-cli",
            &format!("-a{GAP}"),
        ),
        option(
            Where::Next,
            &["sqlcmd", "mosquitto_"],
            &["-P"],
            "sqlcmd|mosquitto_(?:pub|sub)",
            &format!("-P{GAP}?"),
        ),
        option(
            Where::Next,
            &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldappasswd"],
            &["-w"],
            "ldap(?:search|add|modify|delete|whoami|passwd)",
            &format!("-w{GAP}"),
        ),
        option(Where::Next, &["unzip", "zip -"], &["-P"], "(?:un)?zip", &format!("-P{GAP}")),
        option(
            Where::Next,
            &["secret set", "variable set", "secrets set"],
            &["-b"],
            "(?:secrets?|variable) set",
            &format!("(?:-b|--body)(?:{GAP}|=)"),
        ),
        option(
            Where::Next,
            &["put-parameter", "keyvault secret", "SecureString"],
            &["-value"],
            "put-parameter[^|;]*?SecureString|keyvault secret set",
            &format!("--value(?:{GAP}|=)"),
        ),
        option(
            Where::Next,
            &["--from-literal"],
            &["secret"],
            "",
            &format!(r#"--from-literal(?:{GAP}|=)(?:\\*["'])?[\w.-]+="#),
        ),
        option(Where::Next, &["openssl"], &["-pass"], "openssl", &format!("-pass(?:in|out)?{GAP}pass:")),
        option(
            Where::BehindColon,
            &["--auth", "--basic-auth", "--proxy-auth"],
            &["auth"],
            "",
            &format!("--(?:basic-|proxy-)?auth(?:{GAP}|=)"),
        ),
    ]
}

/// Secrets that commands take without an option, or from what is piped into them.
fn arguments() -> Vec<Rule> {
    let piped = |words, user: &str, into: &str| {
        let text = r#"\b(?:echo|printf)[ \t]+(?:-\w+[ \t]+)*(?:\\*["'])?(?:%s(?:\\+n)?(?:\\*["'])?[ \t]+(?:\\*["'])?)?"#;
        let secret = r#"(?<secret>[^\s|"'$(\[][^\n|"'\[]*?)"#;
        let source =
            format!(r#"(?<before>{text}{user}){secret}(?<after>(?:\\+n)?(?:\\*["'])?[ \t]*\|[^|\n]*{into})"#);
        Rule::new(Where::Captured, "password", words, &["|"], source)
    };
    vec![
        piped(&["chpasswd"], r#"[^\s:|"']+:"#, "chpasswd"),
        piped(&["-stdin", "--with-token", "sudo -S"], "", "(?:-stdin|--with-token|sudo -S)"),
        // MySQL and Keycloak say what they made up at their first start.
        Rule::new(
            Where::Captured,
            "password",
            &["temporary password", "with password "],
            &["is generated for ", "added user "],
            r"(?<before>\btemporary password is generated for [^\s:]+: |(?i:\badded user )'[^']*' to realm '[^']*' with password )(?<secret>\S+)",
        ),
        // `htpasswd -nb user x` and `htpasswd -b file user x`.
        argument(
            &["htpasswd"],
            &["-"],
            &format!(
                r"\bhtpasswd(?:{GAP}-\w+)*?{GAP}-(?:\w*n\w*b\w*|\w*b\w*n\w*)(?:{GAP}-\w+)*(?:{GAP}\d+)?{GAP}[^\s-]\S*{GAP}"
            ),
        ),
        argument(
            &["htpasswd"],
            &["-"],
            &format!(
                r"\bhtpasswd(?:{GAP}-\w+)*?{GAP}-[A-Zac-moq-z0-9]*b[A-Zac-moq-z0-9]*(?:{GAP}-\w+)*(?:{GAP}[^\s-]\S*){{2}}{GAP}"
            ),
        ),
        argument(
            &["rabbitmqctl"],
            &["add_user", "change_password", "authenticate_user"],
            &format!(
                r"\brabbitmqctl\b[^\n|;]*?(?:add_user|change_password|authenticate_user){GAP}[^\s-]\S*{GAP}"
            ),
        ),
    ]
}

fn statements() -> Vec<Rule> {
    vec![
        argument(
            &["identified"],
            &["identified"],
            r"(?:(?i:\b(?:create|alter|grant|near)\b[^\n]*?\bidentified)|\bIDENTIFIED)(?i:\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?)",
        ),
        argument(
            &["set password"],
            &["set password"],
            r"(?i)\bset\s+password\s+(?:for\s+[^\s=]+\s*)?=\s*(?:password\s*\(\s*)?",
        ),
        argument(
            &["requirepass", "masterauth"],
            &["requirepass", "masterauth"],
            &format!(r"(?i)\b(?:requirepass|masterauth){GAP}"),
        ),
        // `machine host login user password x` of a .netrc.
        argument(&["login"], &["password"], r"\blogin[ \t]+\S+\s+password[ \t]+"),
        // The name in a variable tells that user and password are one.
        Rule::new(
            Where::BehindColon,
            "password",
            &["basic_auth", "basic-auth", "basicauth", "_auth="],
            &[":"],
            r#"(?i)basic[_-]?auth(?:\\*["'])?(?:=|:\s*)|\b\w+_auth="#,
        ),
    ]
}

/// Secrets that traces print as what a function was given.
fn functions() -> Vec<Rule> {
    let text = r#"\s*(?:'[^'\n]*'|"[^"\n]*"|NULL|null)\s*,"#;
    let call =
        |words, names: &str, before: &str| argument(words, &["("], &format!(r"\b(?:{names})\({before}\s*"));
    let two = format!("{text}{text}");
    vec![
        call(
            &["PDO->__construct", "PDO(", "PDO::connect", "getConnection("],
            r"PDO(?:->__construct|::connect)?|DriverManager\.getConnection",
            &two,
        ),
        call(
            &["mysqli", "mysql_connect", "mysql_pconnect"],
            r"mysqli(?:_connect|_real_connect|->__construct|->real_connect|->connect)?|mysql_p?connect",
            &format!(r"(?:\s*Object\(mysqli\)\s*,)?{two}"),
        ),
        call(&["oci_connect", "oci_pconnect", "change_user("], r"oci_p?connect|mysqli->change_user", text),
        call(
            &["ftp_login", "ssh2_auth_password", "ldap_bind"],
            "ftp_login|ssh2_auth_password|ldap_bind",
            &format!(r"[^,\n]*,{text}"),
        ),
        call(&["->auth("], r"\w*Redis\w*->auth", ""),
    ]
}

fn option(
    secret: Where,
    words: &'static [&'static str],
    hints: &'static [&'static str],
    commands: &str,
    options: &str,
) -> Rule {
    // What `curl` is given has semicolons; elsewhere they and pipes end a command.
    let within = if commands == "curl" { r"[^\n]" } else { r"[^\n|;]" };
    let command = if commands.is_empty() {
        String::new()
    } else {
        format!(r"(?:\b|\\+[nrt])(?i:{commands})\b{within}*?")
    };
    Rule::new(secret, "password", words, hints, format!("{command}{BEFORE}(?:{options})"))
}

fn argument(words: &'static [&'static str], hints: &'static [&'static str], source: &str) -> Rule {
    Rule::new(Where::Next, "password", words, hints, source.to_owned())
}
