"""Errors as problem documents (RFC 9457) that name the parameter."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from avcache.api.schemas import Fault, Problem
from avcache.errors import BackendError, InvalidInput
from avcache.ops.warmup import JobRunning

__all__ = ["add_handlers", "problem"]

logger = logging.getLogger(__name__)


def problem(
    status: int, detail: str, faults: list[Fault] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Make the answer."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=faults or [])
    return JSONResponse(body.model_dump(), status, headers, media_type="application/problem+json")


def add_handlers(app: FastAPI) -> None:
    """Answer every error of *app* as a problem; what nobody foresaw is logged and tells the client nothing inside."""

    @app.exception_handler(InvalidInput)
    def invalid(_request: Request, exc: InvalidInput) -> JSONResponse:
        return problem(422, str(exc), [Fault(parameter=exc.field, message=exc.allowed)])

    @app.exception_handler(RequestValidationError)
    def unfit(_request: Request, exc: RequestValidationError) -> JSONResponse:
        faults = [Fault(parameter=str(error["loc"][-1]), message=str(error["msg"])) for error in exc.errors()]
        return problem(422, "; ".join(f"{fault.parameter}: {fault.message}" for fault in faults), faults)

    @app.exception_handler(JobRunning)
    def busy(_request: Request, exc: JobRunning) -> JSONResponse:
        return problem(409, str(exc), headers={"Retry-After": "5"})

    @app.exception_handler(BackendError)
    def down(_request: Request, exc: BackendError) -> JSONResponse:
        logger.warning("api.backend_error", extra={"error": str(exc)})
        return problem(503, "the store gave no usable answer", headers={"Retry-After": "2"})

    @app.exception_handler(HTTPException)
    def refused(_request: Request, exc: HTTPException) -> JSONResponse:
        headers = dict(exc.headers) if exc.headers else None
        return problem(exc.status_code, str(exc.detail), headers=headers)

    @app.exception_handler(Exception)
    def unforeseen(_request: Request, exc: Exception) -> JSONResponse:
        logger.error("api.error", exc_info=exc)
        return problem(500, "an error of this program; see its log")
