"""The checks of a page-number API (rest-legacy)."""

from datetime import datetime, timedelta
from typing import Any

from yuyan.suppliers.conformance import records, values
from yuyan.suppliers.conformance.client import Answer, Client
from yuyan.suppliers.conformance.suite import MOST_PAGES, NoEnvelope, Suite

CHECKS = (
    "availability", "authentication", "errors", "busy", "encoding", "compression", "envelope", "ids", "fields", "types",
    "codes", "versions", "paging", "count", "window",
)  # fmt: skip
_NEED_IDS = ("paging", "count", "window")
STAMP = "%Y%m%d%H%M%S"


class Legacy:
    """One institution's platform. `login`: nothing and the API key."""

    def __init__(
        self,
        document: dict[str, Any],
        client: Client,
        suite: Suite,
        login: tuple[str, str],
        before: dict[str, Any],
    ) -> None:
        self._document, self._client, self._suite, self._key = document, client, suite, login[1]
        about = document["x-yuyan"]
        self._most, self._tables = about["most_rows"], about["entities"]
        self._id, self._version = about["record_id"], about["version"]
        self.state: dict[str, Any] = {}

    def run(self, entities: list[str]) -> None:
        """Make every check. Raises Unreachable, NoEnvelope."""
        table = self._tables[entities[0]]
        self._check_authentication(table)
        self._check_errors(table)
        plain = self._ask(table, compressed=False)
        asked = "对方不接受 gzip 时仍压缩 / compressed for a client that does not accept gzip"
        self._suite.look("compression", not plain.is_compressed, asked)
        for entity in entities:
            try:
                self._check_entity(entity, self._tables[entity])
            except NoEnvelope:
                self._suite.skip(CHECKS[7:], "信封不符合约定 / the envelope is not as agreed")

    def _check_authentication(self, table: str) -> None:
        for what, key in (("没有密钥 / no key", None), ("密钥有误 / a wrong key", self._key + "x")):
            code = _code(self._ask(table, key=key))
            self._suite.look(
                "authentication", code == (200, 40101), f"{what}：{_said(code)}，应为 HTTP 200、code 40101"
            )

    def _check_errors(self, table: str) -> None:
        tried = {
            "未知的表 / an unknown table": (40400, "NO_SUCH", {}),
            "pageNo=0": (40000, table, {"pageNo": 0}),
            "pageSize=x": (40000, table, {"pageSize": "x"}),
            "updatedSince=abc": (40000, table, {"updatedSince": "abc"}),
        }
        for what, (wanted, name, params) in tried.items():
            code = _code(self._ask(name, **params))
            self._suite.look(
                "errors", code == (200, wanted), f"{what}：{_said(code)}，应为 HTTP 200、code {wanted}"
            )

    def _check_entity(self, entity: str, table: str) -> None:
        suite = self._suite
        whole, total = self._list(table)
        again, _ = self._list(table)
        records.check_ids(entity, self._id, whole, again, suite)
        values.check(whole, entity, self._document, suite)
        self._check_versions(entity, whole)
        records.check_content(entity, self._id, self._version, whole, again, suite)
        if suite.faults["ids"]:
            suite.skip(_NEED_IDS, "记录编号不符合约定 / record ids are not as agreed")
            return
        live = {row[self._id]: row for row in whole}
        self._check_paging(entity, table, live)
        if suite.faults["paging"]:
            suite.skip(("count", "window"), "翻页不符合约定 / paging is not as agreed")
            return
        suite.look(
            "count",
            total == len(live),
            f"{entity}：total 为 {total}，列出 {len(live)} / total {total}, listed {len(live)}",
        )
        self._check_window(entity, table, live)

    def _check_versions(self, entity: str, whole: list[dict[str, Any]]) -> None:
        suite = self._suite
        for row in whole:
            is_stamp = _stamp(row.get(self._version)) is not None
            suite.look(
                "versions",
                is_stamp,
                f"{entity}：{self._version} 应为 yyyyMMddHHmmss / should be yyyyMMddHHmmss",
            )

    def _check_paging(self, entity: str, table: str, live: dict[str, Any]) -> None:
        """Small pages find what large ones have, in order, and say how many they are."""
        suite, asked = self._suite, max(1, min(500, -(-len(live) // 4)))
        first = self._page(table, pageSize=asked)
        size = len(first["data"]) or asked
        suite.look("paging", size <= asked, f"{entity}：一页多于 pageSize / more than pageSize on a page")
        wanted = -(-len(live) // size)
        suite.look(
            "paging",
            first["pages"] == wanted,
            f"{entity}：pages 为 {first['pages']}，应为 {wanted} / pages should be {wanted}",
        )
        found, last = {}, ("", "")
        for number in range(1, min(wanted, MOST_PAGES) + 1):
            rows = first["data"] if number == 1 else self._page(table, pageNo=number, pageSize=asked)["data"]
            fresh = [row for row in rows if row.get(self._id) not in found]
            keys = sorted((str(row.get(self._version)), str(row.get(self._id))) for row in fresh)
            suite.look(
                "paging",
                not keys or keys[0] > last,
                f"{entity}：页与页不按更新时间和记录编号排序 / pages are not in order",
            )
            last = keys[-1] if keys else last
            found.update((row.get(self._id), row) for row in fresh)
        expected = min(len(live), size * MOST_PAGES)
        suite.look(
            "paging", len(found) == expected and found.keys() <= live.keys(),
            f"{entity}：小页得到 {len(found)} 条，应为 {expected} 条 / rows in small pages, should be {expected}",
        )  # fmt: skip
        beyond = self._page(table, pageNo=wanted + 1, pageSize=asked)
        suite.look("paging", beyond["data"] == [], f"{entity}：末页之后还有行 / rows behind the last page")

    def _check_window(self, entity: str, table: str, live: dict[str, Any]) -> None:
        suite = self._suite
        stamps = sorted(row[self._version] for row in live.values() if _stamp(row.get(self._version)))
        if not stamps:
            return
        after = (_stamp(stamps[-1]) + timedelta(seconds=1)).strftime(STAMP)
        for since in (stamps[0], stamps[len(stamps) // 2], stamps[-1], after):
            rows, total = self._list(table, updatedSince=since)
            found = {str(row.get(self._id)) for row in rows}
            wanted = {i for i, row in live.items() if str(row.get(self._version)) >= since}
            words = f"{entity}：updatedSince 得到 {len(found)} 条，应为 {len(wanted)} 条 / the moment itself included"
            suite.look("window", found == wanted, words)
            if found == wanted:
                words = f"{entity}：窗口的 total 为 {total}，列出 {len(found)} / total and rows of a window"
                suite.look("count", total == len(found), words)

    def _list(self, table: str, **params: Any) -> tuple[list[dict[str, Any]], int]:
        """All rows of a question in the largest pages, and its total."""
        page = self._page(table, pageSize=self._most, **params)
        rows, total = list(page["data"]), page["total"]
        for number in range(2, page["pages"] + 1):
            known = {row.get(self._id) for row in rows[-self._most :]}
            more = self._page(table, pageNo=number, pageSize=self._most, **params)["data"]
            rows += [row for row in more if row.get(self._id) not in known]
        return rows, total

    def _page(self, table: str, **params: Any) -> dict[str, Any]:
        answer = self._ask(table, **params)
        body = answer.json if isinstance(answer.json, dict) else {}
        is_good = (
            answer.status == 200
            and body.get("code") == 0
            and all(_is_count(body.get(name)) for name in ("total", "pages"))
            and isinstance(body.get("data"), list)
            and all(isinstance(row, dict) for row in body["data"])
        )
        words = (
            f"/api/{table}：{_said(_code(answer))}，应有 code 0、total、pages、data / not the agreed envelope"
        )
        if not self._suite.look("envelope", is_good, words):
            raise NoEnvelope
        return body

    def _ask(self, table: str, key: str | None = "", compressed: bool = True, **params: Any) -> Answer:
        headers = {} if key is None else {"X-API-Key": key or self._key}
        return self._client.ask(
            f"/api/{table}", {"pageNo": 1, "pageSize": self._most} | params, headers, compressed=compressed
        )


def _code(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.json.get("code") if isinstance(answer.json, dict) else None


def _said(code: tuple[int, Any]) -> str:
    return f"HTTP {code[0]}、code {code[1]}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _stamp(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) != 14:
        return None
    try:
        return datetime.strptime(value, STAMP)
    except ValueError:
        return None
