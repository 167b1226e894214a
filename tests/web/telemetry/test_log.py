import json
import logging
import subprocess
import sys
import threading
from contextvars import copy_context
from typing import Any

import pytest

from rag.web.telemetry import log
from rag.web.telemetry.log import ConsoleLines, JsonLines
from tests.conftest import ROOT


@pytest.mark.parametrize("given", ["abc-1", "0123456789abcdef" * 4, "A.b_c~d"])
def test_a_safe_id_is_kept(given: str) -> None:
    def test() -> None:
        assert log.begin(given, questions=False).id == given
        assert log.request_id() == given

    copy_context().run(test)


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "a" * 65, "<script>", 'a"b', "é"])
def test_any_other_is_replaced_by_a_new_one(given: str) -> None:
    def test() -> None:
        made = log.begin(given, questions=False).id
        assert made != given
        assert log.begin(made, questions=False).id == made
        assert log.begin(given, questions=False).id != made

    copy_context().run(test)


def test_what_a_thread_of_the_request_notes_is_in_its_line_and_in_no_other() -> None:
    def test() -> dict[str, object]:
        noted = log.begin("a", questions=True)
        thread = threading.Thread(target=copy_context().run, args=(log.note_question, "Siapa?"))
        thread.start()
        thread.join()
        log.note(answered=True)
        return noted.fields

    other = copy_context().run(log.begin, "b", questions=True)
    assert copy_context().run(test) == {"question": "Siapa?", "answered": True}
    assert other.fields == {}


def test_a_question_is_noted_only_where_it_may_be() -> None:
    def test() -> dict[str, object]:
        noted = log.begin("a", questions=False)
        log.note_question("Siapa?")
        return noted.fields

    assert copy_context().run(test) == {}


def test_outside_of_a_request_there_is_nothing_to_note() -> None:
    log.note(answered=True)
    log.note_question("Siapa?")
    assert log.request_id() == ""


def record(level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("rag.web", level, __file__, 1, "%s failed", ("request",), info)
    made.fields = fields
    made.created = 1_800_000_000.25
    return made


QUESTION = "Siapa rahasia?"


def fail(error: Exception, earlier: Exception | None = None) -> None:
    raise error from earlier


def failed() -> Exception:
    """An error that quotes a question, and was caused by another that does."""
    try:
        try:
            fail(KeyError(QUESTION))
        except KeyError as error:
            fail(ValueError(QUESTION), error)
    except ValueError as error:
        return error
    raise AssertionError


def test_a_line_of_json_has_time_level_message_fields_and_the_request() -> None:
    def test() -> dict[str, Any]:
        log.begin("abc", questions=False)
        line = JsonLines(questions=False).format(record(logging.WARNING, path="/a", status=503))
        assert "\n" not in line
        value: dict[str, Any] = json.loads(line)
        return value

    assert copy_context().run(test) == {
        "time": "2027-01-15T08:00:00.250+00:00",
        "level": "warning",
        "logger": "rag.web",
        "message": "request failed",
        "path": "/a",
        "status": 503,
        "request": "abc",
    }


def test_a_line_for_people_stays_one_line_whatever_it_holds() -> None:
    line = ConsoleLines(questions=False).format(record(path='/a\n08:00:00 x="y"', status=200, none=""))
    assert line == '08:00:00 request failed path="/a\\n08:00:00 x=\\"y\\"" status=200 none=""'
    assert ConsoleLines(questions=False).format(record(logging.ERROR)) == "08:00:00 ERROR request failed"


@pytest.mark.parametrize("form", [JsonLines, ConsoleLines])
def test_the_message_of_an_error_is_logged_only_where_questions_may_be(form: type[JsonLines] | type[ConsoleLines]) -> None:
    line = form(questions=False).format(record(error=failed()))
    assert "rahasia" not in line
    assert all(part in line for part in ("KeyError", "ValueError", "test_log.py", "in failed"))
    assert "KeyError: 'Siapa rahasia?'" in form(questions=True).format(record(error=failed()))


CONFIGURED = """
import io, logging, sys, warnings
from rag.settings import Settings
from rag.web.telemetry import log
class Terminal(io.StringIO):
    def isatty(self): return {terminal}
stream = Terminal()
log.configure(Settings(log={log!r}), stream)
logging.getLogger("rag.web").info("ours")
logging.getLogger("httpx").info("theirs")
logging.getLogger("uvicorn.error").info("theirs")
warnings.warn("it is old")
print(stream.getvalue())
"""


@pytest.mark.parametrize(
    ("log", "terminal", "people"),
    [("auto", True, True), ("auto", False, False), ("console", False, True), ("json", True, False)],
)
def test_the_form_is_chosen_and_libraries_log_warnings_only(log: str, terminal: bool, people: bool) -> None:
    code = CONFIGURED.format(log=log, terminal=terminal)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    lines = run.stdout.strip().splitlines()
    assert lines[0].startswith("{") is not people
    assert "ours" in lines[0]
    assert "it is old" in run.stdout
    assert "theirs" not in run.stdout
