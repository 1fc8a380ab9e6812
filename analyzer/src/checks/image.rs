//! Checks of images: their references, whether they exist, and what they run on.

use super::places::Places;
use super::scope::{not_described, per_container, unknown, violated};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{Container, ContainerDefinition, Image, Part, Snapshot, Task, TaskDefinition};

pub fn image_reference_valid(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_container(Check::ImageReferenceValid, snapshot, |scope, container| {
        let is_left_out = scope.definition.is_registered() || !scope.definition.is_whole();
        if container.image.is_empty() && is_left_out {
            return Some(unknown(format!("image of container {}", container.name)));
        }
        Some(match Reference::parse(&container.image) {
            Ok(_) => Outcome::Holds,
            Err(because) => violated("image", container.image.as_str(), because),
        })
    })
}

pub fn image_exists(snapshot: &Snapshot) -> Vec<CheckResult> {
    let images = match &snapshot.images {
        Part::Known(images) => images,
        Part::Unknown { reason } => return vec![not_described(Check::ImageExists, "images", reason)],
    };
    let places = Places::named_in(snapshot);
    per_container(Check::ImageExists, snapshot, |_, container| {
        let home = ecr_home(&container.image)?;
        let reference = Reference::parse(&container.image).ok()?;
        let repository = home.repository;
        let in_registry = |image: &&Image| match image.registry_id.is_empty() {
            // Without `--registry-id` the registry of the caller is asked.
            true => places.is_only_account(home.account),
            false => image.registry_id == home.account,
        };
        let described: Vec<&Image> =
            images.iter().filter(|image| image.repository_name == repository).filter(in_registry).collect();
        if described.is_empty() {
            return Some(unknown(format!("images of repository {repository}")));
        }
        // The answer names no region, and a repository of one name may be in each.
        Some(match places.other_region(&home) {
            Some(other) => unknown(format!(
                "region of the described images of repository {repository}: the image is in {}, and {other} is named, too",
                home.region
            )),
            None => exists_among(&reference, &described),
        })
    })
}

fn exists_among(reference: &Reference<'_>, described: &[&Image]) -> Outcome {
    let repository = reference.path;
    let (field, value, found) = match reference.digest {
        Some(digest) => ("image digest", digest, described.iter().any(|image| image.image_digest == digest)),
        None => {
            let tag = reference.tag.unwrap_or("latest");
            (
                "image tag",
                tag,
                described.iter().any(|image| image.image_tags.iter().any(|known| known == tag)),
            )
        }
    };
    if found {
        return Outcome::Holds;
    }
    if !described.iter().all(|image| image.of_whole_list) {
        return unknown(format!("rest of the images of repository {repository}"));
    }
    let newest = described.iter().max_by_key(|image| (image.image_pushed_at, &image.image_tags));
    let hint = match newest.and_then(|image| image.image_tags.first()) {
        Some(tag) => format!("; the newest of them has the tag {tag}"),
        None => String::new(),
    };
    let because = format!(
        "the {field} {value} is not among the {} images described in repository {repository}{hint}",
        described.len()
    );
    violated(field, value, because)
}

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

/// Whether a reference names its image by digest, and so means the same one always.
pub(crate) fn is_pinned(image: &str) -> bool {
    Reference::parse(image).is_ok_and(|reference| reference.digest.is_some())
}

/// Whether two references name one image: repository and tag, or repository and digest.
pub(crate) fn is_same_image(one: &str, other: &str) -> bool {
    let named = |text: &str| {
        let reference = Reference::parse(text).ok()?;
        let which = reference.digest.or(reference.tag).unwrap_or("latest").to_owned();
        Some((reference.host.map(str::to_owned), reference.path.to_owned(), which))
    };
    named(one).is_some_and(|one| Some(one) == named(other))
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

/// Whether a part of the text still has to be replaced by a value.
pub(super) fn has_placeholder(text: &str) -> bool {
    let open = ["${", "{{", "$(", "<"];
    open.iter().any(|open| text.contains(open)) || text.starts_with('$')
}

/// Where an image is in ECR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub repository: &'a str,
}

/// Returns where an image is, if it is in ECR.
pub(super) fn ecr_home(image: &str) -> Option<Home<'_>> {
    let reference = Reference::parse(image).ok()?;
    let host: Vec<&str> = reference.host?.split('.').collect();
    match host.as_slice() {
        [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", ..]
        | [account, "dkr-ecr" | "dkr-ecr-fips", region, "on", ..] => {
            Some(Home { account, region, repository: reference.path })
        }
        _ => None,
    }
}

