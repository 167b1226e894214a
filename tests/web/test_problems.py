from typing import Any

import pytest
from litestar.exceptions import HTTPException

from rag import errors
from rag.errors import NotFound, RagError, TooManyRequests
from rag.web import problems
from tests.test_docs import _tree


@pytest.mark.parametrize("kind", _tree(RagError))
def test_each_error_of_ours_is_a_problem_of_its_status(kind: type[RagError]) -> None:
    more = (3,) if issubclass(kind, TooManyRequests) else ()
    problem = problems.of(kind("it is wrong", "fix it", *more))
    assert (problem.type, problem.status) == (f"urn:rag:{kind.__name__}", kind.status)
    assert problem.detail == "it is wrong; fix it"


def test_an_error_of_the_framework_is_named_by_its_status() -> None:
    error = HTTPException("no", status_code=413, extra=[{"key": "count", "message": "is too large"}, "x"])
    assert problems.of(error) == problems.Problem(
        "urn:rag:RequestEntityTooLarge",
        "RequestEntityTooLarge",
        413,
        "no; count: is too large; send less at once",
    )


def test_input_in_a_problem_is_one_line_of_bounded_length() -> None:
    detail = problems.of(NotFound("there is no document a\nb\x1b[2J\u202ec", "choose one")).detail
    assert detail == "there is no document a b [2J c; choose one"
    reasons: list[Any] = [{"key": "k" * 10_000, "message": "is unknown"}] * 1000
    assert len(problems.of(HTTPException("x" * 10_000, status_code=400, extra=reasons)).detail) < 4000


def test_json_that_cannot_be_read_is_said_to_be_that() -> None:
    assert problems.of(RecursionError()).detail.startswith("the request is nested too deeply; ")
    assert problems.of(UnicodeDecodeError("utf-8", b"", 0, 1, "x")).detail.startswith("the request is not JSON in UTF-8; ")


def test_an_internal_error_hides_its_message() -> None:
    problem = problems.of(ValueError("secret"))
    assert problem.status == 500
    assert "secret" not in problem.detail


@pytest.mark.parametrize("status", sorted({kind.status for kind in _tree(RagError)}))
def test_each_status_can_be_documented_with_an_example(status: int) -> None:
    documented = problems.documented(status, keyed=False)
    assert set(documented) == {status, 403, 500}
    assert set(problems.documented(status)) == {status, 401, 403, 408, 429, 500}
    examples: Any = documented[status].examples
    (example,) = examples
    assert example.value["status"] == status
    known = {kind.__name__ for kind in _tree(errors.RagError)} | {"InternalError"}
    assert example.value["title"] in known
