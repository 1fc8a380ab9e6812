use analyzer::matching::Matcher;
use std::collections::BTreeMap;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    f[11].parse::<f64>().unwrap() / 100.0
}
fn main() {
    let mb: usize = std::env::args().nth(1).and_then(|x| x.parse().ok()).unwrap_or(60);
    let log = tests::generator::log(7, mb << 20);
    let book = patterns::built_in().unwrap();
    let pats = analyzer::pattern::Patterns::new(book.clone());
    let book2 = book.prepared.clone();
    let m = Matcher::new(book.prepared);
    println!("{} literals {} grams", book2.literals.len(), book2.grams.len());
    let mut n = 0usize;
    m.scan(&log, |_| n += 1);
    let t = cpu();
    let mut n = 0usize;
    m.scan(&log, |_| n += 1);
    println!("scan {:.1} MB per cpu s, hits {n}, {} expressions", mb as f64 / (cpu() - t), m.len());
    let t = cpu();
    let mut k = 0usize;
    m.candidates(&log, |_, _| k += 1);
    println!("filter only {:.1} MB per cpu s, {k} candidates", mb as f64 / (cpu() - t));
    let mut c: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    m.candidates(&log, |line, expression| {
        let q = c.entry(expression as u32).or_default();
        q.0 += 1;
        q.1 = line.start;
    });
    let tot: usize = c.values().map(|x| x.0).sum();
    println!("regex runs {tot}");
    let mut v: Vec<_> = c.into_iter().collect();
    v.sort_by_key(|x| std::cmp::Reverse(x.1.0));
    for (e, (k, at)) in v.iter().take(30) {
        let line = log[*at..].split(|b| *b == b'\n').next().unwrap();
        println!(
            "{k:8} {} | {} | {}",
            pats.list()[pats.owner(*e as usize).pattern].id,
            m.source(*e as usize).chars().take(140).collect::<String>(),
            String::from_utf8_lossy(&line[..line.len().min(100)])
        );
    }
}
