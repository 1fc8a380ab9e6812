//! Service events, deployments and tasks, as ECS describes them again and again.

use analyzer::record::{Level, Record, Source, Stream};
use analyzer::snapshot::{Part, Service, ServiceDeployment, Snapshot, Task, TaskDefinition};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::DesiredStatus;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ecs_event::task_id;
use super::rounds::{Order, Rounded, Seen, arrival};
use super::{Arrival, id, id_of};
use crate::aws::{Asking, Kind, Pages, Place, calls};
use crate::formats::describe;

/// How many tasks one call describes.
const TASKS_A_CALL: usize = 100;
/// How many stopped tasks stay in the described state.
const MOST_TASKS: usize = 500;
/// So many deployments of the service are remembered, more than are listed.
const MOST_DEPLOYMENTS: usize = 100;
/// How many service deployments are looked at, the newest first.
const DEPLOYMENTS: i32 = 10;

/// What one round was told.
#[derive(Debug, Default)]
struct Answers {
    services: Vec<Value>,
    tasks: Vec<Value>,
    task_definitions: Vec<Value>,
    service_deployments: Vec<Value>,
    revisions: Vec<Value>,
}

/// What is known of a service.
pub struct Ecs {
    stream: Arc<Stream>,
    seen: Seen,
    order: Order,
    services: Vec<Service>,
    tasks: BTreeMap<String, Task>,
    /// Tasks that have stopped and were described since; nothing changes about them.
    settled: BTreeSet<String>,
    task_definitions: BTreeMap<String, TaskDefinition>,
    service_deployments: BTreeMap<String, ServiceDeployment>,
    /// Service revisions that were asked for.
    revisions: BTreeSet<String>,
    knows_tasks: bool,
}

impl Rounded for Ecs {
    type Client = Client;

    async fn round(&mut self, client: &Client, asking: &mut Asking<'_>, _: &Snapshot) -> Vec<Arrival> {
        let mut answers = self.ask(client, asking).await;
        self.ask_details(client, asking, &mut answers).await;
        self.take(answers)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            services: part(self.services.clone(), !self.services.is_empty()),
            tasks: part(self.tasks.values().cloned().collect(), self.knows_tasks),
            task_definitions: part(
                self.task_definitions.values().cloned().collect(),
                !self.task_definitions.is_empty(),
            ),
            service_deployments: part(
                self.service_deployments.values().cloned().collect(),
                !self.service_deployments.is_empty(),
            ),
            ..Snapshot::default()
        }
    }

    fn cursor(&self) -> Option<Value> {
        serde_json::to_value(&self.seen).ok()
    }
}

impl Ecs {
    pub fn new(place: &Place, cursor: Option<Value>) -> Ecs {
        let name = format!("ecs:{}/{}", cluster(place), place.service.as_deref().unwrap_or("*"));
        Ecs {
            stream: Arc::new(Stream { name, source: Source::EcsServiceEvent }),
            seen: cursor.and_then(|cursor| serde_json::from_value(cursor).ok()).unwrap_or_default(),
            order: Order::default(),
            services: Vec::new(),
            tasks: BTreeMap::new(),
            settled: BTreeSet::new(),
            task_definitions: BTreeMap::new(),
            service_deployments: BTreeMap::new(),
            revisions: BTreeSet::new(),
            knows_tasks: false,
        }
    }

