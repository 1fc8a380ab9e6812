// usage: knockout corpus.jsonl : drops, for each case, all pages that met a record of the evidence, and scores what remains
use analyzer::diagnosis::diagnose;
use analyzer::pattern::Patterns;
use analyzer::record::Source;
use std::collections::BTreeMap;
fn norm(s: &str) -> String {
    s.split_whitespace().collect::<Vec<_>>().join(" ")
}
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let verbose = std::env::args().nth(2).is_some();
    let pages = patterns::pages().unwrap();
    let full = Patterns::new(patterns::built_in().unwrap());
    let base = patterns::built_in().unwrap();
    let (mut n, mut cls, mut line, mut both, mut wrong, mut abst) = (0, 0, 0, 0, 0, 0);
    let mut conf: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for l in std::fs::read_to_string(path).unwrap().lines() {
        let c: serde_json::Value = serde_json::from_str(l).unwrap();
        if c["class"] == "none" {
            continue;
        }
        let mut records = vec![];
        for (i, s) in c["streams"].as_array().unwrap().iter().enumerate() {
            let text = s["lines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x.as_str().unwrap())
                .collect::<Vec<_>>()
                .join("\n")
                + "\n";
            let name = format!("{:02}.{}.log", i + 1, s["kind"].as_str().unwrap());
            let col = medic::formats::read_text(&name, None, &text);
            records.extend(col.records);
        }
        let d = diagnose(&full, &records, &Default::default(), vec![]);
        let drop: Vec<String> =
            d.findings.iter().filter(|f| f.known && !f.symptom).map(|f| f.cause.clone()).collect();
        let mut book = base.clone();
        // A page that is asked only about records of metrics is met by no line; the matcher can stay as it is.
        for pattern in book.patterns.iter_mut().filter(|pattern| drop.contains(&pattern.id)) {
            pattern.conditions.iter_mut().for_each(|condition| condition.sources = vec![Source::Metric]);
        }
        let rest: Vec<_> = pages.iter().filter(|p| !drop.contains(&p.id)).cloned().collect();
        book.model = patterns::train::train(rest.iter());
        let pats = Patterns::new(book);
        let d = diagnose(&pats, &records, &Default::default(), vec![]);
        n += 1;
        let ok_classes: Vec<&str> = std::iter::once(c["class"].as_str().unwrap())
            .chain(c["alt_class"].as_array().into_iter().flatten().filter_map(|x| x.as_str()))
            .collect();
        let roots: Vec<String> = std::iter::once(c["root_line"].as_str().unwrap_or(""))
            .chain(c["alt_root_lines"].as_array().into_iter().flatten().filter_map(|x| x.as_str()))
            .map(norm)
            .collect();
        match d.root_cause() {
            None => {
                abst += 1;
                if verbose {
                    println!("{} none | {}", c["id"], roots[0]);
                }
            }
            Some(r) => {
                let okc = ok_classes.contains(&r.class.as_str());
                let okl = r.evidence.iter().take(3).any(|e| {
                    e.text.lines().any(|t| roots.contains(&norm(t))) || roots.contains(&norm(&e.text))
                });
                cls += okc as u32;
                line += okl as u32;
                both += (okc && okl) as u32;
                wrong += !okc as u32;
                let b = conf.entry((r.confidence * 10.0) as u32).or_default();
                b.0 += 1;
                b.1 += okc as u32;
                if verbose && !(okc && okl) {
                    println!(
                        "{} {:?} said {} {:.2} {} {}\n    want {}\n    got  {}",
                        c["id"],
                        ok_classes,
                        r.cause,
                        r.confidence,
                        if okc { "C" } else { "-" },
                        if okl { "L" } else { "-" },
                        roots[0].chars().take(150).collect::<String>(),
                        r.evidence[0].line.chars().take(150).collect::<String>()
                    );
                }
            }
        }
    }
    println!(
        "n={n} class={:.3} line={:.3} both={:.3} wrong={:.3} abstain={:.3}",
        cls as f64 / n as f64,
        line as f64 / n as f64,
        both as f64 / n as f64,
        wrong as f64 / n as f64,
        abst as f64 / n as f64
    );
    for (k, (a, b)) in conf {
        println!("conf {:.1}: {a} cases, right {:.2}", k as f64 / 10.0, b as f64 / a as f64);
    }
}
