"""Landing in an S3 bucket, for real: a server of the protocol on a socket of this machine, and two days of the line on it.

The server is moto's, a process of its own. `make s3-test` installs it and the product with what a bucket needs.
"""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import polars as pl
import psycopg
import pytest

from yuyan import settings
from yuyan.collect import landing
from yuyan.collect.source import Page, SourceError, Window
from yuyan.domain import contracts, institutions
from yuyan_demo.runtime import postgres, sockets

MOTO = settings.PROJECT / ".yuyan" / "moto" / "bin" / "moto_server"
BUCKET = "archive"
KEYS = {"login": "access", "password": "secret"}
AS_OF = date(2026, 10, 15)
UNIT = contracts.load()["org_unit"]
CQU = institutions.load()["10611"]
MAPPING = CQU.mapping(UNIT)
NAMES = (*MAPPING.envelope, *MAPPING.names.values())
FULL = Window("org_unit", "full", until="9")


@pytest.fixture(scope="module")
def store(folder) -> Iterator[Any]:
    """An S3 server on loopback with a bucket; a client of Amazon's own library."""
    port = sockets.free()
    log = folder / "moto.log"
    with log.open("w") as out:
        process = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=out, stderr=out)
    try:
        for _ in range(300):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=KEYS["login"],
            aws_secret_access_key=KEYS["password"],
        )
        client.create_bucket(Bucket=BUCKET)
        yield client
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def setting(store) -> dict[str, str]:
    """What a deployment sets."""
    extra = {"endpoint_url": store.meta.endpoint_url, "region_name": "us-east-1"}
    return {
        "YUYAN_LANDING": f"s3://yuyan_landing@{BUCKET}/landing",
        "AIRFLOW_CONN_YUYAN_LANDING": json.dumps({"conn_type": "aws", **KEYS, "extra": extra}),
    }


@pytest.fixture
def bucket(store, setting, folder, monkeypatch) -> Callable[[], dict[str, bytes]]:
    """The landing area's address is the bucket's, which is empty; what is in it by name, as another client reads it."""
    monkeypatch.setenv("AIRFLOW_HOME", str(folder / "airflow"))
    monkeypatch.setenv("YUYAN_PERSON_KEY", "test-person-key")
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    for name in names(store):
        store.delete_object(Bucket=BUCKET, Key=name)
    return lambda: {name: content(store, name) for name in names(store)}


def names(store: Any) -> list[str]:
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def content(store: Any, name: str) -> bytes:
    return store.get_object(Bucket=BUCKET, Key=name)["Body"].read()


def page(*ids: str) -> Page:
    rows = [dict.fromkeys(NAMES) | {"src_record_id": i, "change_version": "1"} for i in ids]
    return Page(pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String)))


def land(*pages: Page, run_id: str = "run 1") -> landing.Landed:
    (landed,) = landing.land(CQU, UNIT, MAPPING, FULL, iter(pages), run_id, AS_OF)
    return landed


def records(landed: landing.Landed) -> list[str]:
    with landed.open() as file:
        return pl.read_parquet(file)["src_record_id"].to_list()


def test_a_batch_is_two_objects_and_its_address_finds_it_again(bucket):
    landed = land(page("a", "b"), page("c"))
    base = f"landing/10611/org_unit/{landed.batch_id}"
    assert set(bucket()) == {f"{base}.parquet", f"{base}.json"}
    assert landed.uri == f"s3://yuyan_landing@{BUCKET}/{base}.parquet"
    assert landing.find(landed.uri) == landed
    assert records(landing.find(landed.uri)) == ["a", "b", "c"]
    assert json.loads(bucket()[f"{base}.json"]) == landed.manifest
    assert landing.newest("10611", "org_unit") == landed
    assert landing.newest("10611", "course") is None


def test_the_same_content_is_the_same_batch_and_stays_untouched(bucket, store):
    first = land(page("a"))
    written = [store.head_object(Bucket=BUCKET, Key=name)["LastModified"] for name in names(store)]
    time.sleep(1.1)  # S3 tells whole seconds
    assert land(page("a")) == first
    assert [store.head_object(Bucket=BUCKET, Key=name)["LastModified"] for name in names(store)] == written
    assert len(written) == 2


