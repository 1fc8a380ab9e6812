//! Checks what images run on.

use super::image::is_pinned;
use super::scope::{not_described, per_container, unknown, violated};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{Container, ContainerDefinition, Part, Snapshot, Task, TaskDefinition};

/// Compares with what tasks said: a registry is not asked for the platforms of its images.
pub fn image_architecture_matches(snapshot: &Snapshot) -> Vec<CheckResult> {
    let tasks = match &snapshot.tasks {
        Part::Known(tasks) => tasks,
        Part::Unknown { reason } => {
            return vec![not_described(Check::ImageArchitectureMatches, "tasks", reason)];
        }
    };
    per_container(Check::ImageArchitectureMatches, snapshot, |scope, container| {
        let definition = scope.definition;
        let ran = |task: &&Task| task.task_definition_arn.as_deref().is_some_and(|arn| definition.is(arn));
        let tasks: Vec<&Task> = tasks.iter().filter(ran).collect();
        let refused = tasks
            .iter()
            .filter_map(|task| Some((*task, wrong_platform(task, definition, container)?)))
            .max_by_key(|(task, _)| task.created_at);
        let worked =
            tasks.iter().filter(|task| has_worked(task, container)).max_by_key(|task| task.created_at);
        match (refused, worked) {
            // The same platform could run what the tag meant later.
            (Some((refused, _)), Some(worked))
                if refused.created_at.is_some() && refused.created_at < worked.created_at =>
            {
                let missing =
                    format!("image that container {} had when task {} failed", container.name, refused.id());
                Some(unknown(missing))
            }
            (Some((task, said)), _) => {
                let because = format!("task {} could not run the image: {said}", task.id());
                Some(violated("runtimePlatform.cpuArchitecture", architecture(definition), because))
            }
            (None, Some(_)) if is_one_image(&tasks, container) => Some(Outcome::Holds),
            _ => Some(unknown(format!(
                "the platform that the image of container {} was built for",
                container.name
            ))),
        }
    })
}

fn has_worked(task: &Task, container: &ContainerDefinition) -> bool {
    let worked =
        |ran: &Container| ran.health_status.as_deref() == Some("HEALTHY") || ran.exit_code == Some(0);
    task.containers.iter().any(|ran| ran.name == container.name && worked(ran))
}

/// Whether all tasks ran one image on one kind of processor, so that where it ran once, it runs. A tag may have been moved
/// between two tasks, and instances of a cluster may differ.
fn is_one_image(tasks: &[&Task], container: &ContainerDefinition) -> bool {
    let digest_of = |task: &&Task| {
        let ran = task.containers.iter().find(|ran| ran.name == container.name)?;
        ran.image_digest.clone().filter(|digest| !digest.is_empty())
    };
    let is_same = |values: Vec<Option<String>>| {
        values.iter().all(|value| value.is_some() && *value == values[0]) && !values.is_empty()
    };
    let is_one_image = is_pinned(&container.image) || is_same(tasks.iter().map(digest_of).collect());
    // The task definition says what Fargate runs on.
    let on_fargate = |task: &&Task| task.launch_type.as_deref() == Some("FARGATE");
    let processor = |task: &&Task| {
        let named = task.attributes.iter().find(|attribute| attribute.name == "ecs.cpu-architecture")?;
        named.value.clone()
    };
    is_one_image && (tasks.iter().all(on_fargate) || is_same(tasks.iter().map(processor).collect()))
}

/// Returns what the task said, if it said that the image is for another platform.
fn wrong_platform<'a>(
    task: &'a Task,
    definition: &TaskDefinition,
    container: &ContainerDefinition,
) -> Option<&'a str> {
    const SIGNS: [&str; 4] = [
        "descriptor matching platform",
        "no match for platform",
        "no matching manifest for",
        "exec format error",
    ];
    let says_so = |text: &str| {
        let lower = text.to_ascii_lowercase();
        SIGNS.iter().any(|sign| lower.contains(sign))
    };
    let own =
        task.containers.iter().find(|ran| ran.name == container.name).and_then(|ran| ran.reason.as_deref());
    if let Some(reason) = own.filter(|reason| says_so(reason)) {
        return Some(reason);
    }
    let is_meant = |reason: &&str| {
        definition.container_definitions.len() == 1
            || !container.image.is_empty() && reason.contains(container.image.as_str())
    };
    task.stopped_reason.as_deref().filter(|reason| says_so(reason)).filter(is_meant)
}

