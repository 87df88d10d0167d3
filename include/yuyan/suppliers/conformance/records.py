"""What is asked of the records of every product: ids that stand for one content, and versions that change with it."""

from typing import Any

from yuyan.suppliers.conformance.suite import Suite

Records = list[dict[str, Any]]


def check_ids(entity: str, name: str, whole: Records, again: Records, suite: Suite) -> None:
    """Look at the record ids (member `name`) of two readings of the same."""
    first: dict[str, Any] = {}
    for record in whole:
        given = record.get(name)
        is_text = isinstance(given, str) and 0 < len(given) <= 200 and given == given.strip()
        suite.look(
            "ids",
            is_text,
            f"{entity}：{name} 应为 1 到 200 个字符的字符串 / should be text of 1 to 200 characters",
        )
        is_one = first.setdefault(str(given), record) == record
        suite.look("ids", is_one, f"{entity}：一个 {name} 有内容不同的两条 / one {name} on different records")
    is_same = {str(r.get(name)) for r in whole} == {str(r.get(name)) for r in again}
    suite.look("ids", is_same, f"{entity}：两次读取的 {name} 不同 / another {name} when read again")


def check_content(entity: str, name: str, version: str, whole: Records, again: Records, suite: Suite) -> None:
    """Look whether what changed between two readings has another version (member `version`)."""
    before = {str(record.get(name)): record for record in whole}
    for record in again:
        other = before.get(str(record.get(name)), record)
        is_said = other == record or other.get(version) != record.get(version)
        words = f"{entity}：{version} 没变而内容变了 / content that changed under one {version}"
        suite.look("versions", is_said, words)
