//! The table of all calls that Medic makes to AWS: what each needs to be allowed, and how often it may be made.
//!
//! The policies of `medic iam-policy`, the budgets, and the statements in gaps come from here.

use super::place::Place;

/// A call to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The prefix of the service in IAM actions.
    pub service: &'static str,
    pub operation: &'static str,
    /// The pattern of the ARN that the call is allowed on; `*` where IAM knows no resource for it.
    pub resource: &'static str,
    /// Whether the call is bound to the cluster by a condition, because IAM knows no resource for it.
    pub in_cluster: bool,
    pub policy: Policy,
    pub bucket: Bucket,
}

/// The policy that a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Recording and diagnosing.
    Read,
    /// Looking at what a deployment needs, before it is made.
    Preflight,
    /// Carrying out remedies that were approved.
    Remediate,
}

/// Calls that share a limit of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    EcsTasks,
    EcsServices,
    EcsServiceDeployments,
    EcsServiceRevisions,
    EcsTaskDefinitions,
    EcsChanges,
    LogEvents,
    LiveTail,
    Stacks,
    LoadBalancers,
    MetricData,
    Alarms,
    Queue,
    /// What is asked once in a while, without a limit that is documented.
    Seldom,
}

/// How often the account may make the calls of a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub per_second: f64,
    pub burst: u32,
}

