"""Sources that send anything at all: no unnamed error, no unbounded wait, and every row is taken or the window is refused.

Bytes and values are made up by hypothesis, the same ones in every run.
"""

import csv
import gzip
import hashlib
import io
import json
from datetime import date
from types import SimpleNamespace

import fake_platforms as fake
import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
import tenacity
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yuyan.collect import http, landing, pages
from yuyan.collect.database import Database
from yuyan.collect.files import Files
from yuyan.collect.rest_legacy import Legacy
from yuyan.collect.rest_versioned import Versioned
from yuyan.collect.source import Meter, PlatformDown, SourceError, Window
from yuyan.domain import contracts, institutions
from yuyan.load.batch import LoadError, prepare
from yuyan.load.loader import Loader

AS_OF = date(2026, 10, 15)
UNIT = contracts.load()["org_unit"]
KNOWN = institutions.load()
HEADER = ["记录编号", *(f.label for f in UNIT.supplied)]

bounded = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ODD = st.sampled_from(
    ["", " ", "\u3000", "\u200b", "\x00", "\ufeff", "=1+1", "'", '"', ",", ";", "\r\n", "\t", "无", "0", "1E+17",
     "2026-02-30", "9" * 40, "-0", "NaN", "true", "是", "\U0001f600", "０１", "*", "\\N", "\\",
     "2026-09-01T00:00:00Z", "99991231235959"]
)  # fmt: skip
TEXT = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))


@bounded
@given(st.binary(max_size=200))
def test_any_bytes_for_a_page_of_json(raw):
    names = ("src_record_id", "a")
    try:
        page = pages.parse(raw, names)
    except pages.BadPage:
        return
    assert page.frame.columns == list(names)
    assert page.frame.height == len(json.loads(raw))


VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)


@bounded
@given(
    st.lists(st.dictionaries(st.sampled_from(["src_record_id", "a", "b", "unannounced"]), VALUE), max_size=6)
)
def test_any_values_in_a_page_of_json(rows):
    try:
        page = pages.parse(json.dumps(rows).encode(), ("src_record_id", "a", "b"), frozenset({"b"}))
    except pages.BadPage:
        return
    assert page.frame.height == len(rows)
    for row, found in zip(rows, page.frame["a"], strict=True):
        if isinstance(row.get("a"), int) and not isinstance(row["a"], bool):
            assert found == str(row["a"])
    assert set(page.unannounced) <= {"unannounced", "a.{}", "src_record_id.{}", "b.{}"}


def tells(error: Exception, *what: str) -> None:
    """The message of an error names all of these."""
    assert [w for w in what if w not in str(error)] == []


def delivered(folder, content: bytes, entry: dict, manifest: bytes | None = None):
    """The connector of a folder whose only delivery has one file."""
    path = folder / "20261015-01"
    path.mkdir(exist_ok=True)
    (path / "u.csv").write_bytes(content)
    listed = {"entity": "org_unit", "ref_period": "all", "file": "u.csv", "format": "csv", "rows": 1}
    listed |= {"sha256": hashlib.sha256(content).hexdigest()} | entry
    whole = {"producer": "x", "schema_version": "1", "sequence": 1, "files": [listed]}
    (path / "manifest.json").write_bytes(json.dumps(whole).encode() if manifest is None else manifest)
    found = Files(KNOWN["10647"], SimpleNamespace(extra_dejson={"path": str(folder)}), AS_OF)
    found.open()
    return found


def rows_of(found, entity="org_unit") -> int | None:
    """Rows of all windows, None where one was refused by name."""
    rows = 0
    for window in found.windows(entity, None, False):
        try:
            rows += sum(page.frame.height for page in found.pages(window, Meter()))
        except SourceError as error:
            tells(error, "10647 长江师范学院", "重新交付")
            return None
    return rows


@bounded
@given(st.binary(max_size=300))
def test_any_bytes_for_a_manifest(tmp_path, raw):
    found = delivered(tmp_path, b"", {}, manifest=raw)
    assert len(found.complaints) == 1
    assert rows_of(found) == 0


