//! Which metrics tell about a service.

use analyzer::snapshot::Snapshot;

use crate::aws::Place;
use crate::aws::place::name_in_arn;
use crate::sources::account::target_groups_of;

/// A metric that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub namespace: &'static str,
    pub metric: &'static str,
    pub statistic: &'static str,
    pub unit: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
    /// The service or the target group.
    pub entity: String,
}

type Row = (&'static str, &'static str, &'static str, &'static str);

const OF_SERVICE: [Row; 5] = [
    ("AWS/ECS", "CPUUtilization", "Average", "Percent"),
    ("AWS/ECS", "MemoryUtilization", "Maximum", "Percent"),
    // These are there where Container Insights is on.
    ("ECS/ContainerInsights", "RunningTaskCount", "Average", "Count"),
    ("ECS/ContainerInsights", "PendingTaskCount", "Average", "Count"),
    ("ECS/ContainerInsights", "MemoryUtilized", "Maximum", "Megabytes"),
];

const OF_APPLICATION_GROUP: [Row; 6] = [
    ("AWS/ApplicationELB", "HealthyHostCount", "Minimum", "Count"),
    ("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", "Count"),
    ("AWS/ApplicationELB", "RequestCount", "Sum", "Count"),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", "Count"),
    ("AWS/ApplicationELB", "TargetConnectionErrorCount", "Sum", "Count"),
    ("AWS/ApplicationELB", "TargetResponseTime", "Average", "Seconds"),
];

const OF_NETWORK_GROUP: [Row; 2] = [
    ("AWS/NetworkELB", "HealthyHostCount", "Minimum", "Count"),
    ("AWS/NetworkELB", "UnHealthyHostCount", "Maximum", "Count"),
];

/// Returns the metrics of a service and of its target groups.
pub fn of_service(place: &Place, known: &Snapshot) -> Vec<Wanted> {
    let cluster = place.cluster.clone().unwrap_or_else(|| "default".to_owned());
    let Some(service) = place.service.clone() else { return Vec::new() };
    let dimensions = vec![("ClusterName", cluster), ("ServiceName", service.clone())];
    let mut wanted = rows(&OF_SERVICE, &dimensions, &service);
    let groups = target_groups_of(known, Some(&service));
    for group in known.target_groups.items().iter().filter(|group| groups.contains(&group.target_group_arn)) {
        let target_group = name_in_arn(&group.target_group_arn).to_owned();
        for balancer in &group.load_balancer_arns {
            let balancer = name_in_arn(balancer).trim_start_matches("loadbalancer/").to_owned();
            let of_group: &[Row] =
                if balancer.starts_with("net/") { &OF_NETWORK_GROUP } else { &OF_APPLICATION_GROUP };
            let dimensions = vec![("LoadBalancer", balancer), ("TargetGroup", target_group.clone())];
            wanted.extend(rows(of_group, &dimensions, group.name()));
        }
    }
    wanted
}

fn rows(rows: &[Row], dimensions: &[(&'static str, String)], entity: &str) -> Vec<Wanted> {
    let row = |&(namespace, metric, statistic, unit): &Row| Wanted {
        namespace,
        metric,
        statistic,
        unit,
        dimensions: dimensions.to_vec(),
        entity: entity.to_owned(),
    };
    rows.iter().map(row).collect()
}

impl Wanted {
    /// Returns what a sample says: name, value, unit, and where it was measured.
    pub fn text(&self, value: f64) -> String {
        let rounded = (value * 1000.0).round() / 1000.0;
        format!("{} {rounded} {} {}", self.metric, self.unit, self.at())
    }

    /// Returns the name of the metric with its dimensions; it does not change with the value.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.metric, self.statistic, self.at())
    }

    fn at(&self) -> String {
        let dimensions: Vec<String> =
            self.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", self.namespace, dimensions.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_target_group_is_measured_at_its_load_balancer() {
        let arn = |rest: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:{rest}");
        let known: Snapshot = serde_json::from_value(json!({
            "services": {"known": [{"serviceName": "web", "loadBalancers": [{"targetGroupArn": arn("targetgroup/web/6d")}]}]},
            "targetGroups": {"known": [
                {"TargetGroupArn": arn("targetgroup/web/6d"), "TargetGroupName": "web", "LoadBalancerArns": [arn("loadbalancer/app/shop/50")]},
                {"TargetGroupArn": arn("targetgroup/other/7e"), "LoadBalancerArns": [arn("loadbalancer/app/shop/50")]},
            ]},
        }))
        .unwrap();
        let place = Place { service: Some("web".to_owned()), ..Place::default() };
        let texts: Vec<String> = of_service(&place, &known).iter().map(|wanted| wanted.text(0.5)).collect();
        assert_eq!(texts.len(), OF_SERVICE.len() + OF_APPLICATION_GROUP.len());
        assert_eq!(
            texts[5],
            "HealthyHostCount 0.5 Count AWS/ApplicationELB LoadBalancer=app/shop/50 TargetGroup=targetgroup/web/6d"
        );
    }
}
