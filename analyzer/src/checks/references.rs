//! Checks of references to secrets and roles.

use super::scope::{Scope, name_of, per_container, per_definition, unknown, violated, worst};
use super::{Check, CheckResult, Outcome, image};
use crate::snapshot::{ContainerDefinition, Snapshot};

pub fn secret_references_valid(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_container(Check::SecretReferencesValid, snapshot, |scope, container| {
        let references = secret_references(container).into_iter();
        worst(references.map(|(field, reference)| match secret_reference(reference) {
            Ok(()) => Outcome::Holds,
            // ECS registers no empty reference: it was left out.
            Err(_) if reference.is_empty() && scope.definition.is_registered() => unknown(field),
            Err(because) => violated(field, shown(reference), because),
        }))
    })
}

fn secret_references(container: &ContainerDefinition) -> Vec<(String, &str)> {
    let mut references = Vec::new();
    for secret in &container.secrets {
        references.push((format!("secrets[{}].valueFrom", secret.name), secret.value_from.as_str()));
    }
    for secret in container.log_configuration.iter().flat_map(|configuration| &configuration.secret_options) {
        let field = format!("logConfiguration.secretOptions[{}].valueFrom", secret.name);
        references.push((field, secret.value_from.as_str()));
    }
    references
}

/// Tells what is wrong with a reference to a secret.
fn secret_reference(reference: &str) -> Result<(), String> {
    if reference.is_empty() {
        return Err("the reference to the secret is empty".to_owned());
    }
    if image::has_placeholder(reference) {
        return Err("a placeholder in the reference to the secret was not replaced by its value".to_owned());
    }
    if reference.contains(char::is_whitespace) {
        return Err("the reference to the secret contains white space".to_owned());
    }
    if reference.starts_with("arn:") {
        return secret_arn(reference);
    }
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
    if !reference.chars().all(is_name_char) {
        return Err(
            "the reference to the secret is neither an ARN nor the name of a parameter, but maybe the value itself"
                .to_owned(),
        );
    }
    Ok(())
}

fn secret_arn(arn: &str) -> Result<(), String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, partition, service, region, account, resource @ ..] = parts.as_slice() else {
        return Err("the ARN of the secret is cut off".to_owned());
    };
    if !partition.starts_with("aws") {
        return Err(format!("the ARN of the secret names the partition `{partition}`, which is none of AWS"));
    }
    if region.is_empty() {
        return Err("the ARN of the secret names no region".to_owned());
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the ARN of the secret names no account of twelve digits".to_owned());
    }
    match (*service, resource) {
        ("secretsmanager", ["secret", name, rest @ ..]) if !name.is_empty() => match rest.len() {
            0 | 3 => Ok(()),
            more => Err(format!(
                "after the name of the secret comes nothing, or key, version stage and version id, but not {more} part(s)"
            )),
        },
        ("secretsmanager", _) => {
            Err("the ARN of the secret does not go on with `secret:` and a name".to_owned())
        }
        ("ssm", [parameter, ..])
            if parameter.strip_prefix("parameter/").is_some_and(|name| !name.is_empty()) =>
        {
            Ok(())
        }
        ("ssm", _) => Err("the ARN of the parameter does not go on with `parameter/` and a name".to_owned()),
        (other, _) => {
            Err(format!("ECS reads secrets from Secrets Manager and Parameter Store, not from {other}"))
        }
    }
}

/// Returns the reference where it can be no secret value that was put in the wrong place.
fn shown(reference: &str) -> &str {
    match reference {
        "" => "empty",
        _ if reference.starts_with("arn:") || reference.starts_with(['$', '{', '/']) => reference,
        _ => "(not shown)",
    }
}

pub fn execution_role_present(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::ExecutionRolePresent, snapshot, |scope| {
        let role = scope.definition.execution_role_arn.as_deref().unwrap_or_default();
        if !role.is_empty() {
            return Some(Outcome::Holds);
        }
        let need =
            scope.definition.container_definitions.iter().find_map(|container| role_is_for(scope, container));
        Some(match need {
            None => Outcome::Holds,
            Some(_) if !scope.definition.is_whole() => {
                unknown(format!("execution role of {}", name_of(scope.definition)))
            }
            Some(need) => {
                violated("executionRoleArn", "not set", format!("ECS needs an execution role to {need}"))
            }
        })
    })
}

