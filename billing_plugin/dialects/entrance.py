"""The entrance of a face: its paths, which cost nothing; whoever enters finds the face itself.

A host that mounts us pays for every import at every start. So the app gets to know the paths of a
face and a blueprint that passes everything on; views, shapes and operations load when the first
request comes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import MethodNotAllowed, default_exceptions
from werkzeug.routing import Rule

PACKAGE = "billing_plugin.dialects"
EXTENSION = "billing"  # the key of app.extensions


class Entrance(Blueprint):
    """A face as the host's app knows it. `routes`: "module.view" of the face -> "METHOD /path";
    `package` holds its modules, where it is no dialect."""

    def __init__(self, name: str, routes: Mapping[str, str], *, package: str = "") -> None:
        super().__init__(name, __name__)
        self.routes = routes
        self._package = package or f"{PACKAGE}.{name}"
        self.record(self._add_routes)

    @cached_property
    def face(self) -> Any:
        """The face itself, with all its views."""
        found = import_module(f"{self._package}.face")  # lazy: at the first request
        for module in dict.fromkeys(view.partition(".")[0] for view in self.routes):
            import_module(f"{self._package}.{module}")  # lazy: likewise
        return getattr(found, self.name)

    def wrong_method(self, path: str) -> MethodNotAllowed | None:
        """The refusal of a method that a path of fixed words has not, although a sibling with an id
        in its place has it: the path is no id."""
        own = self._fixed.get(path.rstrip("/"))
        return None if own is None or request.method in own else MethodNotAllowed(sorted(own))

    @cached_property
    def _fixed(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for route in self.routes.values():
            method, path = route.split(" ", 1)
            if "<" not in path:
                implied = {"HEAD", "OPTIONS"} if method == "GET" else {"OPTIONS"}
                found.setdefault(path.rstrip("/"), set()).update(implied, {method})
        return found

    def _add_routes(self, state: BlueprintSetupState) -> None:
        for view, route in self.routes.items():
            method, path = route.split(" ", 1)
            endpoint = view.rpartition(".")[2]
            passed_on = partial(self._pass_on, endpoint)
            state.add_url_rule(path, endpoint, passed_on, methods=[method], strict_slashes=False)

    def _pass_on(self, endpoint: str, **arguments: Any) -> Response:
        found: Response = self.face.views[endpoint](**arguments)
        return found


def attend(root: Blueprint) -> None:
    """Has the faces nested in `root` admit callers, sign answers and answer their own errors."""
    root.before_request(_admit)
    root.after_request(_sign)
    root.register_error_handler(Exception, _failed)
    # Each code by itself: a host's handler for a code beats our handler for every exception.
    for code in default_exceptions:
        root.register_error_handler(code, _failed)


def _admit() -> None:
    _entered().face.admit()


def _sign(response: Response) -> Response:
    signed: Response = _entered().face.sign(response)
    return signed


def _failed(error: Exception) -> Response:
    answer: Response = _entered().face.failed(error)
    return answer


def _entered() -> Entrance:
    passed = (current_app.blueprints[name] for name in request.blueprints)
    return next(blueprint for blueprint in passed if isinstance(blueprint, Entrance))


class _Patient:
    """Mixed into a host's rule class: URL builders, slow to compile, wait until one is needed.

    All rules share the two that wait: a function for each would cost a collection of garbage.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _build_unknown if append_unknown else _build


def _build(rule: Rule, **values: Any) -> tuple[str, str]:
    rule._build = Rule._compile_builder(rule, False).__get__(rule, None)
    return rule._build(**values)


def _build_unknown(rule: Rule, **values: Any) -> tuple[str, str]:
    rule._build_unknown = Rule._compile_builder(rule, True).__get__(rule, None)
    return rule._build_unknown(**values)


@contextmanager
def cheap_routes(app: Flask) -> Iterator[None]:
    """Routes added meanwhile cost an app's start as little as can be."""
    with patient_rules(app), without_collections():
        yield


@contextmanager
def patient_rules(app: Flask) -> Iterator[None]:
    """Rules added meanwhile compile their URL builder when `url_for` first asks for it."""
    original = app.url_rule_class
    patient: type[Rule] = type("PatientRule", (_Patient, original), {})
    app.url_rule_class = patient
    try:
        yield
    finally:
        if original is type(app).url_rule_class:
            del app.url_rule_class
        else:
            app.url_rule_class = original


@contextmanager
def without_collections() -> Iterator[None]:
    """Has the garbage collector wait, for what is made now lives as long as the app: looking
    through all that the host has imported by then would take five times as long as the mount."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