    /// Asks for the service and its tasks.
    async fn ask(&mut self, client: &Client, asking: &mut Asking<'_>) -> Answers {
        let mut answers = Answers::default();
        let cluster = cluster(&asking.place).to_owned();
        let Some(service) = asking.place.service.clone() else { return answers };
        let what = format!("service {service} of cluster {cluster}");
        let call = client.describe_services().cluster(&cluster).services(&service);
        let described = asking.ask_json(calls::DESCRIBE_SERVICES, &what, |raw| {
            call.clone().customize().interceptor(raw).send()
        });
        if let Some(answer) = described.await {
            answers.services = elements(&answer, "services");
            if let Some(arn) = answers.services.first().and_then(|service| service["serviceArn"].as_str()) {
                asking.aws.learn_account(arn);
            }
            if answers.services.is_empty() {
                let because = format!("cluster {cluster} has no service of this name");
                asking.say(calls::DESCRIBE_SERVICES, &what, Kind::NotFound, because);
                return answers;
            }
        }
        let mut arns: BTreeSet<String> = BTreeSet::new();
        let what = format!("tasks of service {service}");
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let mut pages = Pages::default();
            loop {
                let call = client
                    .list_tasks()
                    .cluster(&cluster)
                    .service_name(&service)
                    .desired_status(status.clone())
                    .set_next_token(pages.token());
                let Some(page) = asking.ask(calls::LIST_TASKS, &what, || call.clone().send()).await else {
                    break;
                };
                arns.extend(page.task_arns().iter().cloned());
                if !pages.turn(page.next_token(), &what) {
                    break;
                }
            }
        }
        if asking.trouble(calls::LIST_TASKS, &what).is_none() {
            // What ECS has forgotten is not listed again, and need not be remembered.
            self.settled.retain(|arn| arns.contains(arn) || self.tasks.contains_key(arn));
        }
        // A task that is no longer listed may have stopped since: its end is the news.
        let running = self.tasks.keys().filter(|arn| !self.settled.contains(*arn)).cloned();
        arns.extend(running);
        arns.retain(|arn| !self.settled.contains(arn));
        let arns: Vec<String> = arns.into_iter().collect();
        for batch in arns.chunks(TASKS_A_CALL) {
            let call = client.describe_tasks().cluster(&cluster).set_tasks(Some(batch.to_vec()));
            let described = asking
                .ask_json(calls::DESCRIBE_TASKS, &what, |raw| {
                    call.clone().customize().interceptor(raw).send()
                })
                .await;
            let Some(answer) = described else { break };
            answers.tasks.extend(elements(&answer, "tasks"));
            // ECS forgets tasks an hour after they stopped.
            self.settled
                .extend(elements(&answer, "failures").iter().map(|failure| text(failure, "arn").to_owned()));
        }
        self.knows_tasks |= asking.trouble(calls::LIST_TASKS, &what).is_none();
        answers
    }

    /// Asks for what the service and its tasks refer to.
    async fn ask_details(&mut self, client: &Client, asking: &mut Asking<'_>, answers: &mut Answers) {
        for arn in task_definitions(answers).difference(&self.task_definitions.keys().cloned().collect()) {
            let what = format!("task definition {}", analyzer::snapshot::last_segment(arn));
            let call = client.describe_task_definition().task_definition(arn);
            let described = asking
                .ask_json(calls::DESCRIBE_TASK_DEFINITION, &what, |raw| {
                    call.clone().customize().interceptor(raw).send()
                })
                .await;
            answers.task_definitions.extend(described.map(|answer| answer["taskDefinition"].clone()));
        }
        if answers.services.is_empty() {
            return;
        }
        let (cluster, service) = (cluster(&asking.place).to_owned(), asking.place.service.clone());
        let Some(service) = service else { return };
        let what = format!("deployments of service {service}");
        let call =
            client.list_service_deployments().cluster(&cluster).service(&service).max_results(DEPLOYMENTS);
        let listed = asking
            .ask_json(calls::LIST_SERVICE_DEPLOYMENTS, &what, |raw| {
                call.clone().customize().interceptor(raw).send()
            })
            .await;
        let briefs = listed.map(|answer| elements(&answer, "serviceDeployments")).unwrap_or_default();
        let open: Vec<String> = briefs
            .iter()
            .filter(|brief| !self.is_described(brief))
            .map(|brief| text(brief, "serviceDeploymentArn").to_owned())
            .collect();
        if !open.is_empty() {
            let call = client.describe_service_deployments().set_service_deployment_arns(Some(open));
            let described = asking
                .ask_json(calls::DESCRIBE_SERVICE_DEPLOYMENTS, &what, |raw| {
                    call.clone().customize().interceptor(raw).send()
                })
                .await;
            answers.service_deployments =
                described.map(|answer| elements(&answer, "serviceDeployments")).unwrap_or_default();
        }
        let new: Vec<String> =
            revisions(&answers.service_deployments).difference(&self.revisions).cloned().collect();
        for batch in new.chunks(20) {
            let call = client.describe_service_revisions().set_service_revision_arns(Some(batch.to_vec()));
            let described = asking
                .ask_json(
                    calls::DESCRIBE_SERVICE_REVISIONS,
                    &format!("revisions of service {service}"),
                    |raw| call.clone().customize().interceptor(raw).send(),
                )
                .await;
            let Some(answer) = described else { break };
            self.revisions.extend(batch.iter().cloned());
            answers.revisions.extend(elements(&answer, "serviceRevisions"));
        }
    }

    /// Whether a service deployment has ended and was described since.
    fn is_described(&self, brief: &Value) -> bool {
        const ENDS: [&str; 4] = ["SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"];
        let known = self.service_deployments.get(text(brief, "serviceDeploymentArn"));
        let status = text(brief, "status");
        ENDS.contains(&status) && known.is_some_and(|known| known.status.as_deref() == Some(status))
    }

    /// Takes answers in; gives out the records that are new, in the order of time.
    fn take(&mut self, answers: Answers) -> Vec<Arrival> {
        let mut found: Vec<(u64, Record)> = Vec::new();
        for revision in &answers.revisions {
            found.extend(self.revision(revision));
        }
        if !answers.services.is_empty() {
            self.services.clear();
        }
        for mut service in answers.services {
            let events = service.get_mut("events").map(Value::take).unwrap_or_default();
            for event in events.as_array().into_iter().flatten().rev() {
                let key = id(&["ecs-event", text(event, "id")]);
                found.extend(
                    self.described(event)
                        .map(|(records, _)| records)
                        .unwrap_or_default()
                        .into_iter()
                        .map(|record| (key, record)),
                );
            }
            let Some((records, snapshot)) = self.described(&service) else { continue };
            found.extend(records.into_iter().map(|record| (id_of("ecs-deployment", &record), record)));
            self.services.extend(snapshot.services.items().iter().cloned());
        }
        for task in &answers.tasks {
            let Some((records, snapshot)) = self.described(task) else { continue };
            found.extend(records.into_iter().map(|record| (task_id(text(task, "taskArn"), &record), record)));
            for task in snapshot.tasks.items() {
                if task.last_status.as_deref() == Some("STOPPED") {
                    self.settled.insert(task.task_arn.clone());
                }
                self.tasks.insert(task.task_arn.clone(), task.clone());
            }
        }
        for definition in &answers.task_definitions {
            let Some((_, snapshot)) = self.described(definition) else { continue };
            for definition in snapshot.task_definitions.items() {
                self.task_definitions
                    .insert(definition.task_definition_arn.clone().unwrap_or_default(), definition.clone());
            }
        }
        for deployment in &answers.service_deployments {
            let Some((records, snapshot)) = self.described(deployment) else { continue };
            found
                .extend(records.into_iter().map(|record| (id_of("ecs-service-deployment", &record), record)));
            for deployment in snapshot.service_deployments.items() {
                self.service_deployments
                    .insert(deployment.service_deployment_arn.clone(), deployment.clone());
            }
        }
        self.forget_old();
        found.retain(|(id, _)| self.seen.is_new(*id));
        found.sort_by_key(|(_, record)| record.time);
        found
            .into_iter()
            .map(|(id, mut record)| {
                record.seq = self.order.next(record.time);
                arrival(id, record)
            })
            .collect()
    }

    fn described(&self, value: &Value) -> Option<(Vec<Record>, Snapshot)> {
        describe::read(value, &self.stream).map(|described| (described.records, described.snapshot))
    }

    /// Tells which images a revision of the service resolved to.
    fn revision(&self, value: &Value) -> Option<(u64, Record)> {
        let arn = text(value, "serviceRevisionArn");
        let images: Vec<String> = elements(value, "containerImages")
            .iter()
            .map(|image| {
                let digest = text(image, "imageDigest");
                let at = if digest.is_empty() { "" } else { " " };
                format!("{}={}{at}{digest}", text(image, "containerName"), text(image, "image"))
            })
            .collect();
        let name = analyzer::snapshot::last_segment(arn);
        let definition = analyzer::snapshot::last_segment(text(value, "taskDefinition"));
        let said =
            format!("service revision {name} runs task definition {definition}: {}", images.join(", "));
        let record = Record {
            stream: self.stream.clone(),
            seq: 0,
            time: value.get("createdAt").and_then(crate::formats::time_of),
            source: Source::EcsServiceEvent,
            level: Level::Info,
            text: said,
            body: None,
            line: 1,
            entity: Some(Arc::from(name)),
            deployment: None,
        };
        (!arn.is_empty()).then(|| (id(&["ecs-service-revision", arn]), record))
    }

    /// Keeps the stopped tasks and the deployments of late.
    fn forget_old(&mut self) {
        while self.service_deployments.len() > MOST_DEPLOYMENTS {
            let oldest = self.service_deployments.iter().min_by_key(|(_, deployment)| deployment.created_at);
            let Some(oldest) = oldest.map(|(arn, _)| arn.clone()) else { return };
            self.service_deployments.remove(&oldest);
        }
        while self.tasks.len() > MOST_TASKS {
            let stopped = self.tasks.iter().filter(|(arn, _)| self.settled.contains(*arn));
            let Some(oldest) = stopped.min_by_key(|(_, task)| task.stopped_at).map(|(arn, _)| arn.clone())
            else {
                return;
            };
            self.tasks.remove(&oldest);
        }
    }
}

