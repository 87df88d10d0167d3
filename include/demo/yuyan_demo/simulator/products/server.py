"""The process behind both REST products. Bound to loopback: it stands in for platforms, it does not publish anything."""

import logging
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from yuyan_demo.simulator.products.legacy import Legacy
from yuyan_demo.simulator.products.today import Platforms
from yuyan_demo.simulator.products.versioned import Tokens, Versioned


def app(home: Path) -> Starlette:
    """The application that serves /versioned/<inst> and /legacy/<inst> of a home."""
    platforms = Platforms(home)
    return Starlette(
        routes=Versioned(platforms, Tokens()).routes() + Legacy(platforms).routes(),
        exception_handlers={FileNotFoundError: _nothing_prepared},
    )


def serve(home: Path, port: int) -> None:
    """Serve until stopped; warnings and errors go to standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("uvicorn.error").addFilter(_not_cut_on_purpose)
    uvicorn.run(app(home), host="127.0.0.1", port=port, log_config=None, access_log=False)


def _nothing_prepared(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(
        {"error": "unavailable", "error_description": f"no day has been prepared: {error}"}, 503
    )


def _not_cut_on_purpose(record: logging.LogRecord) -> bool:
    return "returned without completing response" not in record.getMessage()
