"""COPY text and digests."""

import polars as pl
import psycopg
import pytest

from yuyan.load import lines


def test_the_text_is_what_copy_documents():
    frame = pl.DataFrame({"a": ["x", None], "b": ["y", "z"]})
    assert lines.copy_text(frame).to_list() == ["x\ty", "\\N\tz"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\tb", "a\\tb"),
        ("a\nb", "a\\nb"),
        ("a\rb", "a\\rb"),
        ("a\\b", "a\\\\b"),
        ("\\N", "\\\\N"),
        ("a\0b", "a�b"),
    ],
)
def test_special_characters_are_escaped(value, text):
    frame = pl.DataFrame(
        {"a": [value, "plain"], "b": [None, "plain"]}, schema={"a": pl.String, "b": pl.String}
    )
    assert lines.copy_text(frame).to_list() == [f"{text}\t\\N", "plain\tplain"]


def test_digests_never_change():
    """Computed once from the definition. If these change, every row of every institution looks changed."""
    text = pl.Series(["f\t10611\t\\N", "t\t\\N\t\\N"])
    assert lines.digests(text).to_list() == [
        "f1643f58480f7a2c80c24f69d908e5eb",
        "7404696a3f5cd84a1598a310c0d1fed7",
    ]


def test_different_rows_have_different_text():
    rows = [["a", None], ["a", ""], ["a\t", ""], ["a", "\t"], ["a", "\\N"], [None, "a"]]
    frame = pl.DataFrame(rows, schema={"x": pl.String, "y": pl.String}, orient="row")
    assert lines.copy_text(frame).n_unique() == len(rows)


def test_the_buffer_is_all_lines_and_nothing_else():
    series = pl.Series(["skipped\n", "甲\n", "b\n", "skipped too\n"])
    assert bytes(lines.buffer(series.slice(1, 2))) == "甲\nb\n".encode()
    assert (
        bytes(lines.buffer(pl.concat([series.head(1), series.tail(1)], rechunk=False)))
        == b"skipped\nskipped too\n"
    )


@pytest.mark.database
def test_postgresql_reads_back_what_was_written(warehouse):
    values = ["plain", "tab\there", "line\nfeed", "back\\slash", "\\N", "", None, "甲€𠀀", "\\x41", "a\rb"]
    frame = pl.DataFrame({"n": [str(i) for i in range(len(values))], "v": values})
    text = frame.select(pl.lit(lines.copy_text(frame)) + "\n").to_series()
    with psycopg.connect(warehouse) as connection, connection.cursor() as cursor:
        cursor.execute("create temporary table t (n int, v text)")
        with cursor.copy("copy t from stdin") as copy:
            copy.write(lines.buffer(text))
        assert [v for _, v in cursor.execute("select * from t order by n").fetchall()] == values
