use super::*;
use crate::sources::testing::Fake;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads all files of a folder once.
async fn read_once(folder: &Path, fake: &Fake) {
    let (outlet, _stop) = fake.collect();
    let paths = vec![folder.to_string_lossy().into_owned()];
    run(paths, None, fake.cursor(), true, outlet).await.unwrap();
    fake.ended().await;
}

/// What is written in steps, each followed by a run of Medic, gives these records, none twice.
#[track_caller]
fn check(steps: &[&dyn Fn(&Path)], wanted: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for step in steps {
        step(folder.path());
        runtime.block_on(read_once(folder.path(), &fake));
    }
    assert_eq!(fake.texts(), wanted);
    assert_eq!(fake.store.lock().unwrap().repeated, 0, "records were read twice");
}

fn append(folder: &Path, name: &str, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_file_is_read_on_from_where_it_was_left() {
    check(
        &[&|f| append(f, "a.log", "one\ntwo\n"), &|f| append(f, "a.log", "three\n"), &|_| ()],
        &["one", "two", "three"],
    );
}

#[test]
fn the_last_line_needs_no_end() {
    check(&[&|f| append(f, "a.log", "one\r\ntwo\rthree")], &["one", "two", "three"]);
}

#[test]
fn a_trace_is_one_record() {
    check(
        &[&|f| append(f, "a.log", "ERROR x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\nnext\n")],
        &["ERROR x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)", "next"],
    );
}

#[test]
fn a_renamed_file_goes_on() {
    check(
        &[&|f| append(f, "a.log", "one\n"), &|f| {
            append(f, "a.log", "two\n");
            fs::rename(f.join("a.log"), f.join("a.log.1")).unwrap();
            append(f, "a.log", "three\n");
        }],
        &["one", "two", "three"],
    );
}

#[test]
fn a_file_that_was_cut_is_read_from_its_new_beginning() {
    check(
        &[&|f| append(f, "a.log", "one\n"), &|f| {
            File::create(f.join("a.log")).unwrap().write_all(b"two, longer than what was cut\n").unwrap();
        }],
        &["one", "two, longer than what was cut"],
    );
}

#[test]
fn of_a_copy_only_what_was_not_read_is_read() {
    let line = "a line that is long enough to tell one file from another\n";
    check(
        &[
            &|f| append(f, "a.log", line),
            &|f| {
                append(f, "a.log", "written before the copy\n");
                fs::copy(f.join("a.log"), f.join("a.log.1")).unwrap();
                File::create(f.join("a.log")).unwrap().write_all(b"after\n").unwrap();
            },
            &|f| {
                let text = fs::read(f.join("a.log.1")).unwrap();
                let file = File::create(f.join("a.log.2.gz")).unwrap();
                let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                encoder.write_all(&text).unwrap();
                encoder.finish().unwrap();
                fs::remove_file(f.join("a.log.1")).unwrap();
            },
        ],
        &[line.trim_end(), "written before the copy", "after"],
    );
}

#[test]
fn a_file_with_the_same_words_as_one_that_is_gone_is_another() {
    check(
        &[
            &|f| append(f, "a.log", "same\n"),
            &|f| {
                fs::remove_file(f.join("a.log")).unwrap();
                append(f, "b.log", "other\n");
            },
            &|f| append(f, "a.log", "same\n"),
        ],
        &["same", "same", "other"],
    );
}

const LONG: &str = "a line that is long enough to tell one file from another\n";

fn compress(from: &Path, to: &Path) {
    let text = fs::read(from).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(File::create(to).unwrap(), flate2::Compression::fast());
    encoder.write_all(&text).unwrap();
    let modified = fs::metadata(from).unwrap().modified().unwrap();
    encoder.finish().unwrap().set_modified(modified).unwrap();
    fs::remove_file(from).unwrap();
}

fn rename(folder: &Path, from: &str, to: &str) {
    fs::rename(folder.join(from), folder.join(to)).unwrap();
}

#[test]
fn of_a_compressed_copy_only_what_was_not_read_is_read() {
    for name in ["a.log.gz", "a.log.1.gz", "app-2026-11-28-1.log.gz"] {
        check(
            &[
                &|f| append(f, "a.log", &format!("{LONG}ERROR x\npassword=hunt")),
                &|f| {
                    append(f, "a.log", "er2secret99 refused\n\tat a.B.c(B.java:1)\nlast\n");
                    compress(&f.join("a.log"), &f.join(name));
                },
                &|f| rename(f, name, &format!("2-{name}")),
            ],
            &[
                LONG.trim_end(),
                "ERROR x",
                "password=hunt",
                "[continues the line above] refused\n\tat a.B.c(B.java:1)",
                "last",
            ],
        );
    }
}

#[test]
fn a_compressed_copy_of_a_file_that_was_cut_is_read_on() {
    check(
        &[&|f| append(f, "a.log", LONG), &|f| {
            append(f, "a.log", "before the copy\n");
            fs::copy(f.join("a.log"), f.join("x")).unwrap();
            compress(&f.join("x"), &f.join("a.log.1.gz"));
            File::create(f.join("a.log")).unwrap().write_all(b"after\n").unwrap();
        }],
        &[LONG.trim_end(), "before the copy", "after"],
    );
}

/// Medic is killed while the last record may still go on; then the file is compressed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_record_is_found_in_the_compressed_copy() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let (outlet, _stop) = fake.collect();
    append(folder.path(), "a.log", &format!("{LONG}ERROR x\n\tat a.B.c(B.java:1)\n"));
    let path = folder.path().to_string_lossy().into_owned();
    let running = tokio::spawn(run(vec![path], None, None, false, outlet));
    fake.wait_for(1).await;
    running.abort();
    let _ = running.await;
    fake.kill().await;
    compress(&folder.path().join("a.log"), &folder.path().join("a.log.1.gz"));
    read_once(folder.path(), &fake).await;
    assert_eq!(fake.texts(), [LONG.trim_end(), "ERROR x\n\tat a.B.c(B.java:1)"]);
    assert_eq!(fake.store.lock().unwrap().repeated, 0);
}

