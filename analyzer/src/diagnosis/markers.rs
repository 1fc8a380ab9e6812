//! Words that show success, failure, or noise, found in one pass.

use std::sync::LazyLock;

use crate::matching::{Filter, NARROW};
use crate::record::Source;
use crate::taxonomy::Class;

/// Words of five bytes are the shortest.
const STRIDE: usize = 2;

/// What a word shows about its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Marker {
    Success(Scope),
    /// The deployment was undone: a later steady state is the old version's.
    RolledBack,
    /// A deployment completed.
    Completed,
    /// A service deployment is described.
    ServiceDeployment,
    /// A step of a build is done.
    StepDone,
    /// A step of a job begins.
    StepBegins,
    /// A step of a job ended with an error.
    StepFailed,
    /// A job ended: its log is whole.
    JobEnded,
    /// A job, or a build, says that it failed.
    JobFailed,
    /// A phase of a job failed; later ones may still run.
    PhaseFailed,
    /// The stream is the output of a job of a pipeline, whoever runs it.
    Job,
    /// A tool of a pipeline says that it gave up.
    Faltered,
    /// The application was told to stop.
    Shutdown,
    /// A request was answered well.
    Served,
    /// A supervisor tells of one of its programs.
    Supervised,
    /// A step of a build looks for a cache.
    CacheImport,
    /// The record may tell about a failure.
    Telling,
}

/// What a success makes good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The application serves.
    Application,
    /// A connection was made.
    Connection,
    /// The service is steady.
    Service,
    /// The stack is complete.
    Stack,
    /// The build or job succeeded.
    Pipeline,
    /// A step of a build is done.
    Step,
    /// A schema was brought up to date.
    Migration,
    /// A tool of a pipeline did its part: tests passed, code was compiled.
    Part,
    /// A target of a load balancer is healthy.
    Target,
    /// A group of instances launched one.
    Launch,
    /// The agent of an instance registered it.
    Registration,
}

impl Scope {
    /// Whether this success makes up for an earlier record of that source and class.
    pub fn heals(self, source: Source, class: Option<Class>) -> bool {
        match self {
            Scope::Application => matches!(
                source,
                Source::ContainerLog
                    | Source::DeployTool
                    | Source::Other
                    | Source::EcsStoppedTask
                    | Source::EcsServiceEvent
            ),
            Scope::Connection => matches!(class, Some(Class::Database | Class::Network)),
            Scope::Service => matches!(
                source,
                Source::EcsServiceEvent
                    | Source::EcsStoppedTask
                    | Source::AlbTargetHealth
                    | Source::DeployTool
            ),
            Scope::Stack => matches!(source, Source::CfnStackEvent | Source::Cdk | Source::DeployTool),
            Scope::Pipeline => source.is_pipeline(),
            Scope::Step => source == Source::DockerBuild,
            Scope::Migration => {
                matches!(class, None | Some(Class::Database | Class::Network))
                    && !matches!(source, Source::CfnStackEvent | Source::EcsServiceEvent)
            }
            Scope::Part => source.is_pipeline(),
            Scope::Target => source == Source::AlbTargetHealth,
            Scope::Registration => source == Source::EcsAgentLog,
            Scope::Launch => source == Source::EcsServiceEvent && class == Some(Class::Capacity),
        }
    }
}

pub struct Markers {
    filter: Filter<STRIDE, NARROW, false>,
    kinds: Vec<Marker>,
}