fn part<T>(items: Vec<T>, is_known: bool) -> Part<Vec<T>> {
    if is_known { Part::Known(items) } else { Part::default() }
}

/// Returns the name of the cluster; ECS has a `default` one.
fn cluster(place: &Place) -> &str {
    place.cluster.as_deref().unwrap_or("default")
}

/// Returns the task definitions that services, deployments and tasks name.
fn task_definitions(answers: &Answers) -> BTreeSet<String> {
    let of_services = answers.services.iter().flat_map(|service| {
        let of_deployments = elements(service, "deployments");
        let named: Vec<String> =
            of_deployments.iter().map(|deployment| text(deployment, "taskDefinition").to_owned()).collect();
        named.into_iter().chain([text(service, "taskDefinition").to_owned()])
    });
    let of_tasks = answers.tasks.iter().map(|task| text(task, "taskDefinitionArn").to_owned());
    of_services.chain(of_tasks).filter(|arn| !arn.is_empty()).collect()
}

/// Returns the service revisions that service deployments name.
fn revisions(deployments: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for deployment in deployments {
        let mut named = elements(deployment, "sourceServiceRevisions");
        named.extend(deployment.get("targetServiceRevision").cloned());
        found.extend(named.iter().map(|revision| text(revision, "arn").to_owned()));
    }
    found.retain(|arn| !arn.is_empty());
    found
}

