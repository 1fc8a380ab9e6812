//! Fills the JSON report from a guide.

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::guide::{Cause, Changed, Quote};
use crate::treatment::Treatment;

/// Returns the report of a guide.
pub fn report(guide: &Guide) -> Report {
    Report {
        version: VERSION,
        verdict: word(&guide.verdict),
        headline: guide.headline.clone(),
        root_cause: guide.root.as_ref().map(root_cause),
        findings: guide.root.iter().chain(&guide.others).map(finding).collect(),
        blockers: guide
            .next
            .iter()
            .map(|next| ReportBlocker {
                class: next.class.to_string(),
                title: next.title.clone(),
                because: next.because.clone(),
            })
            .collect(),
        changes: guide.changes.as_ref().map(changes),
        ruled_out: guide
            .ruled_out
            .iter()
            .map(|ruled| ReportRuledOut { cause: ruled.cause.clone(), because: ruled.because.clone() })
            .collect(),
        timeline: guide
            .timeline
            .iter()
            .map(|moment| ReportMoment {
                time: time(moment.time),
                source: moment.source.as_str().to_owned(),
                stream: moment.stream.clone(),
                level: moment.level.as_str().to_owned(),
                text: moment.text.clone(),
                cause: moment.cause.clone(),
                count: moment.count,
            })
            .collect(),
        gaps: guide
            .gaps
            .iter()
            .map(|gap| ReportGap {
                what: gap.what.clone(),
                because: gap.because.clone(),
                remedy: gap.remedy.clone(),
            })
            .collect(),
        redactions: guide.redactions.clone(),
        deployment: deployment(guide),
        analysis: analysis(guide),
        failures: guide.root.iter().chain(&guide.others).map(|cause| failure(cause, guide)).collect(),
        guide: TroubleshootingGuide {
            title: guide.headline.clone(),
            what_happened: guide.happened.clone(),
            what_to_do: guide.to_do.clone(),
            causal_chain: guide.chain.iter().map(|link| link.title.clone()).collect(),
            would_fail_next: guide.next.iter().map(|next| next.title.clone()).collect(),
            what_changed: guide
                .changes
                .iter()
                .flat_map(|changed| changed.items.iter().map(crate::guide::ChangedField::line))
                .collect(),
        },
        input: ReportInput { records: guide.records, streams: guide.streams, bytes: guide.bytes },
    }
}

fn changes(changed: &Changed) -> ReportChanges {
    ReportChanges {
        from: changed.from.clone(),
        to: changed.to.clone(),
        basis: word(&changed.basis),
        says: changed.says.clone(),
        items: changed
            .items
            .iter()
            .map(|item| ReportChange {
                container: item.container.clone(),
                what: item.what.clone(),
                kind: word(&item.kind),
                before: item.before.clone(),
                after: item.after.clone(),
                named_by_cause: item.is_named,
            })
            .collect(),
    }
}

fn root_cause(cause: &Cause) -> RootCause {
    RootCause {
        cause: cause.id.clone(),
        class: cause.class.to_string(),
        confidence: cause.confidence,
        confidence_because: cause.confidence_because.clone(),
        proof: word(&cause.proof),
        proof_says: cause.proof_says.clone(),
        title: cause.title.clone(),
        summary: cause.summary.clone(),
        severity: cause.severity.as_str().to_owned(),
        blame: word(&cause.blame),
        evidence: cause.evidence.iter().map(evidence).collect(),
        explains: cause.explains.clone(),
        values: cause.values.clone(),
        auto_recoverable: cause.auto_recoverable,
        remedies: actions(cause),
    }
}

fn finding(cause: &Cause) -> ReportFinding {
    ReportFinding {
        cause: cause.id.clone(),
        class: cause.class.to_string(),
        title: cause.title.clone(),
        severity: cause.severity.as_str().to_owned(),
        symptom: cause.symptom,
        proof: word(&cause.proof),
        confidence: cause.confidence,
        evidence: cause.evidence.iter().take(3).map(evidence).collect(),
        explained_by: cause.explained_by.clone(),
        remedies: actions(cause),
    }
}

fn evidence(quote: &Quote) -> ReportEvidence {
    ReportEvidence {
        text: quote.text.clone(),
        said: quote.said.clone(),
        line: quote.line.clone(),
        source: quote.source.as_str().to_owned(),
        time: time(quote.time),
        location: Location {
            stream: quote.stream.clone(),
            line: quote.line_number,
            entity: quote.entity.clone(),
        },
        count: quote.count,
        show: quote.show.clone(),
    }
}