impl Markers {
    /// Returns all words, ready to be looked for.
    pub fn all() -> &'static Markers {
        static ALL: LazyLock<Markers> = LazyLock::new(Markers::new);
        &ALL
    }

    fn new() -> Markers {
        let list = SUCCESSES
            .iter()
            .map(|(word, scope)| (*word, Marker::Success(*scope)))
            .chain(ROLLED_BACK.iter().map(|word| (*word, Marker::RolledBack)))
            .chain(JOBS.iter().map(|(word, marker)| (*word, *marker)))
            .chain(SHUTDOWNS.iter().map(|word| (*word, Marker::Shutdown)))
            .chain(SERVED.iter().map(|word| (*word, Marker::Served)))
            .chain(TELLING.iter().map(|word| (*word, Marker::Telling)));
        let (words, kinds): (Vec<&str>, Vec<Marker>) = list.unzip();
        Markers { filter: Filter::of_words(words.into_iter()), kinds }
    }

    /// Calls `found` with the position of each marker.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(usize, Marker)) {
        self.filter.scan(text, |place, word| found(place.start, self.kinds[word]));
    }
}

const SUCCESSES: &[(&str, Scope)] = &[
    ("application startup complete", Scope::Application),
    ("uvicorn running on", Scope::Application),
    ("tomcat started on port", Scope::Application),
    ("netty started on port", Scope::Application),
    ("jetty started on port", Scope::Application),
    ("undertow started on port", Scope::Application),
    ("seconds (process running for", Scope::Application),
    ("seconds (jvm running for", Scope::Application),
    ("nest application successfully started", Scope::Application),
    ("application started. press ctrl+c", Scope::Application),
    ("ready to accept connections", Scope::Application),
    ("ready to handle connections", Scope::Application),
    ("start worker processes", Scope::Application),
    ("worker ready", Scope::Application),
    ("server is running", Scope::Application),
    ("server running at", Scope::Application),
    ("server started on", Scope::Application),
    ("server listening on", Scope::Application),
    ("now listening on", Scope::Application),
    ("server listening", Scope::Application),
    ("server startup in", Scope::Application),
    ("server started in", Scope::Application),
    ("server is ready", Scope::Application),
    (" is ready at", Scope::Application),
    ("is now healthy", Scope::Application),
    // A development server built again what would not compile.
    (" hmr update /", Scope::Application),
    (" page reload ", Scope::Application),
    ("running on ", Scope::Application),
    ("successfully verified", Scope::Connection),
    ("finished with success", Scope::Connection),
    ("http server started", Scope::Application),
    ("started http server", Scope::Application),
    ("listening on port", Scope::Application),
    ("listening on 0.0.0.0", Scope::Application),
    ("listening on [::]", Scope::Application),
    ("listening on :", Scope::Application),
    ("listening on http", Scope::Application),
    ("listening at http", Scope::Application),
    ("listening for requests", Scope::Application),
    ("serving on http", Scope::Application),
    (" - accepting connections", Scope::Application),
    ("accepting connections at http", Scope::Application),
    ("start worker processes", Scope::Application),
    ("starting workers", Scope::Application),
    ("startup complete", Scope::Application),
    ("startup completed", Scope::Application),
    ("application is running", Scope::Application),
    ("is up and running", Scope::Application),
    ("processing jobs from", Scope::Application),
    ("started successfully", Scope::Application),
    ("service started", Scope::Application),
    ("ready in ", Scope::Application),
    ("running on http", Scope::Application),
    ("ready for connections", Scope::Application),
    ("listening at: http", Scope::Application),
    ("listening", Scope::Application),
    ("serving", Scope::Application),
    ("everything is ready", Scope::Application),
    ("ready to serve", Scope::Application),
    ("ready to receive", Scope::Application),
    ("accepting requests", Scope::Application),
    ("started in ", Scope::Application),
    ("up and running", Scope::Application),
    ("boot completed", Scope::Application),
    ("cluster health status changed from", Scope::Application),
    ("is up, reason", Scope::Application),
    ("] started", Scope::Application),
    ("running karafka", Scope::Application),
    ("resuming normal operations", Scope::Application),
    (".endpoint with ", Scope::Application),
    ("started (kafka.server", Scope::Application),
    ("vault agent started", Scope::Application),
    ("started worker", Scope::Application),
    ("bus started", Scope::Application),
    ("server started", Scope::Application),
    ("http server listen", Scope::Application),
    ("starting processing, hit ctrl-c", Scope::Application),
    ("waiting for connections", Scope::Application),
    ("startup finished", Scope::Application),
    ("listening on: http", Scope::Application),
    ("started serverconnector", Scope::Application),
    ("waiting for jobs", Scope::Application),
    ("waiting for messages", Scope::Application),
    ("\"message\": \"started\"", Scope::Application),
    ("mainprocess] celery@", Scope::Application),
    ("bus started: ", Scope::Connection),
    ("connected", Scope::Connection),
    ("established", Scope::Connection),
    ("is online", Scope::Connection),
    ("is available after", Scope::Connection),
    ("is up - ", Scope::Connection),
    ("port [tcp/", Scope::Connection),
    ("succeeded at retry", Scope::Connection),
    ("succeeded on retry", Scope::Connection),
    ("succeeded on attempt", Scope::Connection),
    ("succeeded after ", Scope::Connection),
    ("recovered", Scope::Connection),
    ("successfully joined group", Scope::Connection),
    ("discovered group coordinator", Scope::Connection),
    ("registration status: 204", Scope::Connection),
    ("database is up", Scope::Connection),
    ("database is ready", Scope::Connection),
    ("ping ok", Scope::Connection),
    ("ping succe", Scope::Connection),
    ("connection ok", Scope::Connection),
    ("retry succeeded", Scope::Connection),
    ("authentication succe", Scope::Connection),
    ("leadership acquired", Scope::Connection),
    ("connection succe", Scope::Connection),
    ("postgresql started", Scope::Connection),
    ("successfully applied", Scope::Migration),
    ("applying migration '", Scope::Migration),
    ("migrations applied", Scope::Migration),
    ("migrations complete", Scope::Migration),
    ("migration complete", Scope::Migration),
    ("migrations finished", Scope::Migration),
    ("migration finished", Scope::Migration),
    ("migrations done", Scope::Migration),
    ("migrated successfully", Scope::Migration),
    ("no migrations to apply", Scope::Migration),
    ("no pending migrations", Scope::Migration),
    ("db initialized", Scope::Migration),
    ("database initialized", Scope::Migration),
    ("schema is up to date", Scope::Migration),
    ("database is up to date", Scope::Migration),
    ("update command completed successfully", Scope::Migration),
    ("successfully acquired change log lock", Scope::Migration),
    ("has reached a steady state", Scope::Service),
    ("deployment completed", Scope::Service),
    ("rolloutstate=completed", Scope::Service),
    ("service is stable", Scope::Service),
    ("create_complete aws::cloudformation::stack", Scope::Stack),
    ("update_complete aws::cloudformation::stack", Scope::Stack),
    ("\u{2705}  ", Scope::Stack),
    ("deployment time:", Scope::Stack),
    ("successfully created/updated stack", Scope::Stack),
    ("transitioned to create complete", Scope::Stack),
    ("transitioned to update complete", Scope::Stack),
    ("build success", Scope::Pipeline),
    ("finished: success", Scope::Pipeline),
    ("build successful", Scope::Pipeline),
    ("build succeeded", Scope::Pipeline),
    ("naming to ", Scope::Pipeline),
    ("pushing manifest for ", Scope::Pipeline),
    ("] pushed image to ", Scope::Pipeline),
    ("successfully tagged", Scope::Pipeline),
    ("successfully built ", Scope::Pipeline),
    (" digest: sha256:", Scope::Pipeline),
    ("job succeeded", Scope::Pipeline),
    ("deploy complete", Scope::Pipeline),
    ("deployment successful", Scope::Pipeline),
    ("successfully deployed", Scope::Pipeline),
    ("apply complete! resources", Scope::Pipeline),
    ("deployed service", Scope::Pipeline),
    ("service is stable now", Scope::Pipeline),
    ("post_build state: succeeded", Scope::Pipeline),
    (" healthy", Scope::Target),
    ("scaling activity successful", Scope::Launch),
    ("registered container instance with cluster", Scope::Registration),
    ("instance registration completed successfully", Scope::Registration),
    ("detected docker versions", Scope::Registration),
    ("test suites: ", Scope::Part),
    ("tests passed", Scope::Part),
    ("test result: ok", Scope::Part),
    (" passing (", Scope::Part),
    (" passed in ", Scope::Part),
    ("tests run: ", Scope::Part),
    ("compiled successfully", Scope::Part),
    ("first load js", Scope::Part),
    ("generated static files", Scope::Part),
    ("ready for production", Scope::Part),
    ("bundle generation complete", Scope::Part),
    ("done building in", Scope::Part),
    ("built in ", Scope::Part),
];

