//! Names that texts hold: of clusters, services, stacks, regions and accounts.
//!
//! A name is only a fact where all texts agree on it: commands are completed with it.

use std::collections::BTreeSet;

/// What texts call things; each may have several names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    clusters: BTreeSet<String>,
    services: BTreeSet<String>,
    definitions: BTreeSet<String>,
    stacks: BTreeSet<String>,
    /// Of resources of ECS, and of anything else.
    regions: [BTreeSet<String>; 2],
    accounts: [BTreeSet<String>; 2],
}

impl Names {
    /// Takes in what a text about the deployment itself says.
    pub fn read(&mut self, text: &str) {
        self.read_places(text);
        for arn in arns(text).filter(|arn| arn.service == "ecs") {
            let mut parts = arn.resource.split('/');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("service"), Some(cluster), Some(name)) => {
                    insert(&mut self.clusters, cluster);
                    insert(&mut self.services, name);
                }
                (Some("service"), Some(name), None) => insert(&mut self.services, name),
                (Some("task" | "container-instance"), Some(cluster), Some(_)) => {
                    insert(&mut self.clusters, cluster)
                }
                (Some("cluster"), Some(cluster), None) => insert(&mut self.clusters, cluster),
                (Some("task-definition"), Some(name), None) => insert(&mut self.definitions, name),
                _ => {}
            }
        }
        for arn in arns(text).filter(|arn| arn.service == "cloudformation") {
            if let Some(name) = arn.resource.strip_prefix("stack/").and_then(|rest| rest.split('/').next()) {
                insert(&mut self.stacks, name);
            }
        }
        for name in after(text, "(service ").chain(groups(text)) {
            insert(&mut self.services, name);
        }
        let of_flags: [(&mut BTreeSet<String>, &[&str]); 3] = [
            (&mut self.clusters, &["--cluster "]),
            (&mut self.services, &["--service ", "--services ", "--service-name "]),
            (&mut self.stacks, &["--stack-name ", "Stack ["]),
        ];
        for (names, flags) in of_flags {
            let given = flags.iter().flat_map(|flag| after(text, flag));
            given.filter(|name| !is_placeholder(name)).for_each(|name| insert(names, name));
        }
        for name in after(text, "Stack ") {
            let says_its_state = |verb: &str| text.contains(&format!("Stack {name} {verb} "));
            if ["has", "is", "failed"].into_iter().any(says_its_state) {
                insert(&mut self.stacks, name);
            }
        }
        self.read_generated(text);
    }

    /// Takes in where a text says that things are: regions and accounts.
    pub fn read_places(&mut self, text: &str) {
        for arn in arns(text) {
            let of = usize::from(arn.service != "ecs");
            insert(&mut self.regions[of], arn.region);
            insert(&mut self.accounts[of], arn.account);
        }
        for (at, _) in text.match_indices(".dkr.ecr.") {
            let account = text[..at].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            let region = text[at + ".dkr.ecr.".len()..].split('.').next().unwrap_or_default();
            insert(&mut self.accounts[1], account);
            insert(&mut self.regions[1], region);
        }
    }

    /// CloudFormation calls a service after its stack and its id in the template: `shop-Web-17JH4G3K9KWBM`.
    fn read_generated(&mut self, text: &str) {
        let Some(id) = after(text, "AWS::ECS::Service ").next().filter(|id| !id.is_empty()) else { return };
        let infix = format!("-{id}-");
        let stacks = self.services.iter().filter_map(|service| service.split_once(&infix));
        let stacks: Vec<String> = stacks.map(|(stack, _)| stack.to_owned()).collect();
        stacks.iter().for_each(|stack| insert(&mut self.stacks, stack));
    }

    pub fn cluster(&self) -> Option<String> {
        only(&self.clusters)
    }

    pub fn service(&self) -> Option<String> {
        only(&self.services)
    }

    pub fn definition(&self) -> Option<String> {
        only(&self.definitions)
    }

    pub fn stack(&self) -> Option<String> {
        only(&self.stacks)
    }

    pub fn region(&self) -> Option<String> {
        self.regions.iter().find(|regions| !regions.is_empty()).and_then(only)
    }

    pub fn account(&self) -> Option<String> {
        self.accounts.iter().find(|accounts| !accounts.is_empty()).and_then(only)
    }
}

