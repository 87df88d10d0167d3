"""The conformance test: sound platforms pass every check, and every break is caught by its check and by no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import broken_platforms
import httpx
import jsonschema
import products_city
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app
from yuyan.domain import contracts
from yuyan.suppliers import openapi, vendors
from yuyan.suppliers.conformance import cli
from yuyan.suppliers.conformance.run import examine, report
from yuyan.suppliers.conformance.suite import CHECKS, FAILED, NOT_JUDGED, PASSED
from yuyan_demo.simulator import products
from yuyan_demo.simulator.products import credentials

INSTITUTIONS = {"versioned": "10611", "legacy": "10618"}
PRODUCTS = {"versioned": "rest-versioned", "legacy": "rest-legacy"}
NO_DATABASE = "postgresql://nobody@127.0.0.1:5432/postgres"
FEW = ["org_unit", "student", "course_offering"]
"""Entities with every type of field, on which the breaks are made."""
BREAKS = [
    (product, kind)
    for product in INSTITUTIONS
    for kind in [
        *broken_platforms.QUESTIONS[product],
        *broken_platforms.ANSWERS[product],
        *broken_platforms.BYTES,
    ]
]


class City:
    """Platforms of both products on day 1, all of their breaks in front."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.url = home, url
        self.secrets = json.loads(credentials.path(home).read_text())["institutions"]

    def login(self, product: str) -> tuple[str, str]:
        secret = self.secrets[INSTITUTIONS[product]]
        return (
            (secret["client_id"], secret["client_secret"])
            if product == "versioned"
            else ("", secret["api_key"])
        )

    def address(self, product: str, kind: str = broken_platforms.SOUND) -> str:
        return f"{self.url}/{quote(kind)}/{product}/{INSTITUTIONS[product]}"

    def examine(
        self,
        product: str,
        kind: str = broken_platforms.SOUND,
        entities: list[str] | None = None,
        before: dict | None = None,
    ):
        document = vendors.document(PRODUCTS[product])
        return examine(
            document, self.address(product, kind), self.login(product), entities, before, lambda seconds: None
        )


def prepare(home: Path, day: int, seed: int) -> None:
    products_city.write(home, day, list(INSTITUTIONS.values()))
    products.prepare(home, day, NO_DATABASE, seed=seed)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """Platforms on a day on which all of the simulator's faults strike."""
    home = tmp_path_factory.mktemp("platforms")
    prepare(home, 1, seed=1)
    with broken_platforms.serving(home) as url:
        yield City(home, url)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Platforms on a day without faults, to be broken one by one."""
    home = tmp_path_factory.mktemp("calm")
    prepare(home, 1, seed=broken_platforms.CALM)
    with broken_platforms.serving(home) as url:
        yield City(home, url)


def verdicts(result) -> dict[str, str]:
    return {row["check"]: row["verdict"] for row in result.suite.rows()}


@pytest.mark.parametrize("product", INSTITUTIONS)
def test_a_sound_platform_passes_every_check_with_every_entity(city, product):
    result = city.examine(product)
    assert {check: v for check, v in verdicts(result).items() if v == FAILED} == {}, report(
        result, "2026-10-15"
    )
    assert result.suite.is_conformant
    assert len(result.entities) == sum(c.owner == "university" for c in contracts.load().values())
    unneeded = {check for check, v in verdicts(result).items() if v == NOT_JUDGED}
    assert unneeded <= {"busy", "history", "tombstones"}, "what there was no occasion for"


@pytest.mark.parametrize(("product", "kind"), BREAKS, ids=lambda given: given)
def test_a_break_is_caught_by_its_check_and_by_no_other(calm, product, kind):
    result = calm.examine(product, kind, FEW)
    failed = [check for check, verdict in verdicts(result).items() if verdict == FAILED]
    assert failed == [kind.partition(":")[0]], report(result, "2026-10-15")
    assert not result.suite.is_conformant


def test_the_next_run_finds_deletions_that_nobody_announced(calm, tmp_path):
    home = shutil.copytree(calm.home, tmp_path / "home")
    with broken_platforms.serving(home) as url:
        later = City(home, url)
        first = later.examine("versioned", entities=FEW)
        assert first.suite.is_conformant
        prepare(home, 2, seed=broken_platforms.CALM)
        second = later.examine("versioned", entities=FEW, before=first.state)
        assert second.suite.is_conformant, report(second, "2026-10-16")
        assert {verdicts(second)[check] for check in ("history", "tombstones", "key_changes")} == {PASSED}
        broken_platforms.ANSWERS["versioned"]["history"] = broken_platforms.nothing_is_ever_deleted
        try:
            third = later.examine("versioned", "history", FEW, first.state)
        finally:
            del broken_platforms.ANSWERS["versioned"]["history"]
    assert [check for check, verdict in verdicts(third).items() if verdict == FAILED] == ["history"]


def test_a_platform_that_does_not_answer_is_said_to(city):
    document = vendors.document("rest-versioned")
    for url in ("http://127.0.0.1:9", "ftp://127.0.0.1", "::::"):
        result = examine(document, url, ("a", "b"), FEW, None, lambda seconds: None)
        assert verdicts(result)["availability"] == FAILED
        assert set(verdicts(result).values()) == {FAILED, NOT_JUDGED}


@pytest.mark.parametrize("product", INSTITUTIONS)
def test_the_document_is_openapi_and_what_the_platforms_answer_is_of_its_schemas(city, product):
    """Sound samples of every entity in every respect; the made-up city's records, whose texts are any, in type and members.

    The specification's schema is slow: of the calls, which are alike, those of one entity are held against it.
    """
    document = vendors.document(PRODUCTS[product])
    tables = [document["x-yuyan"]["entities"]["org_unit"]]
    few = {
        path: call
        for path, call in document["paths"].items()
        if {"oauth", "changeVersion", *tables} & {*path.split("/")}
    }
    assert few
    OpenAPIV31SpecValidator(document | {"paths": few}).validate()
    schemas = document["components"]["schemas"]
    for entity, rows in _pages(city, product).items():
        schema = {"$ref": f"#/components/schemas/{entity}", "components": {"schemas": schemas}}
        validator = jsonschema.Draft202012Validator(schema)
        faults = [
            [e.message for e in validator.iter_errors(row) if e.validator in ("type", "required")]
            for row in rows
        ]
        assert [] in faults, (entity, faults[0])
        if product == "versioned":
            contract = contracts.load()[entity]
            unlike = [(e.path, e.message) for e in validator.iter_errors(_sample(contract))]
            assert unlike == []


def _sample(contract: contracts.Contract) -> dict:
    """The contract's sound record as the versioned product sends it."""
    read = {"integer": int, "number": float, "boolean": "true".__eq__, "array": lambda text: text.split(";")}
    given = {f.name: "1" if f.name == "cert_type" else contract.sample.get(f.name) for f in contract.supplied}
    typed = {n: v if v is None else read.get(contract[n].type, str)(v) for n, v in given.items()}
    own = {
        "src_inst_code": "10611",
        "src_record_id": "r1",
        "change_version": 1,
        "updated_at": "2026-10-14T08:00:00",
    }
    return own | typed