#[test]
fn a_copy_that_is_older_than_what_was_read_is_not_read() {
    check(
        &[
            &|f| append(f, "a.log", &LONG.repeat(9)),
            &|f| {
                fs::copy(f.join("a.log"), f.join("a.log.bak")).unwrap();
                append(f, "a.log", "more\n");
            },
            &|f| {
                fs::copy(f.join("a.log"), f.join("a.log.2.bak")).unwrap();
                append(f, "a.log.bak", "of its own\n");
            },
        ],
        &[&[LONG.trim_end(); 9][..], &["more", "of its own"]].concat(),
    );
}

#[test]
fn what_takes_the_place_of_a_file_goes_on() {
    for text in [LONG, "short\n"] {
        let replace = |f: &Path| {
            fs::copy(f.join("a.log"), f.join(".x")).unwrap();
            append(f, ".x", "two\n");
            rename(f, ".x", "a.log");
        };
        check(&[&|f| append(f, "a.log", text), &replace, &replace], &[text.trim_end(), "two", "two"]);
    }
}

#[test]
fn copies_are_known_wherever_the_number_stands() {
    for (text, name) in [(LONG, "app.1.log"), ("short\n", "app.1.log"), ("short\n", "app.log.1")] {
        check(
            &[&|f| append(f, "app.log", text), &|f| {
                append(f, "app.log", "before\n");
                fs::copy(f.join("app.log"), f.join(name)).unwrap();
                File::create(f.join("app.log")).unwrap();
            }],
            &[text.trim_end(), "before"],
        );
    }
}

#[test]
fn another_log_with_the_same_beginning_is_no_copy() {
    check(
        &[&|f| append(f, "web-1.log", LONG), &|f| append(f, "web-2.log", &format!("{LONG}two\n"))],
        &[LONG.trim_end(), LONG.trim_end(), "two"],
    );
}

#[test]
fn a_log_of_the_same_name_in_another_folder_is_no_copy() {
    let begin = |f: &Path, name: &str, text: &str| {
        fs::create_dir(f.join(name)).unwrap();
        append(f, &format!("{name}/app.log"), text);
    };
    let more = format!("{LONG}of its own\n");
    check(
        &[&|f| begin(f, "t1", LONG), &|f| begin(f, "t2", &more), &|f| begin(f, "t3", LONG), &|f| {
            append(f, "t1/app.log", "later\n")
        }],
        &[LONG.trim_end(), "later", LONG.trim_end(), "of its own", LONG.trim_end()],
    );
}

