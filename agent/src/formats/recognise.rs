//! Tells what a file holds: by its name, else by what its first lines look like.

use aho_corasick::AhoCorasick;
use analyzer::record::Source;
use std::sync::LazyLock;

/// Reads the kind out of a name such as `03.container-log.log`.
pub fn by_name(name: &str) -> Option<Source> {
    let file = name.rsplit(['/', '\\']).next()?;
    if file.starts_with("ecs-agent") || file.starts_with("ecs-init") {
        return Some(Source::EcsAgentLog);
    }
    file.split('.').find_map(|part| part.parse().ok())
}

/// Judges by content; a log of an application is what remains.
pub fn by_content(head: &str) -> Source {
    let mut votes = [0usize; Source::ALL.len()];
    for line in head.lines().take(MOST_LINES) {
        let mut cast = [0usize; Source::ALL.len()];
        let found = signs().iter().flat_map(|signs| signs.find_overlapping_iter(line));
        for word in found.map(|found| found.pattern().as_usize()) {
            let (source, weight, _) = &SIGNS[sign_of(word)];
            let vote = &mut cast[*source as usize];
            *vote = (*vote).max(*weight);
        }
        if let Some(source) = by_form(line) {
            cast[source as usize] = cast[source as usize].max(1);
        }
        votes.iter_mut().zip(cast).for_each(|(votes, cast)| *votes += cast);
    }
    let best = Source::ALL.into_iter().rev().max_by_key(|source| votes[*source as usize]);
    best.filter(|source| votes[*source as usize] > 0).unwrap_or(Source::ContainerLog)
}

const MOST_LINES: usize = 400;

/// Tells what a line is by its form rather than by its words.
fn by_form(line: &str) -> Option<Source> {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    let trimmed = line.trim_start();
    let after_number =
        trimmed.strip_prefix('#').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let is_build = after_number.is_some_and(|rest| {
        rest.len() < trimmed.len() - 1
            && (rest.starts_with(" [")
                || rest.starts_with(" DONE")
                || rest.starts_with(" CACHED")
                || rest.starts_with(" ERROR")
                || rest.strip_prefix(' ').is_some_and(is_seconds))
    });
    if is_build
        || trimmed.starts_with("> [") && line.contains("] RUN ")
        || line.contains("Step ") && is_step(line)
    {
        return Some(Source::DockerBuild);
    }
    let is_status = has(&["CREATE_", "UPDATE_", "DELETE_", "ROLLBACK_"])
        && has(&["_FAILED", "_COMPLETE", "_IN_PROGRESS"]);
    if is_status && has(&["AWS::", "Custom::"]) {
        // The table that the CDK draws has more columns.
        return Some(if line.matches(" | ").count() >= 3 { Source::Cdk } else { Source::CfnStackEvent });
    }
    if is_status && has(&[" UTC", " | ", "\t"]) {
        return Some(Source::CfnStackEvent);
    }
    let about_service = line.contains("service ")
        && has(&[
            "has started ",
            "was unable to place",
            "was unable to consistently",
            "registered ",
            "has reached a steady state",
            "is unhealthy",
            "has stopped ",
            "has begun draining",
            "deployment completed",
        ])
        && has(&["(service ", " task", "target", "steady state", "due to", "(deployment "]);
    if about_service {
        return Some(Source::EcsServiceEvent);
    }
    // The form of the AWS CLI; a program that calls AWS puts the name of an exception in front.
    if line.starts_with("An error occurred (") || line.starts_with("usage: aws ") {
        return Some(Source::DeployTool);
    }
    if is_of_compose(trimmed) {
        return Some(Source::ContainerLog);
    }
    if is_target(trimmed) {
        return Some(Source::AlbTargetHealth);
    }
    let is_agent = line.starts_with("level=") && line.contains(" time=") && line.contains(" msg=\"");
    (is_agent && line.contains("module=")).then_some(Source::EcsAgentLog)
}

