//! Completes the commands of pages with what is known of the deployment, so that they run as they are printed.

use analyzer::diagnosis::DeploymentFacts;
use std::collections::BTreeMap;

use crate::stack;

/// What commands are completed with.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    pub known: &'a DeploymentFacts,
    /// The revision of the last good deployment.
    pub good: Option<&'a str>,
    /// What the root cause captured.
    pub values: Option<&'a BTreeMap<String, String>>,
}

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
pub fn in_markdown(markdown: &str, filling: &Filling<'_>) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut at = 0;
    // What stands between single backticks; blocks of code have three, and empty spans between these.
    for (index, part) in markdown.split('`').enumerate() {
        if index > 0 {
            out.push('`');
        }
        match index % 2 == 1 {
            true => out.push_str(&completed(part, filling)),
            false => {
                let code = markdown[..at].trim_end_matches('`').rsplit('`').next().unwrap_or_default();
                let note = stack::note(code, line_at(markdown, at), filling.known).filter(|_| index > 0);
                out.push_str(&note.unwrap_or_default());
                out.push_str(part);
            }
        }
        at += part.len() + 1;
    }
    out
}

fn line_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    &text[start..end]
}

/// Completes one command: a flag that waits for a value is given it, one that is missing is added.
pub fn completed(command: &str, filling: &Filling<'_>) -> String {
    let command = &in_capitals(command, |name| filled(name, filling));
    let Some(rest) = command.strip_prefix("aws ") else { return command.clone() };
    // `ecs list-services` begins `ecs list-services-by-namespace`, too.
    let needed = NEEDED.iter().find(|(name, _)| {
        rest.strip_prefix(name).is_some_and(|after| after.is_empty() || after.starts_with(' '))
    });
    let Some((_, flags)) = needed else { return command.clone() };
    let mut command = command.clone();
    for (flag, fact) in *flags {
        let Some(value) = value(*fact, filling.known) else { continue };
        command = with(&command, flag, value);
    }
    command
}

/// Writes placeholders such as `<last good revision>` as one word in capitals, or as what is known:
/// a shell takes brackets for a redirection.
pub fn in_capitals(code: &str, known: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let name = after.split_once('>').map(|(name, _)| name).filter(|name| is_placeholder_name(name));
        rest = match name {
            Some(name) => {
                let word = name.to_ascii_uppercase().replace([' ', '-'], "_");
                out.push_str(&known(&word).unwrap_or(word));
                &after[name.len() + 1..]
            }
            None => {
                out.push('<');
                after
            }
        };
    }
    out + rest
}

fn is_placeholder_name(name: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 40 && name.chars().all(is_of_name)
}

/// Returns what a placeholder stands for, where it is known.
fn filled(name: &str, filling: &Filling<'_>) -> Option<String> {
    let known = filling.known;
    let family = || known.task_definition.as_deref().map(|name| name.split(':').next().unwrap_or(name));
    let found = match name {
        "REGION" => known.region.as_deref(),
        "ACCOUNT" => known.account.as_deref(),
        "CLUSTER" => known.cluster.as_deref(),
        "SERVICE" => known.service.as_deref(),
        "STACK" => known.stack.as_deref(),
        "FAMILY" => family(),
        "LAST_GOOD_REVISION" => filling.good,
        "REPO" | "REPOSITORY" => repository(filling),
        _ => None,
    };
    let found = found.and_then(plain).map(str::to_owned);
    found.or_else(|| (name == "REPO").then(|| "REPOSITORY".to_owned()))
}

/// Returns the repository of the image that the root cause names, where the registry is one of ECR.
fn repository<'a>(filling: &Filling<'a>) -> Option<&'a str> {
    let values = filling.values?;
    let named = values.get("repository").or(values.get("repo")).map(String::as_str);
    let images = values.values().filter_map(|value| value.split_once(".amazonaws.com/"));
    let mut images = images.filter(|(registry, _)| registry.contains(".dkr.ecr."));
    let of_image = images.next().map(|(_, name)| name.split([':', '@']).next().unwrap_or(name));
    of_image.or(named)
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
    word == "…" || !word.is_empty() && is_shouted(word)
}

fn value(fact: Fact, known: &DeploymentFacts) -> Option<&str> {
    plain(match fact {
        Cluster => known.cluster.as_deref(),
        Service => known.service.as_deref(),
        TaskDefinition => known.task_definition.as_deref(),
        Stack => known.stack.as_deref(),
    }?)
}

/// Whether what closes a gap is a command, and no sentence.
pub fn is_command(text: &str) -> bool {
    ["aws ", "medic ", "docker ", "terraform "].iter().any(|tool| text.starts_with(tool))
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
            region: Some("eu-west-1".to_owned()),
            ..DeploymentFacts::default()
        };
        let image = ("image".to_owned(), "1.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1.4".to_owned());
        let values = BTreeMap::from([image]);
        let filling = Filling { known: &known, good: Some("web:41"), values: Some(&values) };
        assert_eq!(in_markdown(text, &filling), expected);
    }

    #[test]
    fn what_is_known_is_filled_in() {
        check(
            "Run `aws ecs describe-services`.",
            "Run `aws ecs describe-services --cluster prod --services web`.",
        );
        check(
            "`aws ecs update-service --cluster <cluster> --service SERVICE --desired-count 1`",
            "`aws ecs update-service --cluster prod --service web --desired-count 1`",
        );
        check(
            "`aws ecs describe-task-definition --query taskDefinition.cpu | jq .`",
            "`aws ecs describe-task-definition --query taskDefinition.cpu --task-definition web:42 | jq .`",
        );
        check("`com.amazonaws.<region>.s3`", "`com.amazonaws.eu-west-1.s3`");
        check("`arn:aws:iam::<account>:role/cdk-*`", "`arn:aws:iam::ACCOUNT:role/cdk-*`");
        check(
            "`aws ecr describe-images --repository-name <repo>`",
            "`aws ecr describe-images --repository-name shop/web`",
        );
        check(
            "`aws ecs update-service --task-definition <last good revision>`",
            "`aws ecs update-service --task-definition web:41 --cluster prod --service web`",
        );
    }

    #[test]
    fn what_a_shell_would_redirect_is_a_word_in_capitals() {
        check("`npm explain <package>`", "`npm explain PACKAGE`");
        check("`get --id <name or ARN> < in`", "`get --id NAME_OR_ARN < in`");
        check("`name<<EOF … EOF` and <b>", "`name<<EOF … EOF` and <b>");
        check("```sh\nldd <program>\n```", "```sh\nldd PROGRAM\n```");
    }

    #[test]
    fn a_command_on_a_stack_says_when() {
        check(
            "3. Cancel it: `aws cloudformation cancel-update-stack`.",
            "3. Cancel it: `aws cloudformation cancel-update-stack` (only if the stack is in UPDATE_IN_PROGRESS).",
        );
    }

    #[test]
    fn what_is_not_known_or_given_stays() {
        check(
            "`aws cloudformation describe-stacks --stack-name NAME`",
            "`aws cloudformation describe-stacks --stack-name NAME`",
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
            let filling = Filling { known: &known, good: None, values: None };
            assert_eq!(in_markdown("`aws ecs list-services`", &filling), "`aws ecs list-services`");
        }
    }
}
