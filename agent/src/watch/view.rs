//! The live view of a deployment, as lines.

use analyzer::deployment::{self, HealthState, Outcome, Phase, State, StoppedGroup};
use analyzer::diagnosis::{Proof, Verdict};
use analyzer::snapshot::last_segment;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Scene, one_line, short_id, span};

/// A line of the view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub tone: Tone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Strong,
    Quiet,
    Good,
    Bad,
    Warn,
    Heading,
    /// One of the colours that tell tasks apart.
    Task(u8),
}

const BAR: usize = 30;
const MOST_GROUPS: usize = 4;
const MOST_EVENTS: usize = 5;
/// Below this width only what fits is shown.
const NARROWEST: usize = 40;
/// Below this width bars and headings are short.
const NARROW: usize = 72;

/// Returns the view at a time, at most so wide.
pub fn view(scene: &Scene, screen: usize) -> Vec<Line> {
    let width = screen.max(NARROWEST);
    let rollout = scene.rollout();
    let status = deployment::status(&rollout);
    let outcome = deployment::outcome(&rollout);
    let mut lines = vec![headline(scene, &outcome), progress(scene, &status, &outcome, width)];
    // What does not fit the height is left out at the end, so what matters most comes first.
    lines.extend(verdict(scene, width));
    lines.extend(table(scene, width));
    lines.extend(stopped(scene, width));
    lines.extend(surroundings(scene, &outcome));
    lines.extend(failures(scene, width));
    lines.extend(gaps(scene));
    // A line that the terminal breaks would be two when the view is taken away.
    lines.into_iter().map(|line| line.cut(screen)).collect()
}

impl Line {
    pub fn of(text: impl Into<String>, tone: Tone) -> Line {
        Line::default().with(text, tone)
    }

    pub fn with(mut self, text: impl Into<String>, tone: Tone) -> Line {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Piece { text, tone });
        }
        self
    }

    /// Returns the text without its tones.
    pub fn text(&self) -> String {
        self.0.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// Cuts what does not fit.
    pub fn cut(mut self, width: usize) -> Line {
        let mut room = width;
        for at in 0..self.0.len() {
            let piece = &mut self.0[at];
            let wide = piece.text.width();
            if wide <= room {
                room -= wide;
                continue;
            }
            piece.text = cut(&piece.text, room);
            self.0.truncate(at + 1);
            break;
        }
        self
    }
}

fn cut(text: &str, width: usize) -> String {
    let mut kept = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        kept.push(c);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

fn headline(scene: &Scene, outcome: &Outcome) -> Line {
    let rollout = scene.rollout();
    let service = rollout.described_service().map(|service| service.name());
    let service = service.or(scene.target.service.as_deref()).unwrap_or("the service");
    let (mark, tone) = match outcome.state {
        State::Succeeded => ("✔", Tone::Good),
        State::Failed => ("✘", Tone::Bad),
        State::Running => ("●", Tone::Heading),
        State::Unknown => ("○", Tone::Quiet),
    };
    let mut line = Line::of(format!("{mark} "), tone).with(one_line(service), Tone::Strong);
    if let Some(cluster) = &scene.target.cluster {
        line = line.with(format!(" in {}", one_line(cluster)), Tone::Plain);
    }
    if let Some(entry) = &scene.deployment {
        line = line.with(format!("  {}", one_line(&entry.id)), Tone::Quiet);
    }
    if let Some(started) = rollout.started() {
        let until = scene.deployment.as_ref().and_then(|entry| entry.ended).unwrap_or(scene.now);
        line = line.with(format!("  {}", span(until.duration_since(started).as_secs())), Tone::Plain);
    }
    if let Some(usual) = deployment::usual(&scene.earlier) {
        line = line.with(format!(" (usually {})", span(usual.as_secs())), Tone::Quiet);
    }
    line
}

fn progress(scene: &Scene, status: &deployment::DeploymentStatus, outcome: &Outcome, width: usize) -> Line {
    // On a narrow screen the words matter more than the bar.
    let bar = if width < NARROW { BAR / 3 } else { BAR };
    let filled = ((status.progress * bar as f64).round() as usize).min(bar);
    let tone = match status.phase {
        Phase::Completed => Tone::Good,
        Phase::Failing | Phase::RollingBack | Phase::RolledBack | Phase::Failed | Phase::Stopped => Tone::Bad,
        _ => Tone::Heading,
    };
    let mut line = Line::of("  ", Tone::Plain)
        .with("█".repeat(filled), tone)
        .with("░".repeat(bar - filled), Tone::Quiet)
        .with(format!(" {:>3.0} %", (status.progress * 100.0).floor()), Tone::Plain)
        .with(format!("  {}", words(status.phase)), tone);
    if let Some(end) = status.estimated_completion {
        let left = end.duration_since(scene.now).as_secs();
        line = line.with(format!(", about {} left", span(left)), Tone::Quiet);
    }
    if scene.has_to_stand(outcome) {
        line = line.with(", seeing if it lasts", Tone::Quiet);
    }
    line
}

/// Returns a phase as a person says it.
pub(super) fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Unknown => "waiting for a first look at the service",
        Phase::Pending => "waiting for tasks to start",
        Phase::Provisioning => "provisioning tasks",
        Phase::Pulling => "pulling images",
        Phase::Starting => "starting containers",
        Phase::HealthChecking => "waiting for health checks",
        Phase::Draining => "taking out the old tasks",
        Phase::Stabilising => "stabilising",
        Phase::Completed => "completed",
        Phase::Failing => "tasks fail, ECS tries again",
        Phase::RollingBack => "rolling back",
        Phase::RolledBack => "rolled back",
        Phase::Failed => "failed",
        Phase::Stopped => "stopped",
        Phase::Superseded => "replaced by another deployment",
    }
}

