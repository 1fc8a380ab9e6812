//! The correctness properties of the design document, where what was described and written can hold them.
//! Properties 4, 5 and 7 are about acting on an account, which Medic does not do.

use analyzer::checks::Check;
use analyzer::diagnosis::Verdict;
use analyzer::record::Source;
use analyzer::taxonomy::Class;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use std::collections::BTreeMap;

use crate::given::{cases, diagnosed, matches, stream};
use crate::world::{sizes, valid};

proptest! {
    #![proptest_config(cases(64))]

    /// Feature: deployment-infrastructure-reliability, Property 1: For any ECS service deployment with valid
    /// configuration, the service should start successfully within the specified timeout period and pass all
    /// health checks.
    #[test]
    fn a_valid_service_that_completed_is_healthy(world in valid()) {
        let answers = world.answers();
        for check in Check::ALL {
            prop_assert!(!answers.violates(*check), "{:?}", answers.results(*check));
        }
        let diagnosis = answers.diagnosis();
        prop_assert_eq!(diagnosis.verdict, Verdict::Healthy, "{:?}", diagnosis.findings);
        prop_assert!(diagnosis.blockers.is_empty(), "{:?}", diagnosis.blockers);
    }

    /// Feature: deployment-infrastructure-reliability, Property 2: For any container deployment, if the allocated
    /// resources meet the minimum requirements, the container should start successfully and maintain stable
    /// operation.
    #[test]
    fn memory_that_is_enough_holds_and_less_does_not(mut world in valid(), missing in 1i64..=4096) {
        prop_assert!(world.answers().holds(Check::FargateSizeValid));
        prop_assert!(world.answers().holds(Check::ContainerMemoryFits));
        world.container_memory = world.memory + missing;
        let answers = world.answers();
        prop_assert!(answers.violates(Check::ContainerMemoryFits), "{:?}", answers.results(Check::ContainerMemoryFits));
    }

    /// Feature: deployment-infrastructure-reliability, Property 3: For any deployed service with configured health
    /// checks, the health check endpoint should return successful responses when the service is operational.
    #[test]
    fn health_checks_are_validated(
        world in valid(),
        (field, value) in prop_oneof![
            (Just("interval"), prop_oneof![-5i64..5, 301i64..900]),
            (Just("timeout"), prop_oneof![-5i64..2, 61i64..900]),
            (Just("retries"), prop_oneof![-5i64..1, 11i64..99]),
            (Just("startPeriod"), prop_oneof![-99i64..0, 301i64..900]),
        ],
        state in prop::sample::select(vec!["unhealthy", "unavailable"]),
    ) {
        let mut answers = world.answers();
        prop_assert!(answers.holds(Check::HealthCheckTiming) && answers.holds(Check::TargetHealth));
        answers.container()["healthCheck"][field] = json!(value);
        prop_assert!(answers.violates(Check::HealthCheckTiming), "{field} = {value}");
        answers.target()["TargetHealth"] = json!({
            "State": state, "Reason": "Target.Timeout", "Description": "Request timed out",
        });
        prop_assert!(answers.violates(Check::TargetHealth));
    }

    /// Feature: deployment-infrastructure-reliability, Property 6: For any application requiring database access, the
    /// deployment should verify database connectivity before marking the service as healthy.
    #[test]
    fn a_service_without_its_database_is_not_healthy(sample in any::<Index>(), listens in any::<bool>()) {
        let of_database: Vec<_> = matches().iter().filter(|(page, sample)| {
            page.class == Class::Database && sample.source == Source::ContainerLog && !page.header.symptom
        }).collect();
        let (page, sample) = sample.get(&of_database);
        let before = if listens { "server listening on 0.0.0.0:8080\n" } else { "" };
        let diagnosis = diagnosed(sample.source, &format!("{before}{}", sample.text));
        prop_assert!(diagnosis.verdict != Verdict::Healthy, "{}.md:{}", page.id, sample.line);
    }

    /// Feature: deployment-infrastructure-reliability, Property 8: For any service deployment, the allocated resources
    /// should be sufficient for stable operation without significant over-provisioning.
    #[test]
    fn only_sizes_that_fargate_offers_hold(
        mut world in valid(),
        cpu in prop::sample::select(vec![128i64, 256, 300, 512, 1024, 1536, 2048, 4096, 8192, 16_384, 32_768]),
        memory in prop_oneof![(1i64..=130).prop_map(|gigabytes| gigabytes * 1024), 1i64..=131_072],
    ) {
        (world.cpu, world.memory, world.container_memory) = (cpu, memory, 1);
        let answers = world.answers();
        let is_offered = sizes().contains(&(cpu, memory));
        prop_assert_eq!(answers.holds(Check::FargateSizeValid), is_offered, "{} {}", cpu, memory);
        prop_assert_eq!(answers.violates(Check::FargateSizeValid), !is_offered, "{} {}", cpu, memory);
    }

    /// Feature: deployment-infrastructure-reliability, Property 9: For any completed deployment, the validation tests
    /// should confirm that all critical functionality is working correctly.
    #[test]
    fn whatever_is_broken_is_found(world in valid(), flaw in 0usize..8) {
        let mut answers = world.answers();
        let check = match flaw {
            0 => {
                answers.service()["desiredCount"] = json!(0);
                Check::DesiredCountPositive
            }
            1 => {
                answers.service()["deployments"][0]["runningCount"] = json!(world.desired - 1);
                Check::TasksRunning
            }
            2 => {
                answers.service()["deployments"][0]["rolloutState"] = json!("FAILED");
                Check::CircuitBreakerState
            }
            3 => {
                answers.service()["loadBalancers"][0]["containerName"] = json!("sidecar");
                Check::LoadBalancerContainerExists
            }
            4 => {
                answers.container()["portMappings"][0]["hostPort"] = json!(world.port - 1);
                Check::HostPortMatches
            }
            5 => {
                answers.container()["essential"] = json!(false);
                Check::EssentialContainerPresent
            }
            6 => {
                answers.target_groups["TargetGroups"][0]["HealthCheckPort"] = json!((world.port - 1).to_string());
                Check::HealthCheckPortExposed
            }
            _ => {
                answers.container()["dependsOn"] = json!([{"containerName": "app", "condition": "START"}]);
                Check::DependencyOrderAcyclic
            }
        };
        prop_assert!(answers.violates(check), "{check}: {:?}", answers.results(check));
    }

    /// Feature: deployment-infrastructure-reliability, Property 10: For any deployment process, all relevant logs should
    /// be collected and made available for troubleshooting.
    #[test]
    fn every_line_is_in_exactly_one_record(lines in prop::collection::vec(line(), 0..60), pipeline in any::<bool>()) {
        let source = if pipeline { Source::GithubActions } else { Source::ContainerLog };
        let text: Vec<String> =
            lines.iter().enumerate().map(|(number, line)| line.replace('№', &format!("L{number:04}"))).collect();
        let collected = stream("all", source, &text.join("\n"));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.contains('№')) {
            let token = format!("L{number:04}");
            let holders = collected.records.iter().filter(|record| record.text.contains(&token)).count();
            counts.insert(token, holders);
        }
        counts.retain(|_, holders| *holders != 1);
        prop_assert!(counts.is_empty(), "lines and the records that hold them: {counts:?}\n{}", text.join("\n"));
        let seen = analyzer::diagnose(crate::given::book(), &collected.records, &collected.snapshot, Vec::new()).seen;
        prop_assert_eq!(seen.records, collected.records.len() as u64);
    }

    /// Feature: deployment-infrastructure-reliability, Property 11: For any CDK infrastructure code, all parameters used
    /// in constructs should be compatible with the target CDK version and not cause deployment failures.
    #[test]
    fn incompatible_versions_of_the_cdk_are_the_cdks(
        (major, minor, patch) in (1u32..60, 0u32..300, 0u32..30),
        more in 1u32..20,
        message in 0usize..4,
        property in "[a-z]{3,9}[A-Z][a-z]{3,9}",
    ) {
        let later = major + more;
        let text = match message {
            0 => format!(
                "This CDK CLI is not compatible with the CDK library used by your application. Please upgrade the CLI to the latest version.\n(Cloud assembly schema version mismatch: Maximum schema version supported is {major}.{minor}.{patch}, but found {later}.0.0)"
            ),
            1 => format!(
                "❌ app-prod failed: Error: app-prod: This CDK deployment requires bootstrap stack version '{later}', found '{major}'. Please run 'cdk bootstrap' with a recent version."
            ),
            2 => format!(
                "lib/app-stack.ts({minor},{patch}): error TS2353: Object literal may only specify known properties, and '{property}' does not exist in type 'FargateServiceProps'.\n\nSubprocess exited with error 1"
            ),
            _ => format!(
                "TypeError: ecs.{property} is not a function\n    at new AppStack (/app/lib/app-stack.ts:{minor}:{patch})\n    at Object.<anonymous> (/app/bin/app.ts:7:1)\n\nSubprocess exited with error 1"
            ),
        };
        let diagnosis = diagnosed(Source::Cdk, &text);
        prop_assert_eq!(diagnosis.root_cause().map(|root| root.class), Some(Class::Cdk), "{}", text);
    }
}

