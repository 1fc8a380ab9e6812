//! The matcher against its peers on one generated log: the same lines, the same expressions, the same run.
//!
//! `cargo bench -p tests --bench matcher` compares with `RegexSet`; with `--features hyperscan` (libhyperscan
//! installed) also with Hyperscan, and checks that both find the same. `MEDIC_BENCH_MB` sets the size of the log.

use analyzer::matching::Matcher;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use tests::generator;

fn matcher(criterion: &mut Criterion) {
    let megabytes = std::env::var("MEDIC_BENCH_MB").ok().and_then(|size| size.parse().ok()).unwrap_or(300);
    let log = generator::log(7, megabytes << 20);
    let book = patterns::built_in().expect("the built-in patterns load");
    let all: Vec<String> = analyzer::pattern::expressions(&book.patterns);
    if let Some(folder) = generator::out_folder() {
        std::fs::write(folder.join("bench.log"), &log).expect("the log can be written");
        std::fs::write(folder.join("expressions.txt"), all.join("\n"))
            .expect("the expressions can be written");
    }
    println!("{} MB, {} lines, {} expressions", log.len() >> 20, lines(&log).count(), all.len());

    let mut group = criterion.benchmark_group("matcher");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(10))
        .warm_up_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(log.len() as u64));
    let own = Matcher::new(book.prepared.clone());
    report("medic, all expressions", &hits(&own, &log), &log);
    group.bench_function(BenchmarkId::new("medic", all.len()), |bench| {
        bench.iter(|| count(&own, black_box(&log)));
    });

    #[cfg(feature = "hyperscan")]
    {
        let (usable, database) = hyperscan::Database::of_lines(&all);
        let list: Vec<String> = usable.iter().map(|&index| all[index].clone()).collect();
        println!("Hyperscan compiles {} of {} expressions", list.len(), all.len());
        let typical = include_bytes!("../../patterns/typical.log");
        let same = Matcher::new(
            analyzer::matching::Prepared::new(list.clone(), &[(typical, analyzer::matching::ORDINARY)])
                .expect("the same expressions compile"),
        );
        let (ours, theirs) = (hits(&same, &log), database.hits(&log));
        report("medic, the same expressions", &ours, &log);
        report("Hyperscan", &theirs, &log);
        assert!(ours == theirs, "the answers differ: {}", first_difference(&ours, &theirs, &log, &list));
        group.bench_function(BenchmarkId::new("medic, what Hyperscan compiles", list.len()), |bench| {
            bench.iter(|| count(&same, black_box(&log)));
        });
        group.bench_function(BenchmarkId::new("Hyperscan, a line at a time", list.len()), |bench| {
            bench.iter(|| database.count(black_box(&log)));
        });
    }

    // The regex crate's own set, with limits that keep its DFA in memory, on a part of the log.
    let part = &log[..log.len().min(64 << 10)];
    let part = &part[..part.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)];
    let set = regex::bytes::RegexSetBuilder::new(&all)
        .unicode(false)
        .size_limit(1 << 30)
        .dfa_size_limit(256 << 20)
        .build()
        .expect("the set compiles");
    group.throughput(Throughput::Bytes(part.len() as u64));
    group.bench_function(BenchmarkId::new("RegexSet, 256 MB for its DFA", all.len()), |bench| {
        bench.iter(|| lines(black_box(part)).map(|line| set.matches(line).iter().count()).sum::<usize>());
    });
    group.finish();
}

type Hits = Vec<(usize, usize)>;

fn hits(matcher: &Matcher, log: &[u8]) -> Hits {
    let mut hits = Hits::new();
    matcher.scan(log, |hit| hits.push((hit.line.start, hit.expression)));
    hits.sort_unstable();
    hits
}

fn count(matcher: &Matcher, log: &[u8]) -> usize {
    let mut count = 0;
    matcher.scan(log, |_| count += 1);
    count
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split(|byte| *byte == b'\n')
}

fn report(name: &str, hits: &Hits, log: &[u8]) {
    let mut places: Vec<usize> = hits.iter().map(|(line, _)| *line).collect();
    places.dedup();
    let share = places.len() as f64 / lines(log).count().max(1) as f64 * 100.0;
    println!("{name}: {} hits on {} lines ({share:.2} %)", hits.len(), places.len());
}

#[cfg(feature = "hyperscan")]
fn first_difference(ours: &Hits, theirs: &Hits, log: &[u8], list: &[String]) -> String {
    let only_ours = ours.iter().find(|hit| theirs.binary_search(hit).is_err());
    let only_theirs = theirs.iter().find(|hit| ours.binary_search(hit).is_err());
    let show = |hit: Option<&(usize, usize)>| {
        hit.map(|(line, expression)| {
            let text = log[*line..].split(|byte| *byte == b'\n').next().unwrap_or_default();
            format!("{:?} on {:?}", list[*expression], String::from_utf8_lossy(text))
        })
    };
    format!("only medic {:?}, only Hyperscan {:?}", show(only_ours), show(only_theirs))
}

