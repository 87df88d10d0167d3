"""The platforms' API as OpenAPI 3.1, from the products' profiles and the contracts: what a vendor is tested against.

`document(platforms.load()["rest-versioned"])` has a path per call and a schema per entity. What OpenAPI has no word for, and
the conformance test needs, stands in `x-` members: `x-yuyan` of the document, `x-form` and `x-codes` of a field.
"""

from importlib.metadata import version
from typing import Any

from yuyan.domain import contracts
from yuyan.domain.contracts import Contract, Field
from yuyan.domain.platforms import Platform

JSON = "application/json"
MOST_ROWS = {"rest-versioned": 5000, "rest-legacy": 1000}
"""Greatest `limit` or `pageSize` that a platform must take."""

_DESCRIPTION = {
    "rest-versioned": "变更版本号、按记录编号翻页、删除与换键另列、计数。不符合约定的值照原样以字符串给出。"
    "字段一律给出，没有值的为 null。 / "
    "Change versions, paging by record id, deletions and key changes as feeds of their own, counts. A malformed value is a "
    "string; every field is present, null where there is no value.",
    "rest-legacy": "页码翻页，错误写在 HTTP 200 的信封里，一切值是字符串，空值为空字符串，没有删除清单。 / "
    "Page numbers, errors inside HTTP 200, every value a string, null an empty one, no feed of deletions.",
}


class NoApi(RuntimeError):
    """The product has no API over HTTP."""


def document(platform: Platform) -> dict[str, Any]:
    """The product's API. Raises NoApi."""
    if platform.connector not in MOST_ROWS:
        raise NoApi(
            f"{platform.product}（{platform.label}）没有 HTTP 接口；有的是 {'、'.join(MOST_ROWS)} / no API"
        )
    entities = [c for c in contracts.load().values() if c.owner == "university"]
    make = _versioned if platform.connector == "rest-versioned" else _legacy
    paths, schemas, security = make(platform, entities)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{platform.label}（{platform.product}）",
            "version": version("yuyan"),
            "description": _DESCRIPTION[platform.connector],
        },
        "servers": [{"url": "{base}", "variables": {"base": {"default": "https://platform.example/10611"}}}],
        "security": [{name: []} for name in security],
        "x-yuyan": {
            "product": platform.product,
            "connector": platform.connector,
            "record_id": platform.record_id[0],
            "version": platform.version,
            "most_rows": MOST_ROWS[platform.connector],
            "boolean": list(platform.formats.boolean),
            "date": platform.formats.date,
            "entities": {c.entity: platform.table_of(c) for c in entities},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": security},
    }


def _versioned(platform: Platform, entities: list[Contract]) -> tuple[dict, dict, dict]:
    window = [
        _query("minChangeVersion", {"type": "integer", "minimum": 0}, "变更版本号大于它的记录", True),
        _query("maxChangeVersion", {"type": "integer", "minimum": 0}, "变更版本号不大于它的记录", True),
        _query("afterId", {"type": "string"}, "接在这个记录编号之后"),
        _query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS["rest-versioned"]},
            "一页至多多少条",
        ),
    ]
    moment = {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$",
        "description": "北京时间",
    }
    number = {"type": "integer", "minimum": 0}
    schemas: dict[str, Any] = {
        "Error": _object(error={"type": "string"}, error_description={"type": "string"}),
        "Token": _object(
            access_token={"type": "string"},
            token_type={"type": "string"},
            expires_in={"type": "integer", "minimum": 1},
        ),
        "ChangeVersion": _object(changeVersion=number),
        "Count": _object(count=number),
        "Deletion": _object(**{platform.record_id[0]: _id(), platform.version: number, "deleted_at": moment}),
        "KeyChange": _object(
            **{platform.record_id[0]: _id(), platform.version: number},
            old_key={"type": "string", "description": "旧键，各部分以 | 相连"},
            new_key={"type": "string"},
        ),
    }
    errors = {
        "400": "参数有误",
        "401": "没有令牌或已失效",
        "404": "没有这个单位或实体",
        "429": "过于频繁",
        "503": "暂停服务",
    }
    refused = {code: _answer(text, "Error") for code, text in errors.items()}
    refused["429"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "秒"}}
    paths: dict[str, Any] = {
        "/oauth/token": {
            "post": {
                "operationId": "token",
                "summary": "换取令牌（OAuth 2.0 客户端凭据，RFC 6749 §4.4），凭据以 HTTP Basic 给出",
                "security": [{"client": []}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": _object(grant_type={"type": "string", "const": "client_credentials"})
                        }
                    },
                },
                "responses": {"200": _answer("令牌", "Token"), "401": refused["401"], "503": refused["503"]},
            }
        },
        "/changeVersion": _get(
            "changeVersion", "现在的变更版本号", [], _answer("版本号", "ChangeVersion"), refused
        ),
    }
    for c in entities:
        envelope = {name: {"type": "string"} for name in platform.envelope}
        envelope |= {platform.record_id[0]: _id(), platform.version: number, "updated_at": moment}
        fields = {
            platform.names_of(c)[f.name]: _typed(f, schemas)
            for f in c.supplied
            if f.name in platform.names_of(c)
        }
        schemas[c.entity] = _object(**envelope, **fields) | {"title": c.label, "description": c.purpose}
        at = f"/{platform.table_of(c)}"
        for suffix, item, text in (
            ("", c.entity, "在用的记录"),
            ("/deletes", "Deletion", "删除的记录"),
            ("/keyChanges", "KeyChange", "换了键的记录"),
        ):
            name = f"{c.entity}{suffix.replace('/', '_')}"
            schemas[f"{name}_page"] = _object(
                items={"type": "array", "items": _ref(item)}, nextAfterId={"type": ["string", "null"]}
            )
            answer = _answer("一页，按记录编号排序；nextAfterId 为 null 时结束", f"{name}_page")
            paths[at + suffix] = _get(name, f"{c.label}：{text}", window, answer, refused)
        paths[f"{at}/count"] = _get(
            f"{c.entity}_count", f"{c.label}：在用的条数", window[1:2], _answer("条数", "Count"), refused
        )
    flow = {"clientCredentials": {"tokenUrl": "oauth/token", "scopes": {}}}
    schemes = {"oauth": {"type": "oauth2", "flows": flow}, "client": {"type": "http", "scheme": "basic"}}
    for path in paths.values():
        for call in path.values():
            call.setdefault("security", [{"oauth": []}])
    return paths, schemas, schemes


