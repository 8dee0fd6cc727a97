"""The one stylesheet, served from here: no page asks another place for anything."""

from __future__ import annotations

from pathlib import Path

from flask import Response, send_from_directory

from billing_plugin.dashboard.face import dashboard

STATIC = Path(__file__).parent / "static"


@dashboard.view()
def show_stylesheet() -> Response:
    """The stylesheet, which anybody may read."""
    response = send_from_directory(STATIC, "style.css")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