/// The parts of an image reference.
struct Reference<'a> {
    host: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Reads `[host[:port]/]path[:tag][@digest]`, or tells what is wrong with it.
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("the container has no image");
        }
        if has_placeholder(text) {
            return Err("a placeholder in the image reference was not replaced by its value");
        }
        if text.contains(char::is_whitespace) {
            return Err("the image reference contains white space");
        }
        if text.contains("://") {
            return Err("the image reference starts with a scheme instead of the host of the registry");
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err("the digest of the image is not `sha256:` and 64 hexadecimal digits");
        }
        if named.contains("::") {
            return Err("the image reference has two colons in a row, so that a part between them is empty");
        }
        let (name, tag) = match named.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (named, None),
        };
        if tag == Some("") {
            return Err("the tag of the image is empty");
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(
                "the tag of the image is not made of up to 128 letters, digits, dots, dashes and underscores",
            );
        }
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), path),
            _ => (None, name),
        };
        if host
            .is_some_and(|host| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()))
        {
            return Err("the port of the registry of the image is not a number");
        }
        if path.contains(|c: char| c.is_ascii_uppercase()) {
            return Err("the repository of the image has upper-case letters, which no registry accepts");
        }
        if !path.split('/').all(is_path_component) {
            return Err("the repository name of the image is not valid");
        }
        Ok(Reference { host, path, tag, digest })
    }
}

fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128 && is_word(bytes[0]) && bytes.iter().all(|byte| is_word(*byte) || b".-".contains(byte))
}

/// Whether letters and digits are joined by one dot, one or two underscores, or dashes.
fn is_path_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let joints = text.split(is_word).filter(|joint| !joint.is_empty());
    let mut joints_fit =
        joints.map(|joint| matches!(joint, "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-'));
    text.starts_with(is_word) && text.ends_with(is_word) && joints_fit.all(|fits| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &str, expected: Result<(), &str>) {
        let said = Reference::parse(image).map(|_| ());
        match (&said, expected) {
            (Ok(()), Ok(())) => {}
            (Err(because), Err(part)) if because.contains(part) => {}
            _ => panic!("{image}: {said:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn references_of_images() {
        check("nginx", Ok(()));
        check("library/nginx:1.27", Ok(()));
        check("localhost:5000/web:v1", Ok(()));
        check("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v1.2_3-rc", Ok(()));
        check("quay.io/a__b/c.d-e--f", Ok(()));
        check(&format!("web@sha256:{}", "0a".repeat(32)), Ok(()));
        check("web@sha256:0a", Err("64"));
        check("web:", Err("empty"));
        check("registry.example.com/web::v1", Err("two colons"));
        check("web:v1:v2", Err("not valid"));
        check("Shop/web", Err("upper-case"));
        check("registry.example.com/Web:v1", Err("upper-case"));
        check("web:${TAG}", Err("placeholder"));
        check("<IMAGE1_NAME>", Err("placeholder"));
        check(" web", Err("white space"));
        check("https://registry.example.com/web", Err("scheme"));
        check("registry.example.com//web", Err("not valid"));
        check("", Err("no image"));
    }

    #[test]
    fn only_a_registry_of_ecr_has_an_account() {
        let image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v1";
        let home = Home { account: "111122223333", region: "eu-west-1", repository: "shop/web" };
        assert_eq!(ecr_home(image), Some(home));
        assert_eq!(ecr_home("111122223333.dkr-ecr.eu-west-1.on.aws/shop/web:v1"), Some(home));
        assert_eq!(ecr_home("public.ecr.aws/nginx/nginx"), None);
    }

    #[test]
    fn an_image_is_looked_for_in_its_own_repository() {
        use super::super::task_definition::tests::{SENSIBLE, check};
        let app = "task definition web:12, container app";
        let image = |repository: &str, tag: &str, whole: bool| {
            format!(
                r#"{{"registryId": "111122223333", "repositoryName": "{repository}", "imageTags": ["{tag}"],
                    "imageDigest": "sha256:{tag}", "ofWholeList": {whole}}}"#
            )
        };
        let left_out = "no rest of the images of repository web";
        for (images, expected) in [
            (image("web", "v1", true), "holds"),
            (image("web", "v1", false), "holds"),
            (image("web", "v2", true), "image tag = v1"),
            (image("web", "v2", false), left_out),
            ([image("web", "v2", true), image("api", "v1", true)].join(","), "image tag = v1"),
            ([image("web", "v2", false), image("api", "v1", true)].join(","), left_out),
            ([image("web", "v2", true), image("web", "v3", false)].join(","), left_out),
            (image("api", "v1", true), "no images of repository web"),
        ] {
            let images = format!("[{images}]");
            let parts = [SENSIBLE.as_slice(), &[("images", &images)]].concat();
            check(Check::ImageExists, &parts, &[&format!("{app}: {expected}")]);
        }
    }

    #[test]
    fn a_task_can_say_that_the_platform_is_wrong() {
        use super::super::task_definition::tests::{SENSIBLE, check};
        let app = "task definition web:12, container app";
        let task = |said: &str| {
            let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12";
            format!(r#"[{{"taskArn": "t/1", "taskDefinitionArn": "{arn}", {said}}}]"#)
        };
        let pull = "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'";
        for (said, expected) in [
            (
                format!(r#""stoppedReason": "{pull}""#),
                "runtimePlatform.cpuArchitecture = not set (X86_64 on Fargate)",
            ),
            (r#""containers": [{"name": "app", "healthStatus": "HEALTHY"}]"#.to_owned(), "holds"),
            (
                r#""containers": []"#.to_owned(),
                "no the platform that the image of container app was built for",
            ),
        ] {
            let tasks = task(&said);
            let parts = [SENSIBLE.as_slice(), &[("tasks", &tasks)]].concat();
            check(Check::ImageArchitectureMatches, &parts, &[&format!("{app}: {expected}")]);
        }
    }
}
