//! Tells what a file holds: by its name, else by what its first lines look like.

use analyzer::record::Source;

/// Reads the kind out of a name such as `03.container-log.log`.
pub fn by_name(name: &str) -> Option<Source> {
    let file = name.rsplit(['/', '\\']).next()?;
    file.split('.').find_map(|part| part.parse().ok())
}

/// Judges by content; a log of an application is what remains.
pub fn by_content(head: &str) -> Source {
    let mut votes = [0usize; Source::ALL.len()];
    for line in head.lines().take(400) {
        if let Some(source) = vote(line) {
            votes[source as usize] += 1;
        }
    }
    let best = Source::ALL.into_iter().rev().max_by_key(|source| votes[*source as usize]);
    best.filter(|source| votes[*source as usize] > 0).unwrap_or(Source::ContainerLog)
}

fn vote(line: &str) -> Option<Source> {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["##[group]", "##[error]", "##[endgroup]", "Current runner version:"]) {
        return Some(Source::GithubActions);
    }
    let build = line.strip_prefix('#').is_some_and(|rest| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < line.len() - 1
            && (rest.starts_with(" [")
                || rest.starts_with(" DONE")
                || rest.starts_with(" CACHED")
                || rest.starts_with(" ERROR"))
    });
    if build
        || line.starts_with("Step ") && line.contains(" : ")
        || has(&["failed to solve:", "[internal] load build definition"])
    {
        return Some(Source::DockerBuild);
    }
    let is_stack_event = has(&["CREATE_", "UPDATE_", "DELETE_", "ROLLBACK_"]) && line.contains("AWS::");
    if is_stack_event && line.matches(" | ").count() >= 3
        || has(&[
            "Synthesis time:",
            "creating CloudFormation changeset",
            "[Error at /",
            "aws-cdk-lib",
            "cdk deploy",
        ])
    {
        return Some(Source::Cdk);
    }
    if is_stack_event {
        return Some(Source::CfnStackEvent);
    }
    if has(&[
        "Target.ResponseCodeMismatch",
        "Target.FailedHealthChecks",
        "Target.DeregistrationInProgress",
        "Target.Timeout",
        "Target.NotRegistered",
        "Elb.InitialHealthChecking",
    ]) {
        return Some(Source::AlbTargetHealth);
    }
    if has(&[
        "stoppedReason",
        "CannotPullContainerError",
        "ResourceInitializationError",
        "Essential container in task exited",
        "CannotStartContainerError",
        "OutOfMemoryError: Container killed",
    ]) {
        return Some(Source::EcsStoppedTask);
    }
    let about_service = line.contains("(service ")
        && has(&[
            "has started",
            "was unable to",
            "registered",
            "has reached",
            "is unhealthy",
            "has stopped",
            "has begun",
            "deployment",
        ]);
    if about_service {
        return Some(Source::EcsServiceEvent);
    }
    if has(&[
        "module=\"TaskEngine\"",
        "module=TaskEngine",
        "module=engine",
        "amazon-ecs-agent",
        "module=\"acs",
    ]) {
        return Some(Source::EcsAgentLog);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_a_hint() {
        assert_eq!(by_name("/tmp/x/01.docker-build.log"), Some(Source::DockerBuild));
        assert_eq!(by_name("app.log"), None);
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
}