/// `3.456 `: how long a step of a build has taken when it printed a line.
fn is_seconds(text: &str) -> bool {
    let number = text.split(' ').next().unwrap_or_default();
    number.contains('.')
        && number.len() > 2
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// `Step 3/8 : RUN npm ci`.
fn is_step(line: &str) -> bool {
    let rest = line.split_once("Step ").map_or("", |(_, rest)| rest);
    let counted = rest.split_once(" : ").and_then(|(count, _)| count.split_once('/'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    counted.is_some_and(|(step, of)| is_number(step) && is_number(of))
}

/// `web-1  | started`: what a container says below compose.
fn is_of_compose(line: &str) -> bool {
    let name = line.split_once(" | ").map_or("", |(name, _)| name.trim_end());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty()
        && name.len() < 64
        && name.bytes().all(is_name)
        && name.bytes().any(|b| b.is_ascii_alphabetic())
}

/// `10.0.4.23:8080 eu-west-1a healthy`.
fn is_target(line: &str) -> bool {
    let address = line.split([':', ' ', '\t']).next().unwrap_or_default();
    let is_address = address.split('.').count() == 4 && address.parse::<std::net::Ipv4Addr>().is_ok();
    let mut words = line.split_whitespace().skip(1).take(3);
    is_address
        && words.any(|word| matches!(word, "healthy" | "unhealthy" | "draining" | "initial" | "unused"))
}

/// Words that only one kind of output has, and how much they weigh. A job of a pipeline holds the output of
/// other tools, so what frames it weighs more than what stands in it.
const SIGNS: &[(Source, usize, &[&str])] = &[
    (
        Source::GithubActions,
        8,
        &[
            "##[group]",
            "##[error]",
            "##[endgroup]",
            "##[debug]",
            "Current runner version:",
            "Process completed with exit code",
            "Run actions/",
            "Run aws-actions/",
            "Run docker/",
            "shell: /usr/bin/bash -e",
            "shell: bash --noprofile",
            "/home/runner/work/_temp",
            "/home/runner/work/_actions",
            "/runner/_work/",
            "/actions-runner/",
            "Cleaning up orphan processes",
            "Post job cleanup.",
            "Assuming role with OIDC",
            "assume role with OIDC",
            "ACTIONS_ID_TOKEN_REQUEST",
            "please check your action inputs",
            "Watch this deployment's progress in",
            "GITHUB_TOKEN: ",
            ".github/workflows/",
            "Error: The process '/",
            "Error: Action failed with error",
        ],
    ),
    (
        Source::Cdk,
        2,
        &[
            "@aws-cdk/",
            "aws-cdk/lib",
            "aws-cdk-lib",
            "jsii",
            "Subprocess exited with error",
            "CDK CLI",
            "cdk synth",
            "cdk deploy",
            "cdk bootstrap",
            "cdk diff",
            "cdk destroy",
            "software.amazon.awscdk",
            "Amazon.JSII",
            "Amazon.CDK",
            "aws_cdk",
            "cdk.out",
            "cdk.json",
            "cdk-hnb659fds",
            "/cdk-bootstrap/",
            "CDKToolkit",
            "cdktoolkit-",
            "Bundling asset ",
            "start: Publishing ",
            "success: Published ",
            "Failed to publish asset",
            "Synthesis time:",
            "creating CloudFormation changeset",
            "[Error at /",
            "Bootstrapping environment aws://",
            "--require-approval",
            "CDK library",
            "lib/construct.ts",
            "node_modules/constructs/",
        ],
    ),
    (
        Source::DockerBuild,
        1,
        &[
            "failed to solve:",
            "[internal] load build definition",
            " => ERROR [",
            " => CACHED [",
            " => [internal]",
            "executor failed running",
            "returned a non-zero code",
            "Sending build context to Docker",
            "---> Running in ",
            "Removing intermediate container",
            "Retrieving image manifest",
            "Resolved base name",
            "Running: [/bin/sh",
            "error building image:",
            "Failed to push to destination",
            "Pushing image to ",
            "The push refers to repository",
            "failed to push ",
            "' failed to build",
            "STEP 1/",
            "pack build ",
            "[detector]",
            "[exporter]",
            // What installs and compiles: a container does neither, as a rule.
            "Installing dependencies from lock file",
            "Verifying lock file contents",
            "Loading composer repositories",
            "failed to run custom build command for",
            "error: could not compile `",
            "Building wheels for collected packages",
            "Getting requirements to build wheel",
            "Failed building wheel for",
            "Reading package lists...",
            "E: Unable to locate package",
            "fetch https://dl-cdn.alpinelinux.org",
            "go: downloading ",
            "Fetching gem metadata from",
            "Determining projects to restore...",
            "[1/4] Resolving packages...",
            "command 'gcc' failed",
        ],
    ),
    (
        Source::DeployTool,
        1,
        &[
            "Still creating...",
            "Still modifying...",
            "Still destroying...",
            "]: Creating...",
            ": Creating...",
            ": Modifying...",
            "Refreshing state...",
            "Apply complete! Resources",
            "Terraform ",
            "terraform ",
            "terragrunt",
            "resource \"aws_",
            "Planning failed",
            "urn:pulumi:",
            "pulumi:",
            "pulumi up",
            "Pulumi ",
            " aws:ecs:",
            "copilot ",
            "$ aws ",
            "aws: error:",
            "sam deploy",
            "SAM CLI",
            "Serverless:",
            "serverless deploy",
            "ecs-cli",
            "ecspresso",
            "ecs-deploy",
            "Waiting for changeset to be created",
            "Failed to create changeset",
            "Failed to create/update the stack",
            "Waiting for service deployment to complete",
            "Current task definition: ",
            "New task definition",
            "Waiting for task to be in",
            "Creating network \"",
            "[+] Running ",
            "[+] Pulling ",
            "ERROR: for ",
            "while bringing up the project",
            "dependency failed to start",
            "Using ECS task definition",
            "Registering a new task definition",
            "Updating service attributes",
            "acquiring the state lock",
            "Lock Info:",
            "Proposing infrastructure changes",
            "✔ Deployed ",
            "✘ ",
            "Waiting for deployment d-",
            "Resource is not in the state",
            "aws_ecs_",
            "aws_autoscaling_group.",
            "with aws_",
            "Error response from daemon:",
            "docker-compose up",
            "docker compose up",
            "docker pull ",
            "SSHKit::",
            "kubectl apply",
            "awsx:",
        ],
    ),
    (
        Source::Other,
        2,
        &[
            "Started by user ",
            "Started by timer",
            "[Pipeline] ",
            "Finished: SUCCESS",
            "Finished: FAILURE",
            "[Container] 20",
            "Running with gitlab-runner",
            "section_start:",
            "ERROR: Job failed",
            "Job succeeded",
            "script returned exit code",
            "CircleCI ",
            "bash -eo pipefail",
            "##[section]",
            "[INFO] Scanning for projects",
            "> Task :",
            "FAILURE: Build failed with an exception",
            "Test Suites: ",
        ],
    ),
    // A program that its build tool starts.
    (Source::ContainerLog, 4, &[":run (default-cli)", "> Task :bootRun", "> Task :run"]),
    (
        Source::AlbTargetHealth,
        1,
        &[
            "Target.ResponseCodeMismatch",
            "Target.FailedHealthChecks",
            "Target.DeregistrationInProgress",
            "Target.Timeout",
            "Target.NotRegistered",
            "Elb.InitialHealthChecking",
        ],
    ),
    (
        Source::EcsStoppedTask,
        1,
        &[
            "stoppedReason",
            "stopCode",
            "TaskFailedToStart",
            "CannotPullContainerError",
            "CannotCreateContainerError",
            "CannotStartContainerError",
            "ResourceInitializationError",
            "HostConfigError",
            "InternalError: failed to normalize",
            "Essential container in task exited",
            "OutOfMemoryError: Container killed",
            "Stopped reason",
            "Task stopped at",
        ],
    ),
    (
        Source::CfnStackEvent,
        1,
        &[
            "Resource handler returned message",
            "Resource creation cancelled",
            "The following resource(s) failed to",
        ],
    ),
    (
        Source::EcsAgentLog,
        2,
        &[
            "TaskEngine",
            "Task engine [",
            "module=engine",
            "amazon-ecs-agent",
            "Amazon ECS Agent",
            "ecs-agent.log",
            "module=\"acs",
            "Managed task [",
            "DockerGoClient",
            "Connected to ACS",
            "Connected to TCS",
            "connecting to ACS",
            "connecting to TCS",
            "websocket client: ",
            "Checkpointing is enabled",
            "Saving state! module",
            "ECS Agent",
            "Container Service Agent",
        ],
    ),
];

/// All signs, looked for in one pass.
fn signs() -> &'static Option<AhoCorasick> {
    static ALL: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let words = SIGNS.iter().flat_map(|(_, _, words)| words.iter());
        AhoCorasick::new(words).ok()
    });
    &ALL
}