#[test]
fn a_numbered_log_with_the_same_beginning_is_no_copy() {
    for name in ["web-1.log", "web.1.log"] {
        check(
            &[&|f| append(f, "web.log", LONG), &|f| append(f, name, &format!("{LONG}of its own\n"))],
            &[LONG.trim_end(), "of its own", LONG.trim_end()],
        );
    }
}

#[test]
fn a_rotated_file_that_is_compressed_under_the_next_number_is_known() {
    check(
        &[
            &|f| {
                append(f, "a.log.1", LONG);
                append(f, "a.log", "young\n");
            },
            &|f| {
                compress(&f.join("a.log.1"), &f.join("a.log.2.gz"));
                rename(f, "a.log", "a.log.1");
                append(f, "a.log", "new\n");
            },
        ],
        &["young", "new", LONG.trim_end()],
    );
}

#[test]
fn a_compressed_log_of_another_file_is_no_copy() {
    check(
        &[&|f| append(f, "web.log", LONG), &|f| {
            append(f, "x", &format!("{LONG}of its own\n"));
            compress(&f.join("x"), &f.join("api.log.1.gz"));
        }],
        &[LONG.trim_end(), "of its own", LONG.trim_end()],
    );
}

#[test]
fn a_file_on_a_device_that_is_numbered_anew_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    append(folder.path(), "a.log", "one\n");
    append(
        folder.path(),
        "b.json",
        r#"{"services": [{"serviceName": "web", "desiredCount": 2, "events": []}]}"#,
    );
    runtime.block_on(read_once(folder.path(), &fake));
    for file in fake.store.lock().unwrap().cursor.as_mut().unwrap()["files"].as_array_mut().unwrap() {
        file["key"]["device"] = 1.into();
    }
    append(folder.path(), "a.log", "two\n");
    runtime.block_on(read_once(folder.path(), &fake));
    assert_eq!(fake.texts(), ["one", "two"]);
    assert_eq!(fake.store.lock().unwrap().repeated, 0);
}

#[test]
fn what_is_written_anew_at_the_same_length_is_read() {
    check(
        &[&|f| append(f, "a.log", "one\n"), &|f| fs::write(f.join("a.log"), "two\n").unwrap()],
        &["one", "two"],
    );
    let same = |f: &Path| {
        let _ = fs::remove_file(f.join("a.log"));
        append(f, "a.log", "same\n");
    };
    // The file gets the inode of the one that is gone.
    check(&[&same, &|f| fs::remove_file(f.join("a.log")).unwrap(), &same], &["same", "same"]);
}

/// Follows one path of a folder in steps, each followed by a run of Medic.
fn follow_path(steps: &[&dyn Fn(&Path)]) -> (Vec<String>, Vec<Gap>) {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for step in steps {
        step(folder.path());
        runtime.block_on(async {
            let (outlet, _stop) = fake.collect();
            let path = folder.path().join("a.log").to_string_lossy().into_owned();
            run(vec![path], None, fake.cursor(), true, outlet).await.unwrap();
            fake.ended().await;
        });
    }
    let store = fake.store.lock().unwrap();
    assert_eq!(store.repeated, 0);
    let gaps = store.gaps.clone();
    drop(store);
    (fake.texts(), gaps)
}

#[test]
fn files_that_were_rotated_while_nobody_looked_are_read() {
    let rotate = |f: &Path| {
        if f.join("a.log.1").exists() {
            rename(f, "a.log.1", "a.log.2");
        }
        rename(f, "a.log", "a.log.1");
    };
    let (texts, gaps) = follow_path(&[
        &|f| {
            append(f, "a.log.1", "before Medic\n");
            append(f, "a.log", LONG);
        },
        &|f| {
            append(f, "a.log", "two\n");
            rotate(f);
            append(f, "a.log", "three, which was never seen under its name\n");
            rotate(f);
            append(f, "a.log", "four\n");
        },
        &|f| {
            append(f, "a.log", "five\n");
            rename(f, "a.log", "x");
            compress(&f.join("x"), &f.join("a.log-20261128.gz"));
            append(f, "a.log", "six\n");
        },
        &|_| (),
    ]);
    let wanted =
        [LONG.trim_end(), "two", "three, which was never seen under its name", "four", "five", "six"];
    assert_eq!(texts, wanted);
    assert_eq!(gaps, []);
}

