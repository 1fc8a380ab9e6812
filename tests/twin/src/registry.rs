//! ECR (JSON 1.1) and STS (query).

use crate::ecs::image_digest;
use crate::page;
use crate::wire::{Answer, ApiError, time};
use crate::world::{HOUR, World};
use serde_json::{Value, json};

pub const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers a call to ECR.
pub fn answer(world: &World, action: &str, params: &Value) -> Answer {
    match action {
        "DescribeImages" => describe_images(world, params),
        _ => Err(page::unknown_action(action)),
    }
}

/// Answers a call to STS.
pub fn identity(world: &World, action: &str) -> Answer {
    if action != "GetCallerIdentity" {
        return Err(page::unknown_action(action));
    }
    let account = &world.scenario.account.id;
    Ok(json!({
        "Arn": format!("arn:aws:sts::{account}:assumed-role/medic/session"),
        "UserId": "AROAEXAMPLETWINROLE01:session",
        "Account": account,
    }))
}

fn describe_images(world: &World, params: &Value) -> Answer {
    let repository = &world.scenario.service.repository;
    let account = &world.scenario.account.id;
    let asked = params["repositoryName"].as_str().unwrap_or_default();
    if asked != repository {
        let message =
            format!("The repository with name '{asked}' does not exist in the registry with id '{account}'");
        return Err(ApiError::new("RepositoryNotFoundException", message));
    }
    let held: Vec<(&str, String)> = world
        .scenario
        .versions
        .iter()
        .filter(|version| version.in_registry)
        .map(|version| (version.image.as_str(), image_digest(world, &world.scenario.image(&version.image))))
        .collect();
    let mut images = Vec::new();
    match params["imageIds"].as_array() {
        None => images.extend(held.iter().map(|(tag, digest)| image_json(world, tag, digest))),
        Some(ids) => {
            for id in ids {
                let (tag, digest) = (id["imageTag"].as_str(), id["imageDigest"].as_str());
                let found = held.iter().find(|(known, sum)| {
                    tag.is_none_or(|tag| tag == *known) && digest.is_none_or(|digest| digest == sum)
                });
                let Some((known, sum)) = found else {
                    let message = format!(
                        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the \
                         repository with name '{repository}' in the registry with id '{account}'",
                        digest.unwrap_or("null"),
                        tag.unwrap_or("null")
                    );
                    return Err(ApiError::new("ImageNotFoundException", message));
                };
                images.push(image_json(world, known, sum));
            }
        }
    }
    page::answer("imageDetails", images, params, "nextToken", "maxResults", 1000)
}

fn image_json(world: &World, tag: &str, digest: &str) -> Value {
    json!({
        "registryId": world.scenario.account.id,
        "repositoryName": world.scenario.service.repository,
        "imageDigest": digest,
        "imageTags": [tag],
        "imageSizeInBytes": 48_000_000 + world.draw(digest, 0) % 9_000_000,
        "imagePushedAt": time(world.begin - 3 * HOUR),
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
    })
}
