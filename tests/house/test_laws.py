"""Shows that each law can fail: a small lawful house, and one bad change to it for each law."""

from pathlib import Path

import pytest

from tests.house.laws import LAWS, entry, report, stale, unexcused
from tests.house.source import Offence, read_source

DOC = '"""Stands here for a test."""\n'
TYPED = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "

LAWFUL = {
    "pyproject.toml": '[tool.pytest]\nfilterwarnings = ["error"]\n',
    "billing_plugin/__init__.py": DOC + "from billing_plugin.extension import Billing\n",
    "billing_plugin/extension.py": DOC
    + "from peewee import Database\nfrom billing_plugin import dialects, operations\n"
    + f"class Billing:\n    {DOC}    database: Database\n",
    "billing_plugin/context.py": DOC
    + "from datetime import datetime\ndef now() -> datetime:\n    return datetime.now()\n",
    "billing_plugin/money.py": DOC
    + "def refuse(value: object) -> None:\n    assert not isinstance(value, float)\n",
    "billing_plugin/models/__init__.py": DOC,
    "billing_plugin/models/ledger.py": DOC + "import peewee\nfrom .. import context\n",
    "billing_plugin/operations/__init__.py": DOC
    + "from billing_plugin.models import ledger\n"
    + f"@operation(scope='read')\ndef look(actor: object) -> None:\n    {DOC}",
    "billing_plugin/dialects/__init__.py": DOC + "from billing_plugin.dialects import native, xai",
    "billing_plugin/dialects/wire.py": DOC,
    "billing_plugin/dialects/native/__init__.py": DOC + "from .. import wire\nimport flask\n",
    "billing_plugin/dialects/xai/__init__.py": DOC
    + TYPED
    + "from billing_plugin.models import ledger\n",
    "billing_plugin/dashboard/face.py": DOC + "from billing_plugin.dialects import wire\n",
    "tests/dashboard/test_face.py": DOC + "def test_it() -> None: ...\n",
    "billing_plugin/cli.py": DOC
    + "def main() -> None:\n    from billing_plugin import demo  # lazy: one command\n",
    "billing_plugin/demo/__init__.py": DOC
    + "import redis\nasync def ask() -> None:\n    import mcp.client\n",
    "worker/__init__.py": DOC + "import rq\nfrom billing_plugin import Billing, operations\n",
    "mcp_server/__init__.py": DOC + "import pydantic\n",
    "tests/models/test_ledger.py": DOC + "def test_it() -> None: ...\n",
    "tests/dialects/test_wire.py": DOC + "def test_it() -> None: ...\n",
}


def fill(lines: int) -> str:
    """A function of that many lines."""
    return DOC + "def long() -> None:\n" + "    pass\n" * (lines - 1)


def body(text: str) -> str:
    """A function with that body."""
    return DOC + "def inner(value: object) -> None:\n" + text


MIGRATION = "billing_plugin/migrations/0001_first.py"
PERIODS = "billing_plugin/periods.py"
NATIVE = "billing_plugin/dialects/native/__init__.py"
LEDGER = "billing_plugin/models/ledger.py"
TOOL = "mcp_server/tools/__init__.py"
EXTENSION = "billing_plugin/extension.py"
FAKE = "billing_plugin/providers/__init__.py"
JOBS = "worker/jobs.py"
PAGES = "billing_plugin/dashboard/face.py"