fn architecture(definition: &TaskDefinition) -> &str {
    let platform = definition.runtime_platform.as_ref();
    platform
        .and_then(|platform| platform.cpu_architecture.as_deref())
        .unwrap_or("not set (X86_64 on Fargate)")
}

#[cfg(test)]
mod tests {
    use super::super::task_definition::tests::{SENSIBLE, check};
    use super::*;

    #[test]
    fn a_task_can_say_that_the_platform_is_wrong() {
        let app = "task definition web:12, container app";
        let task = |said: &str| {
            let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12";
            format!(r#"[{{"taskArn": "t/1", "taskDefinitionArn": "{arn}", {said}}}]"#)
        };
        let pull = "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'";
        let unknown = "no the platform that the image of container app was built for";
        for (said, expected) in [
            (
                format!(r#""stoppedReason": "{pull}""#),
                "runtimePlatform.cpuArchitecture = not set (X86_64 on Fargate)",
            ),
            (r#""containers": [{"name": "app", "healthStatus": "HEALTHY"}]"#.to_owned(), unknown),
            (r#""containers": []"#.to_owned(), unknown),
        ] {
            let tasks = task(&said);
            let parts = [SENSIBLE.as_slice(), &[("tasks", &tasks)]].concat();
            check(Check::ImageArchitectureMatches, &parts, &[&format!("{app}: {expected}")]);
        }
    }

    /// Compares what is said of tasks, each with its digest, launch type, processor, second and what became of it.
    #[track_caller]
    fn check_tasks(image: &str, tasks: &[(&str, &str, &str, u8, &str)], expected: &str) {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12";
        let task = |(digest, kind, processor, second, said): &(&str, &str, &str, u8, &str)| {
            format!(
                r#"{{"taskArn": "t/{second}", "taskDefinitionArn": "{arn}", "launchType": "{kind}", "createdAt": 10{second},
                    "attributes": [{{"name": "ecs.cpu-architecture", "value": "{processor}"}}],
                    "containers": [{{"name": "app", "imageDigest": "{digest}", {said}}}]}}"#
            )
        };
        let tasks = format!("[{}]", tasks.iter().map(task).collect::<Vec<_>>().join(","));
        let [services, definitions, groups] = SENSIBLE;
        let definitions = definitions.1.replace("web:v1", image);
        let parts = [services, ("taskDefinitions", &definitions), groups, ("tasks", &tasks)];
        let app = "task definition web:12, container app";
        check(Check::ImageArchitectureMatches, &parts, &[&format!("{app}: {expected}")]);
    }

    #[test]
    fn that_one_task_could_run_a_tag_says_nothing_of_another() {
        const HEALTHY: &str = r#""healthStatus": "HEALTHY""#;
        const ENDED: &str = r#""exitCode": 255"#;
        const REFUSED: &str = r#""reason": "exec /app: exec format error""#;
        const UNKNOWN: &str = "no the platform that the image of container app was built for";
        let (one, other) = ("sha256:1", "sha256:2");
        let old = (one, "FARGATE", "x86_64", 1, HEALTHY);
        check_tasks("web:latest", &[old, (other, "FARGATE", "x86_64", 2, ENDED)], UNKNOWN);
        check_tasks("web:latest", &[old, ("", "FARGATE", "x86_64", 2, ENDED)], UNKNOWN);
        check_tasks("web:latest", &[old, (one, "FARGATE", "x86_64", 2, ENDED)], "holds");
        let instance = (one, "EC2", "x86_64", 1, HEALTHY);
        check_tasks("web:latest", &[instance, (one, "EC2", "arm64", 2, ENDED)], UNKNOWN);
        check_tasks("web:latest", &[instance, (one, "EC2", "x86_64", 2, ENDED)], "holds");
        let pinned = format!("web@sha256:{}", "0a".repeat(32));
        check_tasks(&pinned, &[old, ("", "FARGATE", "x86_64", 2, ENDED)], "holds");
        check_tasks(&pinned, &[instance, ("", "EC2", "arm64", 2, ENDED)], UNKNOWN);
        let refused = (one, "FARGATE", "x86_64", 2, REFUSED);
        check_tasks(
            "web:latest",
            &[old, refused],
            "runtimePlatform.cpuArchitecture = not set (X86_64 on Fargate)",
        );
        let repaired = (other, "FARGATE", "x86_64", 3, HEALTHY);
        check_tasks("web:latest", &[refused, repaired], "no image that container app had when task 2 failed");
    }
}