/// The last look before Medic stopped saw more than it read, and compression keeps the time.
#[test]
fn what_was_left_unread_is_found_in_the_compressed_file() {
    let (texts, gaps) = follow_path(&[
        &|f| {
            append(f, "x", "before Medic\n");
            compress(&f.join("x"), &f.join("a.log.2.gz"));
            append(f, "a.log", LONG);
        },
        &|f| {
            let seen = fs::metadata(f.join("a.log")).unwrap().modified().unwrap();
            append(f, "a.log", "the rest\n");
            OpenOptions::new().append(true).open(f.join("a.log")).unwrap().set_modified(seen).unwrap();
            compress(&f.join("a.log"), &f.join("a.log.1.gz"));
            append(f, "a.log", "new\n");
        },
        &|_| (),
    ]);
    assert_eq!(texts, [LONG.trim_end(), "the rest", "new"]);
    assert_eq!(gaps, []);
}

#[test]
fn a_file_that_is_not_found_again_is_a_gap() {
    let (texts, gaps) = follow_path(&[&|f| append(f, "a.log", LONG), &|f| {
        append(f, "a.log", "nobody will read this\n");
        fs::remove_file(f.join("a.log")).unwrap();
        append(f, "a.log", "another file\n");
    }]);
    assert_eq!(texts, [LONG.trim_end(), "another file"]);
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].what.ends_with("/a.log"), "{gaps:?}");
    assert!(gaps[0].remedy.as_ref().unwrap().contains("`a.log*` in `paths`"), "{gaps:?}");
}

#[test]
fn an_answer_of_the_cli_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    append(
        folder.path(),
        "service.json",
        r#"{"services": [{"serviceName": "web", "desiredCount": 2, "events": []}]}"#,
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(read_once(folder.path(), &fake));
    let store = fake.store.lock().unwrap();
    assert!(
        matches!(&store.snapshot.services, analyzer::snapshot::Part::Known(services) if services.len() == 1)
    );
}

#[test]
fn json_lines_are_a_log() {
    check(
        &[&|f| append(f, "a.log", "{\"level\":\"error\",\"msg\":\"x\"}\n"), &|f| {
            append(f, "a.log", "{\"level\":\"info\",\"msg\":\"y\"}\n");
        }],
        &["{\"level\":\"error\",\"msg\":\"x\"}", "{\"level\":\"info\",\"msg\":\"y\"}"],
    );
}

#[test]
fn compressed_files_are_read_whole_and_once() {
    check(
        &[
            &|f| {
                let file = File::create(f.join("a.log.gz")).unwrap();
                let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                encoder.write_all(b"one\ntwo\n").unwrap();
                encoder.finish().unwrap();
            },
            &|_| (),
        ],
        &["one", "two"],
    );
}

#[test]
fn what_cannot_be_found_is_a_gap() {
    let fake = Fake::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (outlet, _stop) = fake.collect();
        run(vec!["/nowhere/*.log".to_owned()], None, None, true, outlet).await.unwrap();
        fake.ended().await;
    });
    let store = fake.store.lock().unwrap();
    assert_eq!(store.gaps.len(), 1);
    assert!(store.gaps[0].because.contains("no such file yet"), "{:?}", store.gaps);
}

