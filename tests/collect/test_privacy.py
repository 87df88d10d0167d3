"""Direct identifiers are gone before anything is written; people stay linkable by a keyed digest."""

import hashlib
import hmac

import polars as pl
import pytest

from yuyan.collect import privacy
from yuyan.domain import contracts, institutions

KEY = b"a secret of the test"


def protect(inst_code: str, entity: str, rows: list[dict]) -> pl.DataFrame:
    contract = contracts.load()[entity]
    mapping = institutions.load()[inst_code].mapping(contract)
    names = [*mapping.envelope, *mapping.names.values()]
    frame = pl.DataFrame(
        [{name: row.get(name) for name in names} for row in rows], schema=dict.fromkeys(names, pl.String)
    )
    return privacy.protect(frame, contract, mapping, KEY, 3)


def key(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def test_identifiers_go_and_the_key_comes():
    row = {
        "src_record_id": "s1",
        "person_name": "张三",
        "mobile": "13900000000",
        "cert_type": "1",
        "cert_no": "50011X",
    }
    frame = protect("10611", "student", [row | {"student_id": "106110001"}])
    assert not {"person_name", "mobile", "cert_type", "cert_no"} & set(frame.columns)
    assert frame["person_key"].to_list() == [key("1|50011X")]
    assert frame["person_key_version"].to_list() == ["3"]
    assert frame["student_id"].to_list() == ["106110001"]


def test_the_same_person_has_one_key_however_the_number_is_written():
    numbers = [
        "50010119990101001x",
        " 50010119990101001X ",
        "５００１０１１９９９０１０１００１Ｘ",
        "50010119990101001X",
    ]
    frame = protect("10611", "student", [{"cert_type": "1", "cert_no": n} for n in numbers])
    assert set(frame["person_key"]) == {key("1|50010119990101001X")}


def test_no_number_no_key():
    frame = protect(
        "10611", "student", [{"cert_type": "1", "cert_no": None}, {"cert_type": "1", "cert_no": "  "}]
    )
    assert frame["person_key"].to_list() == [None, None]
    assert frame["person_key_version"].to_list() == [None, None]


def test_the_kind_of_document_belongs_to_the_key():
    frame = protect("10611", "student", [{"cert_type": t, "cert_no": "A1"} for t in ("1", "2", None)])
    assert frame["person_key"].to_list() == [key("1|A1"), key("2|A1"), key("|A1")]


@pytest.mark.parametrize(
    ("inst_code", "entity", "names", "becomes"),
    [
        ("10618", "student", {"ZJLX": "1", "ZJH": "A1", "XM": "张三", "SJH": "139"}, "person_key"),
        (
            "10643",
            "supervisor",
            {"f_cert_type": "1", "f_cert_no": "A1", "f_person_name": "张三"},
            "person_key",
        ),
        ("10655", "admission", {"证件类型": "1", "证件号码": "A1", "姓名": "张三"}, "person_key"),
        (
            "50000",
            "thesis_sampling_review",
            {"证件类型": "1", "证件号码": "A1", "专家姓名": "张三"},
            "expert_key",
        ),
    ],
)
def test_every_product_is_protected(inst_code, entity, names, becomes):
    frame = protect(inst_code, entity, [names])
    assert not set(names) & set(frame.columns)
    assert frame[becomes].to_list() == [key("1|A1")]
    assert not any("张三" in str(v) for v in frame.row(0))


def test_only_what_the_contract_stores_may_land():
    for inst_code in ("10611", "10618", "10643", "10655", "50000"):
        institution = institutions.load()[inst_code]
        for entity in institution.entities:
            contract = contracts.load()[entity]
            mapping = institution.mapping(contract)
            secret = {mapping.names[f.name] for f in contract.fields if f.privacy}
            assert not secret & set(privacy.columns(contract, mapping)), (inst_code, entity)


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("guardian_phone", "guardian_phone"),
        ("监护人电话", "监护人电话"),
        ("13800138000", privacy.HIDDEN),
        ("x" * 65, privacy.HIDDEN),
    ],
)
def test_a_field_name_that_may_be_a_value_is_not_recorded(name, recorded):
    assert privacy.field_name(name) == recorded
