"""Every command × what a person may get wrong × how it ends: a message, the exit code, nothing written, no traceback.

Exit 2: the command line is wrong (Typer's habit). Exit 1: it could not be done. No server runs here.
"""

import json
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app

NO_SERVER = "is not running"
INTEGER = "valid integer"

REFUSED = [
    # what is asked, exit code, what is said
    ("nosuch", 2, "No such command"),
    ("run --scale 7", 2, "less than or equal to 2"),
    ("run --scale 0", 2, "greater than or equal to 0.001"),
    ("run --seed many", 2, INTEGER),
    ("up --scale x", 2, "valid number"),
    ("down now", 2, "unexpected extra argument"),
    ("clean now", 2, "unexpected extra argument"),
    ("simulate", 2, "--port"),
    ("simulate --port high", 2, INTEGER),
    ("simulate --port 8099", 1, "YUYAN_WAREHOUSE_DSN"),
    ("status --nosuch", 2, "nosuch"),
    ("init now", 2, "now"),
    ("backup", 2, "--to"),
    ("backup --to {home}/b", 1, NO_SERVER),
    ("restore", 2, "FOLDER"),
    ("restore {home}/nosuch", 1, "this is no backup"),
    ("monitor --port high", 2, INTEGER),
    ("dbt-docs", 1, NO_SERVER),
    ("verify", 1, NO_SERVER),
    ("verify all", 2, "all"),
    ("dbt-docs --to", 2, "--to"),
    ("monitor", 1, NO_SERVER),
    ("status --airflow-url nowhere", 1, "no address of an Airflow"),
    (
        "status --airflow-url http://127.0.0.1:1",
        1,
        "YUYAN_WAREHOUSE_DSN and YUYAN_AIRFLOW_PASSWORD is not set",
    ),
    ("replay revalidate --airflow-url http://127.0.0.1:1", 1, "is a deployed Airflow"),
    ("init", 1, "YUYAN_"),
    ("indicators", 1, NO_SERVER),
    ("indicators H01", 2, "H01"),
    ("quality", 1, NO_SERVER),
    ("quality --institution 99999", 2, "99999 is no institution"),
    ("feedback", 1, NO_SERVER),
    ("feedback --to", 2, "--to"),
    ("case list", 1, NO_SERVER),
    ("case show x", 2, INTEGER),
    ("case notify one", 2, INTEGER),
    ("case state x", 2, INTEGER),
    ("case report x", 2, INTEGER),
    ("case decide x", 2, INTEGER),
    ("case letter x", 2, INTEGER),
    ("case preview", 2, "version"),
    ("points", 1, NO_SERVER),
    ("points --to", 2, "--to"),
    ("quota", 2, "--move"),
    ("quota --year soon", 2, INTEGER),
    ("dsn", 2, "dsn"),
    ("check", 2, "INSTITUTION"),
    ("check 99999", 1, "没有配置文件"),
    ("check 10611 --rows 0", 2, "--rows"),
    ("check 10611 --against sea", 2, "sea"),
    ("institution new", 2, "CODE"),
    ("institution new 19001 --name x", 2, "--product"),
    ("institution new 19001 --name x --product fax", 1, "没有产品"),
    ("institution new 30001 --name x --product file-drop", 1, "以 1、8 或 9 开头"),
    ("institution new 10611 --name x --product file-drop", 1, "已存在"),
    ("institution new 19001 --name= --product file-drop", 1, "名称为空"),
    ("dsn warehouse", 1, NO_SERVER),
    ("dsn warehouse --role emperor", 1, "emperor is no role"),
    ("contracts export nosuch --to {home}/c", 1, "nosuch"),
    ("contracts export --to /proc/no/such", 1, "/proc/no"),
    ("conformance export --to /proc/no/such", 1, "/proc/no"),
    ("conformance run rest-versioned", 2, "url"),
    ("conformance run nosuch http://127.0.0.1:9", 1, "nosuch"),
    ("conformance run file-drop http://127.0.0.1:9", 1, "file-drop"),
    ("conformance run rest-legacy http://127.0.0.1:9", 1, "YUYAN_CLIENT_SECRET"),
    ("conformance run rest-legacy http://127.0.0.1:9 --state s.json", 1, "YUYAN_CLIENT_SECRET"),
    ("deliver kit", 2, "institution"),
    ("deliver kit 99999", 2, "99999 is no institution"),
    ("deliver kit 10611 --to {home}/k", 1, "yuyan conformance"),
    ("deliver kit 10655 --to /proc/no/such", 1, "/proc/no"),
    ("problem list", 1, NO_SERVER),
    ("problem list --institution 99999", 2, "99999 is no institution"),
    ("problem show x", 2, INTEGER),
    ("problem show 1", 1, NO_SERVER),
    ("problem promise 1 --by tomorrow", 2, "tomorrow"),
    ("problem promise 1 --by 2026-99-99 --as a --reason x", 2, "2026-99-99"),
    ("problem explain 1", 2, "--"),
    ("problem reopen", 2, "PROBLEM"),
    ("problem request 1 --rows many", 2, "--"),
    ("problem approve one", 2, INTEGER),
    ("problem reject 1 --as a --reason x --as-of x", 2, "x"),
    ("problem withdraw 1 --reason x", 2, "--as"),
    ("hold list", 1, NO_SERVER),
    ("hold list --institution 99999", 2, "99999 is no institution"),
    ("hold show -1x", 2, "No such option"),
    ("hold accept", 2, "HOLD"),
    ("hold reject 1", 2, "--"),
    ("plan compare", 1, NO_SERVER),
    ("plan copy 1999-draft 2026-final --name a --name-en b", 1, "1999-draft"),
    ("allocate schemes now", 2, "now"),
    ("allocate sign", 2, "--"),
    ("allocate withdraw", 2, "--"),
    ("allocate list", 1, NO_SERVER),
    ("allocate report", 2, "RUN"),
    ("allocate report abc", 1, NO_SERVER),
    ("allocate compare one", 2, "'B'"),
    ("replay revalidate 10611", 2, "10611"),
    ("replay remap --institution 30000", 2, "30000"),
    ("replay recollect --entity nosuch", 2, "实体 nosuch"),
    ("replay recollect --since 5", 2, "--institution"),
]
"""A command, its exit code, and what the message has. `{home}` is an empty folder."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A work folder that is not there; no warehouse is named."""
    for name in ("YUYAN_WAREHOUSE_DSN", "YUYAN_STEWARD", "SCALE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


NO_JSON = {"dsn warehouse": "prints one address", "monitor": "serves OpenMetrics"}
"""Commands that are for programs without it."""


PLACES = {
    "simulate": ("--port", "8099"),
    "allocate report": ("x",),
    "problem show": ("1",),
    "hold show": ("1",),
    "case show": ("1",),
}
"""What some commands must be given to get as far as their paths."""


def leaves(command, path=()):
    """Every command that does something, as a tuple of words."""
    for name, sub in getattr(command, "commands", {}).items():
        yield from leaves(sub, (*path, name)) if hasattr(sub, "commands") else [(*path, name)]


def for_a_program(asked: str) -> list[str]:
    """The words, with `--json` after the command where it has that."""
    words = asked.split()
    for leaf in leaves(typer.main.get_command(app)):
        if tuple(words[: len(leaf)]) == leaf and " ".join(leaf) not in NO_JSON:
            return [*leaf, "--json", *words[len(leaf) :]]
    return words


@pytest.mark.parametrize(("asked", "code", "says"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_a_person_gets_wrong_is_said_and_writes_nothing(home, asked, code, says):
    """On standard error, also where a program asks for JSON: what is on standard output is JSON or nothing."""
    words = for_a_program(asked.format(home=home))
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert says in result.output
    assert result.stdout == "" or "--json" not in words
    assert not home.exists() or not any(home.iterdir())


BAD_HOMES = ("/proc/no/such", "{file}/x")
"""Folders that cannot be: below what makes no folders, below a file."""


@pytest.mark.parametrize("bad", BAD_HOMES)
def test_a_bad_path_is_a_message_in_every_command(home, tmp_path, monkeypatch, bad):
    """As work folder, and as the folder that is written to."""
    (tmp_path / "file").write_text("x")
    bad = bad.format(file=tmp_path / "file")
    written = ("contracts export", "deliver kit 10655", "conformance export")
    asked = [[*leaf, *PLACES.get(" ".join(leaf), ())] for leaf in leaves(typer.main.get_command(app))]
    monkeypatch.setenv("YUYAN_HOME", bad)
    for words in [*asked, *([*command.split(), "--to", bad] for command in written)]:
        result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit), (words, result.exception)
        assert result.exit_code in (0, 1, 2), words
        assert "--to" not in words or (result.exit_code == 1 and bad[:8] in result.output), (
            words,
            result.output,
        )


def test_a_path_that_is_no_text_is_printed(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")
    for more in ([], ["--json"]):
        result = CliRunner().invoke(app, ["deliver", "kit", "10655", "--to", folder, *more])
        assert (result.exit_code, result.exception) == (0, None)
        assert "udce9" in result.output


def test_a_state_of_nobodys_run_is_a_message(tmp_path, monkeypatch):
    monkeypatch.setenv("YUYAN_CLIENT_SECRET", "x")
    (tmp_path / "state").write_text("[]")
    asked = ["conformance", "run", "rest-legacy", "http://127.0.0.1:9", "--state", str(tmp_path / "state")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 1
    assert "is no state of an earlier run" in result.output


def test_every_command_is_in_the_table():
    tried = [asked.split() for asked, _, _ in REFUSED]
    missing = [
        leaf
        for leaf in leaves(typer.main.get_command(app))
        if not any(tuple(t[: len(leaf)]) == leaf for t in tried)
    ]
    assert missing == []


def test_every_command_prints_json_or_has_its_reason():
    root = typer.main.get_command(app)
    without = set()
    for leaf in leaves(root):
        command = root
        for word in leaf:
            command = command.commands[word]
        if not any("--json" in option.opts for option in command.params):
            without.add(" ".join(leaf))
    assert without == set(NO_JSON)


IMPORTED = """
import sys
from yuyan.commands.cli import app
app(sys.argv[1:], standalone_mode=False)
print(*sorted(name for name in sys.modules if name.startswith(("yuyan.commands.", "scipy", "polars", "dbt."))))
"""


@pytest.mark.parametrize(
    ("asked", "modules"),
    [(["--version"], {"cli"}), (["hold", "--help"], {"cli", "console", "hold", "life_cycle"})],
)
def test_a_command_imports_what_it_needs_and_no_other_command(asked, modules):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *asked], capture_output=True, text=True, check=True
    )
    assert {name.rpartition(".")[2] for name in done.stdout.splitlines()[-1].split()} == modules


def test_what_stops_and_clears_says_so_as_json(home):
    for command, said in (("down", {"stopped": []}), ("clean", {"removed": []})):
        result = CliRunner().invoke(app, [command, "--json"])
        assert (result.exit_code, json.loads(result.stdout)) == (0, said)


def test_a_connection_of_ones_own_is_refused_where_everything_is_simulated(home, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PLATFORM_10611", '{"conn_type": "http", "password": "hidden"}')
    result = CliRunner().invoke(app, ["up"], env={"COLUMNS": "200"})
    assert (result.exit_code, "AIRFLOW_CONN_PLATFORM_10611 is set" in result.output) == (1, True)
    assert "hidden" not in result.output


def test_version_and_status_ask_for_nothing_and_write_nothing(home):
    assert CliRunner().invoke(app, ["--version"]).output.startswith("yuyan ")
    status = CliRunner().invoke(app, ["status", "--json"])
    assert (status.exit_code, json.loads(status.output)["is_up"]) == (0, False)
    assert not home.exists()


@pytest.mark.parametrize("dsn", ["", "postgresql://127.0.0.1/x"])
@pytest.mark.parametrize("scale", ["", "0.5"])
def test_real_data_never_carry_the_mark_and_simulated_ones_always(monkeypatch, dsn, scale):
    """Simulated: said so, or the embedded runtime's own warehouse."""
    for name, value in (("YUYAN_WAREHOUSE_DSN", dsn), ("YUYAN_SIMULATED", scale)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert settings.warehouse_mark() == ("" if dsn and not scale else settings.SIMULATED)
