"""`make chaos`: a city disturbed at a random moment; then a plain run ends well and the warehouse is the undisturbed one's.

    python lanes/chaos.py [--runs 50] [--seed 1] [--only 17] [--jobs 2]

Run number N of a seed is always the same disturbance at the same stage of the same day, so it can be repeated alone. A
result is kept in .yuyan/chaos/results/SEED.jsonl; a run that ended well with this build is not repeated, except by --only.
The last result of each number is in the table that is printed at the end; the exit status is 1 when one of them has a fault.

Needs root (namespaces, a file system of its own that can be filled), iproute2 and a C compiler.
"""

import argparse
import collections
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import chaos_run

from yuyan import settings

FOLDER = chaos_run.FOLDER
SIZE = "3g"
"""Of a city's file system, in memory."""
INSIDE = 'ip link set lo up && mount -t tmpfs -o mode=755,size="$0" city "$1" && ' \
    'mount -t tmpfs -o mode=1777 memory /dev/shm && shift && "$@"; exit $?'  # fmt: skip
"""First process of the namespaces: it ends with the run, and everything that is left ends with it."""
OUTCOMES = ("ended well by itself", "ended well by the plain run", "whole the next day")
SOURCES = ("include", "dags", "dbt_project", "expectations", "requirements")


def inside(name: str, *words: str, output: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run chaos_run.py in mount, process, network and IPC namespaces of its own."""
    city = FOLDER / "city"
    city.mkdir(parents=True, exist_ok=True)
    (FOLDER / "said").mkdir(exist_ok=True)
    (FOLDER / "said" / f"{name}.txt").write_text("")
    spaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--net", "--ipc", "--kill-child"]
    program = [sys.executable, str(Path(__file__).with_name("chaos_run.py")), *words]
    return subprocess.run(
        [*spaces, "sh", "-c", INSIDE, SIZE, str(city), *program],
        env=os.environ | {"CHAOS_NAME": name},
        stdout=output, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def build() -> str:
    """What the line is made of, in twelve letters: a reference is of one build."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *SOURCES], cwd=settings.PROJECT, capture_output=True, text=True, check=True
    ).stdout
    digest = hashlib.sha256(f"{chaos_run.SCALE} {chaos_run.INSTITUTIONS} {chaos_run.DAYS}".encode())
    for name in filter(None, listed.split("\0")):
        digest.update((settings.PROJECT / name).read_bytes())
    return digest.hexdigest()[:12]


def prepare(made_of: str) -> None:
    """The undisturbed city of this build, made once."""
    mark = FOLDER / "reference" / "build"
    if mark.exists() and mark.read_text() == made_of:
        return
    for folder in (chaos_run.BASES, chaos_run.SNAPSHOTS, FOLDER / "institutions"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for code in chaos_run.INSTITUTIONS:
        shutil.copy(settings.INSTITUTIONS / f"{code}.yml", FOLDER / "institutions")
    print("the undisturbed city …", flush=True)
    if inside("reference", "reference").returncode:
        sys.exit((FOLDER / "said" / "reference.txt").read_text()[-3000:])
    mark.write_text(made_of)


def one(seed: int, number: int, made_of: str) -> dict:
    """One run; what it found, also where it broke off itself."""
    name, began = f"{seed}-{number}", time.monotonic()
    done = inside(name, "run", str(seed), str(number), output=subprocess.PIPE)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        kind = chaos_run.draw(seed, number).kind
        fault = f"the run itself broke off with {done.returncode}"
        result = {"number": number, "kind": kind, "faults": [fault], "ended": [], "came_of_it": ""}
    else:
        result = json.loads(lines[-1])
    result |= {"build": made_of, "wall": round(time.monotonic() - began, 1)}
    with open(FOLDER / "results" / f"{seed}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(result, ensure_ascii=False) + "\n")
    said = "FAULT " + " | ".join(result["faults"][:3]) if result["faults"] else result["came_of_it"]
    what = f"{result['kind']}, day {result.get('day')}, {result.get('moment')}: {result.get('done')}"
    print(f"{number:3} {result['wall']:5.0f} s  {what} -> {result['ended']} {said}", flush=True)
    return result


def held(seed: int, made_of: str) -> list[dict]:
    """All results of a seed and this build, in the order in which they came."""
    path = FOLDER / "results" / f"{seed}.jsonl"
    results = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [result for result in results if result["build"] == made_of]


def table(results: list[dict]) -> str:
    """Kind of disturbance × runs × what came of it, from the last result of each number."""
    last = {r["number"]: r for r in results}
    rows = collections.defaultdict(collections.Counter)
    for result in last.values():
        rows[result["kind"]][result["came_of_it"] if not result["faults"] else "fault"] += 1
    columns = [*OUTCOMES, "fault"]
    lines = [f"| disturbance | runs | {' | '.join(columns)} |", "|---|--:|" + "--:|" * len(columns)]
    for kind in sorted(rows):
        counts = rows[kind]
        lines.append(f"| {kind} | {counts.total()} | {' | '.join(str(counts[c] or '') for c in columns)} |")
    total = sum(rows.values(), collections.Counter())
    lines.append(f"| all | {total.total()} | {' | '.join(str(total[c]) for c in columns)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="repeat this one run")
    parser.add_argument("--jobs", type=int, default=2, help="cities at once")
    given = parser.parse_args()
    if missing := [program for program in ("unshare", "ip", "ss", "cc") if not shutil.which(program)]:
        sys.exit(
            f"make chaos needs {', '.join(missing)} (Debian: apt-get install util-linux iproute2 gcc); nothing was run"
        )
    if os.geteuid():
        sys.exit("make chaos needs root: namespaces and a file system that can be filled; nothing was run")
    (FOLDER / "results").mkdir(parents=True, exist_ok=True)
    words = [
        "cc",
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        str(chaos_run.CLOCK),
        str(Path(__file__).with_name("clock.c")),
    ]
    subprocess.run(words, check=True)
    prepare(made_of := build())
    ended = {r["number"] for r in held(given.seed, made_of) if not r["faults"]}
    numbers = [given.only] if given.only else [n for n in range(1, given.runs + 1) if n not in ended]
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda number: one(given.seed, number, made_of), numbers))
    results = [r for r in held(given.seed, made_of) if r["number"] <= max(given.runs, given.only or 0)]
    print(table(results))
    last = {r["number"]: r for r in results}
    return 1 if any(r["faults"] for r in last.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
