//! The regions and accounts that a snapshot names.

use std::collections::BTreeSet;

use super::image::{Home, ecr_home};
use crate::snapshot::Snapshot;

/// Where what is described lives, as far as its ARNs and images say.
pub(super) struct Places<'a> {
    regions: BTreeSet<&'a str>,
    accounts: BTreeSet<&'a str>,
    images: Vec<Home<'a>>,
}

impl<'a> Places<'a> {
    pub fn named_in(snapshot: &'a Snapshot) -> Places<'a> {
        let mut places = Places { regions: BTreeSet::new(), accounts: BTreeSet::new(), images: Vec::new() };
        for arn in arns_of(snapshot) {
            // arn:aws:ecs:eu-west-1:111122223333:service/prod/web
            let mut parts = arn.splitn(6, ':').skip(3);
            places.regions.extend(parts.next().filter(|region| !region.is_empty()));
            places.accounts.extend(parts.next().filter(|account| !account.is_empty()));
        }
        let definitions = snapshot.task_definitions.items().iter();
        let containers = definitions.flat_map(|definition| &definition.container_definitions);
        places.images = containers.filter_map(|container| ecr_home(&container.image)).collect();
        places
    }

    /// Returns a region other than that of an image, from which images of a repository of the same name may have been listed.
    pub fn other_region(&self, home: &Home<'_>) -> Option<&'a str> {
        let namesakes = self.images.iter().filter(|other| other.repository == home.repository);
        let mut regions = self.regions.iter().copied().chain(namesakes.map(|other| other.region));
        regions.find(|region| *region != home.region)
    }

    /// Whether nothing belongs to another account.
    pub fn is_only_account(&self, account: &str) -> bool {
        self.accounts.iter().all(|named| *named == account)
    }
}

fn arns_of(snapshot: &Snapshot) -> Vec<&str> {
    let mut arns: Vec<&str> = Vec::new();
    for service in snapshot.services.items() {
        arns.extend([service.service_arn.as_str(), service.cluster_arn.as_str()]);
        arns.extend(service.task_definition.as_deref());
    }
    let definitions = snapshot.task_definitions.items().iter();
    arns.extend(definitions.filter_map(|definition| definition.task_definition_arn.as_deref()));
    arns.extend(snapshot.tasks.items().iter().map(|task| task.task_arn.as_str()));
    arns.extend(snapshot.service_deployments.items().iter().map(|one| one.service_deployment_arn.as_str()));
    arns.extend(snapshot.target_groups.items().iter().map(|group| group.target_group_arn.as_str()));
    arns.extend(snapshot.stacks.items().iter().map(|stack| stack.stack_id.as_str()));
    arns.retain(|arn| arn.starts_with("arn:"));
    arns
}
