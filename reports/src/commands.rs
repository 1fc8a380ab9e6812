//! Completes the commands of pages with what is known of the deployment, so that they run as they are printed.

use analyzer::diagnosis::DeploymentFacts;

/// What a flag of the AWS CLI can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Cluster,
    Service,
    TaskDefinition,
    Stack,
}

use Fact::{Cluster, Service, Stack, TaskDefinition};

/// The flags that commands need, and what they are given; each is one of the CLI's own.
const NEEDED: &[(&str, &[(&str, Fact)])] = &[
    ("cloudformation cancel-update-stack", &[("--stack-name", Stack)]),
    ("cloudformation continue-update-rollback", &[("--stack-name", Stack)]),
    ("cloudformation delete-stack", &[("--stack-name", Stack)]),
    ("cloudformation describe-change-set", &[("--stack-name", Stack)]),
    ("cloudformation describe-stack-events", &[("--stack-name", Stack)]),
    ("cloudformation describe-stacks", &[("--stack-name", Stack)]),
    ("cloudformation detect-stack-drift", &[("--stack-name", Stack)]),
    ("cloudformation get-stack-policy", &[("--stack-name", Stack)]),
    ("cloudformation rollback-stack", &[("--stack-name", Stack)]),
    ("cloudformation update-termination-protection", &[("--stack-name", Stack)]),
    ("cloudformation wait stack-update-complete", &[("--stack-name", Stack)]),
    ("ecs delete-service", &[("--cluster", Cluster), ("--service", Service)]),
    ("ecs describe-container-instances", &[("--cluster", Cluster)]),
    ("ecs describe-services", &[("--cluster", Cluster), ("--services", Service)]),
    ("ecs describe-task-definition", &[("--task-definition", TaskDefinition)]),
    ("ecs describe-tasks", &[("--cluster", Cluster)]),
    ("ecs execute-command", &[("--cluster", Cluster)]),
    ("ecs get-task-protection", &[("--cluster", Cluster)]),
    ("ecs list-service-deployments", &[("--cluster", Cluster), ("--service", Service)]),
    ("ecs list-services", &[("--cluster", Cluster)]),
    ("ecs list-tasks", &[("--cluster", Cluster), ("--service-name", Service)]),
    ("ecs run-task", &[("--cluster", Cluster)]),
    ("ecs stop-task", &[("--cluster", Cluster)]),
    ("ecs update-service", &[("--cluster", Cluster), ("--service", Service)]),
    ("ecs update-task-protection", &[("--cluster", Cluster)]),
    ("ecs wait services-inactive", &[("--cluster", Cluster), ("--services", Service)]),
    ("ecs wait services-stable", &[("--cluster", Cluster), ("--services", Service)]),
];

/// Completes the commands in the code spans of a page's Markdown.
pub fn in_markdown(markdown: &str, known: &DeploymentFacts) -> String {
    let mut out = String::with_capacity(markdown.len());
    // What stands between single backticks; blocks of code have three, and empty spans between these.
    for (index, part) in markdown.split('`').enumerate() {
        if index > 0 {
            out.push('`');
        }
        match index % 2 == 1 {
            true => out.push_str(&completed(part, known)),
            false => out.push_str(part),
        }
    }
    out
}

/// Completes one command: a flag that waits for a value is given it, one that is missing is added.
pub fn completed(command: &str, known: &DeploymentFacts) -> String {
    let Some(rest) = command.strip_prefix("aws ") else { return command.to_owned() };
    // `ecs list-services` begins `ecs list-services-by-namespace`, too.
    let needed = NEEDED.iter().find(|(name, _)| {
        rest.strip_prefix(name).is_some_and(|after| after.is_empty() || after.starts_with(' '))
    });
    let Some((_, flags)) = needed else { return command.to_owned() };
    let mut command = command.to_owned();
    for (flag, fact) in *flags {
        let Some(value) = value(*fact, known) else { continue };
        command = with(&command, flag, value);
    }
    command
}

fn with(command: &str, flag: &str, value: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let at = words.iter().position(|word| *word == flag);
    let Some(at) = at else {
        let (head, tail) =
            command.split_once(" | ").map_or((command, None), |(head, tail)| (head, Some(tail)));
        let tail = tail.map(|tail| format!(" | {tail}")).unwrap_or_default();
        return format!("{head} {flag} {value}{tail}");
    };
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    if let Some(given) = words.get_mut(at + 1)
        && is_placeholder(given)
    {
        *given = value.to_owned();
    }
    words.join(" ")
}

fn is_placeholder(word: &str) -> bool {
    let is_shouted = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    word == "…" || word.starts_with('<') || word.starts_with('‹') || !word.is_empty() && is_shouted(word)
}

fn value(fact: Fact, known: &DeploymentFacts) -> Option<&str> {
    plain(match fact {
        Cluster => known.cluster.as_deref(),
        Service => known.service.as_deref(),
        TaskDefinition => known.task_definition.as_deref(),
        Stack => known.stack.as_deref(),
    }?)
}

/// Returns a name where it is one as AWS gives them: anything else could be more than a word to a shell or to Markdown.
pub fn plain(value: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | ':' | '.');
    let is_name = value.starts_with(|c: char| c.is_ascii_alphanumeric()) && value.chars().all(is_plain);
    (is_name && value.len() <= 255).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let known = DeploymentFacts {
            cluster: Some("prod".to_owned()),
            service: Some("web".to_owned()),
            task_definition: Some("web:42".to_owned()),
            ..DeploymentFacts::default()
        };
        assert_eq!(in_markdown(text, &known), expected);
    }

    #[test]
    fn what_is_known_is_filled_in() {
        check(
            "Run `aws ecs describe-services`.",
            "Run `aws ecs describe-services --cluster prod --services web`.",
        );
        check(
            "`aws ecs update-service --cluster <cluster> --service ‹service› --desired-count 1`",
            "`aws ecs update-service --cluster prod --service web --desired-count 1`",
        );
        check(
            "`aws ecs describe-task-definition --query taskDefinition.cpu | jq .`",
            "`aws ecs describe-task-definition --query taskDefinition.cpu --task-definition web:42 | jq .`",
        );
    }

    #[test]
    fn what_is_not_known_or_given_stays() {
        check(
            "`aws cloudformation delete-stack --stack-name NAME`",
            "`aws cloudformation delete-stack --stack-name NAME`",
        );
        check(
            "`aws ecs list-tasks --cluster blue --service-name web`",
            "`aws ecs list-tasks --cluster blue --service-name web`",
        );
        check("aws ecs list-tasks", "aws ecs list-tasks");
        check("`aws ecs list-services-by-namespace`", "`aws ecs list-services-by-namespace`");
    }

    #[test]
    fn a_name_that_a_shell_would_read_is_not_filled_in() {
        for name in ["web;id", "$(id)", "-web", "a b", "a`b", ""] {
            let known = DeploymentFacts { cluster: Some(name.to_owned()), ..DeploymentFacts::default() };
            assert_eq!(in_markdown("`aws ecs list-services`", &known), "`aws ecs list-services`");
        }
    }
}
