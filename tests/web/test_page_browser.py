"""The page in a real browser, over the real service with the fakes for models: what a person does with it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Engine
from rag.errors import WeightsMissing
from rag.keys import Keys
from rag.web.rebuilding import Rebuilds
from tests.conftest import SEED
from tests.fakes import OverlapReader, ScriptedJudge, ScriptedReader, SlowReader
from tests.ingestion import makers
from tests.web.conftest import QUESTION, until

# The article begins with a character of two UTF-16 units, so that code points are not JavaScript indices.
ARTICLE = "berita/ekspor.txt"
CITED = re.compile(r"Sebelumnya pada hari Minggu, Menteri Pertahanan .*?Venezuela\.", re.DOTALL)
TWO = ("Brigadir Jenderal Mohammad Reza Ashtiani mengatakan Iran tidak memiliki batasan. ", "Ia menyebut Venezuela.")


@pytest.fixture
def seeds(engine: Engine) -> Path:
    return engine.settings.seeds


@pytest.fixture
def article(engine: Engine, seeds: Path) -> str:
    """The text of an article that begins with an emoji; no other article is there."""
    text = "😀🌾 " + (seeds / SEED).read_text("utf-8")
    (seeds / SEED).unlink()
    (seeds / ARTICLE).parent.mkdir()
    (seeds / ARTICLE).write_text(text, encoding="utf-8")
    engine.rebuild()
    return text


def ask(view: Any, question: str) -> None:
    view.fill("#question", question)
    view.press("#question", "Enter")


def answered(view: Any, question: str = QUESTION) -> None:
    ask(view, question)
    view.locator(".turn:last-child .turn-foot").wait_for()


def documents(view: Any) -> None:
    view.click("nav a[href='#documents']")


def rebuilt(rebuilds: Rebuilds) -> None:
    rebuilds.start()
    until(lambda: all(job.ended for job in rebuilds.recent()))


def test_evidence_comes_before_the_answer_and_stands_in_the_document(view: Any, engine: Engine, article: str) -> None:
    engine.models.reader = SlowReader()
    ask(view, QUESTION)
    view.locator(".draft", has_text="kata").wait_for()
    assert view.locator(".turn[aria-busy=true]").count() == 1
    assert view.locator(".card").count() >= 1
    for words in view.locator(".card mark").all_inner_texts():
        assert words in article
    marked = view.locator(".instant blockquote").inner_text()
    assert "Menteri Pertahanan" in marked
    assert marked in article


def test_a_citation_opens_the_exact_words(view: Any, article: str) -> None:
    answered(view)
    view.locator(".citation").click()
    lit = view.locator("mark.here")
    lit.wait_for()
    assert lit.inner_text() in article
    assert CITED.fullmatch(lit.inner_text())
    assert view.locator(".paper").inner_text() == article
    assert view.locator("mark.here:focus").count() == 1
    assert view.locator(".citation[aria-current=true]").count() == 1
    assert lit.evaluate("node => { const r = node.getBoundingClientRect(); return r.top > 0 && r.bottom < innerHeight }")


def test_a_document_moves_to_the_cited_words_and_leaves_the_conversation_where_it_is(page_at: Any, article: str) -> None:
    view = page_at(reduced_motion="reduce")  # else the page still moves when it is looked at
    for question in ("Siapa juara sepak bola Brasil?", QUESTION):
        answered(view, question)
    until(lambda: view.locator(".turn:last-child").evaluate("node => node.getBoundingClientRect().top") < 120)
    at = view.evaluate("scrollY")
    view.locator(".citation").click()
    lit = view.locator("mark.here:focus")
    lit.wait_for()
    middle = "node => { const r = node.getBoundingClientRect(); return (r.top + r.bottom) / 2 / innerHeight }"
    assert 0.3 < lit.evaluate(middle) < 0.8
    assert view.evaluate("scrollY") == at


@pytest.mark.parametrize("width", [390, 1280])
def test_what_was_pressed_stays_in_sight_beside_the_document(view: Any, width: int) -> None:
    view.set_viewport_size({"width": width, "height": 844})
    view.locator("#filters summary").click()
    for question in ("Siapa juara sepak bola Brasil?", QUESTION):
        answered(view, question)
    assert view.locator("#filters[open]").count() == 0  # the answer has the room
    view.locator(".citation").click()
    view.locator("mark.here").wait_for()
    seen = """node => {
        const { x, y, width, height } = node.getBoundingClientRect();
        return document.elementFromPoint(x + width / 2, y + height / 2) === node;
    }"""
    until(lambda: view.locator(".citation").evaluate(seen))


def test_a_card_opens_the_words_it_lights(view: Any, engine: Engine, article: str) -> None:
    engine.models.reader = SlowReader()
    ask(view, QUESTION)
    view.locator(".draft").wait_for()
    first = view.locator(".card").first
    words = first.locator("mark").inner_text()
    first.click()
    view.locator("mark.here").wait_for()
    assert view.locator("mark.here").inner_text() == words


def test_buttons_lead_from_source_to_source(view: Any, engine: Engine, article: str) -> None:
    engine.models.reader = ScriptedReader(TWO, log_odds=3.0)
    said = f"{TWO[0]}Menteri Pertahanan itu menyebut Venezuela."
    (engine.settings.seeds / "dua.txt").write_text(said, encoding="utf-8")
    engine.rebuild()
    answered(view)
    # The sentence that the judge marked is quoted beside what was written of it.
    assert view.locator(".citation").all_inner_texts() == ["1", "2", "2"]
    view.locator(".citation").first.click()
    view.locator(".count", has_text="1 dari 2").wait_for()
    assert view.locator("mark.here").inner_text().startswith("Brigadir")
    assert view.locator("[data-key=previous]").is_disabled()
    view.locator("[data-key=next]").click()
    view.locator(".count", has_text="2 dari 2").wait_for()
    view.locator("mark.here", has_text="Menteri Pertahanan itu").wait_for()
    assert view.locator(".citation[aria-current=true]").all_inner_texts() == ["2", "2"]
    view.locator("[data-key=previous]").click()
    view.locator("mark.here", has_text="Brigadir").wait_for()


def test_a_follow_up_is_sent_with_what_was_said(view: Any) -> None:
    answered(view)
    with view.expect_request("**/v1/ask") as second:
        answered(view, "Siapa Menteri Pertahanan Ashtiani?")
    (before,) = second.value.post_data_json["history"]
    assert before["question"] == QUESTION
    assert before["answer"].startswith("Sebelumnya")
    assert "[1]" not in before["answer"]
    assert view.locator(".question").all_inner_texts() == [QUESTION, "Siapa Menteri Pertahanan Ashtiani?"]
    top = view.locator(".turn:last-child").evaluate("node => node.getBoundingClientRect().top")
    until(lambda: view.locator(".turn:last-child").evaluate("node => node.getBoundingClientRect().top") < 120)
    assert top >= 0
    view.click("#anew")
    assert view.locator(".turn").count() == 0


def test_a_conversation_outlives_a_reload_and_is_kept_in_its_tab_alone(view: Any) -> None:
    answered(view)
    words = view.locator(".turn .words").inner_text()
    view.reload()
    view.locator(".turn-foot").wait_for()
    assert (view.locator(".question").inner_text(), view.locator(".turn .words").inner_text()) == (QUESTION, words)
    view.locator(".citation").first.click()
    view.locator("mark.here", has_text=CITED).wait_for()
    with view.expect_request("**/v1/ask") as second:
        answered(view, "Siapa Menteri Pertahanan Ashtiani?")
    assert [turn["question"] for turn in second.value.post_data_json["history"]] == [QUESTION]
    assert QUESTION not in view.evaluate("JSON.stringify(localStorage)")
    tab = view.context.new_page()
    tab.goto(view.url)
    tab.locator(".tally", has_text="dokumen").wait_for()
    assert tab.locator(".turn").count() == 0
    view.click("#anew")
    view.reload()
    view.locator(".tally", has_text="dokumen").wait_for()
    assert view.locator(".turn").count() == 0


def test_a_question_that_a_reload_cut_off_can_be_asked_again(view: Any, engine: Engine) -> None:
    engine.models.reader = SlowReader()
    ask(view, QUESTION)
    view.locator(".draft", has_text="kata").wait_for()
    view.reload()
    view.locator("[data-key=again]").wait_for()
    assert view.locator(".card").count() >= 1
    engine.models.reader = OverlapReader()
    view.click("[data-key=again]")
    view.locator(".turn-foot").wait_for()


KEPT = '{"question": "<b>x</b>", "status": "done", "passages": [], "answer": '


@pytest.mark.parametrize("broken", ["{", "3", '[{"question": 3}]', f"[{KEPT}5}}]", f'[{KEPT}{{"answered": true}}}}]'])
def test_what_was_kept_and_is_broken_is_dropped(view: Any, broken: str) -> None:
    view.evaluate("text => sessionStorage.setItem('rag.conversation', text)", broken)
    view.reload()
    answered(view)
    assert view.locator(".turn").count() == 1


def test_what_is_uploaded_is_asked_and_what_is_deleted_is_gone(view: Any, seeds: Path) -> None:
    documents(view)
    text = "Gajah Sumatra hidup di hutan Lampung dan Jambi."
    view.set_input_files("input[type=file]", {"name": "gajah.txt", "mimeType": "text/plain", "buffer": text.encode()})
    view.locator(".job progress").wait_for()
    view.locator(".document", has_text="gajah.txt").wait_for()
    view.locator(".job").wait_for(state="detached")
    view.click("nav a[href='#ask']")
    view.locator(".tally", has_text="2 dokumen").wait_for()
    answered(view, "Di mana gajah Sumatra hidup?")
    view.locator(".citation").first.click()
    view.locator("mark.here", has_text=text).wait_for()
    documents(view)
    view.locator(".document", has_text="gajah.txt").locator("[data-key^=delete]").click()
    view.click("#confirm [value=delete]")
    view.locator(".document", has_text="gajah.txt").wait_for(state="detached")
    view.locator(".job").wait_for(state="detached")
    assert [path.name for path in seeds.iterdir()] == [SEED]
    view.keyboard.press("Escape")
    view.click("nav a[href='#ask']")
    view.locator(".citation").first.click()
    view.locator("#reader .failure", has_text="sudah tidak ada").wait_for()


def test_an_upload_that_is_refused_shows_the_reason_and_what_to_do(view: Any) -> None:
    documents(view)
    view.set_input_files("input[type=file]", {"name": "foto.exe", "mimeType": "text/plain", "buffer": b"MZ"})
    view.locator(".upload-said .failure", has_text="the type of foto.exe is not supported; use one of").wait_for()
    assert view.locator(".job").count() == 0


def test_a_document_that_cannot_be_read_is_named_and_removed(view: Any, seeds: Path) -> None:
    documents(view)
    view.set_input_files("input[type=file]", {"name": "rusak.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 x"})
    named = view.locator("#unread .document", has_text="rusak.pdf")
    named.wait_for()
    assert view.locator("#unread h2").inner_text() == "1 berkas tidak dapat dibaca"
    why = named.locator(".unread-why").inner_text()
    assert why.startswith("Berkas ini rusak. rusak.pdf: it is damaged")  # its kind in the language of the interface
    view.reload()
    named.wait_for()
    named.locator("button").click()
    view.click("#confirm [value='']")
    assert (seeds / "rusak.pdf").exists()
    named.locator("button").click()
    view.click("#confirm [value=delete]")
    view.locator("#unread").wait_for(state="hidden")
    view.locator(".job").wait_for(state="detached")
    assert [path.name for path in seeds.iterdir()] == [SEED]


def test_a_refusal_is_said_and_shows_what_comes_nearest(view: Any) -> None:
    ask(view, "Siapa juara sepak bola Brasil?")
    view.locator(".refusal").wait_for()
    assert view.locator(".citation, .instant").count() == 0
    assert view.locator(".evidence[open] .card").count() >= 1
    assert "hampir pasti tidak" in view.locator(".confidence").inner_text()


def test_what_nothing_supports_is_marked(view: Any, engine: Engine) -> None:
    object.__setattr__(engine.settings, "unsupported", "flag")
    said = "Menteri Pertahanan Ashtiani mengatakan Iran tidak memiliki batasan. "
    engine.models.reader = ScriptedReader((said, "Jumlahnya 4711 peluru."), log_odds=3.0)
    answered(view)
    assert view.locator(".sentence.unsupported").inner_text().startswith("Jumlahnya 4711 peluru.")
    assert view.locator(".sentence:not(.unsupported) .citation").count() >= 1
    assert view.locator(".answer .aside").inner_text() != ""


@pytest.mark.parametrize("said", ["Menteri Pertahanan Ashtiani mengatakan Iran", "Jumlahnya 4711"])
def test_an_answer_that_was_cut_says_so_also_where_it_is_withdrawn(view: Any, engine: Engine, said: str) -> None:
    engine.models.reader = ScriptedReader((said,), log_odds=3.0, cut=True)
    engine.models.judge = ScriptedJudge(0.9)  # it marks no words that would be quoted
    answered(view)
    view.locator(".answer .aside", has_text="Jawaban ini terpotong sebelum selesai.").wait_for()


def test_a_problem_in_the_middle_is_shown_with_what_to_do(view: Any, engine: Engine) -> None:
    class Lost(OverlapReader):
        def answer(self, question: str, passages: Sequence[str], instruction: str) -> Any:
            raise WeightsMissing("the weights are gone", "run `rag models fetch`")

    engine.models.reader = Lost()
    ask(view, QUESTION)
    view.locator(".turn .failure", has_text="the weights are gone; run `rag models fetch`").wait_for()
    assert view.locator(".turn .failure", has_text="Berkas model belum ada.").count() == 1  # in the language of the interface
    assert view.locator(".card").count() >= 1
    engine.models.reader = OverlapReader()
    view.click("[data-key=again]")
    view.locator(".turn-foot").wait_for()
    assert view.locator(".question").all_inner_texts() == [QUESTION]


def test_a_problem_before_is_said_on_arrival(page_at: Any, engine: Engine) -> None:
    (engine.settings.index / "current").unlink()
    view = page_at()
    view.locator("#notice", has_text="run `rag index`").wait_for()


def test_an_answer_is_stopped_and_so_is_the_model(view: Any, engine: Engine) -> None:
    engine.models.reader = slow = SlowReader()
    ask(view, QUESTION)
    view.locator(".draft", has_text="kata").wait_for()
    view.click("#stop")
    view.locator(".aside", has_text="belum diperiksa").wait_for()
    assert slow.left.wait(60)
    assert slow.written < slow.most
    assert view.locator("#send").is_visible()


def test_a_question_that_waits_shows_how_many_are_ahead(view: Any, page_at: Any, engine: Engine) -> None:
    engine.models.reader = SlowReader()
    ask(view, QUESTION)
    view.locator(".draft", has_text="kata").wait_for()
    other = page_at(locale="en-US")
    ask(other, QUESTION)
    line = "1 question is before this one"
    other.locator(".turn .progress", has_text=line).wait_for()
    other.locator("#status", has_text=line).wait_for(state="attached")
    assert other.locator(".card").count() >= 1
    view.click("#stop")
    other.locator(".draft", has_text="kata").wait_for()
    assert other.locator(".progress", has_text=line).count() == 0
    other.click("#stop")


def test_what_documents_say_stays_text(view: Any, engine: Engine, seeds: Path) -> None:
    hostile = 'Gajah <script>document.title = "x"</script><img src="x" onerror="alert(1)"> <b>Lampung</b> hidup liar & bebas.'
    name = "<img src=x onerror=alert(1)>.txt"
    (seeds / name).write_text(hostile, encoding="utf-8")
    engine.rebuild()
    question = "Gajah Lampung hidup bebas? <script>alert(1)</script>"
    answered(view, question)
    assert view.locator(".question").inner_text() == question
    assert hostile in view.locator(".words").inner_text()
    view.locator(".citation").first.click()
    view.locator("mark.here").wait_for()
    assert view.locator(".paper").inner_text() == hostile
    assert view.locator("#reader-title").inner_text() == name
    documents(view)
    view.locator(".document-path", has_text=name).wait_for()
    assert view.locator("main :is(script, img, b), #reader :is(script, img, b)").count() == 0


def test_words_that_have_changed_since_are_not_lit(view: Any, seeds: Path, rebuilds: Rebuilds) -> None:
    answered(view)
    (seeds / SEED).write_text("Sebuah catatan pendek.", encoding="utf-8")
    rebuilt(rebuilds)
    view.locator(".citation").first.click()
    view.locator("#reader .failure", has_text="telah berubah").wait_for()
    assert view.locator(".paper").inner_text() == "Sebuah catatan pendek."
    assert view.locator(".paper mark").count() == 0


def test_an_older_answer_opens_as_it_was_where_its_words_still_stand(view: Any, seeds: Path, rebuilds: Rebuilds) -> None:
    answered(view)
    with (seeds / SEED).open("a", encoding="utf-8") as file:
        file.write(" Sebuah tambahan.")
    rebuilt(rebuilds)
    view.locator(".citation").first.click()
    view.locator("mark.here", has_text=CITED).wait_for()
    assert view.locator("#reader .failure").count() == 0


def test_the_pages_of_a_document_are_named(view: Any, engine: Engine, seeds: Path) -> None:
    pdf = makers.pdf([["Halaman satu tentang beras."], ["Gajah Sumatra hidup di Lampung."]])
    (seeds / "a.pdf").write_bytes(pdf)
    assert not engine.rebuild().failures
    answered(view, "Gajah Sumatra hidup di mana?")
    assert "halaman 2" in str(view.locator(".citation").first.get_attribute("aria-label"))
    view.locator(".citation").first.click()
    view.locator("mark.here", has_text="Gajah Sumatra").wait_for()
    assert view.locator(".page").all_inner_texts()[-1] == "Halaman 2"


def test_a_search_is_narrowed_and_says_so(view: Any, engine: Engine, seeds: Path) -> None:
    (seeds / "news.txt").write_text("The minister of defence said that Iran has no limits to exports.", encoding="utf-8")
    engine.rebuild()
    view.locator("#filters summary").click()
    view.locator("[name=language] option[value=en]").wait_for(state="attached")
    view.select_option("[name=language]", "en")
    answered(view, "minister of defence said that Iran")
    assert "Inggris" in view.locator(".turn .aside").first.inner_text()
    view.locator(".evidence summary").click()
    assert view.locator(".card-path").all_inner_texts() == ["news.txt"]


def test_documents_are_searched_by_name(view: Any, engine: Engine, article: str, seeds: Path) -> None:
    (seeds / "lain.md").write_text("Harga beras naik.", encoding="utf-8")
    engine.rebuild()
    documents(view)
    view.locator(".documents-count", has_text="2 dokumen").wait_for()
    view.fill("#view-documents input[type=search]", "EKSPOR")
    view.locator(".documents-count", has_text="1 dokumen").wait_for()
    view.locator(".document-open").click()
    view.locator(".paper", has_text=article[:20]).wait_for()
    with view.expect_download() as saved:
        view.locator("#reader a[download]").click()
    assert saved.value.suggested_filename == "ekspor.txt"
    assert Path(saved.value.path()).read_text("utf-8") == article


def test_an_answer_is_copied_with_its_sources(view: Any) -> None:
    view.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answered(view)
    view.locator("[data-key=copy]").click()
    view.locator("[data-key=copy]", has_text="Tersalin").wait_for()
    copied = view.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"## {QUESTION}\n")
    assert "1. 000\\_609b8a5cf1dcb706.txt" in copied


def test_the_keyboard_is_enough(view: Any) -> None:
    assert view.locator("#question:focus").count() == 1
    view.keyboard.type(QUESTION)
    view.keyboard.press("Enter")
    view.locator(".turn-foot").wait_for()
    back(view, ".citation")
    view.keyboard.press("Enter")
    view.locator("mark.here:focus").wait_for()
    view.keyboard.press("Escape")
    view.locator("#reader").wait_for(state="hidden")
    assert view.locator(".citation:focus").count() == 1
    view.keyboard.press("/")
    assert view.locator("#question:focus").count() == 1
    back(view, "nav a[href='#documents']")
    view.keyboard.press("Enter")
    view.locator(".document").wait_for()
    for _ in range(20):
        view.keyboard.press("Tab")
        if view.evaluate("document.activeElement.matches('.document-open')"):
            break
    view.keyboard.press("Enter")
    view.locator(".paper").wait_for()
    view.keyboard.press("Escape")
    assert view.locator(".document-open:focus").count() == 1


def back(view: Any, selector: str) -> None:
    """Shift+Tab until it has the focus."""
    for _ in range(30):
        view.keyboard.press("Shift+Tab")
        if view.evaluate(f'document.activeElement.matches("{selector}")'):
            return
    raise AssertionError(f"keys do not lead to {selector}")


def test_the_interface_changes_its_language_and_remembers(view: Any) -> None:
    heading = view.locator("#view-ask h1")
    assert heading.inner_text() == "Tanyakan pada dokumen Anda"
    view.select_option("#language", "en")
    assert heading.inner_text() == "Ask your documents"
    view.reload()
    assert heading.inner_text() == "Ask your documents"
    assert view.locator("html").get_attribute("lang") == "en"


def test_dark_and_light_are_chosen_and_remembered(view: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = view.evaluate(paper)
    view.click("#theme")
    dark = view.evaluate(paper)
    assert dark != light
    view.reload()
    assert view.evaluate(paper) == dark
    assert view.locator("#theme").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(view: Any, width: int, article: str) -> None:
    view.set_viewport_size({"width": width, "height": 800})
    view.locator("#filters summary").click()
    answered(view)
    view.locator(".citation").first.click()
    view.locator("mark.here").wait_for()
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    view.keyboard.press("Escape")
    documents(view)
    view.locator(".document").first.wait_for()
    assert view.evaluate("document.documentElement.scrollWidth") <= width


def test_a_key_opens_the_page_and_logging_out_shuts_it(engine: Engine, page_at: Callable[..., Any]) -> None:
    token, _ = Keys(engine.settings.keys).create("laptop", "read")
    view = page_at()
    dialog, key = view.locator("#login[open]"), view.locator("#login input")
    dialog.wait_for()
    key.fill("rag_wrong")
    key.press("Enter")
    view.locator("#login .failure", has_text="the key is unknown or was revoked").wait_for()
    key.fill(token)
    key.press("Enter")
    dialog.wait_for(state="detached")
    cookies = {cookie["name"]: cookie for cookie in view.context.cookies()}
    assert {name: cookie["httpOnly"] for name, cookie in cookies.items()} == {"rag_session": True, "rag_csrf": False}
    assert {cookie["sameSite"] for cookie in cookies.values()} == {"Strict"}
    answered(view)
    assert view.locator(".citation").count() >= 1
    # A key that may only read cannot upload.
    assert view.locator("body").get_attribute("data-ingest") != "true"
    view.locator("#logout").click()
    dialog.wait_for()
    assert view.locator(".turn").count() == 0
    assert view.evaluate("sessionStorage.length") == 0
    assert view.context.cookies() == []


def test_a_key_that_is_revoked_shuts_the_page(engine: Engine, page_at: Callable[..., Any]) -> None:
    token, key = Keys(engine.settings.keys).create("laptop", "read")
    view = page_at()
    view.locator("#login input").fill(token)
    view.locator("#login input").press("Enter")
    view.locator("#login[open]").wait_for(state="detached")
    Keys(engine.settings.keys).revoke(key.name)
    view.locator("#question").fill(QUESTION)
    view.locator("#question").press("Enter")
    view.locator("#login[open]").wait_for()
