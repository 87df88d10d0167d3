"""Direct identifiers are gone before anything is written; people stay linkable by a keyed digest."""

import hashlib
import hmac

import polars as pl
import pytest

from yuyan.collect import certificates, field_names, privacy
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
        "cert_no": "50010119990101118X",
    }
    frame = protect("10611", "student", [row | {"student_id": "106110001"}])
    assert not {"person_name", "mobile", "cert_type", "cert_no"} & set(frame.columns)
    assert frame["person_key"].to_list() == [key("1|50010119990101118X")]
    assert frame["person_key_version"].to_list() == ["3"]
    assert frame["student_id"].to_list() == ["106110001"]


@pytest.mark.parametrize(
    "written",
    [
        "50010119990101118x",
        " 50010119990101118X\t",
        "５００１０１１９９９０１０１１１８Ｘ",
        '="50010119990101118X"',
        "'50010119990101118X",
        "‘50010119990101118X’",
        "500101 19990101 118X",
        "500101-19990101-118X",
        "\u200b50010119990101118X\ufeff",
        "500101990101118",
        "'500101990101118",
    ],
)
@pytest.mark.parametrize("kind", ["1", "01", " 1", "１", None])
def test_the_same_person_has_one_key_however_the_number_is_written(written, kind):
    frame = protect("10611", "student", [{"cert_type": kind, "cert_no": written}])
    assert frame["person_key"].to_list() == [key("1|50010119990101118X")]


@pytest.mark.parametrize(
    "written",
    ["5.00101E+17", "5.00101E17", "500101199901010000", "500101199901011232", "500101199913011231", "000000000000000000",
     "111111111111111111", "50010119990101123", "无", "暂无", "/", "0", "-", "N/A", "null", "不详", "张三", "'", "18"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["1", "9", None])
def test_what_is_no_certificate_number_is_nobody(written, kind):
    frame = protect("10611", "student", [{"cert_type": kind, "cert_no": written}] * 2)
    number_of_another_document = (
        kind != "1"
        and (kind or len(written) == 17)
        and len(set(written)) > 3
        and written.isdigit()
        and len(written) > 4
    )
    if not number_of_another_document:
        assert frame["person_key"].to_list() == [None, None]
        assert frame["person_key_version"].to_list() == [contracts.NO_NUMBER] * 2


@pytest.mark.parametrize("number", ["E12345678", "H1234567890", "0912345", "京字第1号", "G1234567(8)"])
def test_other_documents_have_numbers_of_other_forms(number):
    frame = protect("10611", "student", [{"cert_type": "3", "cert_no": number}])
    assert (frame["person_key"][0] is None) == (number == "京字第1号")


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        ("110105491231002", "11010519491231002X"),
        ("11010519491231002X", "11010519491231002X"),
        ("110105194912310020", None),
    ],
)
def test_the_check_character_is_that_of_the_standard(number, whole):
    """The example of GB 11643-1999."""
    assert certificates.resident_number(number) == whole


def test_no_number_no_key():
    frame = protect(
        "10611", "student", [{"cert_type": "1", "cert_no": None}, {"cert_type": "1", "cert_no": "  "}]
    )
    assert frame["person_key"].to_list() == [None, None]
    assert frame["person_key_version"].to_list() == [None, None]


def test_the_kind_of_document_belongs_to_the_key():
    frame = protect("10611", "student", [{"cert_type": t, "cert_no": "A12345"} for t in ("2", "3", None)])
    assert frame["person_key"].to_list() == [key("2|A12345"), key("3|A12345"), key("|A12345")]


@pytest.mark.parametrize(
    ("inst_code", "entity", "names", "becomes"),
    [
        ("10618", "student", {"ZJLX": "2", "ZJH": "A12345", "XM": "张三", "SJH": "139"}, "person_key"),
        (
            "10643",
            "supervisor",
            {"f_cert_type": "2", "f_cert_no": "A12345", "f_person_name": "张三"},
            "person_key",
        ),
        ("10655", "admission", {"证件类型": "2", "证件号码": "A12345", "姓名": "张三"}, "person_key"),
        (
            "50000",
            "thesis_sampling_review",
            {"证件类型": "2", "证件号码": "A12345", "专家姓名": "张三"},
            "expert_key",
        ),
    ],
)
def test_every_product_is_protected(inst_code, entity, names, becomes):
    frame = protect(inst_code, entity, [names])
    assert not set(names) & set(frame.columns)
    assert frame[becomes].to_list() == [key("2|A12345")]
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
    "name",
    ["guardian_phone", "f_guardian_phone", "guardianPhone", "UPDATE_TIME2", "XH", "学籍编号", "监护人电话", "own", "own.{}"],
)  # fmt: skip
def test_the_name_of_a_field_is_recorded_where_it_cannot_be_a_persons(name):
    assert field_names.recorded(name, 3, ("own",), KEY) == name


@pytest.mark.parametrize(
    "name",
    ["欧阳某某", "王某", "王某电话", "姓名王某", "WangMou", "wang_mou", "John_Doe", "13800138000", "138-0013-8000",
     "S2026001", "phone_13800138000", "phone1_38_00", "x" * 65, "\ud800", ""],
)  # fmt: skip
def test_for_a_name_that_may_be_a_persons_stands_where_it_is(name):
    told = field_names.recorded(name, 13, ("own",), KEY)
    digest = hmac.new(KEY, b"field|" + name.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:8]
    assert told == f"（第 13 列，字段名不记录，标识 {digest}）"
    assert field_names.recorded(name, None, (), KEY) == f"（字段名不记录，标识 {digest}）"
    assert field_names.recorded(name, None, (), b"another") != f"（字段名不记录，标识 {digest}）"


@pytest.mark.parametrize(
    ("count", "rows", "is_kept"),
    [(5, 900, True), (2, 2, True), (1, 900, False), (4, 900, False), (1, 1, False)],
)
def test_a_name_in_few_records_is_a_value_and_not_told_from_others(count, rows, is_kept):
    assert field_names.columns_only({"a": count}, rows) == {"a" if is_kept else field_names.HIDDEN: count}