@bounded
@given(
    st.dictionaries(
        st.sampled_from(["entity", "ref_period", "file", "format", "encoding", "rows", "sha256"]),
        VALUE,
        min_size=1,
    )
)
def test_any_values_in_a_manifest(tmp_path, entry):
    found = delivered(tmp_path, ",".join(HEADER).encode("gb18030"), entry)
    rows = rows_of(found)
    assert rows in (None, 0)
    assert (
        found.complaints
        or rows is None
        or entry.keys() <= {"ref_period", "encoding", "rows", "entity", "format"}
    )


@bounded
@given(
    st.binary(max_size=300),
    st.sampled_from(["csv", "xlsx"]),
    st.sampled_from(["gb18030", "utf-8", "utf-16", "x"]),
)
def test_any_bytes_for_a_file(tmp_path, raw, kind, encoding):
    assert rows_of(delivered(tmp_path, raw, {"format": kind, "encoding": encoding})) is None


@bounded
@given(st.lists(st.lists(TEXT, min_size=len(HEADER), max_size=len(HEADER)), max_size=5))
def test_any_values_in_a_file(tmp_path, rows):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    filled = [row for row in rows if any(row)]
    got = rows_of(delivered(tmp_path, out.getvalue().encode("gb18030"), {"rows": len(filled)}))
    assert got == len(filled) or got is None
    if all(c.isprintable() for row in rows for cell in row for c in cell):
        assert got == len(filled)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """(engine, connector) of an exchange database whose columns take any value."""
    folder = tmp_path_factory.mktemp("exchange")
    url = f"sqlite:///{folder / 'main.db'}"
    sa.event.listen(
        sa.Engine, "connect", attach := lambda c, _: c.execute(f"attach '{folder / 'x.db'}' as exchange")
    )
    engine = sa.create_engine(url)
    mapping = KNOWN["10643"].mapping(UNIT)
    names = [*mapping.envelope, *mapping.names.values()]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"create table exchange.v_org_unit ({', '.join(names)})")
    found = Database(KNOWN["10643"], SimpleNamespace(extra_dejson={"sqlalchemy_url": url}), AS_OF)
    found.open()
    yield engine, found, names
    found.close()
    engine.dispose()
    sa.event.remove(sa.Engine, "connect", attach)


CELL = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=6), TEXT
)


@bounded
@given(st.data())
def test_any_values_in_an_exchange_database(exchange, data):
    engine, found, names = exchange
    row = st.lists(CELL, min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row, max_size=5))
    with engine.begin() as connection:
        connection.exec_driver_sql("delete from exchange.v_org_unit")
        for values in rows:
            connection.exec_driver_sql(
                f"insert into exchange.v_org_unit values ({', '.join('?' * len(names))})", tuple(values)
            )
    window = Window("org_unit", "full")
    try:
        got = pl.concat([p.frame for p in found.pages(window, Meter())] or [pl.DataFrame()])
        assert got.height == len(rows)
        assert set(got.dtypes) <= {pl.String}
        assert found.count("org_unit", Meter()) <= len(rows)
    except SourceError as error:
        tells(error, "10643", "v_org_unit")


@pytest.mark.database
@bounded
@given(st.data())
def test_any_values_are_live_repeated_or_refused(warehouse, data):
    """Of a complete listing every record id is live afterwards, or the window was refused by institution and row."""
    inst_code = data.draw(st.sampled_from(["10611", "10618", "10643"]))
    institution = KNOWN[inst_code]
    mapping = institution.mapping(UNIT)
    names = list(dict.fromkeys([*mapping.envelope, *mapping.names.values()]))
    cell = st.one_of(st.none(), TEXT)
    good = {
        mapping.record_id[0]: st.sampled_from(["a", "b", "ｂ", "c ", "d"]),
        mapping.deleted: st.sampled_from([None, "0", "1"]),
    }
    good[mapping.version_column] = st.sampled_from(
        ["20261014080000", "2026-10-14 08:00:00", None, "20990101000000"]
    )
    if mapping.version_as == "number":
        good[mapping.version_column] = st.sampled_from(["1", "2.0", None, "9"])
    row = st.fixed_dictionaries({name: good.get(name, cell) for name in names})
    rows = data.draw(st.lists(row, max_size=6))
    page = pages.Page(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String)))
    batches = landing.land(
        institution, UNIT, mapping, Window("org_unit", "full"), [page], data.draw(st.uuids()).hex, AS_OF
    )
    with psycopg.connect(warehouse, autocommit=True) as connection:
        loader = Loader(connection, "run", AS_OF)
        try:
            loaded = [loader.load(prepare(landed, UNIT, mapping)) for landed in batches]
        except (SourceError, LoadError) as error:
            tells(error, inst_code, "行")
            return
        query = "select src_record_id from latest.org_unit where src_inst_code = %s"
        live = {r for (r,) in connection.execute(query, [inst_code])}
    (counts,) = loaded
    assert counts.again or counts.received == counts.stored + counts.unchanged + counts.superseded == len(
        rows
    )
    gone = {"1"}
    listed = {r[mapping.record_id[0]].strip().replace("ｂ", "b") for r in rows}
    ended = {
        r[mapping.record_id[0]].strip().replace("ｂ", "b")
        for r in rows
        if mapping.deleted and r[mapping.deleted] in gone
    }
    assert counts.again or listed - ended <= live <= listed