def _legacy(platform: Platform, entities: list[Contract]) -> tuple[dict, dict, dict]:
    questions = [
        _query("pageNo", {"type": "integer", "minimum": 1, "default": 1}, "页码，从 1 起"),
        _query(
            "pageSize",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS["rest-legacy"]},
            "一页至多多少条",
        ),
        _query(
            "updatedSince",
            {"type": "string", "pattern": r"^\d{14}$"},
            "更新时间不早于它（含），yyyyMMddHHmmss",
        ),
    ]
    schemas: dict[str, Any] = {}
    paths = {}
    for c in entities:
        names = platform.names_of(c)
        fields = {names[f.name]: _text(f, platform) for f in c.supplied if f.name in names}
        stamp = {"type": "string", "pattern": r"^\d{14}$", "description": "更新时间，北京时间"}
        table = platform.table_of(c)
        schemas[c.entity] = _object(**{platform.record_id[0]: _id(), platform.version: stamp}, **fields)
        schemas[c.entity] |= {"title": c.label, "description": c.purpose}
        codes = "0 成功，40000 参数有误，40101 密钥无效，40400 没有这个表，42900 过于频繁（retryAfter 秒），50000 内部错误"
        schemas[f"{c.entity}_page"] = _object(
            code={"type": "integer", "description": codes},
            msg={"type": "string"},
            total={"type": "integer", "minimum": 0, "description": "问题的全部行数"},
            pages={"type": "integer", "minimum": 0, "description": "页数，没有行时为 0"},
            data={"type": "array", "items": _ref(c.entity)},
            retryAfter={"type": "number", "description": "秒"},
        ) | {"required": ["code", "msg"]}
        answer = _answer("一页，按更新时间和记录编号排序；出错时没有 data", f"{c.entity}_page")
        paths[f"/api/{table}"] = _get(c.entity, c.label, questions, answer, {})
    return paths, schemas, {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}


def _typed(f: Field, schemas: dict[str, Any]) -> dict[str, Any]:
    """A field in JSON's own types; codes are an enumeration of the set."""
    kind = "string" if f.type == "date" else f.type
    schema: dict[str, Any] = {"type": kind if f.mandatory else [kind, "null"], "x-form": f.type}
    if f.type == "date":
        schema["format"] = "date"
    item = schema
    if f.type == "array":
        item = schema["items"] = {"type": "string"}
    if f.code_set:
        name = f"code_{f.code_set}"
        schemas[name] = {"type": "string", "enum": sorted(contracts.code_sets()[f.code_set])}
        item["x-code-set"] = f"#/components/schemas/{name}"
    if f.pattern:
        schema["pattern"] = f.pattern
    if f.max_length:
        item["maxLength"] = f.max_length
    return schema | _said(f)


def _text(f: Field, platform: Platform) -> dict[str, Any]:
    """A field of a product on which everything is text."""
    schema: dict[str, Any] = {"type": "string", "x-form": f.type}
    if f.mandatory:
        schema["minLength"] = 1
    if f.code_set in platform.codes:
        schema["x-codes"] = platform.codes[f.code_set]
    if f.type == "boolean":
        schema["examples"] = list(platform.formats.boolean)
    return schema | _said(f)


def _said(f: Field) -> dict[str, str]:
    return {"title": f.label} | ({"description": f.description} if f.description else {})


def _id() -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": 200, "description": "记录编号，永不改变"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": _ref(schema)}}}


def _query(name: str, schema: dict[str, Any], description: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def _get(name: str, summary: str, parameters: list, answer: dict, refused: dict) -> dict[str, Any]:
    responses = {"200": answer, **refused}
    return {
        "get": {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}
    }