/// Whether a line, in lower case, has a word that by itself says that an application serves.
pub fn says_that_it_serves(line: &str) -> bool {
    let serves = |(word, scope): &(&str, Scope)| *scope == Scope::Application && line.contains(word);
    SUCCESSES.iter().filter(|(word, _)| !WITH_ADDRESS.contains(word)).any(serves)
}

/// Whether a line, in lower case, has a word about connections besides `connected`.
pub fn says_that_it_connects(line: &str) -> bool {
    let connects = |(word, scope): &(&str, Scope)| *scope == Scope::Connection && line.contains(word);
    SUCCESSES.iter().filter(|(word, _)| *word != "connected").any(connects)
}

/// Words that mean an application only beside an address, beside a time, or at the end of a line.
const WITH_ADDRESS: [&str; 5] = ["listening", "serving", "running on ", "started in ", "] started"];

const SHUTDOWNS: &[&str] = &[
    "sigterm received",
    "received sigterm",
    "caught sigterm",
    "got sigterm",
    "handling signal: term",
    "received signal: terminated",
    "received signal terminated",
];

/// Ways to write that a request was answered with 200.
const SERVED: &[&str] = &[
    "\" 200 ",
    " 200 ok",
    "status\":200",
    "status\": 200",
    "status=200",
    "status: 200",
    "statuscode\":200",
    "status_code\":200",
    "status_code=200",
    "http/1.1 200",
    "responded 200",
    " - 200 ",
    "-> 200",
    "/ 200 ",
    "health 200",
    "healthz 200",
    "ping 200",
    "ready 200",
    "sent 200 in",
    "completed 200 ok",
];

