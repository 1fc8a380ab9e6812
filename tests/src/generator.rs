//! Generates a log from a seed: ordinary lines of many systems, and one line in a hundred that a page knows.

use analyzer::record::Record;
use std::fmt::Write;
use std::path::PathBuf;

/// Returns a log of about so many bytes. The same seed gives the same bytes.
pub fn log(seed: u64, bytes: usize) -> Vec<u8> {
    let telling = telling_lines();
    let mut random = Random(seed | 1);
    let mut clock = Clock::default();
    let mut log = String::with_capacity(bytes + 1024);
    while log.len() < bytes {
        clock.goes_on(&mut random);
        if random.below(100) == 0 && !telling.is_empty() {
            let line = &telling[random.below(telling.len() as u64) as usize];
            let _ = writeln!(log, "{} {line}", clock.time());
        } else {
            ordinary(&mut random, clock, &mut log);
        }
    }
    log.into_bytes()
}

/// Returns the folder that `MEDIC_BENCH_OUT` names for what benches write; without a name they write nothing.
pub fn out_folder() -> Option<PathBuf> {
    std::env::var_os("MEDIC_BENCH_OUT").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Returns a record as a line of values between tabs, for other engines: milliseconds, source, severity, text.
pub fn table_line(record: &Record) -> String {
    let at = record.time.unwrap_or_default().as_millisecond();
    let text = record.text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
    format!("{at}\t{}\t{}\t{text}\n", record.source.as_str(), record.level.as_str())
}

/// Lines of the samples of pages.
fn telling_lines() -> Vec<String> {
    let pages = patterns::pages().unwrap_or_default();
    let samples = pages.iter().flat_map(|page| &page.samples).filter(|sample| sample.expects_match);
    samples.filter_map(|sample| sample.text.lines().next()).map(str::to_owned).collect()
}

/// xorshift64*: small, fast, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Time passes from line to line, as it does in a log: milliseconds since the beginning of June 2026.
#[derive(Clone, Copy, Default)]
struct Clock(u64);

impl Clock {
    const JUNE: u64 = 1_780_272_000_000;

    fn goes_on(&mut self, random: &mut Random) {
        self.0 = (self.0 + random.below(500)) % (30 * 86_400_000);
    }

    fn milliseconds(self) -> u64 {
        Clock::JUNE + self.0
    }

    fn day(self) -> u64 {
        1 + self.0 / 86_400_000
    }

    fn time(self) -> String {
        format!("2026-06-{:02}T{}.{:03}Z", self.day(), self.hours(), self.0 % 1000)
    }

    fn hours(self) -> String {
        let seconds = self.0 / 1000;
        format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
    }
}

fn ordinary(random: &mut Random, clock: Clock, log: &mut String) {
    const WORDS: [&str; 24] = [
        "order", "payment", "customer", "basket", "invoice", "session", "shipment", "catalog", "search",
        "profile", "report", "export", "import", "schedule", "message", "template", "upload", "download",
        "cache", "index", "batch", "stream", "account", "ledger",
    ];
    const PATHS: [&str; 8] = [
        "/api/v1/orders",
        "/healthz",
        "/login",
        "/static/app.js",
        "/api/v2/items",
        "/metrics",
        "/graphql",
        "/assets/logo.svg",
    ];
    let t = clock.time();
    let (day, hours) = (clock.day(), clock.hours());
    let (a, b) = (random.pick(&WORDS), random.pick(&WORDS));
    let (n, id) = (random.below(100_000), random.next());
    let path = random.pick(&PATHS);
    let _ = match random.below(20) {
        0 => writeln!(
            log,
            "{t} INFO 1 --- [nio-8080-exec-{}] c.example.{a}.{b}.Controller : handled {a} {id:016x} in {} ms",
            n % 10,
            n % 900
        ),
        1 => writeln!(
            log,
            "{t} DEBUG 1 --- [   scheduling-1] o.s.jdbc.core.JdbcTemplate : Executing prepared SQL statement [select * from {a}_{b} where id = ?]"
        ),
        2 => writeln!(
            log,
            "10.0.{}.{} - - [{t}] \"GET {path}?q={a} HTTP/1.1\" 200 {n} \"-\" \"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)\"",
            n % 250,
            id % 250
        ),
        3 => writeln!(
            log,
            "{{\"level\":30,\"time\":{},\"pid\":1,\"hostname\":\"ip-10-0-{}-9\",\"reqId\":\"req-{id:x}\",\"msg\":\"{a} {b} served\"}}",
            clock.milliseconds(),
            n % 250
        ),
        4 => writeln!(
            log,
            "time=\"{t}\" level=info msg=\"{a} reconciled\" controller={b} worker={} duration={}ms",
            n % 8,
            n % 700
        ),
        5 => writeln!(
            log,
            "{t} (service {a}-{b}) registered 1 targets in (target-group arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/{a}/{id:016x})"
        ),
        6 => writeln!(log, "{t} (service {a}-{b}) has started 1 tasks: (task {id:016x}{id:016x})."),
        7 => writeln!(
            log,
            "{t} UPDATE_IN_PROGRESS AWS::{}::{} {a}{b}{n} Resource creation Initiated",
            random.pick(&["ECS", "EC2", "IAM", "Lambda"]),
            random.pick(&["Service", "Role", "Function", "Subnet"])
        ),
        8 => writeln!(
            log,
            "level=info time={t} msg=\"Task state change\" task=\"{id:016x}\" family=\"{a}\" desiredStatus=\"RUNNING\" knownStatus=\"PENDING\""
        ),
        9 => writeln!(
            log,
            "#{} {}.{:03} added {} packages, and audited {} packages in {}s",
            n % 40,
            n % 90,
            id % 1000,
            n % 900,
            n % 1500,
            n % 60
        ),
        10 => writeln!(
            log,
            "{t} Receiving objects: {:3}% ({}/{n}), {}.{} MiB | {} MiB/s",
            n % 100,
            n / 2,
            n % 90,
            id % 99,
            n % 40
        ),
        11 => writeln!(
            log,
            "Jun {day:2} {hours} ip-10-0-1-{} systemd[1]: Started Session {n} of user ec2-user.",
            n % 250
        ),
        12 => writeln!(
            log,
            "Jun {day:2} {hours} combo sshd(pam_unix)[{n}]: session opened for user {a} by (uid=0)"
        ),
        13 => writeln!(
            log,
            "{t} INFO dfs.DataNode$PacketResponder: PacketResponder {} for block blk_{id} terminating",
            n % 3
        ),
        14 => writeln!(
            log,
            "[{t}] [{}] [INFO] {a} worker {} processed {b} batch {id:x}, {} rows left",
            n % 64,
            n % 8,
            n % 5000
        ),
        15 => writeln!(
            log,
            "{t} [{a}] \u{2714} {b} {n} synced to s3://bucket-{a}/{b}/{id:x}.parquet ({} bytes)",
            n * 17
        ),
        16 => writeln!(
            log,
            "[INFO] Downloading from central: https://repo.maven.apache.org/maven2/org/{a}/{b}/{}.{}/{b}-{}.{}.jar",
            n % 9,
            n % 30,
            n % 9,
            n % 30
        ),
        17 => writeln!(
            log,
            "{t} WARN {a}.{b}: slow call, {} ms for {path} (budget 200 ms), request {id:016x}",
            200 + n % 900
        ),
        18 => writeln!(
            log,
            "I, [{t} #{}]  INFO -- : [{id:x}] Completed 200 OK in {}ms (Views: {}ms | ActiveRecord: {}ms)",
            n % 99,
            n % 400,
            n % 90,
            n % 60
        ),
        _ => writeln!(
            log,
            "{t} LOG:  duration: {}.{:03} ms  statement: SELECT {a}_id, {b}_name FROM {a} WHERE updated_at > $1 LIMIT {}",
            n % 40,
            id % 1000,
            n % 500
        ),
    };
}