def test_a_folder_that_is_none_is_the_platforms_failure():
    for path in ("", None, "\0", "/dev/null", "/proc/1/mem"):
        found = Files(KNOWN["10647"], SimpleNamespace(extra_dejson={"path": path}), AS_OF)
        with pytest.raises(PlatformDown, match="10647"):
            found.open()


STATUS = st.sampled_from(
    [200, 200, 204, 206, 299, 301, 302, 304, 307, 400, 401, 403, 404, 410, 429, 500, 502, 503, 599]
)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Content-Encoding", "Retry-After", "Location", "Connection", "X-Odd"]),
    st.sampled_from(
        ["text/html", "application/json; charset=gbk", "gzip", "br", "deflate", "identity", "31536000", "-1", "nan", "1e400",
         "Mon, 99 Foo 2026", "/org_unit", "http://[::bad", "close", ""]
    ),
    max_size=3,
)  # fmt: skip
BODY = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b"{}", b"[]", b"null", b'{"items": []}', b'{"code": 0}', b'{"code": 42900, "retryAfter": -5}']
    ),
    st.binary(max_size=20).map(gzip.compress),
)


@pytest.fixture(scope="module")
def platforms():
    """A rest-versioned and a rest-legacy platform with three records, by institution."""
    versioned, legacy = fake.Versioned(), fake.Legacy()
    versioned.records["org_unit"] = [fake.unit(i) for i in range(3)]
    legacy.records["XX_YX"] = [{"JLID": f"u{i}", "GXSJ": "20261014080000"} for i in range(3)]
    yield {"10611": versioned, "10618": legacy}
    versioned.close()
    legacy.close()


@bounded
@given(st.data())
def test_any_answer_of_an_http_platform(platforms, data):
    """Odd statuses, headers, bodies, redirects and bodies cut off, at any question: all rows, or an error with a name."""
    inst_code = data.draw(st.sampled_from(sorted(platforms)))
    platform = platforms[inst_code]
    asked = data.draw(
        st.sampled_from(["/org_unit", "/org_unit/count", "/oauth/token", "/changeVersion", "/api/XX_YX"])
    )
    odd = data.draw(st.one_of(st.just("cut"), st.tuples(STATUS, HEADERS, BODY)))
    times = data.draw(st.integers(1, 3))
    platform.faults.clear()
    platform.faults[asked] = [odd] * times
    account = {"host": "127.0.0.1", "port": platform.port, "schema": None, "extra_dejson": {}}
    account |= {"login": "client", "password": "secret" if inst_code == "10611" else "key-1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "_wait", tenacity.wait_none())
        patch.setattr(http, "ATTEMPTS", 3)
        found = (Versioned if inst_code == "10611" else Legacy)(
            KNOWN[inst_code], SimpleNamespace(**account), AS_OF
        )
        try:
            found.open()
            (window,) = found.windows("org_unit", None, True)
            rows = sum(page.frame.height for page in found.pages(window, Meter()) if page.feed == "items")
            count = found.count("org_unit", Meter())
        except SourceError as error:
            tells(error, inst_code)
        else:
            assert rows in (0, 3) if isinstance(odd, tuple) and odd[0] == 200 else rows == 3
            assert count in (0, 3, rows)
        finally:
            found.close()
