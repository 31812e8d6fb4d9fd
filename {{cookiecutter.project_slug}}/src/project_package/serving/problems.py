"""Problems: what an endpoint may raise, and the answer that the client gets for it."""

from fastapi import FastAPI, HTTPException
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ..errors import Unavailable

RETRY_SECONDS = 1
PROBLEMS = (RequestValidationError, HTTPException, Unavailable)


def response(problem: Exception) -> JSONResponse:
    """Give the answer for a problem: a mistake of the request, a refusal, or a 503.

    A mistake is told with its field and rule; what was sent is not echoed.
    """
    if isinstance(problem, RequestValidationError):
        found = [{key: e[key] for key in ("loc", "msg", "type")} for e in problem.errors()]
        return JSONResponse({"detail": found}, 422)
    if isinstance(problem, HTTPException):
        return JSONResponse({"detail": problem.detail}, problem.status_code, problem.headers)
    return JSONResponse({"detail": str(problem)}, 503, {"Retry-After": str(RETRY_SECONDS)})


def answer_problems(app: FastAPI) -> None:
    """Answer problems so wherever in the application they are raised."""

    async def answer(_: HttpRequest, problem: Exception) -> JSONResponse:
        return response(problem)

    for kind in PROBLEMS:
        app.add_exception_handler(kind, answer)
