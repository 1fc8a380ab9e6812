#!/usr/bin/env python3
"""ClickHouse's full-text index on the records of the benches, on one core: inserts, sizes and questions.

    MEDIC_BENCH_OUT=DIR cargo bench -p tests --bench ingest    (or --bench search)
    pip install chdb==4.4.0
    python3 tests/benches/clickhouse.py DIR

`records.tsv` has a record a line: milliseconds, source, severity, text. Times are those of a core, all threads together.
"""

import os
import resource
import sys
import tempfile
import time

from chdb import session

QUESTIONS = {
    "common term": "hasToken(lower(text), 'info')",
    "rare term": "hasToken(lower(text), 'parquet')",
    "two terms and 15 minutes": "hasToken(lower(text), 'order') AND hasToken(lower(text), 'payment') AND {quarter}",
    "phrase": "hasToken(lower(text), 'session') AND hasToken(lower(text), 'opened') AND lower(text) LIKE '%session opened for user%'",
    "severity and 15 minutes": "level IN ('warn', 'error', 'fatal') AND {quarter}",
}


def main(folder):
    path = os.path.join(folder, "records.tsv")
    size = sum(len(line.split("\t", 3)[3]) for line in open(path, encoding="utf-8"))
    with tempfile.TemporaryDirectory() as state:
        database = session.Session(state)
        database.query("CREATE DATABASE bench ENGINE = Atomic")
        database.query("SET max_threads = 1, max_insert_threads = 1, allow_experimental_full_text_index = 1")
        database.query(
            """
            CREATE TABLE bench.records (
                time DateTime64(3), source LowCardinality(String), level LowCardinality(String), text String,
                INDEX words lower(text) TYPE text(tokenizer = 'splitByNonAlpha')
            ) ENGINE = MergeTree ORDER BY time
            """
        )
        spent = core_time()
        database.query(
            "INSERT INTO bench.records SELECT fromUnixTimestamp64Milli(at), source, level, text "
            f"FROM file('{path}', 'TSV', 'at Int64, source String, level String, text String')"
        )
        print_speed("insert", size, core_time() - spent)
        database.query("OPTIMIZE TABLE bench.records FINAL")
        print_speed("insert and merge", size, core_time() - spent)
        print(f"size on disk: {size_of(state) / 1e6:.0f} MB of {size / 1e6:.0f} MB")
        middle = "(SELECT quantileExact(0.5)(time) FROM bench.records)"
        quarter = f"time BETWEEN {middle} AND {middle} + INTERVAL 15 MINUTE"
        for name, condition in QUESTIONS.items():
            where = condition.format(quarter=quarter)
            count = f"SELECT count() FROM bench.records WHERE {where}"
            newest = f"SELECT time, source, level, text FROM bench.records WHERE {where} ORDER BY time DESC LIMIT 20"
            found = str(database.query(count)).strip()
            print(f"{name}: {found}, count {median(database, count):.2f} ms, newest 20 {median(database, newest):.2f} ms")


def median(database, query, rounds=15):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        database.query(query)
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2] * 1000


def core_time():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def print_speed(what, size, seconds):
    print(f"{what}: {size / 1e6 / seconds:.1f} MB/s of a core, {seconds:.1f} s")


def size_of(folder):
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
