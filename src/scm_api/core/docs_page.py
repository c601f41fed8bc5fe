"""The interactive documentation: Swagger UI 5.35.0, served by the application itself.

It works without the internet: page, scripts and styles come from here, and from nowhere else.
"""

import hashlib
from html import escape
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse

from scm_api import __path__ as package_path

_STATIC = Path(package_path[0]) / "static" / "swagger-ui"
Asset = Literal["swagger-ui-bundle.js", "swagger-ui.css", "init.js", "favicon-32x32.png"]
_ASSETS: tuple[Asset, ...] = (
    "swagger-ui-bundle.js",
    "swagger-ui.css",
    "init.js",
    "favicon-32x32.png",
)
# Swagger UI sets style attributes and draws its icons from data: URLs; its scripts are files.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
# Relative addresses keep working under any prefix a proxy adds.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="docs/assets/favicon-32x32.png?v={version}">
<link rel="stylesheet" href="docs/assets/swagger-ui.css?v={version}">
</head>
<body>
<noscript>This page needs JavaScript; the document itself is <a href="{url}">{url}</a>.</noscript>
<div id="swagger-ui" data-openapi-url="{url}"></div>
<script src="docs/assets/swagger-ui-bundle.js?v={version}"></script>
<script src="docs/assets/init.js?v={version}"></script>
</body>
</html>
"""


def mount_docs(app: FastAPI) -> None:
    """Add `GET /docs` and `GET /docs/assets/{file}` to an application that has an `openapi_url`."""
    digest = hashlib.sha256(b"".join((_STATIC / name).read_bytes() for name in _ASSETS))
    page = _PAGE.format(
        title=escape(f"{app.title} - documentation"),
        url=escape((app.openapi_url or "").lstrip("/")),
        version=digest.hexdigest()[:12],
    )

    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY})

    async def asset(file: Annotated[Asset, PathParameter()]) -> FileResponse:
        # The page asks for them by version, so what was once fetched never changes.
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(_STATIC / file, headers=headers)

    app.add_api_route("/docs", docs, include_in_schema=False, response_class=HTMLResponse)
    app.add_api_route(
        "/docs/assets/{file}", asset, include_in_schema=False, response_class=FileResponse
    )