/// Lines as programs print them; the sign stands for what makes a line unlike every other.
fn line() -> impl Strategy<Value = String> {
    const LINES: [&str; 24] = [
        "№ plain words",
        "2026-05-01T10:00:00Z INFO № with a time",
        "2026-05-01T10:00:00Z ERROR № went wrong",
        "FATAL №",
        "    at com.example.№(App.java:12)",
        "Caused by: java.lang.IllegalStateException: №",
        "Traceback (most recent call last):",
        "  File \"/app/№.py\", line 7, in main",
        "ValueError: №",
        "panic: №",
        "goroutine 1 [running]: №",
        "thread 'main' panicked at src/№.rs:1:1:",
        "web-1  | № of a container",
        "db-1  | № of another",
        "#12 0.345 № of a build",
        "##[error]№",
        "##[group]Run №",
        "{\"level\":\"error\",\"msg\":\"№\"}",
        "{\"level\":\"error\",\"msg\":\"x\",\"other\":\"№\"}",
        "{\"log\":\"№\\n\",\"stream\":\"stderr\",\"time\":\"2026-05-01T10:00:01Z\"}",
        "{ \"№\":",
        "}",
        "\t№ indented",
        "",
    ];
    prop::sample::select(LINES.to_vec()).prop_map(str::to_owned)
}