fn actions(cause: &Cause) -> Vec<ResolutionAction> {
    cause.remedies.iter().map(|treatment| action(treatment, cause)).collect()
}

fn action(treatment: &Treatment, cause: &Cause) -> ResolutionAction {
    ResolutionAction {
        action: treatment.remedy.as_str().to_owned(),
        title: treatment.title.clone(),
        parameters: cause.values.clone(),
        automatable: treatment.automatable,
        safety: treatment.safety.as_str().to_owned(),
        estimated_time: u64::from(treatment.estimated_minutes) * 60,
        caution: treatment.caution.clone(),
        success_probability: cause.confidence,
        undo: treatment.undo.clone(),
        undo_command: treatment.undo_command.clone(),
        preview: treatment.preview.clone(),
        apply: treatment.apply.clone(),
        verify: treatment.verify.clone(),
    }
}

fn analysis(guide: &Guide) -> FailureAnalysis {
    let causes = guide.root.iter().chain(&guide.others);
    let quotes = causes.flat_map(|cause| cause.evidence.iter());
    let failed = quotes.filter_map(|quote| {
        Some(ResourceFailure {
            resource: quote.entity.clone()?,
            source: quote.source.as_str().to_owned(),
            reason: quote.line.clone(),
            time: time(quote.time),
        })
    });
    let mut failed_resources: Vec<ResourceFailure> = Vec::new();
    for failure in failed {
        if !failed_resources.iter().any(|other| other.resource == failure.resource) {
            failed_resources.push(failure);
        }
    }
    FailureAnalysis {
        failed_resources,
        root_cause: guide.root.as_ref().map(|root| root.title.clone()),
        recommended_actions: guide.remedies.iter().map(|treatment| treatment.title.clone()).collect(),
        can_auto_recover: guide.root.as_ref().is_some_and(|root| root.auto_recoverable),
    }
}

fn failure(cause: &Cause, guide: &Guide) -> FailureRecord {
    let lead = cause.evidence.first();
    let text = lead.map_or("", |quote| quote.readable());
    FailureRecord {
        id: cause.id.clone(),
        deployment_id: guide.deployment.id.clone(),
        timestamp: lead.and_then(|quote| time(quote.time)),
        component: lead
            .and_then(|quote| quote.entity.clone())
            .or_else(|| lead.map(|quote| quote.stream.clone()))
            .unwrap_or_default(),
        error_type: cause.class.to_string(),
        error_message: lead.map_or_else(|| cause.title.clone(), |quote| quote.line.clone()),
        stack_trace: trace_of(text),
        context: cause.values.clone(),
        resolution: actions(cause).into_iter().next(),
    }
}

/// Returns the stack trace that a record is, or that a line of JSON holds.
fn trace_of(text: &str) -> Option<String> {
    if has_frames(text) {
        return Some(text.to_owned());
    }
    let object = text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()?;
    trace_in(&object, 0)
}

fn trace_in(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => has_frames(text).then(|| text.clone()),
        Value::Object(members) if depth < 3 => {
            members.values().find_map(|member| trace_in(member, depth + 1))
        }
        _ => None,
    }
}

/// Whether a text of several lines has frames of a stack trace.
fn has_frames(text: &str) -> bool {
    const FRAMES: [&str; 8] =
        ["at ", "File \"", "from ", "goroutine ", "Caused by:", "#0 ", "0: ", "stack backtrace:"];
    text.lines().skip(1).any(|line| FRAMES.iter().any(|frame| line.trim_start().starts_with(frame)))
}

fn deployment(guide: &Guide) -> ReportDeployment {
    let facts = guide.deployment.clone();
    ReportDeployment {
        id: facts.id,
        cluster: facts.cluster,
        service: facts.service,
        task_definition: facts.task_definition,
        stack: facts.stack,
        desired: facts.desired,
        running: facts.running,
        started: time(facts.started),
        ended: time(facts.ended),
    }
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_what_has_frames() {
        let trace = "x.Y: no\n\tat a.B.c(B.java:3)";
        assert_eq!(trace_of(trace).as_deref(), Some(trace));
        let line = serde_json::json!({"msg": "no", "error": {"stack": trace}}).to_string();
        assert_eq!(trace_of(&line).as_deref(), Some(trace));
        assert_eq!(trace_of("task 1 STOPPED\nreason=no"), None);
        assert_eq!(trace_of("{\"msg\": \"one\\ntwo\"}"), None);
    }
}
