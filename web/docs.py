"""The API's own documentation: /openapi.json, Swagger UI at /docs, Redoc at /redoc, and every asset they need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from web.conditional import conditional, etag_of
from web.contract import spellings
from web.replies import encode

STATIC = Path(__file__).parent / "static"
SWAGGER_UI = "swagger-ui-5.35.0"
REDOC = "redoc-3.0.1"
VENDORED = (SWAGGER_UI, REDOC)

# Nothing from outside, no inline script. Both libraries set styles inline and draw icons from data: URLs.
DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FOREVER = "public, max-age=31536000, immutable"  # a vendored file's folder carries its version
_REVALIDATE = "no-cache"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="$static/pages/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="$static/pages/page.css">
"""
_SWAGGER_PAGE = Template(
    _HEAD
    + f"""<link rel="stylesheet" href="$static/{SWAGGER_UI}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-document="$document"></div>
<script src="$static/{SWAGGER_UI}/swagger-ui-bundle.js"></script>
<script src="$static/pages/swagger.js"></script>
</body>
</html>
"""
)
_REDOC_PAGE = Template(
    _HEAD
    + f"""</head>
<body>
<div id="redoc" data-document="$document" data-redoc="$static/{REDOC}/redoc.standalone.js"></div>
<script type="module" src="$static/pages/redoc.js"></script>
</body>
</html>
"""
)


def install_docs(
    app: web.Application,
    document: Mapping[str, Any],
) -> None:
    """Serve an OpenAPI document and both pages, each under the four spellings of its path."""
    body, title = encode(document), document["info"]["title"]
    handlers: dict[str, Handler] = {
        "/openapi.json": _openapi(body),
        "/docs": _page(_SWAGGER_PAGE, f"{title}: Swagger UI"),
        "/redoc": _page(_REDOC_PAGE, f"{title}: Redoc"),
        **{f"/static/{name}": _asset(path) for name, path in assets().items()},
    }
    for path, handler in handlers.items():
        for spelling in spellings(path):
            app.router.add_get(spelling, handler)


def assets() -> dict[str, Path]:
    """Every static file by its path below /static; nothing else is ever served."""
    return {path.relative_to(STATIC).as_posix(): path for path in sorted(STATIC.glob("*/*")) if path.is_file()}


def _asset(path: Path) -> Handler:
    headers = {
        "Content-Type": _TYPES[path.suffix],
        "Cache-Control": _FOREVER if path.parent.name in VENDORED else _REVALIDATE,
    }

    async def asset(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(path, headers=headers)  # ETag, conditional and range requests are aiohttp's

    return asset


def _openapi(body: bytes) -> Handler:
    tag = etag_of(body)

    async def openapi(request: web.Request) -> web.Response:
        return conditional(request, body, etag=tag, headers={}, personal=False)

    return openapi


def _page(template: Template, title: str) -> Handler:
    async def page(request: web.Request) -> web.Response:
        # A proxy may pass on /api alone: a page found there finds its parts there.
        prefix = "/api" if request.path.startswith("/api/") else ""
        text = template.substitute(title=title, static=f"{prefix}/static", document=f"{prefix}/openapi.json")
        headers = {"Content-Security-Policy": DOCS_CSP, "Cache-Control": _REVALIDATE}
        return web.Response(text=text, content_type="text/html", headers=headers)

    return page