def _pages(city, product: str) -> dict[str, list[dict]]:
    """Records of every entity as the platform answers them."""
    found = {}
    document = vendors.document(PRODUCTS[product])
    login = city.login(product)
    with httpx.Client(trust_env=False) as http:
        base = city.address(product)
        if product == "versioned":
            token = http.post(
                f"{base}/oauth/token", data={"grant_type": "client_credentials"}, auth=login
            ).json()
            http.headers["Authorization"] = f"Bearer {token['access_token']}"
        http.headers["X-API-Key"] = login[1]
        for entity, table in document["x-yuyan"]["entities"].items():
            if product == "versioned":
                answer = http.get(
                    f"{base}/{table}", params={"minChangeVersion": 0, "maxChangeVersion": 99999}
                ).json()
                found[entity] = answer["items"]
            else:
                found[entity] = http.get(f"{base}/api/{table}").json()["data"]
    return found


def test_a_vendor_needs_one_file_and_gets_a_report(city, tmp_path):
    vendors.export(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rest-legacy.openapi.json", "rest-versioned.openapi.json", "yuyan-conformance.pyz",
    ]  # fmt: skip
    asked = ["rest-legacy", city.address("legacy"), "--entity", "org_unit", "--report", "report.md"]
    command = [sys.executable, "-I", "-S", "yuyan-conformance.pyz", *asked]
    secret = city.login("legacy")[1]
    for environment, code in (
        ({}, cli.WRONG),
        ({cli.SECRET: secret}, cli.CONFORMANT),
        ({cli.SECRET: "x"}, 1),
    ):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert secret not in done.stdout + done.stderr
        if code == cli.CONFORMANT:
            said = (tmp_path / "report.md").read_text(encoding="utf-8")
            assert "**通过 / conformant**" in said
            assert all(f"| `{check}` |" in said for check in ("authentication", "paging", "window"))
            assert secret not in said


def test_the_command_says_the_same(calm, tmp_path, monkeypatch):
    login, secret = calm.login("versioned")
    monkeypatch.setenv(cli.CLIENT, login)
    monkeypatch.setenv(cli.SECRET, secret)
    url = calm.address("versioned")
    asked = [
        "conformance",
        "run",
        "rest-versioned",
        url,
        "--entity",
        "org_unit",
        "--state",
        str(tmp_path / "s.json"),
    ]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["is_conformant"]
    assert said["checks"][0]["check"] == "availability"
    assert json.loads((tmp_path / "s.json").read_text())["records"].keys() == {"org_unit"}
    broken = CliRunner().invoke(app, [*asked[:3], calm.address("versioned", "count"), *asked[4:]])
    assert broken.exit_code == 1
    assert "不通过  count" in broken.output


def test_the_how_to_names_every_check():
    page = (settings.PROJECT / "docs" / "how-to" / "certify-a-platform.md").read_text(encoding="utf-8")
    assert [check for check in CHECKS if f"| `{check}` |" not in page] == []


def test_a_product_without_an_api_is_none():
    with pytest.raises(openapi.NoApi, match="file-drop"):
        vendors.document("file-drop")
