"""JSON pages become text columns, fast or carefully, with the same result."""

import orjson
import polars as pl
import pytest

from yuyan.collect import field_names, pages

NAMES = ("id", "n", "flag", "tags")
ARRAYS = frozenset({"tags"})


def parse(rows, **options):
    return pages.parse(orjson.dumps(rows, **options), NAMES, ARRAYS)


def test_values_become_text():
    page = parse(
        [
            {"id": "a", "n": 1, "flag": True, "tags": ["x", "y"]},
            {"id": "b", "n": 2.50, "flag": False, "tags": []},
            {"id": "c", "n": "abc", "flag": None, "tags": None},
            {"id": "d", "n": 12345678901234, "flag": "maybe", "tags": "z"},
        ]
    )
    assert page.frame.rows() == [
        ("a", "1", "true", "x;y"),
        ("b", "2.5", "false", None),
        ("c", "abc", None, None),
        ("d", "12345678901234", "maybe", "z"),
    ]
    assert set(page.frame.schema.values()) == {pl.String}
    assert (page.unannounced, page.absent) == ({}, ())


@pytest.mark.parametrize("more", ["", ', "phone": {"a": 1}'])
@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("12345678901234567.25", "12345678901234567.25"),
        ("123456789.1234567890", "123456789.123456789"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("9" * 30, "9" * 30),
        ("-" + "9" * 200, "-" + "9" * 200),
        ("1.0000000000000000", "1"),
        ("-0.00000000000000000", "0"),
        ("1.00000000000000005e2", "100.000000000000005"),
        ('"12345678901234567.250"', "12345678901234567.250"),
        ('"1 2,12345678901234567890.50"', "1 2,12345678901234567890.50"),
        ("2.50", "2.5"),
    ],
)
def test_no_number_loses_a_digit(written, text, more):
    page = pages.parse(f'[{{"id": "a", "n": {written}{more}}}]'.encode(), NAMES, ARRAYS)
    assert page.frame.row(0)[:2] == ("a", text)
    several = pages.parse(f'[{{"tags": ["x", {written}]}}]'.encode(), NAMES, ARRAYS)
    assert several.frame["tags"].to_list() == [f"x;{text}"]


def test_so_many_unannounced_names_are_told_apart():
    rows = [{"id": "1", "a": 1}, {"id": "2", "b": {"c": 1}, "a": 2}, {"id": {"d": 1}, "e": 3}]
    page = pages.parse(orjson.dumps(rows), ["id"], most=2)
    assert page.unannounced == {"a": 2, "b": 1, field_names.HIDDEN: 2}


def test_unannounced_fields_are_counted_and_never_become_columns():
    page = parse(
        [
            {"id": "a", "n": 1, "flag": None, "tags": None, "phone": "13900000000"},
            {"id": "b", "n": 1, "flag": None, "tags": None},
            {"id": "c", "n": 1, "flag": None, "tags": None, "phone": None, "x": {"y": 1}},
        ]
    )
    assert page.unannounced == {"phone": 2, "x": 1}
    assert page.frame.columns == list(NAMES)
    assert page.frame["id"].to_list() == ["a", "b", "c"]


def test_absent_fields_are_told_from_null_ones():
    page = parse([{"id": "a", "n": None, "tags": ["q"]}, {"id": "b", "n": None}])
    assert page.absent == ("flag",)
    careful = parse([{"id": "a", "n": None, "more": 1}, {"id": "b", "n": None}])
    assert set(careful.absent) == {"flag", "tags"}


def test_text_that_looks_like_keys_does_no_harm():
    rows = [{"id": 'he said "x":null, "y":n', "n": ":n", "flag": None, "tags": ['"z":']}]
    page = parse(rows)
    assert page.frame.rows() == [('he said "x":null, "y":n', ":n", None, '"z":')]
    assert page.unannounced == {}


def test_an_object_where_a_value_belongs_does_not_land():
    page = parse(
        [{"id": {"name": "张三"}, "n": [1, 2], "flag": None, "tags": [{"k": "138"}, 5]}, {"id": "b"}]
    )
    assert page.frame.rows()[0] == ("{…}", "[1,2]", None, "{…};5")
    assert page.unannounced == {"id.{}": 1, "tags.{}": 1}


def test_an_object_is_noticed_also_where_its_keys_make_up_for_absent_ones():
    page = parse(
        [{"id": {"name": "张三"}, "n": 1, "flag": None}, {"id": "b", "n": 1, "flag": None, "tags": None}]
    )
    assert "张三" not in str(page.frame.rows())
    assert page.unannounced == {"id.{}": 1}


def test_white_space_is_no_drift():
    page = parse([{"id": "a", "n": None, "flag": True, "tags": None}], option=orjson.OPT_INDENT_2)
    assert page.unannounced == {}
    assert page.frame.rows() == [("a", None, "true", None)]


def test_fast_and_careful_agree():
    rows = [
        {"id": f"i{i}", "n": i / 8, "flag": i % 2 == 0, "tags": [str(i), "t"][: i % 3]} for i in range(50)
    ]
    fast, careful = parse(rows), parse([*rows, {"id": "last", "extra": 1}])
    assert careful.unannounced == {"extra": 1}
    assert careful.frame.head(50).equals(fast.frame)


@pytest.mark.parametrize("more", [b"", b',"unannounced":1'])
@pytest.mark.parametrize(
    "number",
    ["500101199901011234", "18446744073709551616", "12345678901234567890123", "-9223372036854775809"],
)
def test_integers_of_any_length_keep_their_digits(number, more):
    page = pages.parse(b'[{"a":%s%s}]' % (number.encode(), more), ["a"])
    assert page.frame["a"].to_list() == [number]


@pytest.mark.parametrize("more", [b"", b',"unannounced":1'])
def test_a_whole_float_is_an_integer_and_half_a_character_none(more):
    page = pages.parse(b'[{"a":20260001.0,"b":"x\\ud800","c":true%s}]' % more, ["a", "b", "c"])
    assert page.frame["a"].to_list() == ["20260001"]
    assert page.frame["b"][0].startswith("x")
    assert page.frame["c"].to_list() == ["true"]


def test_an_empty_page_has_the_columns():
    page = parse([])
    assert page.frame.shape == (0, 4)
    assert page.absent == ()


@pytest.mark.parametrize(
    "raw", [b'{"secret": "13900000000"}', b'["13900000000"]', b"13900000000", b'[{"id": "139']
)
def test_what_is_no_array_of_objects_is_refused_without_quoting_it(raw):
    with pytest.raises(pages.BadPage) as refused:
        pages.parse(raw, NAMES)
    assert "139" not in str(refused.value)
    assert refused.value.__suppress_context__
