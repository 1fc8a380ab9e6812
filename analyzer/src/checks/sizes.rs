//! Checks of CPU and memory.

use super::scope::{Scope, name_of, per_definition, unknown, violated};
use super::{Check, CheckResult, Outcome};
use crate::snapshot::{ContainerDefinition, Snapshot, TaskDefinition};

/// Memory that Fargate offers with so many CPU units: from, to and step in MiB. The smallest size has no step.
const FARGATE: [(i64, i64, i64, i64); 6] = [
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

pub fn fargate_size_valid(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::FargateSizeValid, snapshot, |scope| {
        scope.runs_on_fargate().then(|| fargate_size(scope))
    })
}

fn fargate_size(scope: &Scope<'_>) -> Outcome {
    let cpu = match size(scope.definition, "cpu", scope.definition.cpu.as_deref(), "vcpu") {
        Ok(cpu) => cpu,
        Err(outcome) => return outcome,
    };
    let memory = match size(scope.definition, "memory", scope.definition.memory.as_deref(), "gb") {
        Ok(memory) => memory,
        Err(outcome) => return outcome,
    };
    let Some(memories) = fargate_memories(cpu) else {
        let because =
            format!("Fargate offers 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units, not {cpu}");
        return violated("cpu", cpu.to_string(), because);
    };
    if scope.definition.is_windows() && !(1024..=4096).contains(&cpu) {
        let because = format!("Fargate offers Windows containers 1024, 2048 or 4096 CPU units, not {cpu}");
        return violated("cpu", cpu.to_string(), because);
    }
    if memories.contains(&memory) {
        return Outcome::Holds;
    }
    let because =
        format!("with {cpu} CPU units Fargate offers {} MiB of memory, not {memory}", in_words(&memories));
    violated("memory", memory.to_string(), because)
}

/// Returns what memory in MiB Fargate offers with so many CPU units.
pub(crate) fn fargate_memories(cpu: i64) -> Option<Vec<i64>> {
    if cpu == 256 {
        return Some(vec![512, 1024, 2048]);
    }
    let (_, from, to, step) = FARGATE.into_iter().find(|(units, ..)| *units == cpu)?;
    Some((from..=to).step_by(usize::try_from(step).ok()?).collect())
}

fn in_words(memories: &[i64]) -> String {
    match memories {
        [one, two, three] => format!("{one}, {two} or {three}"),
        [first, second, .., last] => format!("{first} to {last} in steps of {}", second - first),
        _ => String::new(),
    }
}

pub fn container_memory_fits(snapshot: &Snapshot) -> Vec<CheckResult> {
    per_definition(Check::ContainerMemoryFits, snapshot, |scope| {
        let containers = &scope.definition.container_definitions;
        if let Some(broken) = containers.iter().find_map(soft_above_hard) {
            return Some(broken);
        }
        if scope.definition.memory.is_none() {
            // On Fargate the missing size is what `fargate-size-valid` reports.
            return (!scope.runs_on_fargate()).then(|| every_container_has_memory(scope.definition));
        }
        Some(match size(scope.definition, "memory", scope.definition.memory.as_deref(), "gb") {
            Ok(memory) => containers_fit(containers, memory),
            Err(outcome) => outcome,
        })
    })
}

fn soft_above_hard(container: &ContainerDefinition) -> Option<Outcome> {
    let (soft, hard) = (container.memory_reservation?, container.memory?);
    let because = format!("container {} reserves more than its limit of {hard} MiB", container.name);
    let field = format!("containerDefinitions[{}].memoryReservation", container.name);
    (hard > 0 && soft > hard).then(|| violated(field, soft.to_string(), because))
}

fn every_container_has_memory(definition: &TaskDefinition) -> Outcome {
    match definition.container_definitions.iter().find(|container| reserved(container) == 0) {
        None => Outcome::Holds,
        Some(container) if !definition.is_whole() || !definition.has_whole(container) => {
            unknown(format!("memory of {}", name_of(definition)))
        }
        Some(container) => violated(
            format!("containerDefinitions[{}].memory", container.name),
            "not set",
            format!("neither the task nor container {} has a memory size", container.name),
        ),
    }
}

fn containers_fit(containers: &[ContainerDefinition], memory: i64) -> Outcome {
    for container in containers {
        let hard = container.memory.unwrap_or(0);
        if hard > memory {
            let because =
                format!("the task has {memory} MiB, so container {} never gets that much", container.name);
            return violated(
                format!("containerDefinitions[{}].memory", container.name),
                hard.to_string(),
                because,
            );
        }
    }
    let sum = containers.iter().map(reserved).fold(0, i64::saturating_add);
    if sum > memory {
        let because = format!("the containers together reserve more than the {memory} MiB of the task");
        return violated("containerDefinitions.memory", sum.to_string(), because);
    }
    Outcome::Holds
}

fn reserved(container: &ContainerDefinition) -> i64 {
    let soft = container.memory_reservation.filter(|size| *size > 0);
    soft.or(container.memory).unwrap_or(0)
}

/// Reads a size of a task in CPU units or MiB; `1 vCPU` and `2 GB` are 1024 and 2048.
fn size(definition: &TaskDefinition, field: &str, text: Option<&str>, unit: &str) -> Result<i64, Outcome> {
    let Some(text) = text else {
        if !definition.is_whole() {
            return Err(unknown(format!("{field} size of {}", name_of(definition))));
        }
        return Err(violated(field, "not set", format!("a task on Fargate needs a {field} size")));
    };
    let lower = text.trim().to_ascii_lowercase();
    let read = match lower.strip_suffix(unit) {
        Some(number) => number.trim().parse::<f64>().ok().map(|number| number * 1024.0),
        None => lower.parse::<f64>().ok(),
    };
    match read {
        Some(number) if number.fract() == 0.0 && (1.0..1e9).contains(&number) => Ok(number as i64),
        _ if text.contains(['$', '{', '<']) => Err(unknown(format!("the value of {text} for {field}"))),
        _ => {
            Err(violated(field, text, format!("the {field} size of the task is not a number that ECS knows")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Part;

    fn check(cpu: &str, memory: &str, expected: &str) {
        let definition = TaskDefinition {
            family: "web".to_owned(),
            cpu: Some(cpu.to_owned()),
            memory: Some(memory.to_owned()),
            requires_compatibilities: vec!["FARGATE".to_owned()],
            ..TaskDefinition::default()
        };
        let snapshot = Snapshot { task_definitions: Part::Known(vec![definition]), ..Snapshot::default() };
        let results = fargate_size_valid(&snapshot);
        let said = match &results[0].outcome {
            Outcome::Holds => "holds".to_owned(),
            Outcome::Violated { field, value, .. } => format!("{field} {value}"),
            Outcome::Unknown { missing } => missing.clone(),
        };
        assert_eq!(said, expected, "cpu {cpu}, memory {memory}");
    }

    #[test]
    fn fargate_knows_these_sizes() {
        check("256", "512", "holds");
        check("256", "1536", "memory 1536");
        check(".25 vCPU", "0.5 GB", "holds");
        check("1 vCPU", "2GB", "holds");
        check("512", "8192", "memory 8192");
        check("4096", "30720", "holds");
        check("8192", "20480", "holds");
        check("8192", "18432", "memory 18432");
        check("16384", "122880", "holds");
        check("300", "512", "cpu 300");
        check("${CPU}", "512", "the value of ${CPU} for cpu");
    }
}