const ROLLED_BACK: &[&str] = &[
    "rolling back to deployment",
    "rolled back",
    "rollback_complete",
    "rollback_in_progress",
    "rolloutstate=failed",
    "circuit breaker was triggered",
    "circuit breaker: ",
];

const JOBS: &[(&str, Marker)] = &[
    ("cleaning up orphan processes", Marker::JobEnded),
    ("##[error]", Marker::JobFailed),
    ("failed to solve", Marker::JobFailed),
    ("did not complete successfully", Marker::JobFailed),
    ("state: failed", Marker::PhaseFailed),
    ("success: false", Marker::PhaseFailed),
    ("returned a non-zero code", Marker::JobFailed),
    ("failed to build", Marker::JobFailed),
    ("failed to push", Marker::JobFailed),
    ("error response from daemon", Marker::JobFailed),
    ("deployment completed", Marker::Completed),
    ("rolloutstate=completed", Marker::Completed),
    ("service deployment ", Marker::ServiceDeployment),
    (" done ", Marker::StepDone),
    ("not expected)", Marker::Supervised),
    ("entered running state", Marker::Supervised),
    ("exception in worker process", Marker::Supervised),
    ("worker failed to boot", Marker::Supervised),
    ("listening at: http", Marker::Supervised),
    ("importing cache manifest from", Marker::CacheImport),
    ("##[group]run ", Marker::StepBegins),
    ("process completed with exit code", Marker::StepFailed),
    ("' failed with exit code ", Marker::StepFailed),
    ("finished: failure", Marker::Job),
    ("finished: success", Marker::Job),
    ("started by user", Marker::Job),
    ("started by timer", Marker::Job),
    ("started by upstream", Marker::Job),
    ("running with gitlab-runner", Marker::Job),
    ("job failed: exit code", Marker::Job),
    ("entering phase ", Marker::Job),
    ("phase complete: ", Marker::Job),
    ("did not exit successfully", Marker::Job),
    ("##teamcity[", Marker::Job),
    ("beginning to execute external process", Marker::Job),
    ("##[section]", Marker::Job),
    ("circleci", Marker::Job),
    ("post job cleanup.", Marker::StepBegins),
    ("npm err!", Marker::Faltered),
    ("npm error", Marker::Faltered),
    ("elifecycle", Marker::Faltered),
    ("build failed", Marker::Faltered),
    ("build failure", Marker::Faltered),
    ("exit code ", Marker::Faltered),
    ("exited with code", Marker::Faltered),
    ("finished: failure", Marker::Faltered),
    ("##[error]", Marker::Faltered),
    ("failed to ", Marker::Faltered),
    ("could not compile", Marker::Faltered),
];

