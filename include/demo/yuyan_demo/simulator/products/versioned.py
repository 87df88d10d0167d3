"""The rest-versioned product: change-version windows, key paging, deletes and key changes, OAuth2 client credentials."""

import base64
import binascii
import json
import secrets
import threading
import time
from collections.abc import Callable

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from yuyan.domain.contracts import Contract
from yuyan_demo.simulator.products import encode, faults, state
from yuyan_demo.simulator.products.answers import BadParameter, integer, json_answer
from yuyan_demo.simulator.products.assignment import VERSIONED, entities_of, unannounced
from yuyan_demo.simulator.products.today import Platforms, Today

TOKEN_SECONDS = 1800
MAX_LIMIT = 5000


class Tokens:
    """Access tokens in force, each for one institution; safe under threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def issue(self, inst: str) -> str:
        """A new token, good for TOKEN_SECONDS."""
        token, now = secrets.token_urlsafe(24), self._clock()
        with self._lock:
            self._until = {k: until for k, until in self._until.items() if until > now}
            self._until[inst, token] = now + TOKEN_SECONDS
        return token

    def good(self, inst: str, token: str) -> bool:
        """Whether the token is in force for this institution."""
        with self._lock:
            return self._until.get((inst, token), 0.0) > self._clock()

    def revoke(self, inst: str, token: str) -> None:
        """Let a token expire now."""
        with self._lock:
            self._until.pop((inst, token), None)


class Versioned:
    """Handlers of the product; one object serves every institution."""

    def __init__(self, platforms: Platforms, tokens: Tokens) -> None:
        self._platforms, self._tokens = platforms, tokens

    def routes(self) -> list[Route]:
        """Routes below /versioned/<inst>."""
        base = "/versioned/{inst}"
        return [
            Route(f"{base}/oauth/token", self.token, methods=["POST"]),
            Route(f"{base}/changeVersion", self.change_version),
            Route(f"{base}/{{entity}}", self.live),
            Route(f"{base}/{{entity}}/deletes", self.deletes),
            Route(f"{base}/{{entity}}/keyChanges", self.key_changes),
            Route(f"{base}/{{entity}}/count", self.count),
        ]

    async def token(self, request: Request) -> Response:
        """OAuth2 client credentials (RFC 6749 §4.4) by HTTP Basic."""
        inst = request.path_params["inst"]
        if self._platforms.is_down(inst):
            return _error(request, 503, "unavailable", "the platform is down")
        if (await request.form()).get("grant_type") != "client_credentials":
            return _error(request, 400, "unsupported_grant_type", "grant_type must be client_credentials")
        secret = self._platforms.today().secrets.get(inst)
        given = _basic(request)
        expected = f"{secret['client_id']}:{secret['client_secret']}" if secret else ""
        if not secret or given is None or not secrets.compare_digest(given.encode(), expected.encode()):
            return _error(request, 401, "invalid_client", "client id or secret is wrong")
        answer = {
            "access_token": self._tokens.issue(inst),
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
        }
        return json_answer(request, json.dumps(answer))

    def change_version(self, request: Request) -> Response:
        """The greatest change version of the institution."""
        return self._open(request, lambda today, inst: self._version(request, today, inst))

    def live(self, request: Request) -> Response:
        """Live records of a change-version window, one page."""
        return self._entity(request, self._live)

    def deletes(self, request: Request) -> Response:
        """Deleted records of a change-version window, one page."""
        return self._entity(request, self._deletes)

    def key_changes(self, request: Request) -> Response:
        """Changed natural keys of a change-version window, one page."""
        return self._entity(request, self._key_changes)

    def count(self, request: Request) -> Response:
        """Number of live records up to a change version."""
        return self._entity(request, self._count)

    def _open(self, request: Request, answer: Callable[[Today, str], Response]) -> Response:
        inst = request.path_params["inst"]
        if self._platforms.is_down(inst):
            return _error(request, 503, "unavailable", "the platform is down")
        today = self._platforms.today()
        if inst not in today.secrets:
            return _error(request, 404, "unknown_institution", f"{inst} has no platform here")
        if not self._tokens.good(inst, _bearer(request)):
            return _error(request, 401, "invalid_token", "the access token is missing or has expired")
        try:
            return answer(today, inst)
        except BadParameter as error:
            return _error(request, 400, "bad_parameter", str(error))

    def _entity(
        self, request: Request, answer: Callable[[Request, Today, str, Contract], Response]
    ) -> Response:
        def find(today: Today, inst: str) -> Response:
            name = request.path_params["entity"]
            contract = next((c for c in entities_of(inst) if c.entity == name), None)
            if contract is None:
                return _error(request, 404, "unknown_entity", f"{inst} does not serve {name}")
            return answer(request, today, inst, contract)

        return self._open(request, find)

    def _version(self, request: Request, today: Today, inst: str) -> Response:
        return json_answer(request, json.dumps({"changeVersion": today.change_versions.get(inst, 0)}))

    def _live(self, request: Request, today: Today, inst: str, contract: Contract) -> Response:
        low, high, limit, after = _window(request)
        fault = today.gauge.next(VERSIONED, inst, contract.entity)
        if fault == faults.TOO_MANY:
            return _error(request, 429, "too_many_requests", "slow down", {"retry-after": "1"})
        if fault == faults.UNAVAILABLE:
            return _error(request, 503, "unavailable", "try again")
        if fault == faults.EXPIRED:
            self._tokens.revoke(inst, _bearer(request))
            return _error(request, 401, "invalid_token", "the access token has expired")
        frame = today.records(contract.entity, inst)
        wanted = (frame["change_version"] > low) & (frame["change_version"] <= high) & ~frame["is_deleted"]
        repeats = today.gauge.page_fault(VERSIONED, faults.DUPLICATE, inst)
        if repeats:  # at least two pages, so that there is a border to repeat a record at
            limit = min(limit, max(1, (int(wanted.sum()) + 1) // 2))
        page, last = _page(frame, wanted, after, limit)
        if repeats and after is not None:
            page = pl.concat([frame.filter((pl.col("src_record_id") == after) & wanted), page])
        if today.gauge.page_fault(VERSIONED, faults.SHUFFLED, inst):
            page = page.reverse()
        extra = ()
        if unannounced(inst, contract.entity):
            page, extra = page.with_columns(state.guardian_phone(page)), (state.PHONE,)
        return json_answer(request, _envelope(encode.typed_items(page, contract, extra), last), fault=fault)

    def _deletes(self, request: Request, today: Today, inst: str, contract: Contract) -> Response:
        low, high, limit, after = _window(request)
        frame = today.records(contract.entity, inst)
        wanted = (frame["change_version"] > low) & (frame["change_version"] <= high) & frame["is_deleted"]
        page, last = _page(frame, wanted, after, limit)
        items = page.select(
            "src_record_id",
            "change_version",
            pl.col("updated_at").dt.strftime("%Y-%m-%dT%H:%M:%S").alias("deleted_at"),
        )
        return json_answer(request, _envelope(encode.objects(items), last))

    def _key_changes(self, request: Request, today: Today, inst: str, contract: Contract) -> Response:
        low, high, limit, after = _window(request)
        live = today.records(contract.entity, inst).filter(~pl.col("is_deleted"))["src_record_id"]
        frame = today.key_changes.filter(
            pl.col("entity") == contract.entity,
            pl.col("src_inst_code") == inst,
            pl.col("src_record_id").is_in(live.implode()),
            pl.col("change_version").is_between(low, high, closed="right"),
        ).unique("src_record_id", keep="last", maintain_order=True)
        page, last = _page(frame, pl.repeat(True, frame.height, eager=True), after, limit)
        items = page.select("src_record_id", "change_version", "old_key", "new_key")
        return json_answer(request, _envelope(encode.objects(items), last))

    def _count(self, request: Request, today: Today, inst: str, contract: Contract) -> Response:
        high = integer(request, "maxChangeVersion")
        frame = today.records(contract.entity, inst)
        live = (frame["change_version"] <= high) & ~frame["is_deleted"]
        return json_answer(request, json.dumps({"count": int(live.sum())}))


def _window(request: Request) -> tuple[int, int, int, str | None]:
    """minChangeVersion, maxChangeVersion, limit and afterId of a question."""
    low, high = integer(request, "minChangeVersion"), integer(request, "maxChangeVersion")
    limit = min(integer(request, "limit", MAX_LIMIT), MAX_LIMIT)
    if limit < 1:
        raise BadParameter("limit must be at least 1")
    return low, high, limit, request.query_params.get("afterId") or None


def _page(
    frame: pl.DataFrame, wanted: pl.Series, after: str | None, limit: int
) -> tuple[pl.DataFrame, str | None]:
    """Up to `limit` wanted rows of a frame ordered by record id, and the id to go on after if there are more."""
    start = 0 if after is None else frame["src_record_id"].search_sorted(after, side="right")
    rows = wanted.slice(start).arg_true()[: limit + 1] + start
    page = frame[rows[:limit]]
    return page, page["src_record_id"][-1] if rows.len() > limit else None


def _envelope(items: str, last: str | None) -> str:
    return f'{{"items":{items},"nextAfterId":{json.dumps(last)}}}'


def _error(
    request: Request, status: int, error: str, description: str, headers: dict[str, str] | None = None
) -> Response:
    if status == 401:
        headers = {"www-authenticate": "Bearer"}
    return json_answer(
        request, json.dumps({"error": error, "error_description": description}), status, headers
    )


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _basic(request: Request) -> str | None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
