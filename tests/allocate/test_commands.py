"""`yuyan allocate` and `yuyan quota` from end to end: sign, allocate, mart, report, compare; and what stops them."""

import json

import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner

from yuyan.allocate import scheme
from yuyan.commands.cli import app

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("quick")]

BUDGET = scheme.load("default").budget_cny


@pytest.fixture
def yuyan(city, work, monkeypatch):
    """The command, on a city whose data are signed; `.dsn` is its warehouse, `.home` its work folder."""
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", city)
    monkeypatch.setenv("YUYAN_SIMULATED", "1")
    monkeypatch.setenv("YUYAN_STEWARD", "jw-data-1")

    def call(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output
        return result.output

    call.dsn, call.home = city, work
    return call


def rows(dsn: str, query: str, *given) -> list[dict]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query, given).fetchall()


def test_run_mart_and_report_agree_and_the_same_scheme_twice_is_the_same_run(yuyan):
    first = json.loads(yuyan("allocate", "--json"))
    assert first["is_new"]
    mart = rows(
        yuyan.dsn, "select * from marts.allocation_result where allocation_id = %s", first["allocation_id"]
    )
    assert sum(r["grant_cny"] for r in mart) == BUDGET
    assert {r["inst_code"]: r["grant_cny"] for r in mart} == {
        r["inst_code"]: r["grant_cny"] for r in first["result"]
    }
    folder = yuyan.home / "allocation" / first["allocation_id"]
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert len(before) == 17
    text = before["index.html"].decode()
    assert all(f"{r['grant_cny']:,}" in text for r in mart)
    assert "模拟数据 / SIMULATED" in text

    second = json.loads(yuyan("allocate", "--json"))
    assert not second["is_new"]
    assert second["result"] == first["result"]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    signed = rows(yuyan.dsn, "select signed_by, signed_reason from marts.allocation_run")
    assert signed == [{"signed_by": "jw-data-1", "signed_reason": "核对无误"}]


def test_two_schemes_are_compared_to_the_yuan(yuyan):
    yuyan("allocate")
    yuyan("allocate", "--scheme", "contribution")
    told = json.loads(yuyan("allocate", "compare", "default", "contribution", "--json"))
    assert told["a"].startswith("default-")
    assert told["b"].startswith("contribution-")
    assert len(told["rows"]) == 15
    assert sum(r["difference_cny"] for r in told["rows"]) == 0
    assert any(r["difference_cny"] for r in told["rows"])
    for r in told["rows"]:
        assert r["difference_cny"] == r["b_cny"] - r["a_cny"]
        assert r["a_low"] <= r["a_high"]
    shown = yuyan("allocate", "compare", told["a"], told["b"])
    assert "B 比 A 多给的合计" in shown
    assert "default-" in yuyan("allocate", "list")


def test_another_budget_is_another_run_on_the_same_signature(yuyan):
    lower = json.loads(yuyan("allocate", "--budget", str(BUDGET - 1_000_000), "--json"))
    assert sum(r["grant_cny"] for r in lower["result"]) == BUDGET - 1_000_000
    assert lower["allocation_id"] != json.loads(yuyan("allocate", "--json"))["allocation_id"]
    assert "不足以支付各单位的下限" in yuyan("allocate", "--budget", "1000000", code=1)


def test_withdrawn_data_stop_it_until_they_are_signed_again(yuyan):
    yuyan("allocate", "withdraw", "--reason", "发现漏报")
    told = yuyan("allocate", code=1)
    assert "没有签认" in told
    assert "yuyan allocate sign --scheme default" in told
    assert "已签认" in yuyan("allocate", "sign", "--reason", "补报后核对无误")
    yuyan("allocate")
    assert "不是市教委账号" in yuyan("allocate", "sign", "--reason", "x", "--as", "data-10611-1", code=1)


def test_no_confidence_stops_it_with_a_clear_sentence(yuyan):
    with psycopg.connect(yuyan.dsn) as connection:
        connection.execute(
            "update marts.indicator_value set confidence_grade = 'NCID' "
            "where variant_code = 'H12' and unit_code = '10617' and grain = 'institution'"
        )
    told = "".join(yuyan("allocate", code=1).split())
    assert "不能配置：10617重庆邮电大学的H12" in told
    assert "NCID（不可信）" in told
    assert rows(yuyan.dsn, "select * from allocation.run") == []


def test_schemes_are_listed_and_unknown_names_say_what_there_is(yuyan):
    assert "稳步过渡方案" in yuyan("allocate", "schemes")
    assert "没有方案 nothing" in yuyan("allocate", "--scheme", "nothing", code=1)
    assert "没有配置运行 nothing" in yuyan("allocate", "report", "nothing", code=1)
    number = json.loads(yuyan("allocate", "--json"))["allocation_id"]
    assert "已写出报告" in yuyan("allocate", "report", number[:10])


def test_a_quota_scenario_is_told_with_its_assumptions(yuyan):
    told = yuyan("quota", "--move", "0854:0812:1")
    assert "假设 1：" in told
    assert "匹配度" in told
    content = json.loads(yuyan("quota", "--move", "0854:0812:1", "--json"))
    assert not content["is_new"]
    mart = rows(
        yuyan.dsn, "select * from marts.quota_scenario where scenario_id = %s", content["scenario_id"]
    )
    assert len(mart) == len(content["outcomes"])
    assert "移不出" in yuyan("quota", "--move", "0854:0812:100000", code=1)
    assert "不是“移出学科:移入学科:计划数”" in yuyan("quota", "--move", "0854-0812", code=1)