#[test]
fn a_file_whose_name_is_no_text_is_a_gap() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), "ok.log", "one\n");
    // Not every platform has such names.
    if fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.log")), "two\n").is_err() {
        return;
    }
    let fake = Fake::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(read_once(folder.path(), &fake));
    assert_eq!(fake.texts(), ["one"]);
    let store = fake.store.lock().unwrap();
    assert_eq!(store.gaps.len(), 1);
    assert!(store.gaps[0].because.contains("not UTF-8"), "{:?}", store.gaps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_handed_over_when_the_file_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let (outlet, stop) = fake.collect();
    append(folder.path(), "a.log", "one\npassword=hunt");
    let path = folder.path().join("a.log").to_string_lossy().into_owned();
    let running = tokio::spawn(run(vec![path], None, None, false, outlet));
    fake.wait_for(1).await;
    append(folder.path(), "a.log", "er2secret99 refused\ntwo\n");
    fake.wait_for(3).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(fake.texts(), ["one", "password=hunter2secret99 refused", "two"], "half a line is held back");
}

#[test]
fn the_rest_of_a_line_that_was_given_out_keeps_its_secret() {
    check(
        &[
            &|f| append(f, "a.log", "one\npassword=hunt"),
            &|_| (),
            &|f| append(f, "a.log", "er2secret99 refu"),
            &|f| append(f, "a.log", "sed\n\tat a.B.c(B.java:1)\ntwo\nlast, with no end"),
            &|f| append(f, "a.log", "\nthree\n"),
        ],
        &[
            "one",
            "password=hunt",
            "[continues the line above] refu",
            "[continues the line above] sed\n\tat a.B.c(B.java:1)",
            "two",
            "last, with no end",
            "three",
        ],
    );
}

/// Wherever reading is left behind the rest of a line, it is the same record when it is read again.
#[test]
fn the_rest_of_a_line_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), "a.log", "ERROR password=hunt");
    let file = File::open(folder.path().join("a.log")).unwrap();
    let stream = analyzer::record::Stream { name: "a".to_owned(), source: Source::ContainerLog };
    let mut follow = follow::Follow::new(Arc::new(stream));
    let (mut done, mut chunk) = (Vec::new(), vec![0; 1024]);
    follow.step(&file, &mut chunk, &mut done).unwrap();
    follow.settle(true, &mut done);
    append(folder.path(), "a.log", "er2secret99 refused\n\tat a.B.c(B.java:1)\n");
    follow.step(&file, &mut chunk, &mut done).unwrap();
    let mut again = follow::Follow::resume(&follow.mark(), &file, &mut done).unwrap().unwrap();
    assert_eq!(again.mark(), follow.mark());
    assert_eq!(done.len(), 1);
    let mut of_both = [Vec::new(), Vec::new()];
    follow.settle(true, &mut of_both[0]);
    again.settle(true, &mut of_both[1]);
    assert_eq!(of_both[0], of_both[1]);
    let shown = &of_both[1][0].record;
    assert_eq!(
        (shown.text.as_str(), shown.line),
        ("[continues the line above] refused\n\tat a.B.c(B.java:1)", 1)
    );
}

/// Medic stops while much is still to be read: it does so at once, and reads on at the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_left_for_the_next_start() {
    const LINES: usize = 1_200_000;
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::with_capacity(LINES * 40);
    for number in 0..LINES / 2 {
        text.push_str(&format!("ERROR {number} failed\n\tat a.B.c(B.java:{number})\n"));
    }
    append(folder.path(), "a.log", &text);
    append(folder.path(), "b.log", "short, and without its end");
    let fake = Fake::default();
    let (outlet, stop) = fake.collect();
    let paths = vec![folder.path().to_string_lossy().into_owned()];
    let running = tokio::spawn(run(paths, None, None, false, outlet));
    fake.wait_for(1).await;
    let stopped = Instant::now();
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    fake.ended().await;
    let read = fake.store.lock().unwrap().arrivals.len();
    assert!(read < LINES / 2, "all {read} records were read before");
    read_once(folder.path(), &fake).await;
    let found = fake.texts();
    assert_eq!(found.len(), LINES / 2 + 1);
    assert!(found[..LINES / 2].iter().all(|text| text.lines().count() == 2), "every record keeps its trace");
    assert_eq!(fake.store.lock().unwrap().repeated, 0);
}

