//! Checks of images: their references, and whether they exist.

use super::places::Places;
use super::scope::{not_described, per_container, unknown, violated};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{Image, Part, Snapshot};

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
    // A list without a tag was asked for images that have none.
    let is_of_untagged =
        reference.digest.is_none() && described.iter().all(|image| image.image_tags.is_empty());
    if is_of_untagged || !described.iter().all(|image| image.of_whole_list) {
        return unknown(format!("rest of the images of repository {repository}"));
    }
    if is_pulled_through(repository) {
        return unknown(format!(
            "registry behind repository {repository}, if that is the cache of another one"
        ));
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

/// Whether a repository has a prefix that is usual for caches of other registries, which hold what was pulled before.
fn is_pulled_through(repository: &str) -> bool {
    const PREFIXES: [&str; 9] =
        ["docker-hub", "dockerhub", "ecr-public", "quay", "ghcr", "github", "gitlab", "k8s", "kubernetes"];
    repository.split_once('/').is_some_and(|(prefix, _)| PREFIXES.contains(&prefix))
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
            (image("web", "v2", true).replace(r#"["v2"]"#, "[]"), left_out),
            (image("api", "v1", true), "no images of repository web"),
        ] {
            let images = format!("[{images}]");
            let parts = [SENSIBLE.as_slice(), &[("images", &images)]].concat();
            check(Check::ImageExists, &parts, &[&format!("{app}: {expected}")]);
        }
    }

    #[test]
    fn a_repository_of_the_same_name_may_be_in_another_region() {
        use super::super::task_definition::tests::{SENSIBLE, check};
        let app = "task definition web:12, container app";
        let images = |registry: &str| {
            format!(
                r#"[{{{registry}"repositoryName": "web", "imageTags": ["v1"], "imageDigest": "sha256:1", "ofWholeList": true}}]"#
            )
        };
        let own = images(r#""registryId": "111122223333", "#);
        let [services, definitions, groups] = SENSIBLE;
        for (from, to, images, expected) in [
            ("web:v1", "web:v1", &own, "holds".to_owned()),
            ("web:v1", "web:v2", &own, "image tag = v2".to_owned()),
            ("dkr.ecr.eu-west-1", "dkr.ecr.us-east-1", &own, region("us-east-1", "eu-west-1")),
            ("web:v1", "web:v1", &images(""), "holds".to_owned()),
            ("111122223333.dkr", "444455556666.dkr", &images(""), "no images of repository web".to_owned()),
            ("111122223333.dkr", "444455556666.dkr", &own, "no images of repository web".to_owned()),
            (
                "amazonaws.com/web:v1",
                "amazonaws.com/docker-hub/library/web:v3",
                &own.replace(r#""web""#, r#""docker-hub/library/web""#),
                "no registry behind repository docker-hub/library/web, if that is the cache of another one"
                    .to_owned(),
            ),
        ] {
            let definitions = definitions.1.replace(from, to);
            let parts = [services, ("taskDefinitions", &definitions), groups, ("images", images)];
            check(Check::ImageExists, &parts, &[&format!("{app}: {expected}")]);
        }
        let side = r#"[{"name": "side", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/web:v1"}, {"name": "app","#;
        let both = definitions.1.replace(r#"[{"name": "app","#, side);
        let expected = [
            format!("{app}: {}", region("eu-west-1", "us-east-1")),
            format!("task definition web:12, container side: {}", region("us-east-1", "eu-west-1")),
        ];
        let parts = [services, ("taskDefinitions", &both), groups, ("images", &own)];
        check(Check::ImageExists, &parts, &expected.each_ref().map(String::as_str));
    }

    fn region(own: &str, other: &str) -> String {
        format!(
            "no region of the described images of repository web: the image is in {own}, and {other} is named, too"
        )
    }

    #[test]
    fn the_image_of_a_revision_that_is_replaced_is_not_looked_for() {
        use super::super::task_definition::tests::{SENSIBLE, check};
        let [services, definitions, groups] = SENSIBLE;
        let old = definitions.1.replace("web:12", "web:11").replace("\"revision\": 12", "\"revision\": 11");
        let old = old.replace("web:v1", "web:v0");
        let both = format!("{},{}", &definitions.1[..definitions.1.len() - 1], &old[1..]);
        let running = r#""deployments": [{"id": "ecs-svc/1", "status": "ACTIVE", "runningCount": 2,
            "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:11"}, {"#;
        let services = services.1.replace(r#""deployments": [{"#, running);
        let images = r#"[{"registryId": "111122223333", "repositoryName": "web", "imageTags": ["v1"], "ofWholeList": true}]"#;
        let parts = [("services", services.as_str()), ("taskDefinitions", &both), groups, ("images", images)];
        check(Check::ImageExists, &parts, &["task definition web:12, container app: holds"]);
        // One that failed and was left again is later than the one that runs.
        let back = services.replace(
            r#""taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:12",
                "healthCheck"#,
            r#""taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:11",
                "healthCheck"#,
        );
        let expected = [
            "task definition web:11, container app: image tag = v0",
            "task definition web:12, container app: holds",
        ];
        let parts = [("services", back.as_str()), ("taskDefinitions", &both), groups, ("images", images)];
        check(Check::ImageExists, &parts, &expected);
    }
}