# law, the file that is changed, its new text, and what the report must name
BAD = [
    ("rooms", LEDGER, DOC + "from billing_plugin.operations import look\n", "operations"),
    ("rooms", LEDGER, DOC + "from billing_plugin import extension\n", "extension"),
    ("rooms", LEDGER, DOC + "from billing_plugin import Billing\n", "billing_plugin.Billing"),
    ("rooms", LEDGER, DOC + TYPED + "from ..operations import look\n", "operations.look"),
    ("rooms", LEDGER, body("    from billing_plugin import cli  # lazy: no\n"), "cli"),
    ("rooms", LEDGER, DOC + "import worker\n", "worker"),
    ("rooms", NATIVE, DOC + "from billing_plugin import dashboard\n", "dialects may not"),
    ("dialects", PAGES, DOC + "from billing_plugin.dialects import native\n", "dashboard may not"),
    ("rooms", NATIVE, DOC + "from billing_plugin.models import ledger\n", "models.ledger"),
    ("rooms", NATIVE, DOC + TYPED + "pass\nelse:\n    from ...models import ledger\n", "ledger"),
    ("rooms", MIGRATION, DOC + "from billing_plugin import money\n", "may not import money"),
    ("rooms", JOBS, DOC + "from billing_plugin.models import ledger\n", "worker may not"),
    ("rooms", "billing_plugin/attic.py", DOC, "stands in no room"),
    ("dialects", NATIVE, DOC + "from billing_plugin.dialects import xai\n", "native may not"),
    ("dialects", "billing_plugin/dialects/wire.py", DOC + "from . import xai\n", "wire may not"),
    ("libraries", LEDGER, DOC + "import flask\n", "models may not use flask"),
    ("libraries", PERIODS, DOC + "from peewee import Model\n", "peewee.Model"),
    ("libraries", PERIODS, DOC + "import numpy\n", "numpy"),
    ("libraries", EXTENSION, DOC + "from peewee import Model\n", "only Database"),
    ("libraries", "billing_plugin/demo/agent.py", DOC + "import mcp\n", "only inside a function"),
    ("import_cycles", PERIODS, DOC + "from . import periods\n", "periods <- "),
    ("import_cycles", "billing_plugin/context.py", DOC + "from .models import ledger\n", "cycle"),
    ("imports_in_functions", PERIODS, body("    import json\n"), "json"),
    ("imports_in_functions", PERIODS, body("    import json  # lazy:\n"), "json"),
    ("imports_in_functions", PERIODS, body("    __import__('json')\n"), "json"),
    ("lazy_lines", PERIODS, DOC + "import json  # lazy: often\n" * 13, "> 12"),
    ("function_length", PERIODS, fill(51), "51 > 50"),
    ("function_p90", PERIODS, fill(26), "26 > 25"),
    ("function_median", PERIODS, DOC + fill(9).replace(DOC, "") * 9, "median 9 > 8"),
    ("file_length", PERIODS, DOC + "\n" * 350, "351 > 350"),
    ("file_median", "*", DOC + "\n" * 120, "median 121 > 120"),
    ("parameters", PERIODS, DOC + "def f(a: int, b: int, /, c: int, d: int): ...\n", "4 > 3"),
    (
        "nesting",
        PERIODS,
        body(
            "    for a in b:\n        with a:\n            if a:\n                try:\n"
            "                    pass\n                except E:\n                    pass\n"
        ),
        "4 > 3",
    ),
    ("branches", PERIODS, body("    if value: pass\n" * 11), "11 > 10"),
    ("branches_p90", PERIODS, body("    value if value else 0\n" * 6), "6 > 5"),
    ("annotations", PERIODS, DOC + "def f(a, *b: int) -> int: ...\n", "no annotation: a"),
    ("annotations", PERIODS, DOC + "def f(**c) -> int: ...\n", "no annotation: c"),
    ("annotations", PERIODS, DOC + "class C:\n    def f(self): ...\n", "C.f (no annotation: ret"),
    ("module_docstrings", PERIODS, "import json\n", "billing_plugin.periods"),
    ("module_docstrings", PERIODS, '"""Periods."""\n', "billing_plugin.periods"),
    ("docstrings", PERIODS, DOC + "class Window: ...\n", "Window"),
    ("docstrings", PERIODS, DOC + "@operation\ndef charge() -> None: ...\n", "charge"),
    ("docstrings", TOOL, DOC + "@server.tool()\ndef check() -> None: ...\n", "check"),
    (
        "docstrings",
        FAKE,
        DOC + f"class Fake:\n    {DOC}    def read(self) -> None: ...\n",
        "Fake.read",
    ),
    ("namesakes", "billing_plugin/models/holds.py", DOC, "tests/models/test_holds.py"),
    ("namesakes", "tests/models/test_ledger.py", DOC, "tests/models/test_ledger.py"),
    (
        "namesakes",
        "billing_plugin/dialects/xai/keys.py",
        DOC,
        "tests/dialects/xai/test_keys.py",
    ),
    ("floats", LEDGER, DOC + "rate = 0.5\n", "0.5"),
    ("floats", LEDGER, DOC + "rate = float('1')\n", "float()"),
    ("floats", LEDGER, DOC + "rate: 'float | None'\n", "annotation"),
    ("floats", LEDGER, DOC + "def f(a: list[float]) -> int: ...\n", "list[float]"),
    ("floats", LEDGER, DOC + "def f() -> float: ...\n", "float"),
    ("floats", LEDGER, DOC + "cost = peewee.DecimalField()\n", "DecimalField"),
    ("aborts", NATIVE, DOC + "flask.abort(404)\n", "flask.abort"),
    ("clocks", LEDGER, DOC + "import datetime as d\nat = d.datetime.now()\n", "datetime.now"),
    ("clocks", LEDGER, DOC + "from datetime import datetime\nf(default=datetime.utcnow)\n", "utcn"),
    ("clocks", LEDGER, DOC + "from time import time\nat = time()\n", "time.time"),
    ("names", "billing_plugin/models/ledger_utils.py", DOC, "contains utils"),
    ("names", PERIODS, DOC + "class KeyManager: ...\n", "contains Manager"),
    ("names", PERIODS, DOC + "def handle_it() -> None: ...\n", "contains handle_"),
    ("warnings_are_errors", "pyproject.toml", "[tool.pytest]\n", "filterwarnings"),
]


