"""The rest-legacy product: page numbers, errors inside HTTP 200, pinyin names, local codes, no deletes."""

import json
import re
import secrets
from functools import cache

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from yuyan.domain import contracts, platforms
from yuyan_demo.simulator.products import encode, faults, state
from yuyan_demo.simulator.products.answers import BadParameter, integer, json_answer
from yuyan_demo.simulator.products.assignment import LEGACY, entities_of, unannounced
from yuyan_demo.simulator.products.today import Platforms, Today

MAX_PAGE = 1000

LOCAL_CODES = {
    "gender": {"1": "男", "2": "女"},
    "study_mode": {"1": "QRZ", "2": "FQRZ"},
    "degree_level": {"1": "BS", "2": "SS"},
    "degree_type": {"1": "XS", "2": "ZY"},
    "student_state": {"10": "A", "20": "B", "30": "C", "40": "D", "90": "Z"},
}
"""National code -> the vendor's, by code set; destinations are `L` + national code."""

SHORT_NUMBERS = ("student_id", "supervisor_id", "pi_supervisor_id")
"""Fields that travel without the institution's code in front; so do the items of teacher_ids."""

PHONE = "JHRDH"
STAMP = "%Y%m%d%H%M%S"


@cache
def tables() -> dict[str, tuple[str, dict[str, str]]]:
    """Vendor's table name -> (entity, {field: vendor's name}), as the product's profile has them."""
    profile = platforms.load()[LEGACY]
    own = [c for c in contracts.load().values() if c.owner == "university"]
    return {profile.table_of(c): (c.entity, profile.names_of(c)) for c in own}


class Legacy:
    """Handler of the product; one object serves every institution."""

    def __init__(self, platforms: Platforms) -> None:
        self._platforms = platforms

    def routes(self) -> list[Route]:
        """Routes below /legacy/<inst>."""
        return [Route("/legacy/{inst}/api/{table}", self.page)]

    def page(self, request: Request) -> Response:
        """One page of a table."""
        inst, table = request.path_params["inst"], request.path_params["table"]
        if self._platforms.is_down(inst):
            return json_answer(request, '{"code": 50300, "msg": "系统维护中"}', status=503)
        today = self._platforms.today()
        key = today.secrets.get(inst, {}).get("api_key", "")
        if not key or not secrets.compare_digest(request.headers.get("x-api-key", "").encode(), key.encode()):
            return _error(request, 40101, "接口密钥无效")
        entity, _ = tables().get(table, ("", {}))
        if entity not in {c.entity for c in entities_of(inst)}:
            return _error(request, 40400, f"数据表 {table} 不存在")
        try:
            number, size, since = _question(request)
        except BadParameter as error:
            return _error(request, 40000, str(error))
        return self._answer(request, today, inst, table, number, size, since)

    def _answer(
        self, request: Request, today: Today, inst: str, table: str, number: int, size: int, since: str | None
    ) -> Response:
        entity = tables()[table][0]
        fault = today.gauge.next(LEGACY, inst, entity)
        if fault == faults.TOO_MANY:
            return _error(request, 42900, "请求过于频繁，请稍后再试", retryAfter=1)
        if fault == faults.UNAVAILABLE:
            return _error(request, 50000, "系统内部错误，请重试")
        frame = today.cache.get((entity, inst, "live"), lambda: _live(today, entity, inst))
        if since:
            frame = frame.slice(frame["stamp"].search_sorted(since, side="left"))
        repeats = today.gauge.page_fault(LEGACY, faults.DUPLICATE, inst)
        if repeats:  # at least two pages, so that there is a border to repeat a record at
            size = min(size, max(1, (frame.height + 1) // 2))
        start = (number - 1) * size
        page = frame.slice(start, size)
        if repeats and number > 1 and page.height:
            page = pl.concat([frame.slice(start - 1, 1), page])
        if today.gauge.page_fault(LEGACY, faults.SHUFFLED, inst):
            page = page.reverse()
        head = {"code": 0, "msg": "ok", "total": frame.height, "pages": -(-frame.height // size)}
        items = encode.text_items(vendor_shape(page, table, inst))
        return json_answer(request, f'{json.dumps(head)[:-1]}, "data": {items}}}', fault=fault)


def vendor_shape(frame: pl.DataFrame, table: str, inst: str) -> pl.DataFrame:
    """Records in the vendor's names, order of digits and codes; every column is text."""
    entity, names = tables()[table]
    contract = contracts.load()[entity]
    columns = [pl.col("src_record_id").alias("JLID"), pl.col("stamp").alias("GXSJ")]
    columns += [_vendor_value(contract[field], inst).alias(name) for field, name in names.items()]
    if unannounced(inst, entity):
        columns.append(state.guardian_phone(frame).alias(PHONE))
    return frame.select(columns)


def _vendor_value(f: contracts.Field, inst: str) -> pl.Expr:
    value = pl.col(f.name)
    if f.type == "date":
        return value.str.replace(r"^(\d{4})-(\d{2})-(\d{2})$", "${1}${2}${3}")
    if f.type == "boolean":
        return value.replace({"true": "是", "false": "否"})
    if f.name in SHORT_NUMBERS:
        return _short(value, inst)
    if f.name == "teacher_ids":
        return value.str.split(";").list.eval(_short(pl.element(), inst)).list.join(";")
    if f.code_set == "graduation_destination":
        return pl.when(value != "").then("L" + value).otherwise(value)
    return value.replace(LOCAL_CODES.get(f.code_set, {}))


def _short(value: pl.Expr, inst: str) -> pl.Expr:
    own = value.str.contains(f"^{re.escape(inst)}.")
    return pl.when(own).then(value.str.slice(len(inst))).when(value != "").then("*" + value).otherwise(value)


def _live(today: Today, entity: str, inst: str) -> pl.DataFrame:
    """Records that are not deleted, in the order of pages: update time to the second, then record id."""
    records = state.records(today.home, today.day, entity, inst)
    stamped = records.with_columns(pl.col("updated_at").dt.strftime(STAMP).alias("stamp"))
    return stamped.filter(~pl.col("is_deleted")).sort("stamp", "src_record_id")


def _question(request: Request) -> tuple[int, int, str | None]:
    number, size = integer(request, "pageNo", 1), min(integer(request, "pageSize", MAX_PAGE), MAX_PAGE)
    since = request.query_params.get("updatedSince") or None
    if number < 1 or size < 1:
        raise BadParameter("pageNo 与 pageSize 从 1 起")
    if since and not re.fullmatch(r"\d{14}", since):
        raise BadParameter(f"updatedSince 应为 yyyyMMddHHmmss，收到 {since}")
    return number, size, since


def _error(request: Request, code: int, message: str, **more: int) -> Response:
    return json_answer(request, json.dumps({"code": code, "msg": message, **more}, ensure_ascii=False))
