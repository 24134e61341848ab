"""Layers import downwards only, heavy packages stay in their homes, and nothing dangerous is called."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.servers import ROOT

LAYERS = (
    {"errors", "clock", "config", "formats", "forks"},
    {"backends"},
    {"core"},
    {"telemetry"},
    {"market"},
    {"decorators"},  # they share how tickers and holdings are read
    {"ops"},
    {"runtime"},
    {"avcache"},  # the door: avcache/__init__.py
    {"api", "ui"},
    {"cli"},  # its bench serves the API
    {"app", "pages", "__main__"},
)
"""Lowest first. A new module of avcache/ gets its place here."""

RANK = {unit: rank for rank, units in enumerate(LAYERS) for unit in units}

UPWARDS_WHEN_CALLED = {("decorators", "runtime")}
"""Inside a function only: the first call of a decorated function builds the shared runtime."""

HOMES = {
    "streamlit": (
        "app.py",
        "pages/*",
        "avcache/ui/shell.py",
        "avcache/ui/resources.py",
        "avcache/ui/components/*",
    ),
    "redis": (
        "avcache/backends/redis.py",
        "avcache/backends/redis_board.py",
        "avcache/backends/walk.py",
        "avcache/backends/connect.py",
        "avcache/backends/wire.py",
        "avcache/runtime.py",
    ),
    "yfinance": ("avcache/market/yahoo.py",),
    "apscheduler": ("avcache/ops/cron.py",),
    "exchange_calendars": ("avcache/market/calendar.py",),
}
"""Where a package may be imported, even inside a function."""

BANNED = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
BANNED_FLAGS = {"unsafe_allow_html", "allow_pickle"}
BANNED_CALLS = {"flushdb", "flushall", "monitor", "read_pickle", "to_pickle"}
BANNED_COMMANDS = ("KEYS", "FLUSHDB", "FLUSHALL", "MONITOR")


@dataclass(frozen=True, slots=True)
class Import:
    """`module` is absolute, `when_called` tells that it stands inside a function."""

    module: str
    line: int
    when_called: bool

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]


def sources() -> list[Path]:
    app = ROOT / "app.py"
    return [
        *([app] if app.exists() else []),
        *sorted((ROOT / "pages").rglob("*.py")),
        *sorted((ROOT / "avcache").rglob("*.py")),
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


SOURCES = sources()
each_source = pytest.mark.parametrize("path", SOURCES, ids=name_of)


def imports_of(tree: ast.Module, package: str) -> Iterator[Import]:
    """All imports of a module that lies in *package*; `from a import b` counts as both `a` and `a.b`."""

    def walk(node: ast.AST, when_called: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, when_called) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
                base = ".".join([*above, *([child.module] if child.module else [])])
                yield from (Import(f"{base}.{alias.name}", child.lineno, when_called) for alias in child.names)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, when_called or inside)

    return walk(tree, when_called=False)


def imports_in(path: Path) -> list[Import]:
    return list(imports_of(ast.parse(path.read_text()), ".".join(path.relative_to(ROOT).parent.parts)))


def unit_of_file(path: str) -> str:
    """The unit a file belongs to: `avcache/core/keys.py` to core, `avcache/__init__.py` to avcache."""
    parts = path.removesuffix(".py").split("/")
    return parts[1] if parts[0] == "avcache" and parts[1:] != ["__init__"] else parts[0]


def unit_of_import(module: str) -> str | None:
    """The unit that is imported, None for other packages; `avcache.cache` is a name of the door."""
    top, _, rest = module.partition(".")
    if top != "avcache":
        return top if top in ("app", "pages") else None
    first = rest.partition(".")[0]
    is_module = first in RANK or (ROOT / "avcache" / f"{first}.py").exists()
    return first if first and is_module else "avcache"


def wrong_way(path: str, found: Import) -> str | None:
    """What is wrong with this import, or None."""
    here, there = unit_of_file(path), unit_of_import(found.module)
    if there is None or there == here:
        return None
    # A unit without a place is the business of the test for that.
    above, below = RANK.get(here, len(LAYERS)), RANK.get(there, 0)
    if below < above or below == above == 0:
        return None
    if found.when_called and (here, there) in UPWARDS_WHEN_CALLED:
        return None
    return f"{path}:{found.line}: {here} may not import {there} ({found.module})"


def strayed(path: str, found: Import) -> str | None:
    homes = HOMES.get(found.package)
    if homes is None or any(fnmatch(path, home) for home in homes):
        return None
    return f"{path}:{found.line}: {found.package} may only be imported in {', '.join(homes)}"


def dangers_in(tree: ast.Module) -> Iterator[str]:
    """What must not stand in our sources, as syntax: comments and docstrings may speak of it."""
    imports = list(imports_of(tree, ""))
    yield from (f"line {found.line}: import {found.module}" for found in imports if found.package in BANNED)
    speaks_redis = any(found.package == "redis" for found in imports)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in BANNED_FLAGS and not _is_false(node.value):
            yield f"line {node.lineno}: {node.arg}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = node.func.attr
            asks_for_keys = called == "keys" and bool(node.args) and speaks_redis  # dict.keys() takes nothing
            is_command = called == "execute_command" and _first_word(node).startswith(BANNED_COMMANDS)
            if called in BANNED_CALLS or asks_for_keys or is_command:
                yield f"line {node.lineno}: .{called}()"


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _first_word(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value.upper() if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def test_there_is_something_to_check() -> None:
    assert "avcache/errors.py" in map(name_of, SOURCES)


def test_every_module_has_a_layer() -> None:
    homeless = {name_of(path) for path in SOURCES if unit_of_file(name_of(path)) not in RANK}

    assert not homeless, "give them a place in LAYERS, and in docs/architecture.md"


@each_source
def test_imports_point_downwards(path: Path) -> None:
    wrong = [problem for found in imports_in(path) if (problem := wrong_way(name_of(path), found))]

    assert not wrong


@each_source
def test_streamlit_redis_and_yfinance_stay_in_their_homes(path: Path) -> None:
    wrong = [problem for found in imports_in(path) if (problem := strayed(name_of(path), found))]

    assert not wrong


@each_source
def test_nothing_dangerous_is_called(path: Path) -> None:
    assert not list(dangers_in(ast.parse(path.read_text())))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("avcache/core/keys.py", "from avcache.market import price"),
        ("avcache/core/keys.py", "from avcache import runtime"),
        ("avcache/core/keys.py", "def f():\n    from ..runtime import shared"),
        ("avcache/decorators.py", "import avcache.runtime"),
        ("avcache/market/service.py", "from avcache import cached"),
        ("avcache/telemetry/ring.py", "from avcache.decorators import cached"),
        ("avcache/api/routes.py", "from avcache.ui import charts"),
        ("avcache/ui/shell.py", "import pages.overview"),
    ],
)
def test_the_map_sees_a_wrong_import(path: str, source: str) -> None:
    found = imports_of(ast.parse(source), ".".join(path.split("/")[:-1]))

    assert any(wrong_way(path, one) for one in found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("avcache/decorators.py", "def f():\n    from avcache import runtime"),
        ("avcache/config.py", "from avcache.errors import ConfigError"),
        ("avcache/core/keys.py", "from avcache.core.entry import Entry"),
        ("avcache/__init__.py", "from avcache.decorators import cached\nfrom avcache import runtime"),
        ("avcache/runtime.py", "from avcache.ops import keyspace"),
        ("pages/overview.py", "from avcache.ui import overview\nfrom avcache import cache"),
    ],
)
def test_the_map_lets_a_right_import_pass(path: str, source: str) -> None:
    found = imports_of(ast.parse(source), ".".join(path.split("/")[:-1]))

    assert not any(wrong_way(path, one) for one in found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from shelve import open",
        "st.markdown(text, unsafe_allow_html=True)",
        "client.flushdb()",
        "pipe.flushall(asynchronous=True)",
        "client.execute_command('KEYS *')",
        "import redis\nclient.keys('*')",
        "pd.read_pickle(path)",
        "np.load(path, allow_pickle=True)",
    ],
)
def test_the_scan_sees_a_danger(source: str) -> None:
    assert list(dangers_in(ast.parse(source)))


PROBE = """
import json, os, sys, threading

reads, sockets, threads = set(), [], []
getitem = os._Environ.__getitem__
os._Environ.__getitem__ = lambda self, name: (reads.add(name), getitem(self, name))[1]
sys.addaudithook(lambda event, _: sockets.append(event) if event.startswith("socket.") else None)
start = threading.Thread.start
threading.Thread.start = lambda self: (threads.append(self.name), start(self))[1]

import avcache

seen = {"modules": list(sys.modules), "reads": list(reads), "sockets": sockets, "threads": threads}
print(json.dumps(seen))
"""


def test_importing_avcache_does_nothing() -> None:
    ours = {"REDIS_HOST": "nowhere", "CACHE_PRICE_TTL": "wrong", "AVCACHE_PROVIDER": "wrong"}

    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        check=True,
    )

    seen = json.loads(done.stdout)
    heavy = {"streamlit", "pandas", "numpy", "yfinance", "redis", "pydantic_settings"}
    assert not heavy & set(seen["modules"])
    assert not ours.keys() & set(seen["reads"])
    assert not seen["sockets"]
    assert not seen["threads"]
    assert not done.stderr