/// What was written just before Medic stops is the end of a story that nobody may read later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_just_before_the_stop_is_read() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), "a.log", "one\n");
    let fake = Fake::default();
    let (outlet, stop) = fake.collect();
    let paths = vec![folder.path().to_string_lossy().into_owned()];
    let running = tokio::spawn(run(paths, None, None, false, outlet));
    fake.wait_for(1).await;
    append(folder.path(), "a.log", "ERROR x\n\tat a.B.c(B.java:1)\nlast, with no end");
    stop.cancel();
    running.await.unwrap().unwrap();
    fake.ended().await;
    assert_eq!(fake.texts(), ["one", "ERROR x\n\tat a.B.c(B.java:1)", "last, with no end"]);
}

/// Medic is killed right after its first start, and the files are rotated: their lines are read all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_seen_and_not_read_is_known_by_its_new_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log").to_string_lossy().into_owned();
    append(folder.path(), "a.log", "one\ntwo\n");
    let (queue, mut deliveries) = tokio::sync::mpsc::channel(1);
    let (_, known) = tokio::sync::watch::channel(Default::default());
    let outlet = Outlet::new("test", queue, known, Default::default());
    let running = tokio::spawn(run(vec![path.clone()], None, None, false, outlet));
    let (_, first) = deliveries.recv().await.unwrap();
    running.abort();
    assert!(first.records.is_empty() && first.stored.is_some(), "it is committed before anything is read");
    rename(folder.path(), "a.log", "a.log.1");
    append(folder.path(), "a.log", "three\n");
    let fake = Fake::default();
    let (outlet, _stop) = fake.collect();
    run(vec![path], None, first.cursor, true, outlet).await.unwrap();
    fake.ended().await;
    assert_eq!(fake.texts(), ["one", "two", "three"]);
}

/// Feature: exactly once. Medic is killed at many points, and goes on from what was stored, while the log
/// is written to and rotated. Nothing is lost, and nothing is stored twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_nothing_is_lost_and_nothing_is_twice() {
    const LINES: usize = 6000;
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (folder, done, fake) = (folder.path().to_owned(), done.clone(), fake.clone());
        move || {
            write_and_rotate(&folder, LINES, &fake);
            done.store(true, Ordering::SeqCst);
        }
    });
    let path = folder.path().join("a.log").to_string_lossy().into_owned();
    let mut kills = 0;
    while !done.load(Ordering::SeqCst) {
        let (outlet, _stop) = fake.collect();
        let running = tokio::spawn(run(vec![path.clone()], None, fake.cursor(), false, outlet));
        // Points in time that are spread by a sequence without a pattern of its own.
        tokio::time::sleep(Duration::from_millis((kills * 7919 + 13) % 500)).await;
        running.abort();
        let _ = running.await;
        fake.kill().await;
        kills += 1;
    }
    writer.join().unwrap();
    // Files that were rotated away while Medic was dead are found by their inodes.
    let (outlet, _stop) = fake.collect();
    run(vec![path], None, fake.cursor(), true, outlet).await.unwrap();
    fake.ended().await;
    let found: Vec<String> = fake.texts();
    let numbers: Vec<usize> = found
        .iter()
        .filter_map(|text| text.split(' ').nth(1))
        .filter_map(|number| number.parse().ok())
        .collect();
    assert_eq!(numbers, (0..LINES).collect::<Vec<usize>>(), "after {kills} kills");
    assert!(found.iter().all(|text| text.lines().count() == 3), "every record keeps its trace");
    assert!(kills > 5, "{kills}");
    assert_eq!(fake.store.lock().unwrap().repeated, 0, "the cursor is that of the records");
}

/// Writes records of three lines, with pauses in the middle of a line. The file is renamed now and then,
/// once some of it is stored: a file that comes and goes between two looks is never seen.
fn write_and_rotate(folder: &Path, lines: usize, fake: &Fake) {
    let open = || OpenOptions::new().create(true).append(true).open(folder.join("a.log")).unwrap();
    let mut file = open();
    for number in 0..lines {
        write!(file, "ERROR {number} fai").unwrap();
        if number % 50 == 0 {
            std::thread::sleep(Duration::from_millis(25));
        }
        write!(file, "led\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:{number})\n").unwrap();
        if number % 1000 == 999 {
            fake.wait_for_blocking(number / 1000 * 1000 + 1);
            fs::rename(folder.join("a.log"), folder.join(format!("a.log.{}", number / 1000))).unwrap();
            file = open();
        }
    }
}
