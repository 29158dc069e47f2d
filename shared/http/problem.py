"""Errors as RFC 9457 problem details: what happened, to what, what is safe, what to do next."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.errors import (
    ConflictError,
    HubError,
    NotAllowedError,
    NotAuthenticatedError,
    NotFoundError,
    PermanentError,
    RateLimitedError,
    RetryableError,
)
from shared.observability.events import REQUEST_DEFERRED, REQUEST_FAILED, REQUEST_REFUSED, emit

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:migration-hub:problem:"
REFERENCE_PREFIX = "urn:migration-hub:reference:"
# Where the caller's own backoff decides, a client still wants a number.
RETRY_SECONDS_DEFAULT = 5.0

# The first branch that fits decides; a code may be more precise than its branch.
_STATUS_OF_BRANCH: tuple[tuple[type[HubError], HTTPStatus], ...] = (
    (NotAuthenticatedError, HTTPStatus.UNAUTHORIZED),
    (NotAllowedError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (PermanentError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RateLimitedError, HTTPStatus.TOO_MANY_REQUESTS),
    (RetryableError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_STATUS_OF_CODE = {
    "file_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "request_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "precondition_failed": HTTPStatus.PRECONDITION_FAILED,
    "precondition_required": HTTPStatus.PRECONDITION_REQUIRED,
}
_TITLES = {
    "bad_input": "This cannot be used as it is",
    "conflict": "The state has moved on",
    "file_too_large": "The file is too large",
    "idempotency_in_progress": "The first call with this key is still being answered",
    "idempotency_key_reused": "This key was used for another call",
    "internal": "Something went wrong in the hub",
    "invalid_request": "The request is not complete or not well-formed",
    "not_allowed": "Your role may not do this",
    "not_authenticated": "Sign-in needed",
    "not_found": "Not found",
    "precondition_failed": "Somebody else changed it meanwhile",
    "precondition_required": "The change does not say what it is based on",
    "rate_limited": "Too many calls",
    "request_too_large": "The request is too large",
    "retryable": "Not available at the moment",
}


class FieldProblem(BaseModel):
    """One part of a request that is wrong. Never repeats the value that was sent."""

    where: str = Field(description="Place in the request, e.g. body.files.0.name or query.limit")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is for programs, `next` says what to do, `instance` names the log line."""

    type: str = Field(description="URN of the kind of problem; ends in the code")
    title: str
    status: int
    detail: str
    instance: str = Field(description="Reference of this occurrence, for support and logs")
    next: str = Field(default="", description="What to do now")
    code: str
    errors: list[FieldProblem] = []


class ProblemResponse(Response):
    """A problem as an answer."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            problem.model_dump_json(exclude_defaults=False), problem.status, headers=headers, media_type=MEDIA_TYPE
        )


# For `include_router(responses=...)`: every route may answer with a problem.
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "Problem (RFC 9457)"}
}


def install_problem_handlers(app: FastAPI) -> None:
    """Answer HubErrors, validation errors and the framework's own errors as problems. Anything else: `unexpected`."""
    app.add_exception_handler(HubError, _hub_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


def name_problem_media_type(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the problems' own media type, which the framework takes for that of the route."""
    for path in openapi.get("paths", {}).values():
        for operation in path.values():
            problem = operation["responses"].get("default")
            if problem and MEDIA_TYPE not in problem["content"]:
                problem["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return openapi


def unexpected(error: BaseException, *, method: str, path: str) -> ProblemResponse:
    """The answer to a fault of the hub: a reference and nothing about its inside, which goes to the log."""
    reference = _new_reference()
    emit(REQUEST_FAILED, reference=reference, method=method, path=path, kind=type(error).__name__, exc_info=error)
    return ProblemResponse(
        _problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "The hub could not answer this call because of a fault of its own. What was stored before is safe.",
            next_step="Try again; if it stays, give the reference to whoever runs the hub: its log says more.",
            reference=reference,
        )
    )


def status_of(error: HubError) -> HTTPStatus:
    """The HTTP status that an error stands for; 500 where it is no fault of the caller and no passing one."""
    if isinstance(error, PermanentError) and error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    for branch, status in _STATUS_OF_BRANCH:
        if isinstance(error, branch):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


async def _hub_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubError)
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return unexpected(error, method=request.method, path=request.url.path)
    problem = _problem(status, error.code, error.message, next_step=error.next_step)
    headers: dict[str, str] = {}
    if isinstance(error, NotAuthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RetryableError):
        headers["Retry-After"] = str(max(1, math.ceil(error.after_seconds or RETRY_SECONDS_DEFAULT)))
    _log(request, problem)
    return ProblemResponse(problem, headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = _problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_request",
        "Some parts of the request are missing or not of the right form. Nothing was changed.",
        next_step="Correct the parts listed under errors and send it again.",
    )
    problem.errors = [
        FieldProblem(where=".".join(map(str, one["loc"])), message=str(one["msg"])) for one in error.errors()
    ]
    _log(request, problem)
    return ProblemResponse(problem)


async def _http_exception(request: Request, error: Exception) -> Response:
    """The framework's own refusals: unknown path, wrong method, a body that is too large or cannot be read."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, HubError):
        return await _hub_error(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "invalid_request")
    detail = error.detail if error.detail != status.phrase else f"{request.method} {request.url.path}: {status.phrase}."
    problem = _problem(status, code, detail, next_step="See /api/v1/openapi.json for what the API offers.")
    _log(request, problem)
    return ProblemResponse(problem, error.headers)


def _problem(status: HTTPStatus, code: str, detail: str, *, next_step: str, reference: str = "") -> Problem:
    return Problem(
        type=TYPE_PREFIX + code,
        title=_TITLES.get(code, status.phrase),
        status=status,
        detail=detail,
        instance=REFERENCE_PREFIX + (reference or _new_reference()),
        next=next_step,
        code=code,
    )


def _log(request: Request, problem: Problem) -> None:
    event = REQUEST_DEFERRED if problem.status in (429, 503) else REQUEST_REFUSED
    emit(
        event,
        reference=problem.instance.removeprefix(REFERENCE_PREFIX),
        method=request.method,
        path=request.url.path,
        status=problem.status,
        code=problem.code,
    )


def _new_reference() -> str:
    """Short enough to be read out on the telephone: 40 random bits as ABCD-1234AB."""
    digits = secrets.token_hex(5).upper()
    return f"{digits[:4]}-{digits[4:]}"
