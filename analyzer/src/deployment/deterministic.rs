//! Causes that no waiting repairs.

use crate::diagnosis::{Finding, Proof};
use crate::record::Source;

/// Causes that fail every task of a revision in the same way until a person changes something: watching ends with them.
///
/// A cause belongs here only if it cannot go away by itself: nothing about capacity, networks or databases, and no
/// permission, because a role that was created a moment ago may be refused for a while.
pub const DETERMINISTIC: [&str; 20] = [
    "application/configuration/secret-deleted",
    "application/configuration/secret-json-key-missing",
    "application/configuration/secret-not-found",
    "application/configuration/secret-not-json",
    "application/configuration/secret-reference-malformed",
    "application/configuration/secret-version-missing",
    "application/configuration/parameter-not-found",
    "application/configuration/env-file-missing",
    "application/startup-health/command-not-in-image",
    "application/startup-health/entrypoint-file-missing",
    "application/startup-health/entrypoint-not-executable",
    "application/startup-health/exec-format-error",
    "application/startup-health/working-directory-invalid",
    "pipeline/image/digest-not-found",
    "pipeline/image/invalid-image-reference",
    "pipeline/image/manifest-type-unsupported",
    "pipeline/image/platform-not-in-manifest",
    "pipeline/image/repository-not-found",
    "pipeline/image/tag-not-found",
    "pipeline/image/windows-version-mismatch",
];

/// Whether a root cause is of that kind, and certain enough to stop waiting: a check confirmed it, ECS itself says it,
/// or it was seen more than once.
pub fn is_deterministic(root: &Finding) -> bool {
    if !DETERMINISTIC.contains(&root.cause.as_str()) || root.symptom || root.proof == Proof::Refuted {
        return false;
    }
    let by_ecs = |source: Source| matches!(source, Source::EcsStoppedTask | Source::EcsServiceEvent);
    let seen: u64 = root.evidence.iter().map(|evidence| evidence.count).sum();
    root.proof == Proof::Confirmed
        || root.evidence.iter().any(|evidence| by_ecs(evidence.source))
        || seen >= 2
}