/// Returns the deployments of the service, each with its counts.
fn table(scene: &Scene, width: usize) -> Vec<Line> {
    let Some(service) = scene.rollout().described_service() else { return Vec::new() };
    let number = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
    let (heading, wide_number) = match width {
        ..NARROW => (["Rev.", "Rollout", "Want", "Run", "Wait", "Fail"], 5),
        _ => (["Revision", "Rollout", "Desired", "Running", "Pending", "Failed"], 9),
    };
    let mut rows = vec![heading.map(str::to_owned)];
    for one in &service.deployments {
        let revision = one.task_definition.as_deref().map_or("-", last_segment);
        rows.push([
            one_line(revision),
            one_line(one.rollout_state.as_deref().or(one.status.as_deref()).unwrap_or("-")),
            number(one.desired_count),
            number(one.running_count),
            number(one.pending_count),
            number(one.failed_tasks),
        ]);
    }
    let wide = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let (first, second) = (wide(0).min(32), wide(1).max(11));
    let mut lines = vec![Line::default()];
    for (at, row) in rows.iter().enumerate() {
        let own = at > 0 && service.deployments.get(at - 1).is_some_and(|one| one.id == scene.rollout().id);
        let tone = |column: usize| match (at, row[column].as_str()) {
            (0, _) => Tone::Quiet,
            (_, "FAILED") => Tone::Bad,
            (_, "COMPLETED") if column == 1 => Tone::Good,
            (_, failed) if column == 5 && !matches!(failed, "0" | "-") => Tone::Bad,
            _ if own => Tone::Strong,
            _ => Tone::Plain,
        };
        let pad = |text: &str, width: usize| {
            let text = if text.width() > width { cut(text, width) } else { text.to_owned() };
            format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
        };
        let mut line = Line::of("  ", Tone::Plain)
            .with(pad(&row[0], first), tone(0))
            .with("  ", Tone::Plain)
            .with(pad(&row[1], second), tone(1));
        for (column, cell) in row.iter().enumerate().skip(2) {
            line = line.with(format!("{cell:>wide_number$}"), tone(column));
        }
        lines.push(line);
    }
    lines
}

fn failures(scene: &Scene, width: usize) -> Vec<Line> {
    if scene.events.is_empty() {
        return Vec::new();
    }
    let mut lines = heading("Failure events, newest first");
    for event in scene.events.iter().take(MOST_EVENTS) {
        let time = event.time.map_or("        ".to_owned(), |time| time.strftime("%H:%M:%S").to_string());
        let count = if event.count > 1 { format!(" ×{}", event.count) } else { String::new() };
        let room = width.saturating_sub(2 + 8 + 2 + count.width());
        let text = one_line(&event.text);
        let text = if text.width() > room { cut(&text, room) } else { text };
        lines.push(
            Line::of(format!("  {time}  "), Tone::Quiet).with(text, Tone::Plain).with(count, Tone::Quiet),
        );
    }
    lines
}

fn stopped(scene: &Scene, width: usize) -> Vec<Line> {
    let groups = deployment::stopped(&scene.live.known, scene.rollout().id);
    if groups.is_empty() {
        return Vec::new();
    }
    let mut lines = heading("Stopped tasks");
    for group in groups.iter().take(MOST_GROUPS) {
        lines.extend(of_group(group, width));
    }
    if groups.len() > MOST_GROUPS {
        let rest: usize = groups[MOST_GROUPS..].iter().map(|group| group.tasks.len()).sum();
        lines.push(Line::of(format!("  and {rest} more, for other reasons"), Tone::Quiet));
    }
    lines
}

fn of_group(group: &StoppedGroup, width: usize) -> Vec<Line> {
    let tone = if group.failed { Tone::Bad } else { Tone::Quiet };
    let count = format!("  {:>3} × ", group.tasks.len());
    let indent = count.width();
    let mut ids: Vec<String> = group.tasks.iter().take(4).map(|id| short_id(id)).collect();
    if group.tasks.len() > ids.len() {
        ids.push(format!("and {} more", group.tasks.len() - ids.len()));
    }
    let reason = wrapped(&one_line(&group.reason), width.saturating_sub(indent), 2);
    let mut lines = Vec::new();
    for (at, part) in reason.into_iter().enumerate() {
        let start =
            if at == 0 { Line::of(count.clone(), tone) } else { Line::of(" ".repeat(indent), Tone::Plain) };
        lines.push(start.with(part, Tone::Plain));
    }
    lines.push(Line::of(format!("{}{}", " ".repeat(indent), ids.join("  ")), Tone::Quiet));
    lines
}