const TELLING: &[&str] = &[
    "error",
    "fatal",
    "panic",
    "exception",
    "traceback",
    "failed",
    "failure",
    "failing",
    "cannot",
    "can't ",
    "could not",
    "couldn't",
    "unable to",
    "not found",
    "no such",
    "denied",
    "invalid",
    "missing",
    "refused",
    "timed out",
    "timeout",
    "time-out",
    "undefined",
    "unexpected",
    "unsupported",
    "must be",
    "must have",
    "does not exist",
    "doesn't exist",
    "already exists",
    "already in use",
    "killed",
    "aborted",
    "caused by",
    "unhandled",
    "unauthorized",
    "forbidden",
    "not authorized",
    "unhealthy",
    "no space left",
    "out of memory",
    "segmentation",
    "core dumped",
    "not permitted",
    "is required",
    "expired",
    "exceeded",
    "not allowed",
    "unrecognized",
    "unknown ",
    "incompatible",
    "mismatch",
    "conflict",
    "insufficient",
    "limit ",
    "throttl",
    "rate exceeded",
    "unreachable",
    "no route",
    "exited with",
    "exit code",
    "exitcode",
    "exited ",
    "non-zero",
    "terminated",
    "crash",
    "emerg",
    "rolled back",
    "did not",
    "broken pipe",
    "connection reset",
    "stuck",
    "critical",
    "gave up",
    "giving up",
    "violat",
    "outdated",
    "wrong ",
    "too many",
    "too large",
    "too long",
    "too short",
    "not available",
    "unavailable",
    "unresolved",
    "not supported",
    "deprecated ",
    "not defined",
    "not set",
    "not provided",
    "no longer",
    "unsatisf",
    "cancel",
    "not initialized",
    "not been ",
    "not a valid",
    "not match",
    "not exist",
    "no matching",
    "not installed",
    "not specified",
    "not contain",
    "is not a",
    "not recognized",
    "warning",
    "disabled",
    "corrupt",
    "dropped",
    "rejected",
    "refusing",
    "aborting",
    "stopping",
    "not running",
    "in use",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_long_enough_to_be_found() {
        let words = SUCCESSES.iter().map(|(word, _)| *word).chain(ROLLED_BACK.iter().copied());
        let words = words.chain(JOBS.iter().map(|(word, _)| *word));
        let words = words.chain(SHUTDOWNS.iter().copied()).chain(SERVED.iter().copied());
        for word in words.chain(TELLING.iter().copied()) {
            assert!(word.len() + 1 >= STRIDE + NARROW, "{word:?}");
        }
    }

    #[test]
    fn words_are_found_whatever_their_case() {
        let mut found = Vec::new();
        Markers::all().scan(b"x BUILD SUCCESS\nxx Error", |_, marker| found.push(marker));
        assert_eq!(found, [Marker::Success(Scope::Pipeline), Marker::Telling]);
    }
}
