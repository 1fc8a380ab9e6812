//! What is watched, and where: it fills the patterns of ARNs.

/// What is watched, where, and with whose credentials. What is not known is `*` in an ARN.
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
        let or_any = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
        let region = if self.region.is_empty() { "*".to_owned() } else { self.region.clone() };
        pattern
            .replace("{partition}", partition(&self.region))
            .replace("{region}", &region)
            .replace("{account}", &or_any(&self.account))
            .replace("{cluster}", &or_any(&self.cluster))
            .replace("{service}", &or_any(&self.service))
            .replace("{stack}", self.stack.as_deref().unwrap_or_default())
            .replace("{log-group}", &or_any(&self.log_group))
            .replace("{queue}", &or_any(&self.queue))
    }
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
    fn an_arn_tells_its_account_and_name() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0e";
        assert_eq!(account_in_arn(arn), Some("111122223333"));
        assert_eq!(name_in_arn(arn), "targetgroup/web/6d0e");
        assert_eq!(account_in_arn("web"), None);
    }
}