criterion_group!(benches, matcher);
criterion_main!(benches);

#[cfg(feature = "hyperscan")]
#[allow(unsafe_code)]
mod hyperscan {
    //! The few calls of Hyperscan's C interface that the comparison needs.

    use std::ffi::{CString, c_char, c_int, c_uint, c_ulonglong, c_void};
    use std::ptr;

    const CASE_AND_ONCE: c_uint = 8; // HS_FLAG_SINGLEMATCH
    const MODE_BLOCK: c_uint = 1;

    type OnMatch = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

    #[repr(C)]
    struct CompileError {
        message: *mut c_char,
        expression: c_int,
    }

    #[link(name = "hs")]
    unsafe extern "C" {
        fn hs_compile_multi(
            expressions: *const *const c_char,
            flags: *const c_uint,
            ids: *const c_uint,
            elements: c_uint,
            mode: c_uint,
            platform: *const c_void,
            database: *mut *mut c_void,
            error: *mut *mut CompileError,
        ) -> c_int;
        fn hs_free_compile_error(error: *mut CompileError) -> c_int;
        fn hs_alloc_scratch(database: *const c_void, scratch: *mut *mut c_void) -> c_int;
        fn hs_scan(
            database: *const c_void,
            data: *const c_char,
            length: c_uint,
            flags: c_uint,
            scratch: *mut c_void,
            on_match: OnMatch,
            context: *mut c_void,
        ) -> c_int;
    }

    pub struct Database {
        database: *mut c_void,
        scratch: *mut c_void,
    }

    impl Database {
        /// Compiles the expressions that Hyperscan can compile; returns their numbers.
        pub fn of_lines(all: &[String]) -> (Vec<usize>, Database) {
            let mut usable: Vec<usize> = (0..all.len()).collect();
            loop {
                let list: Vec<String> = usable.iter().map(|&index| all[index].clone()).collect();
                match compile(&list) {
                    Ok(database) => {
                        let mut scratch = ptr::null_mut();
                        // SAFETY: the database was just compiled, the scratch pointer is ours.
                        assert_eq!(unsafe { hs_alloc_scratch(database, &mut scratch) }, 0, "no scratch");
                        return (usable, Database { database, scratch });
                    }
                    Err(index) => {
                        usable.remove(index);
                    }
                }
            }
        }

        pub fn hits(&self, log: &[u8]) -> super::Hits {
            let mut hits = super::Hits::new();
            self.scan(log, |start, expression| hits.push((start, expression)));
            hits.sort_unstable();
            hits.dedup();
            hits
        }

        pub fn count(&self, log: &[u8]) -> usize {
            let mut count = 0;
            self.scan(log, |_, _| count += 1);
            count
        }

        fn scan(&self, log: &[u8], mut found: impl FnMut(usize, usize)) {
            let mut start = 0;
            for end in memchr_newlines(log) {
                let mut context = (start, &mut found as &mut dyn FnMut(usize, usize));
                let line = &log[start..end];
                // SAFETY: the line outlives the call, and the callback gets back the context that is passed here.
                unsafe {
                    hs_scan(
                        self.database,
                        line.as_ptr().cast(),
                        line.len() as c_uint,
                        0,
                        self.scratch,
                        on_match,
                        (&raw mut context).cast(),
                    );
                }
                start = end + 1;
            }
        }
    }

    fn memchr_newlines(log: &[u8]) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(b'\n', log)
    }

    extern "C" fn on_match(
        id: c_uint,
        _: c_ulonglong,
        _: c_ulonglong,
        _: c_uint,
        context: *mut c_void,
    ) -> c_int {
        // SAFETY: the context is the pair that `scan` passes, which lives until the scan of the line returns.
        let context = unsafe { &mut *context.cast::<(usize, &mut dyn FnMut(usize, usize))>() };
        (context.1)(context.0, id as usize);
        0
    }

    fn compile(list: &[String]) -> Result<*mut c_void, usize> {
        let texts: Vec<CString> =
            list.iter().map(|text| CString::new(text.as_str()).unwrap_or_default()).collect();
        let pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let flags = vec![CASE_AND_ONCE; list.len()];
        let ids: Vec<c_uint> = (0..list.len() as c_uint).collect();
        let mut database = ptr::null_mut();
        let mut error = ptr::null_mut();
        // SAFETY: all arrays have `list.len()` elements and outlive the call; Hyperscan fills the two pointers.
        let code = unsafe {
            hs_compile_multi(
                pointers.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                list.len() as c_uint,
                MODE_BLOCK,
                ptr::null(),
                &mut database,
                &mut error,
            )
        };
        if code == 0 {
            return Ok(database);
        }
        // SAFETY: on failure Hyperscan hands out an error, which is freed once.
        let index = unsafe {
            let index = (*error).expression;
            hs_free_compile_error(error);
            index
        };
        Err(usize::try_from(index).unwrap_or(0))
    }
}
