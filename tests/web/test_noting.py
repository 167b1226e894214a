import threading
from contextvars import copy_context

import pytest

from rag.web import noting


@pytest.mark.parametrize("given", ["abc-1", "0123456789abcdef" * 4, "A.b_c~d"])
def test_a_sane_id_is_taken(given: str) -> None:
    def test() -> None:
        assert noting.begin(given, questions=False).id == given
        assert noting.request_id() == given

    copy_context().run(test)


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "a" * 65, "<script>", 'a"b', "é"])
def test_any_other_is_replaced_by_a_new_one(given: str) -> None:
    def test() -> None:
        made = noting.begin(given, questions=False).id
        assert made != given
        assert noting.begin(made, questions=False).id == made
        assert noting.begin(given, questions=False).id != made

    copy_context().run(test)


def test_what_a_thread_of_the_request_notes_is_in_its_line_and_in_no_other() -> None:
    def test() -> dict[str, object]:
        noted = noting.begin("a", questions=True)
        thread = threading.Thread(target=copy_context().run, args=(noting.note_question, "Siapa?"))
        thread.start()
        thread.join()
        noting.note(answered=True)
        return noted.fields

    other = copy_context().run(noting.begin, "b", questions=True)
    assert copy_context().run(test) == {"question": "Siapa?", "answered": True}
    assert other.fields == {}


def test_a_question_is_noted_only_where_it_may_be() -> None:
    def test() -> dict[str, object]:
        noted = noting.begin("a", questions=False)
        noting.note_question("Siapa?")
        return noted.fields

    assert copy_context().run(test) == {}


def test_outside_of_a_request_there_is_nothing_to_note() -> None:
    noting.note(answered=True)
    noting.note_question("Siapa?")
    assert noting.request_id() == ""
