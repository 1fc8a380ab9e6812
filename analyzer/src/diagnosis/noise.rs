//! Lines with frightening words that never are why a deployment failed.

use regex::bytes::{Regex, RegexBuilder};
use std::sync::OnceLock;

use crate::matching::{COMMON, Filter, NARROW, Strings, choose_grams, required_literals};
use crate::record::{Source, without_transport};

/// The everyday noise of each source: strangers at the door, passed tests, optional helpers. Its expressions are
/// compiled when a line first has what they need, for all of them together take a quarter of a start-up.
pub struct Noise {
    literals: Filter<3, NARROW, false>,
    /// The expression that each literal belongs to.
    users: Vec<usize>,
    /// Expressions of which nothing is known but that they may match.
    always: Vec<usize>,
    compiled: Vec<OnceLock<Option<Regex>>>,
}

/// Returns literals of which any line that an expression matches has one, for each expression; none where none is certain.
/// To work them out takes longer than a start-up can afford.
pub fn literals() -> Vec<Vec<Vec<u8>>> {
    let of = |expression| required_literals(expression, |_| 0).map(|found| found.sought).unwrap_or_default();
    NOISE_LIST.iter().map(|(_, expression)| of(expression)).collect()
}

impl Noise {
    /// Takes what `literals` returned.
    pub fn new(literals: &[Vec<Vec<u8>>]) -> Noise {
        let of_expression = |index: usize| literals.get(index).map_or(&[][..], |literals| literals);
        let known = (0..NOISE_LIST.len())
            .flat_map(|index| of_expression(index).iter().map(move |literal| (literal, index)));
        let (texts, users): (Vec<&Vec<u8>>, Vec<usize>) = known.unzip();
        let texts: Strings = texts.into_iter().map(Vec::as_slice).collect();
        let starts = choose_grams::<3, NARROW, false>(&texts, &[(COMMON, 1)]);
        Noise {
            literals: Filter::new(&texts, &starts),
            users,
            always: (0..NOISE_LIST.len()).filter(|&index| of_expression(index).is_empty()).collect(),
            compiled: NOISE_LIST.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Whether a line is the noise of its source.
    pub fn has(&self, line: &str, source: Source) -> bool {
        let mut end = line.len().min(LONGEST);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = &line.as_bytes()[..end];
        let mut tried = 0u64;
        let mut matches = |index: usize| {
            let is_first = tried & 1 << index == 0;
            tried |= 1 << index;
            is_first
                && NOISE_LIST[index].0.holds(source)
                && self.expression(index).is_some_and(|expression| expression.is_match(line))
        };
        if self.always.iter().any(|&index| matches(index)) {
            return true;
        }
        let mut is_noise = false;
        self.literals.scan(line, |_, literal| is_noise = is_noise || matches(self.users[literal]));
        is_noise
    }

    fn expression(&self, index: usize) -> Option<&Regex> {
        let build = || RegexBuilder::new(NOISE_LIST[index].1).unicode(false).size_limit(1 << 24).build().ok();
        self.compiled[index].get_or_init(build).as_ref()
    }
}

/// Whether a shell or a CI runner repeats what it is about to run, with whatever words that has.
pub fn is_command(line: &str) -> bool {
    let said = without_transport(line).trim_start();
    let rest = said.strip_prefix("$ ").or_else(|| said.strip_prefix("+ "));
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '.' | '/' | '['))
    })
}

const LONGEST: usize = 2000;

/// Where a line is noise.
#[derive(Clone, Copy, Debug)]
enum Of {
    Anything,
    Application,
    Agent,
    Pipeline,
}

impl Of {
    fn holds(self, source: Source) -> bool {
        match self {
            Of::Anything => true,
            Of::Application => matches!(source, Source::ContainerLog | Source::Other),
            Of::Agent => source == Source::EcsAgentLog,
            Of::Pipeline => source.is_pipeline(),
        }
    }
}