struct Arn<'t> {
    service: &'t str,
    region: &'t str,
    account: &'t str,
    resource: &'t str,
}

/// Returns the ARNs of a text.
fn arns(text: &str) -> impl Iterator<Item = Arn<'_>> {
    text.match_indices("arn:aws").filter_map(|(at, _)| {
        let end =
            |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | ':' | '.' | '+' | '='));
        let whole = &text[at..];
        let whole = &whole[..whole.find(end).unwrap_or(whole.len())];
        let mut parts = whole.trim_end_matches(['.', ':']).splitn(6, ':').skip(2);
        Some(Arn {
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    })
}

/// Returns the names that stand after a text.
fn after<'t>(text: &'t str, what: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(what).map(move |(at, _)| {
        let rest = &text[at + what.len()..];
        &rest[..rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len())]
    })
}

/// Returns the services that groups of tasks name, as every tool prints them: `group: service:web`.
fn groups(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("service:").filter_map(|(at, what)| {
        let before = text[..at].trim_end_matches([' ', '"', ':', '=', '\\']);
        let rest = &text[at + what.len()..];
        let name = &rest[..rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len())];
        before.ends_with("group").then_some(name)
    })
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Whether what follows a flag is a word of documentation, or of one of Medic's own commands.
fn is_placeholder(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn insert(names: &mut BTreeSet<String>, name: &str) {
    const ENOUGH: usize = 8;
    if !name.is_empty() && !name.starts_with('-') && names.len() < ENOUGH {
        names.insert(name.to_owned());
    }
}

fn only(names: &BTreeSet<String>) -> Option<String> {
    names.first().filter(|_| names.len() == 1).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(texts: &[&str], expected: [Option<&str>; 4]) {
        let mut names = Names::default();
        texts.iter().for_each(|text| names.read(text));
        let found = [names.cluster(), names.service(), names.definition(), names.stack()];
        assert_eq!(found.each_ref().map(Option::as_deref), expected, "{texts:?}");
    }

    #[test]
    fn names_are_read_as_tools_write_them() {
        check(
            &["Error: waiting for ECS Service (arn:aws:ecs:eu-west-1:111122223333:service/prod/web) update"],
            [Some("prod"), Some("web"), None, None],
        );
        check(
            &[
                "taskArn: arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d",
                "taskDefinitionArn: arn:aws:ecs:eu-west-1:111122223333:task-definition/web:4",
                "group: service:web",
            ],
            [Some("prod"), Some("web"), Some("web:4"), None],
        );
        check(&["arn:aws:ecs:us-west-2:111122223333:task/a5498635-50cf"], [None; 4]);
        check(&[r#""group": "service:web""#], [None, Some("web"), None, None]);
        check(&["aws ecs update-service --cluster prod --service $NAME"], [Some("prod"), None, None, None]);
        check(
            &["Stack shop has an ongoing operation in progress and is not stable (DELETE_IN_PROGRESS)"],
            [None, None, None, Some("shop")],
        );
        check(
            &[
                "AWS::ECS::Service Web Service arn:aws:ecs:us-west-2:111122223333:service/my-shop-Web-17JH4G did",
            ],
            [None, Some("my-shop-Web-17JH4G"), None, Some("my-shop")],
        );
    }

    #[test]
    fn names_that_differ_are_no_facts() {
        check(&["(service web) began", "(service api) began"], [None; 4]);
        check(&["--cluster CLUSTER --service SERVICE"], [None; 4]);
    }

    #[test]
    fn places_are_those_of_the_service() {
        let mut names = Names::default();
        names.read_places("111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1 and arn:aws:s3:::bucket");
        assert_eq!(
            (names.region().as_deref(), names.account().as_deref()),
            (Some("eu-west-1"), Some("111122223333"))
        );
        names.read_places("arn:aws:secretsmanager:us-east-1:444455556666:secret:x");
        assert_eq!((names.region(), names.account()), (None, None));
        names.read_places("arn:aws:ecs:us-east-2:444455556666:cluster/prod");
        assert_eq!(names.region().as_deref(), Some("us-east-2"));
    }
}