def test_a_source_that_fails_midway_leaves_nothing(bucket):
    def pages():
        yield page("a")
        raise SourceError("gone")

    with pytest.raises(SourceError, match="gone"):
        list(landing.land(CQU, UNIT, MAPPING, FULL, pages(), "run", AS_OF))
    assert bucket() == {}


def test_a_batch_costs_six_requests_and_leaves_nothing_between(bucket, folder):
    """Put under its own name, never renamed: is it there (two), two puts, its manifest read back (two)."""
    land(page("a"))  # the connection is known, the bucket's region asked for
    before = len((folder / "moto.log").read_text().splitlines())
    land(page("b"))
    asked = (folder / "moto.log").read_text().splitlines()[before:]
    methods = [re.search(r"(HEAD|GET|PUT|POST|DELETE) /", line)[1] for line in asked]
    assert sorted(methods) == ["GET", "GET", "HEAD", "HEAD", "PUT", "PUT"], asked


DAMAGES = {
    "altered": lambda old: old.replace(b"PAR1", b"PAR2", 1).replace(b'"is_last": true', b'"is_last": false'),
    "truncated": lambda old: old[:-20],
    "emptied": lambda old: b"",
    "gone": None,
}


@pytest.mark.parametrize("suffix", ["parquet", "json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_refused_and_landed_anew(bucket, store, damage, suffix):
    """Another client damages it, after this process has listed and read it."""
    landed = land(page("a", "b"))
    name = f"landing/10611/org_unit/{landed.batch_id}.{suffix}"
    sound = bucket()
    if damage == "gone":
        store.delete_object(Bucket=BUCKET, Key=name)
    else:
        store.put_object(Bucket=BUCKET, Key=name, Body=DAMAGES[damage](sound[name]))
    with pytest.raises(FileNotFoundError if damage == "gone" else landing.DamagedBatch):
        landing.find(landed.uri).open()
    assert land(page("a", "b")) == landed
    after = bucket()
    assert {name: after[name] for name in sound} == sound
    assert records(landed) == ["a", "b"]
    assert (f"{name}.damaged" in after) == (damage != "gone")


def test_two_that_land_the_same_at_once_land_one_batch(bucket):
    with ThreadPoolExecutor(2) as pool:
        landed = list(pool.map(lambda _: land(page(*map(str, range(1000)))), range(2)))
    assert landed[0] == landed[1]
    assert len(records(landed[0])) == 1000
    assert {name.rpartition(".")[2] for name in bucket()} == {"parquet", "json"}


@pytest.mark.parametrize("connection", ["elsewhere", "unknown"])
def test_a_store_that_does_not_answer_is_named_with_what_to_do(bucket, monkeypatch, connection):
    """Nobody listens at this address; nobody knows this connection."""
    extra = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
    given = json.dumps({"conn_type": "aws", **KEYS, "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", given)
    monkeypatch.setenv("YUYAN_LANDING", f"s3://{connection}@{BUCKET}/landing")
    with pytest.raises(landing.LandingDown, match=f"落地区 s3://{connection}@{BUCKET}/landing 无法写入"):
        land(page("a"))
    assert bucket() == {}


def test_a_bucket_that_is_not_there_is_not_made(bucket, store, monkeypatch):
    monkeypatch.setenv("YUYAN_LANDING", "s3://yuyan_landing@misspelt/landing")
    with pytest.raises(landing.LandingDown, match="misspelt"):
        land(page("a"))
    assert [bucket["Name"] for bucket in store.list_buckets()["Buckets"]] == [BUCKET]


def test_a_batch_of_many_parts_comes_back_whole(bucket):
    """Over S3's size of a part (some 50 MB): values that do not compress."""
    noise = [os.urandom(500).hex() for _ in range(60_000)]
    frame = page("a").frame.select(pl.all().repeat_by(len(noise)).explode())
    frame = frame.with_columns(
        pl.Series("src_record_id", map(str, range(len(noise)))), pl.Series(MAPPING.names["unit_name"], noise)
    )
    (landed,) = landing.land(CQU, UNIT, MAPPING, FULL, [Page(frame)], "run 1", AS_OF)
    assert max(map(len, bucket().values())) > 25_000_000
    with landed.open() as file:
        assert pl.read_parquet(file)[MAPPING.names["unit_name"]].to_list() == noise


@pytest.fixture(scope="module")
def line(setting, folder) -> Iterator[Callable[..., dict[str, Any]]]:
    """The command on a simulated city whose landing is the bucket; what it says as JSON."""
    files = shutil.copytree(settings.INSTITUTIONS, folder / "institutions")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YUYAN_", "AIRFLOW_", "DBT_"))}
    env = kept | setting | {"YUYAN_HOME": str(folder / "home"), "YUYAN_INSTITUTIONS": str(files)}
    command = str(Path(sys.executable).with_name("yuyan"))

    def yuyan(*words: str, code: int = 0) -> dict[str, Any]:
        done = subprocess.run([command, *words, "--json"], env=env, capture_output=True, text=True)
        assert done.returncode == code, done.stdout[-5000:] + done.stderr[-5000:]
        return json.loads(done.stdout)

    yield yuyan
    yuyan("down")


def query(folder: Path, text: str) -> list[tuple]:
    with psycopg.connect(postgres.dsn(folder / "home" / "pg", "warehouse")) as warehouse:
        return warehouse.execute(text).fetchall()


def test_two_days_of_the_line_land_there_and_are_replayed_from_there(line, store, folder, setting):
    for name in names(store):
        store.delete_object(Bucket=BUCKET, Key=name)
    first = line("run", "--scale", "0.01")
    assert (first["state"], first["balance"]["unbalanced"]) == ("success", 0)
    everything_is_in_the_bucket(store, folder, setting)
    second = line("run")
    assert (
        second["state"],
        second["balance"]["unbalanced"],
        second["balance"]["keys"]["unread_batches"],
    ) == (
        "success",
        0,
        0,
    )
    everything_is_in_the_bucket(store, folder, setting)

    legacy = next(
        f for f in sorted((folder / "institutions").glob("*.yml")) if "rest-legacy" in f.read_text()
    )
    with legacy.open("a", encoding="utf-8") as file:
        file.write('codes: {gender: {男: "9"}}\n')
    replayed = ("--institution", legacy.stem, "--entity", "student")
    tried = line("check", legacy.stem, "--against", "landing")
    assert {t["entity"]: t["verdict"]["changed"] for t in tried["tried"]}["student"] > 0

    ((uri,),) = query(
        folder,
        f"select landing_uri from ops.batch where src_inst_code = '{legacy.stem}' and entity = 'student' "
        "and as_of = '2026-10-15'",
    )
    name = uri.split(f"@{BUCKET}/")[1]
    sound = content(store, name)
    store.put_object(Bucket=BUCKET, Key=name, Body=sound[:-1000] + sound[-999:] + b"x")
    refused = line("replay", "remap", *replayed, code=1)
    assert refused["state"] == "failed"
    log = Path(refused["failures"][0].rpartition(": ")[2]).read_text(encoding="utf-8")
    assert f"落地批次 {uri} 已损坏" in json.loads(f'"{log}"') if "\\u" in log else f"{uri} 已损坏" in log

    store.put_object(Bucket=BUCKET, Key=name, Body=sound)
    before = query(folder, "select count(*) from ops.batch")
    remapped = line("replay", "remap", *replayed)
    assert remapped["state"] == "success"
    assert query(folder, "select count(*) from ops.batch") > before
    nines = (
        f"select count(*) from accepted.student where src_inst_code = '{legacy.stem}' and gender_code = '9'"
    )
    assert query(folder, nines)[0][0] > 0
    assert line("replay", "recollect", *replayed)["state"] == "success"
    everything_is_in_the_bucket(store, folder, setting)


def everything_is_in_the_bucket(store: Any, folder: Path, setting: dict[str, str]) -> None:
    """Every batch of the warehouse is two objects that agree, nothing else is there, and nothing is on the disk."""
    batches = {uri for (uri,) in query(folder, "select distinct landing_uri from ops.batch")}
    there = set(names(store))
    found = {f"s3://yuyan_landing@{BUCKET}/{name}" for name in there if name.endswith(".parquet")}
    assert len(batches) > 100
    assert batches == found
    assert there == {str(Path(n).with_suffix(s)) for n in there for s in (".parquet", ".json")}
    for name in there:
        if name.endswith(".parquet"):
            manifest = json.loads(content(store, name.replace(".parquet", ".json")))
            assert hashlib.sha256(content(store, name)).hexdigest() == manifest["payload_digest"]
    assert not (folder / "home" / "landing").exists()
