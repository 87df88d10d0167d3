"""The checks of a change-version API (rest-versioned)."""

import base64
import json
import re
import zlib
from typing import Any

from yuyan.suppliers.conformance import records, values
from yuyan.suppliers.conformance.client import Answer, Client
from yuyan.suppliers.conformance.suite import MOST_PAGES, NoEnvelope, Suite

CHECKS = (
    "availability", "token", "authentication", "errors", "busy", "encoding", "compression", "envelope", "ids", "fields",
    "types", "codes", "versions", "paging", "count", "window", "tombstones", "key_changes", "history",
)  # fmt: skip
_NEED_IDS = ("paging", "count", "window", "tombstones", "key_changes", "history")
_NEED_PAGES = _NEED_IDS[1:]
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")


class Versioned:
    """One institution's platform. `login`: client id and secret. `before`: the state that an earlier run left."""

    def __init__(
        self,
        document: dict[str, Any],
        client: Client,
        suite: Suite,
        login: tuple[str, str],
        before: dict[str, Any],
    ) -> None:
        self._document, self._client, self._suite, self._login = document, client, suite, login
        self._token = ""
        self._before = before
        self.state: dict[str, Any] = {"until": 0, "records": {}}
        self._most = document["x-yuyan"]["most_rows"]
        self._id, self._version = document["x-yuyan"]["record_id"], document["x-yuyan"]["version"]

    def run(self, entities: list[str]) -> None:
        """Make every check. Raises Unreachable, NoEnvelope."""
        self._check_token()
        self._check_authentication(entities[0])
        until = self._until()
        self._check_errors(entities[0], until)
        self._check_compression(entities[0], until)
        self.state["until"] = until
        for entity in entities:
            try:
                self._check_entity(entity, until)
            except NoEnvelope:
                self._suite.skip(CHECKS[8:], "信封不符合约定 / the envelope is not as agreed")

    def _check_token(self) -> None:
        answer = self._ask_token(*self._login)
        body = answer.json if isinstance(answer.json, dict) else {}
        is_good = (
            answer.status == 200 and isinstance(body.get("access_token"), str) and bool(body["access_token"])
        )
        self._suite.look(
            "token", is_good, f"/oauth/token 返回 HTTP {answer.status}，没有 access_token / no access_token"
        )
        if not is_good:
            self._suite.skip(CHECKS[2:], "没有令牌 / no token")
            raise NoEnvelope
        self._suite.look(
            "token",
            str(body.get("token_type")).lower() == "bearer",
            "token_type 应为 bearer / should be bearer",
        )
        expires = body.get("expires_in")
        is_seconds = isinstance(expires, int) and not isinstance(expires, bool) and expires > 0
        self._suite.look(
            "token", is_seconds, "expires_in 应为大于零的秒数 / should be seconds, more than none"
        )
        self._token = body["access_token"]

    def _ask_token(self, login: str, secret: str) -> Answer:
        basic = base64.b64encode(f"{login}:{secret}".encode()).decode()
        form = {"grant_type": "client_credentials"}
        return self._client.ask("/oauth/token", headers={"Authorization": f"Basic {basic}"}, form=form)

    def _check_authentication(self, entity: str) -> None:
        login, secret = self._login
        tried = {
            "密钥有误换取令牌 / a token for a wrong secret": self._ask_token(login, secret + "x"),
            "没有令牌 / no token": self._client.ask("/changeVersion"),
            "令牌有误 / a wrong token": self._client.ask(
                "/changeVersion", headers={"Authorization": "Bearer none"}
            ),
            "没有令牌读数据 / records without a token": self._client.ask(f"/{entity}", self._window(0, 0)),
        }
        for what, answer in tried.items():
            self._suite.look(
                "authentication",
                answer.status == 401,
                f"{what}：HTTP {answer.status}，应为 401 / should be 401",
            )

    def _check_errors(self, entity: str, until: int) -> None:
        tried = {
            "未知实体 / an unknown entity": (404, "/no_such_entity", self._window(0, until)),
            "minChangeVersion=abc": (400, f"/{entity}", self._window(0, until) | {"minChangeVersion": "abc"}),
            "没有 maxChangeVersion / no maxChangeVersion": (400, f"/{entity}", {"minChangeVersion": 0}),
            "limit=0": (400, f"/{entity}", self._window(0, until) | {"limit": 0}),
            "计数没有上限 / count without a bound": (400, f"/{entity}/count", {}),
        }
        for what, (status, path, params) in tried.items():
            answer = self._ask(path, params)
            self._suite.look(
                "errors",
                answer.status == status,
                f"{what}：HTTP {answer.status}，应为 {status} / should be {status}",
            )

    def _check_compression(self, entity: str, until: int) -> None:
        params = self._window(0, until)
        plain = self._ask(f"/{entity}", params, compressed=False)
        asked = "对方不接受 gzip 时仍压缩 / compressed for a client that does not accept gzip"
        self._suite.look("compression", not plain.is_compressed, asked)

    def _check_entity(self, entity: str, until: int) -> None:
        suite = self._suite
        whole = self._list(f"/{entity}", 0, until)
        again = self._list(f"/{entity}", 0, until)
        ids = [item.get(self._id) for item in whole]
        records.check_ids(entity, self._id, whole, again, suite)
        values.check(whole, entity, self._document, suite)
        owners = {str(item.get("src_inst_code")) for item in whole}
        suite.look(
            "fields", len(owners) < 2, f"{entity}：src_inst_code 不止一个 / more than one src_inst_code"
        )
        self._check_versions(entity, whole)
        records.check_content(entity, self._id, self._version, whole, again, suite)
        if suite.faults["ids"]:
            suite.skip(_NEED_IDS, "记录编号不符合约定 / record ids are not as agreed")
            return
        live = {item[self._id]: item for item in whole}
        self._check_paging(entity, whole, live, until)
        if suite.faults["paging"]:
            suite.skip(_NEED_PAGES, "翻页不符合约定 / paging is not as agreed")
            return
        total = self._count(entity, until)
        suite.look(
            "count",
            total == len(live),
            f"{entity}：计数 {total}，列出 {len(live)} / count {total}, listed {len(live)}",
        )
        self._check_windows(entity, live, until)
        self._check_deletes(entity, live, until)
        self._check_key_changes(entity, set(ids), until)
        self._remember(entity, live, until)

    def _check_versions(self, entity: str, whole: list[dict[str, Any]]) -> None:
        suite = self._suite
        for item in whole:
            given = item.get(self._version)
            is_number = isinstance(given, int) and not isinstance(given, bool) and given >= 1
            suite.look(
                "versions",
                is_number,
                f"{entity}：{self._version} 应为大于零的整数 / should be whole numbers from 1 up",
            )
            moment = item.get("updated_at")
            is_moment = isinstance(moment, str) and bool(_MOMENT.fullmatch(moment))
            suite.look(
                "versions",
                is_moment,
                f"{entity}：updated_at 应为 yyyy-mm-ddTHH:MM:SS / should be yyyy-mm-ddTHH:MM:SS",
            )

    def _check_paging(
        self, entity: str, whole: list[dict[str, Any]], live: dict[str, Any], until: int
    ) -> None:
        """Small steps find what one long page has, up to where they stop."""
        suite, limit = self._suite, max(1, min(500, -(-len(live) // 4)))
        found: set[str] = set()
        after, seen = None, set()
        for _ in range(MOST_PAGES):
            page = self._page(f"/{entity}", self._window(0, until, limit, after))
            ids = [str(item.get(self._id)) for item in page["items"]]
            fresh = [i for i in ids if i != after]
            suite.look("paging", len(fresh) <= limit, f"{entity}：一页多于 limit / more than limit on a page")
            end = page["nextAfterId"]
            within = all(
                (after is None or _order(i) > _order(after)) and (end is None or _order(i) <= _order(end))
                for i in fresh
            )
            suite.look(
                "paging",
                within,
                f"{entity}：页内记录不在 afterId 与 nextAfterId 之间 / records outside their page",
            )
            found |= set(ids)
            if end is None:
                break
            if not suite.look(
                "paging",
                end not in seen,
                f"{entity}：nextAfterId 重复，翻页没有前进 / paging does not move on",
            ):
                break
            seen.add(end)
            after = end
        reached = {i for i in live if end is None or _order(i) <= _order(end)}
        suite.look(
            "paging", found == reached,
            f"{entity}：小页得到 {len(found)} 条，整页得到 {len(reached)} 条 / small pages and large ones",
        )  # fmt: skip

    def _check_windows(self, entity: str, live: dict[str, Any], until: int) -> None:
        suite = self._suite
        versions = sorted(_number(item.get(self._version)) for item in live.values())
        newest = max(versions, default=0)
        suite.look(
            "window",
            newest <= until,
            f"{entity}：记录的版本号大于 changeVersion / versions above changeVersion",
        )
        middle = versions[len(versions) // 2] if versions else until // 2
        for low, high in ((0, middle), (middle, until), (until, until)):
            found = {str(i.get(self._id)) for i in self._list(f"/{entity}", low, high)}
            wanted = {i for i, item in live.items() if low < _number(item.get(self._version)) <= high}
            words = (
                f"{entity}：窗口 ({low}, {high}] 得到 {len(found)} 条，应为 {len(wanted)} 条 / other records"
            )
            suite.look("window", found == wanted, words)
        partly = self._count(entity, middle)
        wanted = sum(v <= middle for v in versions)
        suite.look(
            "count",
            partly == wanted,
            f"{entity}：截至 {middle} 计数 {partly}，列出 {wanted} / count {partly}, listed {wanted}",
        )

    def _check_deletes(self, entity: str, live: dict[str, Any], until: int) -> None:
        suite = self._suite
        gone = self._list(f"/{entity}/deletes", 0, until)
        for item in gone:
            version, moment = item.get(self._version), item.get("deleted_at")
            is_whole = (
                isinstance(item.get(self._id), str) and isinstance(version, int) and isinstance(moment, str)
            )
            suite.look(
                "tombstones",
                is_whole,
                f"{entity}：删除记录缺 {self._id}、{self._version} 或 deleted_at / a deletion lacks a member",
            )
            suite.look(
                "tombstones",
                _number(version) <= until,
                f"{entity}：删除的版本号超出窗口 / a deletion outside the window",
            )
            both = f"{entity}：删除的记录仍列为在用 / a deleted record is still live"
            suite.look("tombstones", item.get(self._id) not in live, both)
        newest = max((_number(item.get(self._version)) for item in gone), default=0)
        late = self._list(f"/{entity}/deletes", newest, until)
        suite.look(
            "tombstones",
            not late,
            f"{entity}：窗口之外的删除也列出 / deletions at or below the window's lower end",
        )

    def _check_key_changes(self, entity: str, live: set[str], until: int) -> None:
        for item in self._list(f"/{entity}/keyChanges", 0, until):
            old, new = item.get("old_key"), item.get("new_key")
            is_whole = isinstance(old, str) and isinstance(new, str) and old != new
            self._suite.look(
                "key_changes",
                is_whole,
                f"{entity}：old_key 与 new_key 应为不同的字符串 / should be different texts",
            )
            is_known = item.get(self._id) in live and 0 < _number(item.get(self._version)) <= until
            self._suite.look(
                "key_changes",
                is_known,
                f"{entity}：换键的记录不在用或版本号不符 / of no live record, or its version is wrong",
            )
        self._suite.look("key_changes", True, "")

    def _remember(self, entity: str, live: dict[str, Any], until: int) -> None:
        """Compare with the state of the run before, and leave the state for the next."""
        now = {i: [_number(item.get(self._version)), _digest(item)] for i, item in live.items()}
        self.state["records"][entity] = now
        before = self._before.get("records", {}).get(entity)
        if before is None:
            return
        since = self._before["until"]
        said = {str(i.get(self._id)) for i in self._list(f"/{entity}/deletes", since, until)}
        silent = before.keys() - now.keys() - said
        words = f"{entity}：{len(silent)} 条记录消失而不在删除清单中 / gone and in no feed of deletions"
        self._suite.look("history", not silent, words)
        moved = [i for i, (v, d) in before.items() if i in now and now[i][1] != d and now[i][0] <= v]
        words = f"{entity}：{len(moved)} 条记录内容变了而版本号没有增大 / changed without a greater version"
        self._suite.look("history", not moved, words)
        changed = {i for i, (v, _) in now.items() if v > since}
        window = {str(i.get(self._id)) for i in self._list(f"/{entity}", since, until)}
        self._suite.look(
            "history",
            changed <= window,
            f"{entity}：自上次以来的窗口漏了记录 / the window since the last run lacks records",
        )

    def _until(self) -> int:
        body = self._ask("/changeVersion").json
        given = body.get("changeVersion") if isinstance(body, dict) else None
        if not self._suite.look(
            "envelope",
            isinstance(given, int),
            "/changeVersion：changeVersion 应为整数 / should be a whole number",
        ):
            self._suite.skip(CHECKS[8:], "没有 changeVersion / no changeVersion")
            raise NoEnvelope
        return given

    def _count(self, entity: str, until: int) -> int:
        body = self._ask(f"/{entity}/count", {"maxChangeVersion": until}).json
        given = body.get("count") if isinstance(body, dict) else None
        if not self._suite.look(
            "envelope", isinstance(given, int), f"/{entity}/count：count 应为整数 / should be a whole number"
        ):
            raise NoEnvelope
        return given

    def _list(self, path: str, low: int, high: int) -> list[dict[str, Any]]:
        """Everything of a window, in the largest pages."""
        listing: list[dict[str, Any]] = []
        after, seen = None, set()
        while True:
            page = self._page(path, self._window(low, high, self._most, after))
            listing += [item for item in page["items"] if after is None or str(item.get(self._id)) != after]
            after = page["nextAfterId"]
            if after is None or after in seen:
                return listing
            seen.add(after)

    def _page(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(path, params)
        body = answer.json if isinstance(answer.json, dict) else {}
        items, end = body.get("items"), body.get("nextAfterId", 0)
        is_good = (
            answer.status == 200
            and isinstance(items, list)
            and all(isinstance(item, dict) for item in items)
            and isinstance(end, (str, type(None)))
        )
        words = (
            f"{path}：HTTP {answer.status}，应有 items（对象数组）和 nextAfterId / not the agreed envelope"
        )
        if not self._suite.look("envelope", is_good, words):
            raise NoEnvelope
        return body

    def _ask(self, path: str, params: dict[str, Any] | None = None, compressed: bool = True) -> Answer:
        for _ in range(2):
            answer = self._client.ask(
                path, params, {"Authorization": f"Bearer {self._token}"}, compressed=compressed
            )
            if answer.status != 401:
                break
            body = self._ask_token(*self._login).json
            self._token = body.get("access_token", "") if isinstance(body, dict) else ""
        return answer

    def _window(
        self, low: int, high: int, limit: int | None = None, after: str | None = None
    ) -> dict[str, Any]:
        params: dict[str, Any] = {
            "minChangeVersion": low,
            "maxChangeVersion": high,
            "limit": limit or self._most,
        }
        return params | ({"afterId": after} if after is not None else {})


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _order(record_id: str) -> bytes:
    return record_id.encode()


def _digest(item: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(item, sort_keys=True).encode())
