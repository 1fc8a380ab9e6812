//! What is watched, and where: it fills the patterns of ARNs.

/// What is watched, where, and with whose credentials. What is not known is `*` in an ARN.
/// The cluster, the service and the stack may be given as their ARNs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub region: String,
    /// The profile of the AWS tools, where one is named.
    pub profile: Option<String>,
    pub account: Option<String>,
    pub cluster: Option<String>,
    pub service: Option<String>,
    pub stack: Option<String>,
    pub log_group: Option<String>,
    pub queue: Option<String>,
}

impl Place {
    /// Fills the pattern of an ARN.
    pub fn fill(&self, pattern: &str) -> String {
        let region = Some(self.region.as_str()).filter(|region| !region.is_empty());
        let region = region.or_else(|| self.region_in_arns());
        let partition = self.in_arns(PARTITION).unwrap_or_else(|| partition(region.unwrap_or_default()));
        let account = self.account.as_deref().or_else(|| self.in_arns(ACCOUNT));
        let service = self.service.as_deref();
        let cluster = self.cluster.as_deref().map(last_name).or_else(|| service.and_then(cluster_of_service));
        pattern
            .replace("{partition}", partition)
            .replace("{region}", region.unwrap_or("*"))
            .replace("{account}", account.unwrap_or("*"))
            .replace("{cluster}", cluster.unwrap_or("*"))
            .replace("{service}", service.map_or("*", last_name))
            .replace("{stack}", self.stack.as_deref().map(stack_name).unwrap_or_default())
            .replace("{log-group}", self.log_group.as_deref().unwrap_or("*"))
            .replace("{queue}", self.queue.as_deref().unwrap_or("*"))
    }

    /// Returns the region that the ARN of the cluster, the service or the stack names.
    pub fn region_in_arns(&self) -> Option<&str> {
        self.in_arns(REGION)
    }

    fn in_arns(&self, field: usize) -> Option<&str> {
        let given = [&self.cluster, &self.service, &self.stack];
        given.into_iter().flatten().find_map(|given| field_in_arn(given, field))
    }
}

/// The fields of an ARN, by their place behind `arn:`.
const PARTITION: usize = 0;
const REGION: usize = 2;
const ACCOUNT: usize = 3;

fn field_in_arn(text: &str, field: usize) -> Option<&str> {
    text.strip_prefix("arn:")?.split(':').nth(field).filter(|value| !value.is_empty())
}

/// Returns the name with which the ARN of a cluster or a service ends.
fn last_name(given: &str) -> &str {
    name_in_arn(given).rsplit('/').next().unwrap_or(given)
}

/// Returns the cluster that the ARN of a service names: `service/shop/web`.
fn cluster_of_service(given: &str) -> Option<&str> {
    let (cluster, _) = name_in_arn(given).strip_prefix("service/")?.split_once('/')?;
    Some(cluster)
}

/// Returns the name of a stack, behind which its ARN has an id: `stack/shop-web/6d0e`.
fn stack_name(given: &str) -> &str {
    let name = name_in_arn(given).strip_prefix("stack/").and_then(|rest| rest.split('/').next());
    name.unwrap_or(given)
}

fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// Returns the part of an ARN behind its service, region and account, or of a name the name itself.
pub fn name_in_arn(text: &str) -> &str {
    if text.starts_with("arn:") { text.splitn(6, ':').nth(5).unwrap_or(text) } else { text }
}

/// Returns the account that an ARN names.
pub fn account_in_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3).filter(|account| account.len() == 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_any() {
        let place = Place { region: "cn-north-1".to_owned(), ..Place::default() };
        let pattern = "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{service}";
        assert_eq!(place.fill(pattern), "arn:aws-cn:ecs:cn-north-1:*:service/*/*");
    }

    #[test]
    fn what_is_given_as_an_arn_fills_others_with_what_it_names() {
        let given = |text: &str| Some(text.to_owned());
        let ecs = "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{service}";
        let stacks = "arn:{partition}:cloudformation:{region}:{account}:stack/{stack}*/*";
        let cluster = given("arn:aws-cn:ecs:cn-north-1:111122223333:cluster/shop");
        let place = Place { cluster: cluster.clone(), service: given("web"), ..Place::default() };
        assert_eq!(place.fill(ecs), "arn:aws-cn:ecs:cn-north-1:111122223333:service/shop/web");
        for (service, expected) in [("service/shop/web", "shop/web"), ("service/web", "*/web")] {
            let service = given(&format!("arn:aws:ecs:eu-west-1:111122223333:{service}"));
            let place = Place { service: service.clone(), ..Place::default() };
            assert_eq!(place.fill(ecs), format!("arn:aws:ecs:eu-west-1:111122223333:service/{expected}"));
            let place = Place { cluster: cluster.clone(), service, ..Place::default() };
            assert_eq!(place.fill(ecs), "arn:aws-cn:ecs:cn-north-1:111122223333:service/shop/web");
        }
        let stack = given("arn:aws-us-gov:cloudformation:us-gov-west-1:111122223333:stack/shop-web/6d0e");
        let place = Place { stack, ..Place::default() };
        assert_eq!(
            place.fill(stacks),
            "arn:aws-us-gov:cloudformation:us-gov-west-1:111122223333:stack/shop-web*/*"
        );
        let place = Place { region: "eu-west-1".to_owned(), stack: given("web"), ..Place::default() };
        assert_eq!(place.fill(stacks), "arn:aws:cloudformation:eu-west-1:*:stack/web*/*");
    }

    #[test]
    fn an_arn_tells_its_account_and_name() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0e";
        assert_eq!(account_in_arn(arn), Some("111122223333"));
        assert_eq!(name_in_arn(arn), "targetgroup/web/6d0e");
        assert_eq!(account_in_arn("web"), None);
    }
}