/// Returns which of the lists a word stands in, by its number among all words.
fn sign_of(word: usize) -> usize {
    let mut before = 0;
    SIGNS
        .iter()
        .position(|(_, _, words)| {
            before += words.len();
            word < before
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_a_hint() {
        assert_eq!(by_name("/tmp/x/01.docker-build.log"), Some(Source::DockerBuild));
        assert_eq!(by_name("app.log"), None);
        assert_eq!(by_name("/var/log/ecs/ecs-agent.log.2026-05-01-10"), Some(Source::EcsAgentLog));
        assert_eq!(by_name("cdk.txt"), Some(Source::Cdk));
    }

    #[test]
    fn content_tells() {
        assert_eq!(by_content("#1 [internal] load build definition\n#1 DONE 0.0s"), Source::DockerBuild);
        assert_eq!(
            by_content("2026-05-01T10:00:00 CREATE_FAILED AWS::ECS::Service Web no"),
            Source::CfnStackEvent
        );
        assert_eq!(by_content("(service web) has started 1 tasks: (task 1)."), Source::EcsServiceEvent);
        assert_eq!(by_content("hello"), Source::ContainerLog);
    }

    #[track_caller]
    fn check(text: &str, source: Source) {
        assert_eq!(by_content(text), source, "{text}");
    }

    #[test]
    fn what_frames_a_job_outweighs_what_stands_in_it() {
        let build =
            "#7 [2/9] RUN npm ci\n#7 0.198 npm error code E404\n#7 ERROR: process \"/bin/sh -c npm ci\"";
        check(build, Source::DockerBuild);
        check(&format!("{build}\nError: Process completed with exit code 1."), Source::GithubActions);
        check("aws_ecs_service.web: Creating...\nTests: 3\nFinished: FAILURE", Source::Other);
    }

    #[test]
    fn what_a_container_prints_below_its_tool_is_its_log() {
        check(
            "$ docker-compose up\nCreating network \"web\"\nweb_1 | starts\nweb_1 | fails\nweb_1 | ends",
            Source::ContainerLog,
        );
        check(
            "[INFO] Scanning for projects...\n[INFO] --- spring-boot:3.2.1:run (default-cli) @ shop ---",
            Source::ContainerLog,
        );
        check(
            "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the GetObject operation",
            Source::ContainerLog,
        );
    }

    #[test]
    fn tools_are_known_by_their_words() {
        check("jsii.errors.JavaScriptError:\n  Error: no stack\nSubprocess exited with error 1", Source::Cdk);
        check(
            "An error occurred (ClientException) when calling the RunTask operation: no",
            Source::DeployTool,
        );
        check("level=info time=2026-05-01T10:00:00Z msg=\"Loading\" module=agent.go", Source::EcsAgentLog);
        check("2026-05-01 10:00:00 UTC+0200 | Queue | DELETE_COMPLETE | -", Source::CfnStackEvent);
        check(
            "service web was unable to place a task because no container instance met all of its requirements.",
            Source::EcsServiceEvent,
        );
        check("10.0.4.23:8080 eu-central-1a healthy", Source::AlbTargetHealth);
    }
}
