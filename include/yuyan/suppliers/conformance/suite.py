"""Checks and what came of them. Every check looks at one thing, so that one fault fails one check.

A check that cannot be made because another failed (a count of records whose ids change) is not judged, and says why.
"""

from typing import Any

PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"
VERDICTS = {PASSED: "通过", FAILED: "不通过", NOT_JUDGED: "未判"}

CHECKS = {
    "availability": ("有应答，忙时重试后能好", "answers, if need be after some attempts"),
    "token": ("换取令牌（OAuth 2.0 客户端凭据）", "a token for client credentials (OAuth 2.0)"),
    "authentication": ("没有凭据或凭据有误时拒绝", "refuses missing and wrong credentials"),
    "errors": ("参数、实体有误时给约定的错误码", "answers wrong parameters and unknown entities with the agreed code"),
    "busy": ("过于频繁时说明多久以后再来", "says when to come back if it is asked too often"),
    "encoding": ("JSON、UTF-8、没有字节顺序标记", "JSON in UTF-8 without a byte order mark"),
    "compression": ("只在对方接受时以 gzip 压缩，内容相同", "gzip only for those who accept it, with the same content"),
    "envelope": ("信封的成员和类型", "members and types of the envelope"),
    "ids": ("记录编号：有、不过长、不重复、两次读取相同", "record ids: present, short, unique, the same when read again"),
    "fields": ("约定的字段都在，单位代码只有一个", "every agreed field is there, one institution code"),
    "types": ("值的类型和写法", "types and forms of values"),
    "codes": ("代码集", "code sets"),
    "versions": ("版本号或更新时间：可读、不超过上限、内容不变则不变", "versions: readable, within the bound, one content"),
    "paging": ("翻页不漏、不多、按顺序、会结束", "paging loses nothing, adds nothing, keeps the order, ends"),
    "count": ("计数与列出的一致", "counts agree with what is listed"),
    "window": ("增量窗口的两端", "both ends of an incremental window"),
    "tombstones": ("删除的记录另列，不再列为在用", "deletions are in their feed and no longer live"),
    "key_changes": ("换键的记录", "changed keys"),
    "history": ("与上次相比：消失的已列为删除，变了的有新版本", "since the last run: deletions said, changes newer"),
}  # fmt: skip
"""Check -> what it looks at, in Chinese and English."""
SHOWN = 5
MOST_PAGES = 6
"""Pages that are read in small steps and compared with the whole."""


class NoEnvelope(Exception):
    """An answer is not in its envelope: what it should hold cannot be judged."""


class Suite:
    """The verdicts of a run. `ask`ed checks are those the product has."""

    def __init__(self, checks: tuple[str, ...]) -> None:
        self.checks = checks
        self.examined = dict.fromkeys(checks, 0)
        self.faults: dict[str, list[str]] = {check: [] for check in checks}
        self.reasons: dict[str, str] = {}
        self.notes: list[str] = []

    def look(self, check: str, is_good: bool, fault: str) -> bool:
        """Count one look of a check; `fault` is what is said if it is not good. Returns `is_good`."""
        self.examined[check] += 1
        if not is_good:
            self.fault(check, fault)
        return is_good

    def fault(self, check: str, text: str) -> None:
        """Note a fault, once."""
        if text not in self.faults[check]:
            self.faults[check].append(text)

    def skip(self, checks: tuple[str, ...], reason: str) -> None:
        """Say why checks could not be made where they could not."""
        for check in checks:
            if check in self.examined:
                self.reasons.setdefault(check, reason)

    def note(self, text: str) -> None:
        """Note what is worth a look but no fault of the API."""
        if text not in self.notes:
            self.notes.append(text)

    def verdict(self, check: str) -> str:
        if self.faults[check]:
            return FAILED
        return PASSED if self.examined[check] and check not in self.reasons else NOT_JUDGED

    @property
    def is_conformant(self) -> bool:
        """Whether nothing failed, and nothing was left unjudged because something else went wrong."""
        return not self.reasons and not any(self.faults.values())

    def rows(self) -> list[dict[str, Any]]:
        """One row per check."""
        return [
            {
                "check": check, "label": CHECKS[check][0], "label_en": CHECKS[check][1], "verdict": self.verdict(check),
                "examined": self.examined[check], "faults": self.faults[check], "reason": self.reasons.get(check),
            }
            for check in self.checks
        ]  # fmt: skip
