//! Text that would be more than text if a renderer let it.

use analyzer::changes::{Basis, Change, Changes, Kind};
use analyzer::diagnosis::{Blocker, Diagnosis, Evidence, Gap, RuledOut};
use proptest::prelude::*;

/// Each stands for a way out of being text. `evil.example` stands where a link could go.
pub const PIECES: [&str; 34] = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    "\" onmouseover=\"alert(4)",
    "' onfocus='alert(5)",
    "</pre></li><h1>evil</h1>",
    "<!--",
    "-->",
    "&lt;b&gt;&#60;",
    "<!channel>",
    "<!here|x>",
    "<@U012ABC>",
    "<https://evil.example|ok>",
    "@here @channel @everyone",
    "`",
    "```",
    "```````\n# heading\n",
    "](http://evil.example)",
    "[click](http://evil.example)",
    "![x](http://evil.example/p.png)",
    "http://evil.example/a www.evil.example",
    "| a | b |\n| --- | --- |",
    "\n\n# heading\n\n",
    "\n::error::evil\n",
    "\r::set-output name=a::b",
    "\n::add-mask::evil\n##[add-path]evil",
    "\n::medic-1::\n",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{1b}]8;;http://evil.example\u{7}x\u{1b}]8;;\u{7}",
    "\u{9b}2J\u{90}x\u{9c}",
    "{{x}} {{{x}}} ${x} $(x) %s",
    "a\u{0}b\u{8}\u{7f}\r",
    "\u{202e}gnp.exe\u{2066}\u{200f}",
    "*bold* _it_ ~no~ \\ \u{1f600}",
];

/// Some pieces with words between.
pub fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        2 => "[ -~]{0,12}",
        1 => "\\PC{0,6}",
        1 => ".{0,6}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// Puts text into every place of a diagnosis that is filled from outside.
pub fn fill(diagnosis: &mut Diagnosis, texts: &[String]) {
    let mut texts = texts.iter().cycle().cloned();
    let mut next = || texts.next().unwrap_or_default();
    for finding in &mut diagnosis.findings {
        finding.values.values_mut().for_each(|value| *value = next());
        finding.evidence.iter_mut().for_each(|evidence| fill_evidence(evidence, &mut next));
        if !finding.known {
            finding.title = next();
            finding.confidence_because = vec![next()];
        }
    }
    for entry in &mut diagnosis.timeline {
        entry.text = next();
        entry.stream = next();
    }
    let facts = &mut diagnosis.deployment;
    for fact in
        [&mut facts.id, &mut facts.cluster, &mut facts.service, &mut facts.task_definition, &mut facts.stack]
    {
        *fact = Some(next());
    }
    let mut change = |kind| Change {
        container: Some(next()),
        what: next(),
        kind,
        before: Some(next()),
        after: Some(next()),
    };
    let items = vec![change(Kind::Changed), change(Kind::Added), change(Kind::Removed)];
    diagnosis.changes = Some(Changes {
        from: next(),
        to: next(),
        basis: Basis::WentBack,
        items,
        not_described: vec![next()],
    });
    let (cause, class) = match diagnosis.findings.first() {
        Some(finding) => (finding.cause.clone(), finding.class),
        None => ("application/database/connection-refused".to_owned(), analyzer::taxonomy::Class::Database),
    };
    diagnosis.gaps.push(Gap { what: next(), because: next(), remedy: Some(next()) });
    diagnosis.blockers.push(Blocker { class, cause: None, title: next(), because: next() });
    diagnosis.ruled_out.push(RuledOut { cause, because: next() });
    // A record that was healed is named by its line.
    diagnosis.ruled_out.push(RuledOut { cause: format!("`{}`", next()), because: next() });
}

fn fill_evidence(evidence: &mut Evidence, next: &mut impl FnMut() -> String) {
    evidence.text = format!("{}\n{}", next(), next());
    evidence.line = evidence.text.lines().next().unwrap_or_default().to_owned();
    evidence.stream = next();
    evidence.entity = Some(next());
}

/// Returns which character of an output steers a terminal, or turns the order of what is read.
pub fn no_controls(output: &str) -> Result<(), String> {
    let steers = |c: char| {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || c.is_control() && !matches!(c, '\n' | '\t')
    };
    match output.char_indices().find(|(_, c)| steers(*c)) {
        Some((at, c)) => Err(format!("{c:?} is left at byte {at} of the output: {output:.60?}")),
        None => Ok(()),
    }
}