/// Returns what ECS does with the execution role for that container.
fn role_is_for(scope: &Scope<'_>, container: &ContainerDefinition) -> Option<String> {
    let name = &container.name;
    let log = container.log_configuration.as_ref();
    let has_secrets = !container.secrets.is_empty() || log.is_some_and(|log| !log.secret_options.is_empty());
    let driver = log.and_then(|log| log.log_driver.as_deref());
    if has_secrets {
        return Some(format!("read the secrets of container {name}"));
    }
    if container.repository_credentials.is_some() {
        return Some(format!("log in to the registry of container {name}"));
    }
    if scope.starts_on_fargate() && image::ecr_home(&container.image).is_some() {
        return Some(format!("pull the image of container {name} from ECR"));
    }
    if scope.starts_on_fargate() && driver == Some("awslogs") {
        return Some(format!("write the logs of container {name}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reference: &str, expected: Result<(), &str>) {
        let said = secret_reference(reference);
        match (&said, expected) {
            (Ok(()), Ok(())) => {}
            (Err(because), Err(part)) if because.contains(part) => {}
            _ => panic!("{reference}: {said:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn references_to_secrets() {
        const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf";
        check(SECRET, Ok(()));
        check(&format!("{SECRET}:password::"), Ok(()));
        check(&format!("{SECRET}:password:AWSCURRENT:"), Ok(()));
        check(&format!("{SECRET}:password"), Err("not 1"));
        check(&format!("{SECRET}:::"), Ok(()));
        check(&format!("{SECRET}::::"), Err("not 4"));
        check("arn:aws:ssm:eu-west-1:111122223333:parameter/prod/url", Ok(()));
        check("arn:aws:ssm:eu-west-1:111122223333:prod/url", Err("parameter/"));
        check("arn:aws:ssm:eu-west-1::parameter/prod/url", Err("twelve digits"));
        check("arn:aws:s3:eu-west-1:111122223333:bucket", Err("not from s3"));
        check("/prod/url", Ok(()));
        check("DATABASE_URL", Ok(()));
        check("arn:aws:ssm:${AWS_REGION}:111122223333:parameter/url", Err("placeholder"));
        check("postgres://app:hunter2@db.internal/app", Err("neither an ARN"));
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_shown() {
        assert_eq!(shown("postgres://app:hunter2@db.internal/app"), "(not shown)");
    }

    #[test]
    fn instances_pull_with_a_role_of_their_own() {
        use super::super::task_definition::tests::{SENSIBLE, check};
        let [services, definitions, groups] = SENSIBLE;
        let role = r#""executionRoleArn": "arn:aws:iam::111122223333:role/exec","#;
        let secrets = r#""secrets": [{"name": "DB", "valueFrom": "/prod/db"}],"#;
        let prefix = r#", "awslogs-stream-prefix": "web""#;
        let definitions = definitions.1.replace(role, "").replace(secrets, "").replace(prefix, "");
        let definitions = definitions.replace(r#"["FARGATE"]"#, r#"["EC2", "FARGATE"]"#);
        for (kind, role, log) in [
            (
                "FARGATE",
                "executionRoleArn = not set",
                "logConfiguration.options.awslogs-stream-prefix = not set",
            ),
            ("EC2", "holds", "holds"),
        ] {
            let kind = format!(r#""launchType": "{kind}""#);
            let services = services.1.replace(r#""launchType": "FARGATE""#, &kind);
            let parts = [("services", services.as_str()), ("taskDefinitions", &definitions), groups];
            check(Check::ExecutionRolePresent, &parts, &[&format!("task definition web:12: {role}")]);
            let app = "task definition web:12, container app";
            check(Check::LogGroupConfigured, &parts, &[&format!("{app}: {log}")]);
        }
    }
}
