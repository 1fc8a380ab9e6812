//! Measures how long it takes to look for secrets: `cargo test --release -p analyzer speed -- --ignored --nocapture`.

use std::time::Duration;

use super::*;

const BYTES: usize = 50 << 20;
const ROUNDS: usize = 7;

#[test]
#[ignore = "takes seconds, and tells something only in a release build"]
#[allow(clippy::disallowed_methods, reason = "what measures time reads the clock")]
fn speed() {
    let log = log(0x5eed, BYTES);
    let lines: Vec<&str> = log.lines().collect();
    let mut best = Duration::MAX;
    let mut redactions = Redactions::new();
    for _ in 0..ROUNDS {
        redactions.clear();
        let start = std::time::Instant::now();
        let bytes: usize = lines.iter().map(|line| redact(line, &mut redactions).len()).sum();
        best = best.min(start.elapsed());
        assert!(bytes > 0);
    }
    println!("{} lines, {} MB: {best:?}, {redactions:?}", lines.len(), log.len() >> 20);
}

/// Returns a log of that many bytes: what services print all day, a secret now and then.
fn log(seed: u64, bytes: usize) -> String {
    let mut state = seed;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut log = String::with_capacity(bytes + 1024);
    while log.len() < bytes {
        let line = LINES[random() as usize % LINES.len()];
        for part in line.split_inclusive('#') {
            log.push_str(part.trim_end_matches('#'));
            if part.ends_with('#') {
                log.push_str(&format!("{:x}", random() >> 40));
            }
        }
        log.push('\n');
    }
    log
}

/// Lines of logs; `#` becomes a number.
const LINES: &[&str] = &[
    "2026-05-12T09:14:25.#Z INFO  [http-nio-8080-exec-#] c.s.web.OrderController : order # created for customer # in # ms",
    r##"10.0.#.# - - [12/May/2026:09:14:25 +0000] "GET /api/v1/orders/#?page=#&size=20 HTTP/1.1" 200 # "-" "Mozilla/5.0""##,
    r##"{"level":"info","time":17788#,"pid":1,"hostname":"ip-10-0-#","req":{"id":"#","method":"GET","url":"/health"},"res":{"statusCode":200},"responseTime":#,"msg":"request completed"}"##,
    "2026-05-12 09:14:25,# DEBUG org.hibernate.SQL - select o.id, o.total, o.customer_id from orders o where o.id=?",
    "\tat org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:#)",
    "    at async Server.<anonymous> (/app/node_modules/fastify/lib/route.js:#:17)",
    "#12 [build 4/7] RUN npm ci --no-audit --no-fund && npm run build -- --mode production",
    "[2026-05-12 09:14:25] production.INFO: job # processed in queue default, attempt #, key: users-#",
    "INFO:     10.0.#.#:# - \"POST /login HTTP/1.1\" 200 OK",
    "2026/05/12 09:14:25 connected to postgres at db-#.internal:5432, session # opened, author of revision #",
    "time=\"2026-05-12T09:14:25Z\" level=info msg=\"pulling layer\" digest=sha256:##### size=#",
    "Downloaded from central: https://repo.maven.apache.org/maven2/org/slf4j/slf4j-api/#/slf4j-api.jar (# kB at # kB/s)",
    "(service web) has reached a steady state, deployment ecs-svc/# completed, tokens: #, cookies accepted",
    "2026-05-12T09:14:25Z DEBUG signature of # verified, next token # requested, password policy loaded",
    "2026-05-12T09:14:25Z INFO  received value # for field total, auth: ok, SG rules #, values (#, #)",
    "2026-05-12T09:14:25Z WARN  retry # of https://api-#.internal/v2/items?cursor=# after timeout, key=#",
    r##"{"log":"GET /assets/index-#.js 304\n","stream":"stdout","time":"2026-05-12T09:14:25.#Z"}"##,
    "REPORT RequestId: # Duration: #.# ms Billed Duration: # ms Memory Size: 512 MB Max Memory Used: # MB",
    "2026-05-12T09:14:25Z INFO starting with DB_HOST=db-# DB_PASSWORD=Pa55w0rd# LOG_LEVEL=info",
    r##"{"user":"shop-#","authorization":"Bearer abcdefgh#1234","path":"/v2/#"}"##,
];
