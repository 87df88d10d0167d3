"""What REST platforms have in common: a client, envelopes decoded at once, pages parsed by the announced names."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import polars as pl

from yuyan.collect.http import Client, Gate, NotServed, Transient
from yuyan.collect.pages import BadPage, parse
from yuyan.collect.source import (
    Page,
    Resource,
    SourceError,
    too_much,
)
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

T = TypeVar("T")


class Rest:
    """What both products share: a client, the announced names of an entity, parsing."""

    proves_at_end = False

    def __init__(self, institution: Institution, connection: Any) -> None:
        extra = connection.extra_dejson
        host = connection.host or ""
        base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        if connection.port:
            base = f"{base}:{connection.port}"
        platform = institution.platform
        self.institution = institution
        self.complaints: list[str] = []
        self._connection = connection
        self._who = f"{institution.inst_code} {institution.name}"
        gate = Gate(platform.requests_per_second, platform.concurrency)
        self._limits = platform.limits
        self._client = Client(
            self._who,
            base + extra.get("path", ""),
            gate,
            platform.timeout_seconds,
            self._limits.answer_mb,
            extra.get("proxy"),
        )

    def close(self) -> None:
        self._client.close()

    def _not_served(self, entity: str, table: str, said: str) -> NotServed:
        """What it means that a platform does not know an entity: its vendor has to add it, until then nobody asks."""
        return NotServed(
            f"{self._who} {entity}：平台没有 {table}（{said}）。应当提供的请厂商补上；还不能提供的写入 "
            f"{self.institution.path.name} 的 not_yet，到能提供时再删去。/ the platform does not serve {table} ({said}): "
            "ask its vendor, and list the entity under not_yet until then"
        )

    def _parse(self, raw: bytes, entity: str, feed: str, names: tuple[str, ...] = ()) -> Page:
        if raw.count(b"{") > self._limits.page_rows:
            raise too_much(self.institution, entity, "page_rows", "一页的记录", "records of one page")
        contract = contracts.load()[entity]
        mapping = self.institution.mapping(contract)
        arrays = frozenset(
            mapping.names[f.name] for f in contract.supplied if f.type == "array" and f.name in mapping.names
        )
        try:
            return parse(raw, names or mapping.announced, arrays, feed, self._limits.unannounced)
        except BadPage as error:
            raise SourceError(
                f"{self._who} {entity}：返回的数据不是约定的 JSON 记录数组，请核对平台版本。/ "
                f"{error}; check the platform's version"
            ) from None


def resource_of(table: str, raw: bytes) -> Resource:
    """Records of a page with all their fields, announced or not, as text; the type of a field is that of its first value."""
    try:
        records = json.loads(raw)
        names = list(dict.fromkeys(name for record in records for name in record))
    except (ValueError, TypeError, RecursionError):
        return Resource(
            table, pl.DataFrame(), problem="返回的不是 JSON 记录数组 / not a JSON array of records"
        )
    types, columns = {}, {}
    for name in names:
        values = [record.get(name) for record in records]
        types[name] = next((type(v).__name__ for v in values if v is not None), "")
        columns[name] = pl.Series(
            [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values],
            dtype=pl.String,
        )
    return Resource(table, pl.DataFrame(columns), types)


def decoder_of(kind: type[T]) -> Callable[[bytes], T]:
    decoder = msgspec.json.Decoder(kind)

    def decode(body: bytes) -> T:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, msgspec.ValidationError):  # cut in mid-body: whole next time
            raise Transient("应答不完整或不是约定的结构") from None
        except RecursionError:
            raise Transient("应答的嵌套过深，不是约定的结构") from None

    return decode
