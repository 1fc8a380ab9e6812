//! The correctness properties of the design document, where what was described and written can hold them.
//! Properties 4, 5 and 7 are about acting on an account, which Medic does not do.

use analyzer::checks::Check;
use analyzer::diagnosis::Verdict;
use analyzer::record::Source;
use analyzer::taxonomy::Class;
use patterns::parse::{Page, Sample};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::LazyLock;

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
    fn a_service_without_its_database_is_not_healthy(sample in any::<Index>()) {
        let (page, sample) = sample.get(of_database());
        let diagnosis = diagnosed(sample.source, &format!("server listening on 0.0.0.0:8080\n{}", sample.text));
        prop_assert!(diagnosis.verdict != Verdict::Healthy, "{}.md:{}", page.id, sample.line);
    }

    /// Feature: deployment-infrastructure-reliability, Property 6: For any application requiring database access, the
    /// deployment should verify database connectivity before marking the service as healthy.
    #[test]
    fn what_ecs_calls_steady_is_not_healthy_while_it_asks_for_its_database_in_vain(
        world in valid(),
        sample in any::<Index>(),
        listens in any::<bool>(),
        begins in STEADY - 180..STEADY + 180,
        every in 1i64..60,
        times in 1i64..20,
    ) {
        let (page, sample) = sample.get(lines_about_databases());
        let mut log = String::new();
        if listens {
            log.push_str(&said(STEADY - 200, &format!("INFO server listening on 0.0.0.0:{}", world.port)));
        }
        // It asks at least twice, and at last when the service has been steady for a while.
        for time in 0..=times {
            log.push_str(&said(begins + every * time, &format!("ERROR {}", sample.text.trim_end())));
        }
        log.push_str(&said(STEADY + 1500, &format!("ERROR {}", sample.text.trim_end())));
        let diagnosis = world.answers().diagnosis_with(&log);
        let root = diagnosis.root_cause().map(|root| root.class);
        prop_assert_eq!(diagnosis.verdict, Verdict::Failed, "{}.md:{}\n{}", page.id, sample.line, log);
        prop_assert_eq!(root, Some(Class::Database), "{}.md:{}\n{}", page.id, sample.line, log);
    }

    /// Feature: deployment-infrastructure-reliability, Property 6: For any application requiring database access, the
    /// deployment should verify database connectivity before marking the service as healthy.
    #[test]
    fn what_reached_its_database_after_all_is_healthy(
        world in valid(),
        sample in any::<Index>(),
        every in 1i64..10,
        times in 1i64..10,
        connected in prop::sample::select(vec!["INFO connected to the database", "INFO database connection established"]),
        requests in 0i64..20,
    ) {
        let (page, sample) = sample.get(lines_about_databases());
        let mut log = String::new();
        for time in 0..times {
            log.push_str(&said(STEADY - 200 + every * time, &format!("ERROR {}", sample.text.trim_end())));
        }
        log.push_str(&said(STEADY - 100, connected));
        log.push_str(&said(STEADY - 90, &format!("INFO server listening on 0.0.0.0:{}", world.port)));
        for request in 0..requests {
            log.push_str(&said(STEADY + 60 * request, &format!("INFO \"GET /orders/{request} HTTP/1.1\" 200 15")));
        }
        let diagnosis = world.answers().diagnosis_with(&log);
        prop_assert_eq!(diagnosis.verdict, Verdict::Healthy, "{}.md:{}\n{}", page.id, sample.line, log);
    }

    /// Feature: deployment-infrastructure-reliability, Property 8: For any service deployment, the allocated resources
    /// should be sufficient for stable operation without significant over-provisioning.
    // What is allocated is compared with what Fargate offers and, above, with what the containers ask for. What they use
    // is collected and shown (`CPUUtilization`, `MemoryUtilization`); that it is much less than what is allocated is no
    // fault that ends a deployment, and nothing says so.
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
        let (check, told) = match flaw {
            0 => {
                // Not scaled in later: it never had a task.
                for count in ["desiredCount", "runningCount"] {
                    answers.service()[count] = json!(0);
                    answers.service()["deployments"][0][count] = json!(0);
                }
                answers.service()["deployments"][0]["updatedAt"] = json!("2026-05-12T09:14:08+00:00");
                answers.target_health = json!({"TargetHealthDescriptions": []});
                (Check::DesiredCountPositive, Told::Verdict(Verdict::Failed))
            }
            1 => {
                answers.service()["deployments"][0]["runningCount"] = json!(world.desired - 1);
                (Check::TasksRunning, Told::Verdict(Verdict::CannotTell))
            }
            2 => {
                answers.service()["deployments"][0]["rolloutState"] = json!("FAILED");
                (Check::CircuitBreakerState, Told::Verdict(Verdict::Failed))
            }
            3 => {
                answers.service()["loadBalancers"][0]["containerName"] = json!("sidecar");
                (Check::LoadBalancerContainerExists, Told::Blocker("loadBalancers.containerName = sidecar"))
            }
            4 => {
                answers.container()["portMappings"][0]["hostPort"] = json!(world.port - 1);
                (Check::HostPortMatches, Told::Blocker("portMappings.hostPort = "))
            }
            5 => {
                answers.container()["essential"] = json!(false);
                (Check::EssentialContainerPresent, Told::Blocker("containerDefinitions.essential = false"))
            }
            6 => {
                answers.target_groups["TargetGroups"][0]["HealthCheckPort"] = json!((world.port - 1).to_string());
                (Check::HealthCheckPortExposed, Told::Blocker("HealthCheckPort = "))
            }
            _ => {
                answers.container()["dependsOn"] = json!([{"containerName": "app", "condition": "START"}]);
                (Check::DependencyOrderAcyclic, Told::Blocker("containerDefinitions.dependsOn = app"))
            }
        };
        prop_assert!(answers.violates(check), "{check}: {:?}", answers.results(check));
        let diagnosis = answers.diagnosis();
        match told {
            Told::Verdict(verdict) => prop_assert_eq!(diagnosis.verdict, verdict, "{}", check),
            Told::Blocker(field) => {
                let is_told = diagnosis.blockers.iter().any(|blocker| blocker.because.contains(field));
                prop_assert!(is_told, "{check}: {:?}", diagnosis.blockers);
            }
        }
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
        message in prop::sample::select(INCOMPATIBLE.to_vec()),
        values in values(),
        announced in any::<bool>(),
    ) {
        let before = if announced { "> infra@1.0.0 deploy\n> cdk deploy --all --require-approval never\n\n" } else { "" };
        let text = format!("{before}{}\n", filled(message, &values));
        let diagnosis = diagnosed(Source::Cdk, &text);
        prop_assert_eq!(diagnosis.root_cause().map(|root| root.class), Some(Class::Cdk), "{}", text);
    }

    /// Feature: deployment-infrastructure-reliability, Property 11: For any CDK infrastructure code, all parameters used
    /// in constructs should be compatible with the target CDK version and not cause deployment failures.
    #[test]
    fn compatible_versions_of_the_cdk_are_no_failure(
        notices in prop::collection::vec(prop::sample::select(COMPATIBLE.to_vec()), 0..4),
        values in values(),
        fails in any::<bool>(),
        alone in prop::sample::select(COMPATIBLE.to_vec()).prop_filter("says more", |notice| !notice.starts_with("!!")),
    ) {
        // A notice that nothing follows is no failure either, and no success.
        let alone = diagnosed(Source::Cdk, &filled(alone, &values));
        prop_assert_eq!(alone.root_cause().map(|root| &root.cause), None);
        let notices: String = notices.into_iter().map(|notice| filled(notice, &values) + "\n").collect();
        let text = format!("{notices}{}\n", filled(DEPLOYED, &values));
        let mut records = stream("deploy", Source::Cdk, &text).records;
        if fails {
            let line = "could not connect to server: Connection refused\n";
            records.extend(stream("app", Source::ContainerLog, line).records);
        }
        let diagnosis = analyzer::diagnose(crate::given::book(), &records, &Default::default(), Vec::new());
        prop_assert_eq!(diagnosis.root_cause().map(|root| root.class), fails.then_some(Class::Database), "{}", text);
        prop_assert_eq!(diagnosis.verdict, if fails { Verdict::Failed } else { Verdict::Healthy }, "{}", text);
    }
}

