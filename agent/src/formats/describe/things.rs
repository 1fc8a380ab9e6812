//! Puts each thing that is described into a record: services, deployments, stacks, targets, alarms, events.

use analyzer::record::{Level, Source};
use analyzer::snapshot::{Alarm, Deployment, Service, ServiceDeployment, Stack, TargetHealth, last_segment};
use serde_json::Value;

use super::words::*;
use super::{Reader, Said, elements, first_word, keep, time_in, word};

impl Reader<'_> {
    pub(super) fn service(&mut self, value: &Value) -> bool {
        let Some(service) = keep(&mut self.snapshot.services, value, serde_json::from_value::<Service>)
        else {
            return false;
        };
        let name = service.name().to_owned();
        for deployment in elements(value, "deployments") {
            self.deployment(deployment, &name);
        }
        let before = self.records.len();
        for event in elements(value, "events") {
            self.service_event(event, &name);
        }
        self.records[before..].reverse();
        true
    }

    pub(super) fn deployment(&mut self, value: &Value, service: &str) -> bool {
        let Ok(deployment) = serde_json::from_value::<Deployment>(value.clone()) else { return false };
        let text = text_of_deployment(&deployment);
        let time = deployment.updated_at.or(deployment.created_at);
        let said = Said {
            time,
            level: level_of_deployment(&deployment),
            text,
            entity: service,
            deployment: &deployment.id,
        };
        self.say(Source::EcsServiceEvent, said)
    }

    pub(super) fn service_event(&mut self, value: &Value, service: &str) -> bool {
        let message = word(value, "message");
        let in_message = message.strip_prefix("(service ").and_then(|rest| rest.split([')', ',']).next());
        let time = time_in(value, "createdAt");
        let entity = if service.is_empty() { in_message.unwrap_or_default() } else { service };
        let deployment = deployment_id(message);
        let said =
            Said { time, level: level_of_message(message), text: message.to_owned(), entity, deployment };
        self.say(Source::EcsServiceEvent, said)
    }

    pub(super) fn service_deployment(&mut self, value: &Value) -> bool {
        let part = &mut self.snapshot.service_deployments;
        let Some(deployment) = keep(part, value, serde_json::from_value::<ServiceDeployment>) else {
            return false;
        };
        let status = deployment.status.as_deref().unwrap_or_default();
        let level = match status {
            "ROLLBACK_FAILED" | "ROLLBACK_SUCCESSFUL" | "STOPPED" => Level::Error,
            _ if status.starts_with("ROLLBACK") || status.starts_with("STOP") => Level::Warn,
            _ => Level::Info,
        };
        let time = deployment.changed_at();
        let text = text_of_service_deployment(deployment);
        let service = last_segment(&deployment.service_arn).to_owned();
        self.say(Source::EcsServiceEvent, Said { time, level, text, entity: &service, ..Said::default() })
    }

    /// Reads an event of a stack, from describe-stack-events or describe-events.
    pub(super) fn stack_event(&mut self, value: &Value) -> bool {
        let status =
            first_word(value, &["ResourceStatus", "ValidationStatus", "HookStatus", "OperationStatus"]);
        let kind = Some(word(value, "EventType")).filter(|kind| kind.ends_with("_ERROR")).unwrap_or_default();
        let detail = Some(word(value, "DetailedStatus"))
            .filter(|detail| detail.contains("FAILED"))
            .unwrap_or_default();
        let hook = match word(value, "HookType") {
            "" => String::new(),
            name => words(&["hook", name, word(value, "HookStatus"), word(value, "HookStatusReason")]),
        };
        let place = match word(value, "ValidationPath") {
            "" => String::new(),
            path => format!("at {path}"),
        };
        let logical_id = word(value, "LogicalResourceId");
        let text = words(&[
            kind,
            status,
            word(value, "ResourceType"),
            logical_id,
            detail,
            word(value, "ResourceStatusReason"),
            word(value, "ValidationName"),
            word(value, "ValidationStatusReason"),
            &place,
            &hook,
        ]);
        let is_error = !kind.is_empty() || text_has_failed(&[status, detail, word(value, "HookStatus")]);
        let level = if is_error { Level::Error } else { level_of_status(status) };
        let time = ["Timestamp", "EndTime", "StartTime"].into_iter().find_map(|name| time_in(value, name));
        self.say(Source::CfnStackEvent, Said { time, level, text, entity: logical_id, ..Said::default() })
    }

    pub(super) fn stack(&mut self, value: &Value) -> bool {
        let Some(stack) = keep(&mut self.snapshot.stacks, value, serde_json::from_value::<Stack>) else {
            return false;
        };
        let status = stack.stack_status.as_deref().unwrap_or_default();
        let reason = stack.stack_status_reason.as_deref().unwrap_or_default();
        if reason.is_empty() && level_of_status(status) < Level::Warn {
            return true;
        }
        let text = words(&[status, "AWS::CloudFormation::Stack", &stack.stack_name, reason]);
        let (time, name) = (stack.changed_at(), stack.stack_name.clone());
        let level = level_of_status(status);
        self.say(Source::CfnStackEvent, Said { time, level, text, entity: &name, ..Said::default() })
    }

    pub(super) fn target(&mut self, value: &Value) -> bool {
        let part = &mut self.snapshot.target_health;
        let Some(target) = keep(part, value, serde_json::from_value::<TargetHealth>) else { return false };
        let state = target.health.state.as_deref().unwrap_or_default();
        let level = match state {
            "unhealthy" | "unavailable" => Level::Error,
            "unused" => Level::Warn,
            _ => Level::Info,
        };
        let address = target.address();
        let reason = target.health.reason.as_deref().unwrap_or_default();
        let text =
            words(&[&address, state, reason, target.health.description.as_deref().unwrap_or_default()]);
        self.say(Source::AlbTargetHealth, Said { level, text, entity: &address, ..Said::default() })
    }

    pub(super) fn alarm(&mut self, value: &Value) -> bool {
        let part = &mut self.snapshot.alarms;
        let Some(alarm) = keep(part, value, serde_json::from_value::<Alarm>) else { return false };
        let (time, name, level) =
            (alarm.state_updated_timestamp, alarm.alarm_name.clone(), level_of_alarm(alarm));
        let text = text_of_alarm(alarm);
        self.say(Source::Metric, Said { time, level, text, entity: &name, ..Said::default() })
    }

    /// Reads what a group of instances did: it launched one, or could not.
    pub(super) fn scaling_activity(&mut self, value: &Value) -> bool {
        let status = word(value, "StatusCode");
        let description = word(value, "Description");
        // Of a launch that failed the description says why as well.
        let message = Some(word(value, "StatusMessage")).filter(|message| !description.contains(message));
        let text = words(&["scaling activity", status, description, message.unwrap_or_default()]);
        let level = if matches!(status, "Failed" | "Cancelled") { Level::Error } else { Level::Info };
        let time = ["StartTime", "EndTime"].into_iter().find_map(|name| time_in(value, name));
        let entity = word(value, "AutoScalingGroupName");
        self.say(Source::EcsServiceEvent, Said { time, level, text, entity, ..Said::default() })
    }

    /// Reads what a call could not describe or start.
    pub(super) fn failure(&mut self, value: &Value) -> bool {
        let reason = word(value, "reason");
        let level = if reason == "MISSING" { Level::Warn } else { Level::Error };
        let arn = word(value, "arn");
        let text = words(&["failure", reason, arn, word(value, "detail")]);
        let said = Said { level, text, entity: last_segment(arn), ..Said::default() };
        !reason.is_empty() && self.say(Source::EcsServiceEvent, said)
    }

    /// Reads an event of ECS from EventBridge; other events are not known.
    pub(super) fn event(&mut self, value: &Value) -> bool {
        if word(value, "source") != "aws.ecs" {
            return false;
        }
        let id = word(value, "id");
        if !id.is_empty() && !self.seen.insert(id.to_owned()) {
            return true;
        }
        let Some(detail) = value.get("detail").filter(|detail| detail.is_object()) else { return false };
        match word(value, "detail-type") {
            "ECS Task State Change" => self.element(detail),
            "ECS Container Instance State Change" => self.instance_change(value, detail),
            _ => self.service_change(value, detail),
        }
    }

    /// Reads a service action or a change of a deployment.
    pub(super) fn service_change(&mut self, event: &Value, detail: &Value) -> bool {
        let resource = event.get("resources").and_then(|resources| resources.get(0)).and_then(Value::as_str);
        let service = last_segment(resource.unwrap_or_default());
        let deployment = word(detail, "deploymentId");
        let named = |name: &str, value: &str| {
            if value.is_empty() { String::new() } else { format!("({name} {value})") }
        };
        let reason = match word(detail, "reason") {
            "" => String::new(),
            reason => format!("reason={reason}"),
        };
        let name = first_word(detail, &["eventName", "status"]);
        let text = words(&[&named("service", service), &named("deployment", deployment), name, &reason]);
        let level = Level::named(word(detail, "eventType")).unwrap_or_else(|| level_of_message(name));
        let time = ["updatedAt", "createdAt"].into_iter().find_map(|name| time_in(detail, name));
        let time = time.or_else(|| time_in(event, "time"));
        self.say(Source::EcsServiceEvent, Said { time, level, text, entity: service, deployment })
    }

    pub(super) fn instance_change(&mut self, event: &Value, detail: &Value) -> bool {
        let id = last_segment(word(detail, "containerInstanceArn"));
        let is_lost = detail.get("agentConnected") == Some(&Value::Bool(false));
        let agent = if is_lost { "agentConnected=false" } else { "" };
        let text =
            words(&["container instance", id, word(detail, "status"), agent, word(detail, "statusReason")]);
        let level = if is_lost { Level::Warn } else { Level::Info };
        let time = time_in(event, "time");
        self.say(Source::EcsServiceEvent, Said { time, level, text, entity: id, ..Said::default() })
    }
}
