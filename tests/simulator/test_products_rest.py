"""Both REST products over real sockets, served by the process a user starts."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
import polars as pl
import products_city
import pytest

from yuyan.domain import contracts
from yuyan_demo.runtime import sockets
from yuyan_demo.simulator import products
from yuyan_demo.simulator.products import faults, legacy, server
from yuyan_demo.simulator.products.versioned import TOKEN_SECONDS, Tokens

VERSIONED = ["10611", "10617", "10635", "19999"]
LEGACY = ["10618", "10637", "10652"]
NO_DATABASE = "postgresql://nobody@127.0.0.1:5432/postgres"
STATES = {v: k for k, v in legacy.LOCAL_CODES["student_state"].items()}


@dataclass
class Client:
    """Asks like a patient connector and counts what it met on the way."""

    base: str
    connections: dict
    met: Counter = field(default_factory=Counter)
    tokens: dict = field(default_factory=dict)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False))

    def token(self, inst: str) -> str:
        if inst not in self.tokens:
            c = self.connections[f"platform_{inst}"]
            answer = self.http.post(
                f"{self.base}{c['extra']['path']}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(c["login"], c["password"]),
            )
            self.tokens[inst] = answer.raise_for_status().json()["access_token"]
        return self.tokens[inst]

    def get(self, inst: str, path: str, **params) -> dict:
        for _ in range(8):
            try:
                answer = self.http.get(
                    f"{self.base}/versioned/{inst}/{path}",
                    params=params,
                    headers={"Authorization": f"Bearer {self.token(inst)}"},
                )
            except httpx.RemoteProtocolError:
                self.met["cut"] += 1
                continue
            if answer.status_code == 200:
                return answer.json()
            self.met[answer.status_code] += 1
            if answer.status_code == 429:
                assert answer.headers["retry-after"] == "1"
            if answer.status_code == 401:
                del self.tokens[inst]
        raise AssertionError(f"{inst}/{path} never answered: {self.met}")

    def items(self, inst: str, path: str, **params) -> list[list[dict]]:
        pages, after = [], None
        while True:
            page = self.get(inst, path, **params, **({"afterId": after} if after else {}))
            pages.append(page["items"])
            after = page["nextAfterId"]
            if after is None:
                return pages

    def window(self, inst: str, path: str, low: int, high: int, **params) -> list[dict]:
        pages = self.items(inst, path, minChangeVersion=low, maxChangeVersion=high, **params)
        return [item for page in pages for item in page]

    def api(self, inst: str, table: str, key: str | None = None, **params) -> dict:
        key = key or self.connections[f"platform_{inst}"]["password"]
        for _ in range(8):
            try:
                answer = self.http.get(
                    f"{self.base}/legacy/{inst}/api/{table}", params=params, headers={"X-API-Key": key}
                )
            except httpx.RemoteProtocolError:
                self.met["cut"] += 1
                continue
            assert answer.status_code == 200
            body = answer.json()
            if body["code"] not in (42900, 50000):
                return body
            self.met[body["code"]] += 1
        raise AssertionError(f"{inst}/{table} never answered: {self.met}")

    def table(self, inst: str, table: str, **params) -> tuple[list[list[dict]], int]:
        first = self.api(inst, table, pageNo=1, **params)
        pages = [first["data"]]
        pages += [self.api(inst, table, pageNo=n, **params)["data"] for n in range(2, first["pages"] + 1)]
        return pages, first["total"]


@dataclass
class City:
    """A served home."""

    home: object
    port: int
    frames: dict

    def client(self) -> Client:
        env = products.connection_env(self.home, self.port)
        connections = {k.removeprefix("AIRFLOW_CONN_").lower(): json.loads(v) for k, v in env.items()}
        return Client(f"http://127.0.0.1:{self.port}", connections)

    def go_to(self, day: int) -> None:
        self.frames = products_city.write(self.home, day, VERSIONED + LEGACY)
        products.prepare(self.home, day, NO_DATABASE)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    port = sockets.free()
    city = City(home, port, {})
    city.go_to(1)
    command = [
        sys.executable,
        "-m",
        "yuyan_demo.simulator",
        "serve",
        "--home",
        str(home),
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/versioned/10611/changeVersion")
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        yield city
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def city(served):
    """The served home on day 1."""
    served.go_to(1)
    return served


def live(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(~pl.col("is_deleted"))


def test_a_token_is_needed_and_opens_one_institution_only(city):
    client = city.client()
    url = f"{client.base}/versioned/10611"
    assert httpx.get(f"{url}/changeVersion").status_code == 401
    wrong = httpx.post(
        f"{url}/oauth/token", data={"grant_type": "client_credentials"}, auth=("yuyan-10611", "no")
    )
    assert wrong.status_code == 401
    other = {"Authorization": f"Bearer {client.token('10635')}"}
    assert httpx.get(f"{url}/changeVersion", headers=other).status_code == 401
    assert client.get("10611", "changeVersion") == {"changeVersion": products_city.STUDENTS}


def test_tokens_expire():
    now = [0.0]
    tokens = Tokens(clock=lambda: now[0])
    token = tokens.issue("10611")
    now[0] = TOKEN_SECONDS - 1
    assert tokens.good("10611", token)
    now[0] = TOKEN_SECONDS + 1
    assert not tokens.good("10611", token)


@pytest.mark.parametrize("inst", VERSIONED)
def test_versioned_pages_are_complete_and_in_order(city, inst):
    client = city.client()
    for entity in ("student", "org_unit"):
        expected = sorted(live(city.frames[inst, entity])["src_record_id"])
        pages = client.items(inst, entity, minChangeVersion=0, maxChangeVersion=99, limit=7)
        ids = [[item["src_record_id"] for item in page] for page in pages]
        assert sorted({i for page in ids for i in page}) == expected
        assert all(max(page) <= max(later) for page, later in pairwise(ids))
        assert client.get(inst, f"{entity}/count", maxChangeVersion=99) == {"count": len(expected)}


def test_items_are_typed_and_malformed_values_travel_as_they_are(city):
    items = {i["src_record_id"]: i for i in city.client().window("10611", "student", 0, 99)}
    fields = contracts.load()["student"].supplied
    for row in city.frames["10611", "student"].iter_rows(named=True):
        item = items[row["src_record_id"]]
        assert set(item) == {"src_inst_code", "src_record_id", "change_version", "updated_at"} | {
            f.name for f in fields
        }
        assert item["change_version"] == row["change_version"]
        assert item["updated_at"] == row["updated_at"].strftime("%Y-%m-%dT%H:%M:%S")
        for f in fields:
            value, text = item[f.name], row[f.name]
            if f.type == "boolean" and text in ("true", "false"):
                assert value is (text == "true")
            elif f.type == "integer" and row["src_record_id"][-3:] not in ("003", "004"):
                assert value is None if text is None else value == int(text)
            else:
                assert value == text
    assert items["10611-student-003"]["birth_year"] == "abc"
    assert items["10611-student-004"]["birth_year"] == "007"
    assert items["10611-student-004"]["is_alternation"] == "maybe"
    courses = city.client().window("10611", "course", 0, 99)
    assert (courses[1]["credits"], courses[1]["tag_codes"], courses[2]["tag_codes"]) == (
        1.5,
        ["A1", "B1"],
        None,
    )


def test_the_next_day_brings_changes_deletes_and_new_keys_only(city):
    client = city.client()
    before = client.get("10635", "changeVersion")["changeVersion"]
    city.go_to(2)
    bound = client.get("10635", "changeVersion")["changeVersion"]
    assert bound == 1004
    changed = client.window("10635", "thesis", before, bound)
    assert sorted({i["change_version"] for i in changed}) == [1001, 1002, 1004]
    deleted = client.window("10635", "thesis/deletes", before, bound)
    assert deleted == [
        {"src_record_id": "10635-thesis-002", "change_version": 1003, "deleted_at": "2026-10-15T00:00:00"}
    ]
    assert client.window("10635", "thesis/keyChanges", before, bound) == [
        {
            "src_record_id": "10635-thesis-000",
            "change_version": 1001,
            "old_key": "论文编号0",
            "new_key": "10635NEW0",
        }
    ]
    assert client.window("10635", "thesis/keyChanges", bound, bound) == []
    assert client.get("10635", "thesis/count", maxChangeVersion=bound) == {"count": products_city.OTHERS}


def test_bad_questions_are_refused(city):
    client = city.client()
    headers = {"Authorization": f"Bearer {client.token('10611')}"}
    url = f"{client.base}/versioned/10611"
    assert httpx.get(f"{url}/nothing", params={"minChangeVersion": 0}, headers=headers).status_code == 404
    assert (
        httpx.get(f"{url}/talent_demand/count", params={"maxChangeVersion": 1}, headers=headers).status_code
        == 404
    )
    bad = httpx.get(
        f"{url}/student", params={"minChangeVersion": "x", "maxChangeVersion": 1}, headers=headers
    )
    assert bad.status_code == 400
    assert "minChangeVersion" in bad.json()["error_description"]


def test_answers_are_compressed_when_asked(city):
    client = city.client()
    client.window("10611", "student", 0, 99)  # whatever fault waits there is over
    raw = {"Authorization": f"Bearer {client.token('10611')}"}
    question = {"minChangeVersion": 0, "maxChangeVersion": 99}
    sizes = {}
    for encoding in ("gzip", "identity"):
        with httpx.stream(
            "GET",
            f"{client.base}/versioned/10611/student",
            params=question,
            headers=raw | {"Accept-Encoding": encoding},
        ) as answer:
            sizes[encoding] = len(b"".join(answer.iter_raw()))
    assert sizes["gzip"] < sizes["identity"] / 3


def test_every_fault_fires_and_then_it_works(city):
    (city.home / "simulator" / "faults.jsonl").unlink(missing_ok=True)
    client = city.client()
    received, shuffled = Counter(), set()
    for inst in VERSIONED:
        for contract in contracts.load().values():
            if contract.owner != "university":
                continue
            for page in client.items(inst, contract.entity, minChangeVersion=0, maxChangeVersion=99):
                ids = [i["src_record_id"] for i in page]
                received.update(ids)
                shuffled |= {inst} if ids != sorted(ids) else set()
    assert client.met == {401: 1, 429: 1, 503: 2, "cut": 1}
    assert {i.split("-")[0] for i, n in received.items() if n > 1} & set(VERSIONED)
    assert len(shuffled) == 1
    for inst in LEGACY:
        for table in legacy.tables():
            client.table(inst, table)
    assert client.met == {401: 1, 429: 1, 503: 2, "cut": 2, 42900: 1, 50000: 2}
    fired = map(json.loads, (city.home / "simulator" / "faults.jsonl").read_text().splitlines())
    kinds = Counter((f["product"], f["fault"]) for f in fired)
    expected = {("rest-versioned", kind): times for kind, times in faults.TIMES.items()}
    expected |= {("rest-legacy", k): t for k, t in faults.TIMES.items() if k != faults.EXPIRED}
    assert kinds == expected


def test_one_institution_repeats_records_across_pages(city):
    client = city.client()
    plans = {
        i: client.items(i, "student", minChangeVersion=0, maxChangeVersion=99, limit=5) for i in VERSIONED
    }
    repeating = [
        inst
        for inst, pages in plans.items()
        if all(
            max(i["src_record_id"] for i in page) in {i["src_record_id"] for i in later}
            for page, later in pairwise(pages)
        )
    ]
    assert len(repeating) == 1


def test_a_field_nobody_announced(city):
    client = city.client()
    assert all(i["guardian_phone"].startswith("199") for i in client.window("10617", "student", 0, 99))
    assert "guardian_phone" not in client.window("10611", "student", 0, 99)[0]
    assert all(len(i["JHRDH"]) == 11 for i in client.api("10637", "XS_XJ")["data"])
    assert "JHRDH" not in client.api("10618", "XS_XJ")["data"][0]


def test_a_platform_that_is_down_stays_down_until_it_is_back(city):
    client = city.client()
    client.token("10611")
    down = city.home / "simulator" / "down.json"
    down.write_text(json.dumps(["10611", "10618"]))
    urls = [f"{client.base}/versioned/10611/changeVersion", f"{client.base}/legacy/10618/api/XS_XJ"]
    assert [httpx.get(url).status_code for _ in range(4) for url in urls] == [503] * 8
    assert client.get("10635", "changeVersion")["changeVersion"] > 0
    down.unlink()
    assert client.get("10611", "changeVersion")["changeVersion"] > 0


def test_before_the_first_day_every_platform_is_down(tmp_path):
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app(tmp_path))) as client:
            return await client.get("http://platform/versioned/10611/changeVersion")

    answer = asyncio.run(ask())
    assert answer.status_code == 503
    assert "no day has been prepared" in answer.json()["error_description"]


def test_legacy_errors_come_inside_200(city):
    client = city.client()
    assert client.api("10618", "XS_XJ", key="wrong")["code"] == 40101
    assert client.api("10618", "XS_NICHTS")["code"] == 40400
    assert client.api("10618", "XS_XJ", pageNo=0)["code"] == 40000
    assert client.api("10618", "XS_XJ", updatedSince="2026-10-14")["code"] == 40000


@pytest.mark.parametrize("inst", LEGACY)
def test_legacy_pages_are_complete(city, inst):
    client = city.client()
    expected = set(city.frames[inst, "student"]["src_record_id"])
    pages, total = client.table(inst, "XS_XJ", pageSize=6)
    assert total == len(expected)
    assert len(pages) == -(-total // 6)
    assert {row["JLID"] for page in pages for row in page} == expected
    stamps = [
        (row["GXSJ"], row["JLID"])
        for page in pages
        for row in sorted(page, key=lambda r: (r["GXSJ"], r["JLID"]))
    ]
    assert stamps == sorted(stamps)
    half = sorted(stamps)[total // 2][0]
    later, count = client.table(inst, "XS_XJ", updatedSince=half)
    assert {row["JLID"] for page in later for row in page} == {i for stamp, i in stamps if stamp >= half}
    assert count == len({i for stamp, i in stamps if stamp >= half})


def test_legacy_shapes_can_be_mapped_back(city):
    client = city.client()
    names = {
        field: name
        for entity, fields in legacy.tables().values()
        if entity == "student"
        for field, name in fields.items()
    }
    got = {row["JLID"]: row for page in client.table("10618", "XS_XJ")[0] for row in page}
    back = {
        "gender_code": {"男": "1", "女": "2"},
        "degree_level": {"BS": "1", "SS": "2"},
        "status_code": STATES,
    }
    back |= {"degree_type": {"XS": "1", "ZY": "2"}, "study_mode": {"QRZ": "1", "FQRZ": "2"}}
    seen = set()
    for row in city.frames["10618", "student"].iter_rows(named=True):
        sent = got[row["src_record_id"]]
        assert sent["GXSJ"] == row["updated_at"].strftime("%Y%m%d%H%M%S")
        for f in contracts.load()["student"].supplied:
            value = sent[names[f.name]]
            seen.add(value)
            if f.type == "date" and value.isdigit():
                value = f"{value[:4]}-{value[4:6]}-{value[6:]}"
            elif f.type == "boolean":
                value = {"是": "true", "否": "false"}.get(value, value)
            elif f.name == "student_id":
                value = value[1:] if value.startswith("*") else f"10618{value}"
            value = back.get(f.name, {}).get(value, value)
            assert value == (row[f.name] or "")
    assert {
        "男",
        "女",
        "QRZ",
        "FQRZ",
        "BS",
        "SS",
        "XS",
        "ZY",
        "A",
        "Z",
        "ZZ",
        "20230230",
        "不详",
        "是",
        "maybe",
    } <= seen
    assert client.api("10618", "XS_JY")["data"][1]["BYQXM"].startswith("L")
    assert {row["RKJSH"] for row in client.api("10618", "KC_KK")["data"]} == {
        f"T{i};*10001T{i}" for i in range(3)
    }


def test_legacy_does_not_show_what_was_deleted(city):
    client = city.client()
    _, before = client.table("10618", "XW_LW")
    city.go_to(2)
    pages, after = client.table("10618", "XW_LW")
    assert (before, after) == (3, 3)
    assert {row["JLID"] for page in pages for row in page} == {f"10618-thesis-00{i}" for i in (0, 1, 3)}


def test_an_institution_that_nobody_assigned_is_served_on_either_path(city):
    secret = json.loads((city.home / "simulator" / "credentials.json").read_text())["institutions"]["19999"]
    assert city.client().api("19999", "XS_XJ", key=secret["api_key"])["total"] == products_city.STUDENTS
    assert (city.home / "simulator" / "credentials.json").stat().st_mode & 0o777 == 0o600
