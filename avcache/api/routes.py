"""The routes: each turns a request into one call of `ops` or the cache, and the result into JSON."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from avcache import __version__
from avcache.api.problems import add_handlers
from avcache.api.schemas import (
    Cleared,
    ClearPlan,
    Coverage,
    Diagnosis,
    Info,
    Keys,
    NamespaceStats,
    Problem,
    Stats,
    TotalStats,
    WarmedUp,
)
from avcache.backends.memory import CURSOR
from avcache.errors import InvalidInput
from avcache.market.tickers import parse_tickers
from avcache.ops.keyspace import peek_found
from avcache.runtime import Runtime

__all__ = ["build_app"]

_NAMESPACES = ("price", "momentum", "portfolio")
_MOST_KEYS = 10_000
_MOST_TICKERS = 200
_WARMUP_WAIT = 300.0
_CLEAR_WAIT = 120.0
_ACTOR = "REST"

_SAME_SITE = {"same-origin", "none"}
_LARGEST_CURSOR = 2**64 - 1

_bearer = HTTPBearer(auto_error=False, description="AVCACHE_API_TOKEN, where one is set")


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The document of FastAPI, with problems under the media type that they really have."""
        document = super().openapi()
        for path in document["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    content = response.get("content", {})
                    if status >= "4" and "application/json" in content:
                        content["application/problem+json"] = content.pop("application/json")
        return document


def build_app(get_runtime: Callable[[], Runtime]) -> FastAPI:
    """
    Make the app, to be mounted at `/api`.

    Args:
        get_runtime: Called once for each request, never on import, so that doors of one process share one cache.
    """
    app = _Api(
        title="avcache admin API",
        version=__version__,
        description="Look at the cache, clear it, warm it up.",
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.get_runtime = get_runtime
    add_handlers(app)
    app.include_router(reads)
    app.include_router(writes)
    return app


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.get_runtime()
    return runtime


def _only_known_parameters(request: Request) -> None:
    """A misspelt or doubled parameter is an error: `?patern=` must never mean "everything"."""
    route = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}
    errors: list[dict[str, Any]] = []
    for name in request.query_params:
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            errors.append({"loc": ("query", name), "msg": f"is no parameter of this route (allowed: {allowed})"})
        elif len(request.query_params.getlist(name)) > 1:
            errors.append({"loc": ("query", name), "msg": "is given more than once"})
    if errors:
        raise RequestValidationError(errors)


def _refuse_other_sites(request: Request) -> None:
    """
    A page of another site can make a browser on this machine send a POST, but not lie about where it comes from.

    Raises:
        HTTPException: 403. Clients that are no browsers send neither header.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None:
        is_foreign = origin is not None and origin.partition("://")[2] != request.headers.get("host")
    else:
        is_foreign = site not in _SAME_SITE
    if is_foreign:
        raise HTTPException(403, "a page of another site may change nothing here")


Wired = Annotated[Runtime, Depends(_runtime)]


def _require_token(runtime: Wired, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """Cookies never count: only the token, and only where one is set."""
    token = runtime.settings.avcache_api_token
    if token is None:
        return
    # Headers arrive decoded as Latin-1: so encoded they are the bytes that the client sent.
    sent = b"" if given is None else given.credentials.encode("latin-1")
    if not hmac.compare_digest(sent, token.get_secret_value().encode()):
        raise HTTPException(401, "this needs the bearer token of AVCACHE_API_TOKEN", {"WWW-Authenticate": "Bearer"})


_faults: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter is wrong; the document names it"},
    503: {"model": Problem, "description": "The store gave no usable answer"},
}
reads = APIRouter(prefix="/v1/cache", tags=["look"], dependencies=[Depends(_only_known_parameters)], responses=_faults)
writes = APIRouter(
    prefix="/v1/cache",
    tags=["act"],
    dependencies=[Depends(_refuse_other_sites), Depends(_require_token), Depends(_only_known_parameters)],
    responses={
        **_faults,
        401: {"model": Problem, "description": "The bearer token is missing or wrong"},
        403: {"model": Problem, "description": "Sent by a page of another site"},
    },
)


@reads.get("/info")
def info(runtime: Wired) -> Info:
    """What the store is, and how full."""
    return Info.of(runtime.cache, runtime.ops.keyspace)


@reads.get("/keys")
def keys(
    runtime: Wired,
    pattern: Annotated[str, Query(description="`*` any text, `?` one character", examples=["price:*"])] = "*",
    limit: Annotated[int, Query(ge=1, le=_MOST_KEYS, description="About how many keys to return")] = 1000,
    cursor: Annotated[str, Query(max_length=1024, description="From the page before")] = "",
) -> Keys:
    """The keys that match, a page at a time."""
    page = runtime.cache.scan(_checked_pattern(runtime, pattern), _checked_cursor(runtime, cursor), limit)
    # What was cleared stays in the store until it is swept: nobody reads it any more.
    found = sorted(peek.key for peek in peek_found(runtime.cache, page.keys))
    return Keys(
        pattern=pattern,
        count=len(found),
        keys=found,
        truncated=bool(page.cursor),
        cursor=page.cursor or None,
        exact=not page.cursor and not cursor,
    )


@reads.get("/stats")
def stats(runtime: Wired) -> Stats:
    """How many keys each namespace has, and a few of them."""
    snapshot = runtime.ops.keyspace.snapshot(max_age=0)
    sizes = snapshot.namespaces
    answer: dict[str, NamespaceStats | TotalStats] = {
        name: NamespaceStats(
            count=sizes[name].keys, sample_keys=list(sizes[name].samples or sizes[name].foreign_samples)
        )
        if name in sizes
        else NamespaceStats(count=0, sample_keys=[])
        for name in dict.fromkeys((*_NAMESPACES, *sizes))
    }
    answer["total"] = TotalStats(count=snapshot.keys, exact=snapshot.is_exact)
    return Stats(answer)


@reads.get("/plan")
def plan(
    runtime: Wired, pattern: Annotated[str, Query(description="What a clear would drop", examples=["price:*"])]
) -> ClearPlan:
    """What a clear would drop and what filling it again takes; touches nothing."""
    return ClearPlan.of(runtime.ops.clearing.plan(_checked_pattern(runtime, pattern)))


@reads.get("/coverage")
def coverage(
    runtime: Wired,
    tickers: Annotated[str, Query(description="Separated by commas, at most 500", examples=["AAPL,NVDA,MSFT"])],
) -> Coverage:
    """How each ticker stands: fresh, expiring, stale, missing or failed."""
    return Coverage.of(runtime.ops.warmup.coverage(parse_tickers(tickers)))


@reads.get("/doctor")
def doctor(runtime: Wired) -> Diagnosis:
    """What deserves attention, with its evidence and the step that mends it."""
    return Diagnosis.of(runtime.ops.checkup.findings())


@writes.delete("/clear", responses={202: {"model": Cleared, "description": "Accepted; Redis is away"}})
def clear(
    runtime: Wired,
    response: Response,
    pattern: Annotated[str, Query(description="What to drop; there is no default", examples=["price:*"])],
    reason: Annotated[str, Query(max_length=500, description="Why, for the record")] = "",
) -> Cleared:
    """Drop the keys that match, and say how many went."""
    cleared = runtime.ops.clearing.clear(
        _checked_pattern(runtime, pattern), actor=_ACTOR, reason=reason, timeout=_CLEAR_WAIT
    )
    if cleared.pending:
        response.status_code = 202
    message = (
        f"Cleared {int(cleared)} keys matching {pattern}"
        if not cleared.pending
        else "Redis is away: cleared in memory, and in Redis before it is read again"
        if runtime.cache.state().is_degraded
        else f"In force; {int(cleared)} keys matching {pattern} were dropped by now, the rest follows"
    )
    return Cleared(message=message, pattern=pattern, keys_cleared=int(cleared), pending=cleared.pending)


@writes.post(
    "/warmup",
    responses={409: {"model": Problem, "description": "A warm-up is under way; there is one at a time"}},
)
def warmup(
    runtime: Wired,
    tickers: Annotated[str, Query(description="Separated by commas, at most 200", examples=["AAPL,NVDA,MSFT"])],
) -> WarmedUp:
    """Load price and momentum of each ticker that is not cached; answers when all are done."""
    job = runtime.ops.warmup.start(parse_tickers(tickers, limit=_MOST_TICKERS), actor=_ACTOR)
    begun = time.monotonic()
    if not job.wait(_WARMUP_WAIT):
        job.cancel()
        job.wait(_WARMUP_WAIT)
    done, cached = job.outcomes, job.cached
    message = f"Cached {cached} of {len(job.tickers)} tickers in {time.monotonic() - begun:.1f} s"
    return WarmedUp(
        message=message,
        tickers_processed=len(done),
        successfully_cached=cached,
        tickers=list(job.tickers),
        failures=job.failures,
    )


def _checked_pattern(runtime: Runtime, pattern: str) -> str:
    """One without star or question mark is read as a key; the fault is the parameter's all the same."""
    try:
        runtime.cache.namespaces.pattern(pattern)
    except InvalidInput as exc:
        raise InvalidInput("pattern", pattern, exc.allowed) from exc
    return pattern


def _checked_cursor(runtime: Runtime, cursor: str) -> str:
    """A server refuses what is no cursor like any other fault."""
    if not cursor:
        return ""
    if runtime.cache.state().name in {"redis", "valkey"}:
        is_ours = cursor.isascii() and cursor.isdecimal() and int(cursor) <= _LARGEST_CURSOR
    else:
        is_ours = cursor.startswith(CURSOR)
    if not is_ours:
        raise InvalidInput("cursor", cursor, "a cursor from the page before, of the store that serves now")
    return cursor