/// What shows that something is broken.
#[derive(Clone, Copy, Debug)]
enum Told {
    Verdict(Verdict),
    /// It does not show yet, but it will end the next deployment.
    Blocker(&'static str),
}

/// When ECS calls the service of a world steady: 2026-05-12T09:17:40Z.
const STEADY: i64 = 1_778_577_460;

/// Returns a line of a log.
fn said(second: i64, text: &str) -> String {
    let at = jiff::Timestamp::from_second(second).expect("a time");
    format!("{at} {text}\n")
}

type Sampled = (&'static Page, &'static Sample);

/// Returns what containers say when they do not reach their database.
fn of_database() -> &'static [Sampled] {
    static SAMPLES: LazyLock<Vec<Sampled>> = LazyLock::new(|| {
        let is_one = |(page, sample): &Sampled| {
            page.class == Class::Database && sample.source == Source::ContainerLog && !page.header.symptom
        };
        matches().iter().copied().filter(is_one).collect()
    });
    &SAMPLES
}

/// Returns those of them that are one line without a time or a form of its own.
fn lines_about_databases() -> &'static [Sampled] {
    static SAMPLES: LazyLock<Vec<Sampled>> = LazyLock::new(|| {
        let is_plain = |(_, sample): &Sampled| {
            let text = sample.text.trim_end();
            !text.contains('\n') && text.starts_with(|c: char| c.is_ascii_alphabetic())
        };
        of_database().iter().copied().filter(is_plain).collect()
    });
    &SAMPLES
}