const NOISE_LIST: &[(Of, &str)] = &[
    // Strangers at the door: port scans, browsers, health checks that only open a connection.
    (
        Of::Application,
        r"(?i)http: TLS handshake error from |Invalid HTTP request received|(?:robots\.txt|favicon\.ico|apple-touch-icon|wp-login\.php|/\.env\b|/\.git/)",
    ),
    (
        Of::Application,
        r"(?i)Invalid character found in (?:method name|the request target|the HTTP protocol)|Error parsing HTTP request header|HttpParser\S* (?:bad|illegal)|Invalid method in request \\x16|client sent an invalid |http: superfluous response\.WriteHeader|http: proxy error: context canceled",
    ),
    (
        Of::Application,
        r#"(?i)RoutingError \(No route matches \[[A-Z]+\] "/(?:[^"hulpsr]|r[^e]|s[^t])|No static resource [\w./-]+\.(?:ico|png|js|css|map|txt|xml)|DefaultHandlerExceptionResolver\s*: Resolved \[|No route matches \[[A-Z]+\] "[^"]*\.(?:php|aspx?|cgi)\b|ActiveRecord::RecordNotFound \(Couldn't find |\[ExceptionsHandler\] Unexpected token .{1,8} in JSON at position"#,
    ),
    (
        Of::Application,
        r#"(?i)"(?:status|statusCode|status_code|code)":\s?"?4(?:0[01345689]|1\d|2\d)\b|\bstatus(?:_?code)?[=:] ?4(?:0[01345689]|1\d|2\d)\b.{0,80}\b(?:path|url|uri)\b"#,
    ),
    (
        Of::Application,
        r"Failed to find Server Action|^Original error: Cannot read properties of undefined \(reading 'workers'\)|over 2MB can not be cached|'sharp' is required to be installed in standalone mode",
    ),
    // Helpers that are missing without harm.
    (
        Of::Anything,
        r"^SLF4J: |StaticLoggerBinder|Get (?:instance id|hostname) metadata failed|(?i)unable to load native-hadoop library|DNSServerAddressStreamProviders|no JTA platform available",
    ),
    (
        Of::Application,
        r"(?i)failed to export (?:spans|traces|metrics|batch|logs)|OTLPExporterError|\b(?:SENTRY_)?DSN (?:is )?(?:not set|missing|empty)|exception during geoip",
    ),
    (
        Of::Application,
        r"(?i)\b(?:relation|table|constraint|index|column|database|type|schema|extension|sequence|view|trigger|function|policy|role)\b.{1,120}\b(?:already exists|does not exist),? skipping",
    ),
    // What goes on without it says so.
    (Of::Anything, r"(?i)\b(?:continuing|proceeding|carrying on|going on) (?:without|anyway|regardless)\b"),
    // PowerShell calls every line on standard error an error; frameworks describe themselves when they start.
    (
        Of::Anything,
        r"FullyQualifiedE|NativeCommandError|^\s*\+ CategoryInfo|^,? ?RemoteException$|^At line:\d+ char:\d+|\|-INFO in ch\.qos\.logback",
    ),
    (
        Of::Application,
        r"HHH10001005: Database info|\[undefined/unknown\]|Using generated security password|generated password is for development use only",
    ),
    // A database server writes down which statements of its clients it refused; what that means, a client says itself.
    (
        Of::Application,
        r"^(?:[\w.-]+ +\| )?\d{4}-\d\d-\d\d \S+ \w+(?: \[\d+\](?: \S+@\S+)?|:\S+:\[\d+\]:) ?ERROR:  ",
    ),
    // A database server writes down that a tool looked for its table of migrations before it made one.
    (
        Of::Application,
        r#"(?i)relation "?(?:\w+\.)?(?:flyway_schema_history|alembic_version|django_migrations|_prisma_migrations|schema_migrations|databasechangelog(?:lock)?|__EFMigrationsHistory)"? does not exist at character"#,
    ),
    // A server of data writes down what became of one client, and a servlet container what an old version left behind.
    (
        Of::Application,
        r"WebappClassLoaderBase\.(?:clearReferences|checkThreadLocal)|IP address '\S+' (?:could not be|has been) resolved|Aborted connection \d+ to db|closing AMQP connection <|client unexpectedly closed TCP connection|could not (?:receive data from|send data to) client",
    ),
    // Helpers that watch: they scrape, export and describe on their own account.
    (
        Of::Application,
        r"(?i)failed to scrape|prometheusreceiver|awsxrayexporter|awsemfexporter|hostmetrics|\bretryable error|kubelet|hostname from IMDS|defaultforwarder|TLS verification: no default certificate|unable to find the IP address for the container",
    ),
    // A single request went wrong, or its client went away.
    (
        Of::Application,
        r"PayloadTooLargeError|RESTEASY003210|at connResetException|Failed to decode param|Servlet\.service\(\) for servlet|\[ExceptionsHandler\]|werkzeug\.exceptions\.NotFound|ActiveRecord::RecordNotFound|TokenExpiredError|[\s:]jwt expired",
    ),
    (
        Of::Application,
        r"(?i)\bin JSON at position \d+.{0,80}body-parser|error reading preface from client|could not receive data from client|failed to create ServerTransport: connection error: (?:desc = .{0,60})?EOF|canceling statement due to user request|^\W*java\.io\.IOException: (?:Broken pipe|Connection reset by peer)\s*$",
    ),
    // Advice to those who run it in production.
    (
        Of::Application,
        r"(?i)\bwe (?:strongly )?recommend (?:that you|you|to)\b|\bdefault credentials\b.{0,120}\b(?:change|recommend)",
    ),
    // What is prepared at every start is there since the first.
    (
        Of::Application,
        r"(?i)failed to (?:add|create) (?:admin |initial |default |bootstrap )?user\b.{0,80}\b(?:already exists|with username exists)|KC-SERVICES0010",
    ),
    // A client gave a wrong password to the application.
    (
        Of::Application,
        r"(?i)(?:invalid|wrong) (?:user ?name|login|e-?mail|credentials)\b.{0,40}\bpassword\b.{0,120}\b(?:remote_addr|client_ip|ip_?addr(?:ess)?|ip)=|\bcid:\d+ - authentication error",
    ),
    // Helpers that look for more of what they may have, and a formatter that the agent's start does without.
    (
        Of::Application,
        r"(?:Failed to|Can't) read [\w ]+ provisioning files|[Ff]ormat error: unrecognized formatter",
    ),
    // What was not started has no file that names its process, and a supervisor starts what does not run.
    (
        Of::Application,
        r"(?i)\.pid\b\W{0,3}(?: failed \(2)?: No such file or directory|^kill: usage|' process is not running\s*$",
    ),
    // An image without a directory of git, or without a GPU, works as well.
    (Of::Application, r"(?i)^\W*fatal: not a git repository"),
    (
        Of::Application,
        r"Could not load dynamic library 'lib(?:cu|nv)|failed call to cuInit|info: can not modify |\d+-[\w-]+\.sh: (?:error|info): /etc/nginx/\S+ (?:is not a file|differs)|can not modify /etc/nginx/\S+ \(read-only|could not open error log file: open\(\)|\[alert\] \S+ setrlimit\(",
    ),
    (
        Of::Application,
        r"(?i)failed to send, dropping \d+ traces|exporterhelper|Exporting failed\. (?:Will retry|Dropping|Try enabling)|reach the (?:trace )?agent",
    ),
    // A health check logs in to the database server without naming a user.
    (Of::Application, r#"(?:^|[^:]\s)FATAL:\s+(?:role|database) "root" does not exist"#),
    // Waiting for a port with nothing but a shell.
    (
        Of::Application,
        r"/dev/tcp/\S+: (?:Connection refused|Invalid argument)|: line \d+: [\w.-]+: Try again",
    ),
    // The agent of ECS loses its connections by plan, and statistics are not tasks.
    (
        Of::Agent,
        r"(?i)(?:acs|tcs|channel|websocket|endpoint|disconnect\w*|reconnect\w*)\b.{0,200}backing ?off|Udev watcher event-handler: unable to send state change|Error from (?:tcs|acs)|stats collection|container stats|publishing metrics|getting (?:cpu|memory|network) stats|Channel long idle|ConnectionExpired|closed for a valid reason|message from ws backend|websocket: close \d+|image reference|telemetry|fetch user data|spot instance(?:-| )action|Redundant container state change|Docker plugins: no such plugin|get saved instance attributes|VPC id from EC2 Metadata|instance identity document",
    ),
    // Tests that passed, and tools whose answer is advice.
    (
        Of::Pipeline,
        r"^\W*(?:\d{4}-\d\d-\d\dT[\d:.]+Z\s+)?\s*(?:✓|✔|√|PASS(?:ED)?\b|ok \d+\b|--- PASS)|^(?:\S+Z )?test .{1,200} \.\.\. ok$|\) PASSED$|\bPASSED\s+\[\s*\d+%\]",
    ),
    // What a tool announces to all its users.
    (
        Of::Pipeline,
        r"^\s*\d{5,6}\s+\(?[\w-]+\)?:? |^\s+(?:Overview|Affected versions): |has not been tested with node v|has reached end-of-life on|Should you encounter odd runtime issues",
    ),
    // The first build of a tag finds no cache.
    (Of::Pipeline, r"=> ERROR importing cache manifest from \S+ |Error while retrieving image from cache: "),
    (
        Of::Pipeline,
        r"(?i)registry cache importer: .{0,200}: not found|There was an error running the uploader|##\[warning\](?:Failed to (?:save|restore): |Cache service responded)|Unable to reserve cache|dpkg-preconfigure: unable to re-open stdin|Upload queued for processing failed|debconf: |invoke-rc\.d: |\d+ (?:\w+ severity )?vulnerabilit(?:y|ies)\b.*\(|To address (?:all|issues)|npm fund|SAWarning: |\bDeprecationWarning: |Browserslist: ",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_expressions_compile() {
        let noise = Noise::new(&[]);
        assert!(NOISE_LIST.len() <= 64, "more than a word has bits");
        for (index, (_, expression)) in NOISE_LIST.iter().enumerate() {
            assert!(noise.expression(index).is_some(), "{expression}");
        }
    }

    #[track_caller]
    fn check(line: &str, source: Source, noise: bool) {
        assert_eq!(Noise::new(&literals()).has(line, source), noise, "{line}");
        assert_eq!(Noise::new(&[]).has(line, source), noise, "without literals: {line}");
    }

    #[test]
    fn strangers_at_the_door_are_noise() {
        check("http: TLS handshake error from 10.0.1.9:51234: EOF", Source::ContainerLog, true);
        check(
            r#"ActionController::RoutingError (No route matches [GET] "/blog")"#,
            Source::ContainerLog,
            true,
        );
        check(
            r#"ActionController::RoutingError (No route matches [GET] "/health")"#,
            Source::ContainerLog,
            false,
        );
        check(r#"{"msg":"token is expired","status":401}"#, Source::ContainerLog, true);
        check("dial tcp 10.0.3.1:5432: connect: connection refused", Source::ContainerLog, false);
    }

    #[test]
    fn a_request_that_went_wrong_is_noise() {
        check("PayloadTooLargeError: request entity too large", Source::ContainerLog, true);
        check("java.io.IOException: Broken pipe", Source::ContainerLog, true);
        check(
            "java.io.IOException: Broken pipe while reading the configuration",
            Source::ContainerLog,
            false,
        );
        check(
            "fatal: not a git repository (or any of the parent directories): .git",
            Source::ContainerLog,
            true,
        );
        check("fatal: could not read from remote repository", Source::DockerBuild, false);
        check(
            r#"lvl=eror msg="Invalid username or password" logger=context remote_addr=203.0.113.9"#,
            Source::ContainerLog,
            true,
        );
        check("ORA-01017: invalid username/password; logon denied", Source::ContainerLog, false);
        check("failed call to cuInit: CUDA_ERROR_NO_DEVICE", Source::ContainerLog, true);
        let of_entrypoint = "10-listen-on-ipv6-by-default.sh: error: /etc/nginx/conf.d/default.conf is not a file or does not exist";
        check(of_entrypoint, Source::ContainerLog, true);
        check("RuntimeError: No CUDA GPUs are available", Source::ContainerLog, false);
        let refused = "ERROR:  relation \"weekly\" does not exist at character 15";
        check(&format!("2026-02-11 18:20:22.101 UTC [31] {refused}"), Source::ContainerLog, true);
        check(
            &format!("2026-02-11 18:20:22 UTC:10.0.1.7(5432):u@d:[31]:{refused}"),
            Source::ContainerLog,
            true,
        );
        check(&format!("db-1  | 2026-02-11 18:20:22.101 UTC [31] {refused}"), Source::ContainerLog, true);
        check(&format!("psql: {refused}"), Source::ContainerLog, false);
        check(r#"FATAL:  role "root" does not exist"#, Source::ContainerLog, true);
        check(r#"FATAL:  role "shop" does not exist"#, Source::ContainerLog, false);
        check(r#"connection failed: FATAL:  role "root" does not exist"#, Source::ContainerLog, false);
    }

    #[test]
    fn helpers_that_look_for_more_are_noise() {
        for line in [
            r#"lvl=eror msg="Failed to read plugin provisioning files from directory" error="open /etc/grafana/provisioning/plugins: no such file or directory""#,
            r#"lvl=eror msg="Can't read alert notification provisioning files from directory" error="open /etc/grafana/provisioning/notifiers: no such file or directory""#,
            "cat: can't open '/run/web.pid': No such file or directory",
            "[UTC May  1 10:00:00] error    : 'confd' process is not running",
            r#"nginx: [error] open() "/run/nginx.pid" failed (2: No such file or directory)"#,
        ] {
            check(line, Source::ContainerLog, true);
        }
        check("cat: can't open '/app/pid.txt': No such file or directory", Source::ContainerLog, false);
        check(r#"open() "/run/nginx.pid" failed (13: Permission denied)"#, Source::ContainerLog, false);
    }

    #[test]
    fn passed_tests_are_noise_in_a_pipeline_only() {
        check("  ✓ fails when the database is unreachable (12 ms)", Source::GithubActions, true);
        check("test tests::panics_on_missing_file - should panic ... ok", Source::GithubActions, true);
        check("ok 3 connection refused", Source::ContainerLog, false);
    }

    #[test]
    fn descriptions_of_oneself_are_noise() {
        check("!!  This software has not been tested with node v23.1.0.  !!", Source::Cdk, true);
        check("    + FullyQualifiedErrorId : NativeCommandError", Source::Cdk, true);
        check("\tIsolation level: [undefined/unknown]", Source::ContainerLog, true);
    }

    #[test]
    fn what_is_skipped_is_noise() {
        check("relation \"orders\" already exists, skipping", Source::ContainerLog, true);
        check("ERROR: relation \"orders\" already exists", Source::ContainerLog, false);
        check(
            "cannot describe instances: UnauthorizedOperation, continuing without",
            Source::EcsAgentLog,
            true,
        );
        check("cannot continue without a database", Source::ContainerLog, false);
    }
}
