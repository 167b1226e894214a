from dataclasses import replace

from rag.engine import Engine, whole
from rag.web import asking
from tests.web.conftest import QUESTION


def test_an_answer_is_followed_by_what_is_said_of_it_and_the_words_it_rests_on(engine: Engine) -> None:
    answer = whole(engine.ask(QUESTION))
    (citation,) = answer.citations
    told = replace(answer, note="Left out.", understood_as="Siapa?", citations=(replace(citation, page=3, text="dua\n baris"),))
    assert asking.answer(told) == f"{answer.text}\n\n(Left out.)\n\n(↳ Siapa?)\n\n[1] {citation.path}, p. 3: “dua baris”"


def test_passages_have_the_place_by_which_a_document_is_read(engine: Engine) -> None:
    (passage, *_) = engine.search("Venezuela", 2)
    place = f"{passage.path} (document {passage.document_id}, {passage.start}-{passage.end})"
    assert asking.passages([passage, passage]) == f"1. {place}\n{passage.text}\n\n2. {place}\n{passage.text}"
