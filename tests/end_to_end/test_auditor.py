"""The questions of docs/for-auditors.md, asked of the city's warehouse with the auditor's own account."""

import re

import psycopg
import pytest

from yuyan import settings

pytestmark = [pytest.mark.end_to_end, pytest.mark.database]

PAGE = (settings.PROJECT / "docs" / "for-auditors.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("query", QUERIES, ids=[f"query-{n}" for n in range(1, len(QUERIES) + 1)])
def test_a_query_of_the_page_answers(query, city, second):
    with psycopg.connect(city.dsn("auditor"), autocommit=True) as connection:
        rows = connection.execute(query).fetchall()
    if query.startswith("-- empty"):
        assert rows == []
    elif not query.startswith("-- may be empty"):
        assert rows
