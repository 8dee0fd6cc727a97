"""Writing pages: templates of our own, everything escaped, links that know where we are mounted.

Nothing of the host's templates, filters or context reaches them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, current_app, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from billing_plugin.dashboard import figures
from billing_plugin.dialects.entrance import EXTENSION

PATHS = {
    "overview": "/",
    "costs": "/costs",
    "items": "/items",
    "ledger": "/ledger",
    "stylesheet": "/style.css",
}
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(moment=figures.moment, age=figures.age)


def page(template: str, *, status: int = 200, **facts: Any) -> Response:
    """The template with these facts, as a response."""
    account = request.args.get("account", "")
    text = TEMPLATES.get_template(template).render(
        {"link": link, "named": account, "status": status, **facts}
    )
    return Response(text, status, mimetype="text/html")


def link(name: str, below: str = "", /, **said: Any) -> str:
    """The address of a page, about the same account; what is None or empty is not said."""
    account = request.args.get("account")
    values = {"account": account, **said}
    query = urlencode({key: text for key, text in values.items() if text not in (None, "")})
    path = PATHS[name] + (f"/{quote(below, safe='')}" if below else "")
    return f"{_root()}{path}" + (f"?{query}" if query else "")


def _root() -> str:
    """Where the pages are mounted that the request is about, also where no route matches."""
    names = [f"{name}.dashboard" for name in current_app.extensions[EXTENSION]]
    rules = (
        rule.rule.rstrip("/")
        for name in names
        if name in current_app.blueprints
        for rule in current_app.url_map.iter_rules(f"{name}.show_overview")
    )
    under = [path for path in rules if request.path == path or request.path.startswith(path + "/")]
    return quote(request.script_root + max(under, key=len, default=""))