/// Returns text in at most so many lines.
fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.width());
        if last > 0 && last + 1 + word.width() > width && lines.len() < most {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.into_iter().map(|line| if line.width() > width { cut(&line, width) } else { line }).collect()
}

/// Returns targets, alarms and the stack, a line each.
fn surroundings(scene: &Scene, outcome: &Outcome) -> Vec<Line> {
    let rollout = scene.rollout();
    let mut lines = Vec::new();
    let row =
        |name: &str, text: String, tone: Tone| Line::of(format!("  {name:<9}"), Tone::Quiet).with(text, tone);
    let targets = deployment::health(&rollout).load_balancer;
    if !targets.targets.is_empty() {
        let mut text = format!("{} of {} healthy", targets.healthy, targets.targets.len());
        let ill = targets.targets.iter().find(|target| target.state == HealthState::Unhealthy);
        if let Some(ill) = ill {
            let because = ill.because().map(|because| format!(" ({})", one_line(&because)));
            text.push_str(&format!("; {}{}", one_line(&ill.target), because.unwrap_or_default()));
        }
        let tone = match targets.state {
            HealthState::Healthy => Tone::Good,
            HealthState::Unhealthy | HealthState::Degraded => Tone::Bad,
            _ => Tone::Plain,
        };
        lines.push(row("Targets", text, tone));
    }
    if let Some(account) = rollout.account() {
        let breaker = account.deployment_circuit_breaker.clone().unwrap_or_default();
        if let (Some(count @ 1..), Some(threshold)) = (breaker.failure_count, breaker.threshold) {
            lines.push(row("Breaker", format!("{count} of {threshold} failures"), Tone::Warn));
        }
        let alarms = account.alarms.clone().unwrap_or_default();
        if !alarms.alarm_names.is_empty() {
            let fired = &alarms.triggered_alarm_names;
            let (text, tone) = match fired.is_empty() {
                true => (format!("{} quiet", alarms.alarm_names.len()), Tone::Good),
                false => (format!("{} in alarm", one_line(&fired.join(", "))), Tone::Bad),
            };
            lines.push(row("Alarms", text, tone));
        }
    }
    if let Some(stack) = &outcome.stack {
        let name = scene.target.stack.as_deref().unwrap_or_default();
        let tone = match stack.state {
            State::Succeeded => Tone::Good,
            State::Failed => Tone::Bad,
            _ => Tone::Plain,
        };
        let reason =
            stack.reason.as_ref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
        lines.push(row("Stack", format!("{} {}{reason}", one_line(name), one_line(&stack.status)), tone));
    }
    if !lines.is_empty() {
        lines.insert(0, Line::default());
    }
    lines
}

fn gaps(scene: &Scene) -> Vec<Line> {
    let mut lines = Vec::new();
    for gap in scene.gaps().take(3) {
        let text = format!("{}: {}", one_line(&gap.what), one_line(&gap.because));
        lines.push(Line::of("  not seen ", Tone::Warn).with(text, Tone::Plain));
    }
    let more = scene.gaps().skip(3).count();
    if more > 0 {
        lines.push(Line::of(format!("  and {more} more that is not seen"), Tone::Quiet));
    }
    if !lines.is_empty() {
        lines.insert(0, Line::default());
    }
    lines
}

fn verdict(scene: &Scene, width: usize) -> Vec<Line> {
    let found = scene.diagnosis().filter(|diagnosis| diagnosis.verdict == Verdict::Failed);
    let Some(root) = found.and_then(|diagnosis| diagnosis.root_cause()) else { return Vec::new() };
    let proof = match root.proof {
        Proof::Confirmed => ("confirmed", Tone::Good),
        Proof::Refuted => ("refuted", Tone::Warn),
        Proof::Unchecked => ("not checked", Tone::Warn),
    };
    let mut lines = vec![Line::default()];
    for (at, part) in wrapped(&one_line(&root.title), width.saturating_sub(11), 2).into_iter().enumerate() {
        let start = if at == 0 { "  Verdict  " } else { "           " };
        lines.push(Line::of(start, Tone::Heading).with(part, Tone::Strong));
    }
    let sure = format!("  {} %, ", (root.confidence * 100.0).round());
    lines.push(
        Line::of(" ".repeat(11), Tone::Plain)
            .with(one_line(&root.cause), Tone::Plain)
            .with(sure, Tone::Plain)
            .with(proof.0, proof.1),
    );
    if let Some(lead) = root.evidence.first() {
        let line = analyzer::record::without_transport(lead.line.trim());
        lines.push(Line::of("         │ ", Tone::Quiet).with(one_line(line), Tone::Quiet));
    }
    lines
}

fn heading(text: &str) -> Vec<Line> {
    vec![Line::default(), Line::of(format!("  {text}"), Tone::Heading)]
}