def build(root: Path, files: dict[str, str]) -> Path:
    """Write a small house."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def spoil(path: str, text: str) -> dict[str, str]:
    """The lawful house with one file changed, or (`*`) every Python file."""
    changed = [name for name in LAWFUL if name.endswith(".py")] if path == "*" else [path]
    return LAWFUL | dict.fromkeys(changed, text)


@pytest.mark.parametrize("law", LAWS)
def test_a_lawful_house_breaks_no_law(law: str, tmp_path: Path) -> None:
    assert not list(LAWS[law](read_source(build(tmp_path, LAWFUL))))


@pytest.mark.parametrize(
    ("law", "path", "text", "named"), BAD, ids=[f"{law}-{n}" for n, (law, *_) in enumerate(BAD)]
)
def test_a_bad_change_is_named(law: str, path: str, text: str, named: str, tmp_path: Path) -> None:
    source = read_source(build(tmp_path, spoil(path, text)))
    assert named in report(law, unexcused(law, source, set())).partition("\n")[2]


def test_every_law_is_shown_to_fail() -> None:
    assert {law for law, *_ in BAD} == set(LAWS)


def test_an_elif_stands_as_deep_as_its_if(tmp_path: Path) -> None:
    chain = "    if value: pass\n" + "    elif value: pass\n" * 4
    source = read_source(build(tmp_path, spoil(PERIODS, body(chain))))
    assert not list(LAWS["nesting"](source))


def test_an_offence_reads_as_a_place_a_name_and_a_reason() -> None:
    assert str(Offence("a.py", 3, "long", "51 > 50")) == "a.py:3 long (51 > 50)"


def test_a_known_violation_is_excused_and_a_mended_one_is_stale(tmp_path: Path) -> None:
    source = read_source(build(tmp_path, spoil(PERIODS, fill(51))))
    known = {entry("function_length", found) for found in LAWS["function_length"](source)}
    assert not unexcused("function_length", source, known)
    assert stale(source, {*known, "names: gone.py utils"}) == {"names: gone.py utils"}