impl Call {
    /// Returns the IAM action (`ecs:DescribeServices`).
    pub fn action(self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// Returns the statement that allows the call, as JSON on one line.
    pub fn statement(self, place: &Place) -> String {
        let mut statement = serde_json::json!({
            "Effect": "Allow",
            "Action": self.action(),
            "Resource": place.fill(self.resource),
        });
        if let (Some(condition), Some(object)) = (self.condition(place), statement.as_object_mut()) {
            object.insert("Condition".to_owned(), condition);
        }
        statement.to_string()
    }

    /// Returns the condition that binds the call to the cluster.
    pub fn condition(self, place: &Place) -> Option<serde_json::Value> {
        let cluster = place.fill(CLUSTER);
        self.in_cluster.then(|| serde_json::json!({"ArnLike": {"ecs:cluster": cluster}}))
    }
}

impl Bucket {
    /// Returns the limit of the account in a region. Where none is documented, a low one is assumed.
    pub fn limit(self, region: &str) -> Limit {
        let (per_second, burst) = match self {
            Bucket::EcsTasks | Bucket::EcsServices => (20.0, 100),
            Bucket::EcsServiceDeployments | Bucket::EcsServiceRevisions | Bucket::EcsTaskDefinitions => {
                (20.0, 50)
            }
            Bucket::EcsChanges => (5.0, 50),
            Bucket::LogEvents => {
                let per_second = filter_log_events_per_second(region);
                (f64::from(per_second), per_second)
            }
            Bucket::LiveTail => (5.0, 5),
            Bucket::MetricData => (50.0, 50),
            Bucket::Alarms => (9.0, 9),
            Bucket::Queue => (100.0, 100),
            Bucket::Stacks | Bucket::LoadBalancers => (10.0, 20),
            Bucket::Seldom => (4.0, 4),
        };
        Limit { per_second, burst }
    }
}

fn filter_log_events_per_second(region: &str) -> u32 {
    match region {
        "us-east-1" => 25,
        "ap-northeast-3" | "ap-southeast-3" | "ca-west-1" | "eu-central-1" | "il-central-1" => 5,
        _ => 10,
    }
}

const CLUSTER: &str = "arn:{partition}:ecs:{region}:{account}:cluster/{cluster}";
const SERVICE: &str = "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{service}";
const TASKS: &str = "arn:{partition}:ecs:{region}:{account}:task/{cluster}/*";
const SERVICE_DEPLOYMENTS: &str =
    "arn:{partition}:ecs:{region}:{account}:service-deployment/{cluster}/{service}/*";
const SERVICE_REVISIONS: &str =
    "arn:{partition}:ecs:{region}:{account}:service-revision/{cluster}/{service}/*";
const LOG_GROUP: &str = "arn:{partition}:logs:{region}:{account}:log-group:{log-group}:*";
/// The names of nested stacks begin with the name of their parent.
const STACKS: &str = "arn:{partition}:cloudformation:{region}:{account}:stack/{stack}*/*";
const QUEUE: &str = "arn:{partition}:sqs:{region}:{account}:{queue}";
const REPOSITORIES: &str = "arn:{partition}:ecr:{region}:{account}:repository/*";
const PARAMETERS: &str = "arn:{partition}:ssm:{region}:{account}:*";
const SECRETS: &str = "arn:{partition}:secretsmanager:{region}:{account}:secret:*";
const ROLES: &str = "arn:{partition}:iam::{account}:role/*";
const SCALABLE: &str = "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*";
const ANY: &str = "*";

macro_rules! calls {
    ($($name:ident $service:literal $operation:literal $resource:ident $policy:ident $bucket:ident $($in_cluster:ident)?;)*) => {
        $(pub const $name: Call = Call {
            service: $service,
            operation: $operation,
            resource: $resource,
            in_cluster: calls!(@ $($in_cluster)?),
            policy: Policy::$policy,
            bucket: Bucket::$bucket,
        };)*

        /// All calls.
        pub const ALL: &[Call] = &[$($name),*];
    };
    (@) => { false };
    (@ in_cluster) => { true };
}

calls! {
    DESCRIBE_SERVICES "ecs" "DescribeServices" SERVICE Read EcsServices;
    LIST_TASKS "ecs" "ListTasks" ANY Read EcsTasks in_cluster;
    DESCRIBE_TASKS "ecs" "DescribeTasks" TASKS Read EcsTasks;
    DESCRIBE_TASK_DEFINITION "ecs" "DescribeTaskDefinition" ANY Read EcsTaskDefinitions;
    LIST_SERVICE_DEPLOYMENTS "ecs" "ListServiceDeployments" SERVICE Read EcsServiceDeployments;
    DESCRIBE_SERVICE_DEPLOYMENTS "ecs" "DescribeServiceDeployments" SERVICE_DEPLOYMENTS Read EcsServiceDeployments;
    DESCRIBE_SERVICE_REVISIONS "ecs" "DescribeServiceRevisions" SERVICE_REVISIONS Read EcsServiceRevisions;
    FILTER_LOG_EVENTS "logs" "FilterLogEvents" LOG_GROUP Read LogEvents;
    START_LIVE_TAIL "logs" "StartLiveTail" LOG_GROUP Read LiveTail;
    DESCRIBE_STACKS "cloudformation" "DescribeStacks" STACKS Read Stacks;
    DESCRIBE_STACK_EVENTS "cloudformation" "DescribeStackEvents" STACKS Read Stacks;
    DESCRIBE_EVENTS "cloudformation" "DescribeEvents" STACKS Read Stacks;
    LIST_CHANGE_SETS "cloudformation" "ListChangeSets" STACKS Read Stacks;
    DESCRIBE_TARGET_GROUPS "elasticloadbalancing" "DescribeTargetGroups" ANY Read LoadBalancers;
    DESCRIBE_TARGET_HEALTH "elasticloadbalancing" "DescribeTargetHealth" ANY Read LoadBalancers;
    GET_METRIC_DATA "cloudwatch" "GetMetricData" ANY Read MetricData;
    DESCRIBE_ALARMS "cloudwatch" "DescribeAlarms" ANY Read Alarms;
    GET_QUEUE_ATTRIBUTES "sqs" "GetQueueAttributes" QUEUE Read Queue;
    RECEIVE_MESSAGE "sqs" "ReceiveMessage" QUEUE Read Queue;
    DELETE_MESSAGE "sqs" "DeleteMessage" QUEUE Read Queue;

    DESCRIBE_IMAGES "ecr" "DescribeImages" REPOSITORIES Preflight Seldom;
    DESCRIBE_SUBNETS "ec2" "DescribeSubnets" ANY Preflight Seldom;
    DESCRIBE_ROUTE_TABLES "ec2" "DescribeRouteTables" ANY Preflight Seldom;
    DESCRIBE_SECURITY_GROUPS "ec2" "DescribeSecurityGroups" ANY Preflight Seldom;
    DESCRIBE_VPC_ENDPOINTS "ec2" "DescribeVpcEndpoints" ANY Preflight Seldom;
    DESCRIBE_PARAMETERS "ssm" "DescribeParameters" PARAMETERS Preflight Seldom;
    DESCRIBE_SECRET "secretsmanager" "DescribeSecret" SECRETS Preflight Seldom;
    GET_ROLE "iam" "GetRole" ROLES Preflight Seldom;
    SIMULATE_PRINCIPAL_POLICY "iam" "SimulatePrincipalPolicy" ROLES Preflight Seldom;
    GET_SERVICE_QUOTA "servicequotas" "GetServiceQuota" ANY Preflight Seldom;
    DESCRIBE_LOG_GROUPS "logs" "DescribeLogGroups" ANY Preflight Seldom;

    UPDATE_SERVICE "ecs" "UpdateService" SERVICE Remediate EcsChanges;
    STOP_SERVICE_DEPLOYMENT "ecs" "StopServiceDeployment" SERVICE_DEPLOYMENTS Remediate EcsChanges;
    STOP_TASK "ecs" "StopTask" TASKS Remediate EcsChanges;
    CONTINUE_UPDATE_ROLLBACK "cloudformation" "ContinueUpdateRollback" STACKS Remediate Stacks;
    ROLLBACK_STACK "cloudformation" "RollbackStack" STACKS Remediate Stacks;
    DELETE_STACK "cloudformation" "DeleteStack" STACKS Remediate Stacks;
    REGISTER_SCALABLE_TARGET "application-autoscaling" "RegisterScalableTarget" SCALABLE Remediate Seldom;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_stands_once_and_names_one_action() {
        let actions: BTreeSet<String> = ALL.iter().map(|call| call.action()).collect();
        assert_eq!(actions.len(), ALL.len());
        assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
    }

    #[test]
    fn a_statement_names_the_thing_that_is_watched() {
        let place = Place {
            region: "eu-west-1".to_owned(),
            account: Some("111122223333".to_owned()),
            cluster: Some("shop".to_owned()),
            service: Some("web".to_owned()),
            ..Place::default()
        };
        assert_eq!(
            DESCRIBE_SERVICES.statement(&place),
            r#"{"Effect":"Allow","Action":"ecs:DescribeServices","Resource":"arn:aws:ecs:eu-west-1:111122223333:service/shop/web"}"#
        );
        assert_eq!(
            LIST_TASKS.statement(&place),
            r#"{"Effect":"Allow","Action":"ecs:ListTasks","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}}}"#
        );
    }
}
