"""Native: lists page by page, each with the cursor to the next (see dialects/cursors.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Response
from marshmallow import fields, validate

from billing_plugin.dialects import cursors
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.cursors import MAX_CURSOR
from billing_plugin.dialects.native.face import Page, Strict, ok
from billing_plugin.dialects.openapi import Shape, many
from billing_plugin.dialects.wire import json_text, reply_text

T = TypeVar("T")


class PageQuery(Strict):
    """How much of a list, and where to go on."""

    limit = whole_number(1, 100, default=50)
    cursor = fields.String(load_default=None, validate=validate.Length(min=1, max=MAX_CURSOR))


class Listing(cursors.Listing):
    """One list as it is asked for, and as it is answered."""

    __slots__ = ()

    def answer(
        self, found: Sequence[T], shape: Callable[[T], Any], place_of: Callable[[T], Any]
    ) -> Response:  # fmt: skip
        """The page, and the cursor to the next; none after a page that is not full."""
        cursor = self.cursor_after(found, place_of)
        return ok([shape(one) for one in found], meta={"nextCursor": cursor})

    def answer_text(
        self, found: Sequence[T], text: Callable[[T], str], place_of: Callable[[T], Any]
    ) -> Response:  # fmt: skip
        """The same page, where there is a quicker way to the JSON of each."""
        cursor = json_text(self.cursor_after(found, place_of))
        page = ",".join(map(text, found))
        return reply_text(f'{{"success":true,"data":[{page}],"meta":{{"nextCursor":{cursor}}}}}')


def pages(item: Shape) -> Page:
    """The shape of a list of them that comes page by page."""
    return Page(many(item))
