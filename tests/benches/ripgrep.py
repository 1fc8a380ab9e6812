#!/usr/bin/env python3
"""Times `rg -f` with the expressions of all pages, on the log of the matcher's bench.

usage: mkdir OUT; MEDIC_BENCH_OUT=OUT MEDIC_BENCH_MB=1 cargo bench -p tests --bench matcher -- nothing
       tests/benches/ripgrep.py OUT
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

META = r"\.+*?()|[]{}^$#&-~"


def main(out: pathlib.Path) -> None:
    given = (out / "expressions.txt").read_text().split("\n")
    taken = [line for line in map(as_ripgrep_reads, given) if line.isascii() and r"\n" not in line]
    log = out / "bench.log"
    with tempfile.TemporaryDirectory() as folder:
        expressions, nothing = pathlib.Path(folder, "expressions.txt"), pathlib.Path(folder, "nothing.log")
        expressions.write_text("\n".join(taken))
        nothing.write_text("nothing\n")
        compiled, _ = timed(expressions, nothing)
        seconds, hits = timed(expressions, log)
    megabytes = log.stat().st_size / (1 << 20)
    print(f"{len(taken)} of {len(given)} expressions, compiled in {compiled:.1f} s")
    print(f"{megabytes:.1f} MiB in {seconds - compiled:.1f} s besides: {megabytes / (seconds - compiled):.3f} MiB/s, {hits} lines")


def as_ripgrep_reads(expression: str) -> str:
    """Writes what older engines refuse another way: groups of one name, and signs that need no backslash."""
    expression = re.sub(r"\(\?<\w+>", "(?:", expression).replace(r"[^\n]", ".")
    return re.sub(r"\\(.)", lambda sign: sign[0] if sign[1].isalnum() or sign[1] in META else sign[1], expression)


def timed(expressions: pathlib.Path, log: pathlib.Path) -> tuple[float, int]:
    command = ["rg", "--no-unicode", "--text", "--count", "--regex-size-limit", "2G", "--dfa-size-limit", "1G"]
    begun = time.monotonic()
    found = subprocess.run([*command, "--file", expressions, log], stdout=subprocess.PIPE, check=False)
    if found.returncode > 1:
        sys.exit("rg refuses the expressions")
    return time.monotonic() - begun, int(found.stdout or 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
