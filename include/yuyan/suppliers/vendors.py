"""What a platform's vendor gets: the API's documents and the conformance test, as files."""

import json
from pathlib import Path
from typing import Any

from yuyan.domain import platforms
from yuyan.suppliers import openapi, pack

MODULES = (
    "yuyan",
    "yuyan.collect",
    "yuyan.collect.moments",
    "yuyan.suppliers",
    "yuyan.suppliers.conformance",
    "yuyan.suppliers.conformance.cli",
    "yuyan.suppliers.conformance.client",
    "yuyan.suppliers.conformance.legacy",
    "yuyan.suppliers.conformance.records",
    "yuyan.suppliers.conformance.run",
    "yuyan.suppliers.conformance.suite",
    "yuyan.suppliers.conformance.values",
    "yuyan.suppliers.conformance.versioned",
)
DOCUMENTS = "yuyan/suppliers/conformance/documents.json"


def documents() -> dict[str, dict[str, Any]]:
    """The API of every product that has one, by product."""
    return {
        name: openapi.document(platform)
        for name, platform in platforms.load().items()
        if platform.connector in openapi.MOST_ROWS
    }


def document(product: str) -> dict[str, Any]:
    """The API of one product. Raises openapi.NoApi."""
    known = platforms.load()
    if product not in known:
        has_api = "、".join(sorted(documents()))
        raise openapi.NoApi(f"没有名为 {product} 的平台产品；有接口的是 {has_api} / no product of that name")
    return openapi.document(known[product])


def export(folder: Path) -> list[Path]:
    """Write `<product>.openapi.json` of every product that has an API, and the conformance test as one file."""
    folder.mkdir(parents=True, exist_ok=True)
    made = documents()
    texts = {name: json.dumps(content, ensure_ascii=False, indent=1) for name, content in made.items()}
    written = []
    for name, text in texts.items():
        written.append(folder / f"{name}.openapi.json")
        written[-1].write_text(text + "\n", encoding="utf-8")
    written.append(folder / "yuyan-conformance.pyz")
    packed = json.dumps(made, ensure_ascii=False).encode()
    written[-1].write_bytes(pack.pack("yuyan.suppliers.conformance.cli:main", MODULES, {DOCUMENTS: packed}))
    return written