/// What the CDK, its library and the tools below it say of versions that do not fit, with values in braces.
const INCOMPATIBLE: [&str; 16] = [
    "This CDK CLI is not compatible with the CDK library used by your application. Please upgrade the CLI to the latest version.\n(Cloud assembly schema version mismatch: Maximum schema version supported is {major}.x.x, but found {later}.0.0. You need at least CLI version 2.{minor}.{patch} to read this manifest.)",
    "Cloud assembly schema version mismatch: Maximum schema version supported is {major}.{minor}.{patch}, but found {later}.0.0",
    "prod-web: A newer version of the CDK CLI (>= 2.{minor}.{patch}) is necessary to interact with this app",
    "This CDK Toolkit is not compatible with the AWS CDK library used by your application. Please upgrade the toolkit to the latest version.",
    "❌ app-prod failed: Error: app-prod: This CDK deployment requires bootstrap stack version '{later}', found '{major}'. Please run 'cdk bootstrap' with a recent version.",
    "app-prod: This CDK deployment requires bootstrap stack version '>= {later}', but found {major}. Please run 'cdk bootstrap'.",
    "Template error: Rule CheckBootstrapVersion failed: CDK bootstrap stack version {later} required. Please run 'cdk bootstrap' with a recent version of the CDK CLI.",
    "lib/app-stack.ts({minor},{patch}): error TS2353: Object literal may only specify known properties, and '{property}' does not exist in type 'FargateServiceProps'.\n\nSubprocess exited with error 1",
    "lib/app-stack.ts:{minor}:{patch} - error TS2561: Object literal may only specify known properties, but '{property}' does not exist in type 'FargateTaskDefinitionProps'. Did you mean to write 'memoryLimitMiB'?\n\nSubprocess exited with error 1",
    "lib/app-stack.ts:{minor}:{patch} - error TS2339: Property '{property}' does not exist on type 'typeof SubnetType'.\n\nSubprocess exited with error 1",
    "lib/app-stack.ts:{minor}:{patch} - error TS2345: Argument of type 'this' is not assignable to parameter of type 'Construct'.\n  Types of property 'node' are incompatible.\n\nSubprocess exited with error 1",
    "TypeError: ecs.{property} is not a function\n    at new AppStack (/app/lib/app-stack.ts:{minor}:{patch})\n    at Object.<anonymous> (/app/bin/app.ts:7:1)\n\nSubprocess exited with error 1",
    "Traceback (most recent call last):\n  File \"/app/app.py\", line {patch}, in <module>\n    AppStack(app, \"prod\")\nTypeError: FargateTaskDefinition.__init__() got an unexpected keyword argument '{property}'\n\nSubprocess exited with error 1",
    "  File \"/app/app_stack.py\", line {patch}, in __init__\nAttributeError: type object 'SubnetType' has no attribute '{property}'\n\nSubprocess exited with error 1",
    "Error: Unsupported feature flag '@aws-cdk/core:{property}'. This flag existed on CDKv1 but has been removed in CDKv2. CDK will now behave as the same as when the flag is enabled.",
    "npm error Could not resolve dependency:\nnpm error peer aws-cdk-lib@\"^2.{minor}.{patch}\" from @aws-cdk/aws-apprunner-alpha@2.{minor}.{patch}-alpha.0",
];

/// What they say of versions that differ and go together.
const COMPATIBLE: [&str; 8] = [
    "2.{minor}.{patch} (build 1a2b3c4)",
    "***********************************************\n*** Newer version of CDK is available [2.{minor}.{patch}] ***\n*** Upgrade recommended (npm install -g aws-cdk) ***\n***********************************************",
    "[WARNING] aws-cdk-lib.aws_ecs.FargateServiceProps#{property} is deprecated.\n  Use another property.\n  This API will be removed in the next major release.",
    "NOTICES         (What's this? https://github.com/aws/aws-cdk/wiki/CLI-Notices)\n\n32775   (cli): CLI versions and CDK library versions have diverged\n\n        Overview: Starting in CDK 2.{minor}.{patch}, CLI versions will no longer be in\n                  lockstep with CDK library versions.",
    "!!  This software has not been tested with node v{later}.{minor}.{patch}.",
    "npm warn deprecated @aws-cdk/core@1.{minor}.{patch}: AWS CDK v1 has reached End-of-Support on 2023-06-01.",
    " ✅  Environment aws://111122223333/eu-west-1 bootstrapped (no changes).",
    "Bootstrap stack version {later} found, {major} required",
];

const DEPLOYED: &str = "✨  Synthesis time: {patch}.2s\n\nAppStack: deploying... [1/1]\nAppStack: creating CloudFormation changeset...\n\n ✅  AppStack\n\n✨  Deployment time: {minor}.1s";

/// The values that messages name: versions, the later one after the other, and a property.
fn values() -> impl Strategy<Value = [(&'static str, String); 5]> {
    let numbers = (1u32..60, 1u32..20, 1u32..300, 1u32..30);
    (numbers, "[a-z]{3,9}[A-Z][a-z]{3,9}").prop_map(|((major, more, minor, patch), property)| {
        [
            ("{major}", major.to_string()),
            ("{later}", (major + more).to_string()),
            ("{minor}", minor.to_string()),
            ("{patch}", patch.to_string()),
            ("{property}", property),
        ]
    })
}

fn filled(message: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(message.to_owned(), |text, (name, value)| text.replace(name, value))
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