fn elements(value: &Value, name: &str) -> Vec<Value> {
    value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ecs() -> Ecs {
        let place =
            Place { cluster: Some("shop".to_owned()), service: Some("web".to_owned()), ..Place::default() };
        Ecs::new(&place, None)
    }

    fn service(events: Value) -> Answers {
        Answers {
            services: vec![
                json!({"serviceName": "web", "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/shop/web",
                "desiredCount": 2, "taskDefinition": "web:2", "deployments": [], "events": events}),
            ],
            ..Answers::default()
        }
    }

    fn task(status: &str) -> Answers {
        Answers {
            tasks: vec![
                json!({"taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/shop/a1", "lastStatus": status,
                "stopCode": "EssentialContainerExited", "taskDefinitionArn": "web:2",
                "containers": [{"name": "app", "exitCode": 1}]}),
            ],
            ..Answers::default()
        }
    }

    fn texts(arrivals: &[Arrival]) -> Vec<&str> {
        arrivals.iter().map(|arrival| arrival.record.text.as_str()).collect()
    }

    #[test]
    fn only_new_events_are_handed_over_oldest_first() {
        let event = |id: &str, second: u32| json!({"id": id, "createdAt": format!("2026-11-01T10:00:{second:02}Z"), "message": format!("(service web) says {id}.")});
        let mut ecs = ecs();
        let first = ecs.take(service(json!([event("b", 2), event("a", 1)])));
        assert_eq!(texts(&first), ["(service web) says a.", "(service web) says b."]);
        assert!(first[0].record.seq < first[1].record.seq);
        let second = ecs.take(service(json!([event("c", 3), event("b", 2), event("a", 1)])));
        assert_eq!(texts(&second), ["(service web) says c."]);
        let mut again = Ecs::new(&Place::default(), serde_json::to_value(&ecs.seen).ok());
        let after = again.take(service(json!([event("c", 3), event("b", 2), event("a", 1)])));
        assert!(after.is_empty(), "{after:?}");
    }

    #[test]
    fn a_task_tells_each_state_once() {
        let mut ecs = ecs();
        ecs.knows_tasks = true;
        assert_eq!(ecs.take(task("STOPPING")).len(), 1);
        assert_eq!(ecs.take(task("STOPPING")).len(), 0);
        assert_eq!(ecs.take(task("STOPPED")).len(), 1);
        assert!(ecs.settled.contains("arn:aws:ecs:eu-west-1:111122223333:task/shop/a1"));
        assert_eq!(ecs.snapshot().tasks.items().len(), 1);
    }

    #[test]
    fn deployments_of_long_ago_are_forgotten() {
        let deployment = |number: usize| json!({"serviceDeploymentArn": format!("arn/{number:03}"), "status": "SUCCESSFUL", "createdAt": 1_800_000_000 + number});
        let mut ecs = ecs();
        ecs.take(Answers { service_deployments: (0..120).map(deployment).collect(), ..Answers::default() });
        assert_eq!(ecs.service_deployments.len(), MOST_DEPLOYMENTS);
        assert!(
            !ecs.service_deployments.contains_key("arn/019")
                && ecs.service_deployments.contains_key("arn/020")
        );
    }

    #[test]
    fn both_revisions_are_described() {
        let mut answers = service(json!([]));
        answers.services[0]["deployments"] = json!([{"id": "ecs-svc/2", "taskDefinition": "web:2"}, {"id": "ecs-svc/1", "taskDefinition": "web:1"}]);
        assert_eq!(task_definitions(&answers).into_iter().collect::<Vec<_>>(), ["web:1", "web:2"]);
    }

    #[test]
    fn a_revision_tells_the_digest_that_it_resolved_to() {
        let answers = Answers {
            revisions: vec![
                json!({"serviceRevisionArn": "arn:aws:ecs:eu-west-1:111122223333:service-revision/shop/web/7",
                "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:2", "createdAt": 1793527220.5,
                "containerImages": [{"containerName": "app", "image": "shop/web:1.4", "imageDigest": "sha256:ab"}]}),
            ],
            ..Answers::default()
        };
        let told = ecs().take(answers);
        assert_eq!(
            texts(&told),
            ["service revision 7 runs task definition web:2: app=shop/web:1.4 sha256:ab"]
        );
    }
}
