"""The routes that the page calls, with invented documents and answers, to look at it: `python -m tests.web.fake_service`.

A question with "Brasil" is refused, one with "rusak" ends in a problem; whatever else is asked has the same answer.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, delete, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import ServerSentEvent

from rag.types import Answer, Citation, Parameters, Passage, Receipt, Sentence, Span
from rag.web import page

NEWS = "berita/2023/ekspor-alutsista-iran.txt"
BOOK = "laporan/Laporan Tahunan Ketahanan Pangan 2025.pdf"
TEXTS = {
    NEWS: next((Path(__file__).parents[2] / "seeds").glob("*.txt")).read_text("utf-8"),
    BOOK: "\n\n".join(
        f"Bab {n}. Produksi beras nasional pada triwulan {n} mencapai {7 + n},4 juta ton 🌾, naik {n},2 persen dari tahun "
        "lalu. Kenaikan terbesar terjadi di Jawa Timur dan Sulawesi Selatan, tempat irigasi baru mulai bekerja.\n\n"
        "Pemerintah daerah menyimpan sepersepuluh hasil panen sebagai cadangan. Gudang-gudang di tiga pelabuhan diperluas, dan "
        f"harga di tingkat petani bertahan di atas Rp{n + 5}.500 per kilogram. Kementerian memperkirakan bahwa cadangan cukup "
        "untuk empat bulan, juga bila musim kemarau datang lebih awal dari biasanya."
        for n in range(1, 6)
    ),
    "catatan/rapat-12-mei.md": "# Rapat 12 Mei\n\n<script>alert(1)</script> <b>Anggaran</b> disetujui tanpa perubahan.",
}
PAGES = [{"number": n, "start": TEXTS[BOOK].index(f"Bab {n}.")} for n in range(1, 6)]
DELAY = 0.15


def _citation(path: str, words: str, number: int | None = None) -> Citation:
    start = TEXTS[path].index(words)
    return Citation(path, path, "0" * 64, start, start + len(words), words, number)


def _passage(path: str, words: str, score: float, *, number: int | None = None) -> Passage:
    cited, text = _citation(path, words), TEXTS[path]
    start, end = max(0, cited.start - 330), min(len(text), cited.end + 260)
    lit = Span(cited.start, cited.end)
    return Passage(path, path, "id", start, end, text[start:end], score, score, 9.1, number, None, lit)


_FIRST = _citation(NEWS, "Menteri Pertahanan Brigadir Jenderal Mohammad Reza Ashtiani mengatakan Iran “tidak memiliki batasan”")
_SECOND = _citation(NEWS, "siap untuk mengekspor peralatan pertahanannya (alutsista) ke negara-negara sahabat")
_THIRD = _citation(BOOK, "Bab 3. Produksi beras nasional pada triwulan 3 mencapai 10,4 juta ton 🌾", 3)
_PASSAGES = (
    _passage(NEWS, _FIRST.text, 0.91),
    _passage(NEWS, _SECOND.text, 0.84),
    _passage(BOOK, _THIRD.text, 0.41, number=3),
    _passage("catatan/rapat-12-mei.md", "<b>Anggaran</b> disetujui", 0.2),
)
_SENTENCES = (
    Sentence(
        "Menteri Pertahanan Ashtiani mengatakan Iran tidak memiliki batasan untuk mengekspor peralatan militer.", (_FIRST,)
    ),
    Sentence("Negara itu siap mengekspor alutsista ke negara-negara sahabat, termasuk Venezuela.", (_FIRST, _SECOND)),
    Sentence("Pada triwulan ketiga produksi beras mencapai 10,4 juta ton.", (_THIRD,)),
    Sentence("Harga beras turun separuhnya.", ()),
)
_RECEIPT = Receipt("0", "s", "e", "j", "l", "p", Parameters("", 4, 0.35, "flag", 4096, 160), {})


def _answer(question: str) -> Answer:
    judged = tuple(replace(passage, confidence=passage.score) for passage in _PASSAGES)
    blank = Answer(question, "id", False, "Dokumen-dokumen ini tidak menjawab pertanyaan itu.", (), (), 0.07, judged, _RECEIPT)
    if "Brasil" in question:
        return blank
    text, note = " ".join(s.text for s in _SENTENCES), "Kalimat bertanda ⚠ tidak didukung oleh dokumen-dokumen ini."
    answered = replace(blank, answered=True, text=text, sentences=_SENTENCES, citations=(_FIRST, _SECOND, _THIRD), note=note)
    return replace(answered, confidence=0.93, marked=_FIRST)


async def _events(question: str) -> AsyncIterator[dict[str, str]]:
    def event(kind: str, **data: Any) -> dict[str, str]:
        return {"event": kind, "data": json.dumps(data)}

    yield event("evidence", passages=[asdict(passage) for passage in _PASSAGES])
    await asyncio.sleep(4 * DELAY)
    if "rusak" in question:
        yield event("error", title="WeightsMissing", status=503, detail="the weights are not here; run `rag models fetch`")
        return
    answer = _answer(question)
    if answer.marked:
        yield event("verdict", citation=asdict(answer.marked), confidence=answer.confidence)
        await asyncio.sleep(4 * DELAY)
        for word in answer.text.split():
            yield event("token", text=f"{word} ")
            await asyncio.sleep(DELAY / 3)
    yield event("done", **asdict(answer))


def _item(path: str) -> dict[str, Any]:
    pages = len(PAGES) if path == BOOK else 0
    return {"id": path, "path": path, "language": "id", "date": "2025-03-14", "characters": len(TEXTS[path]), "pages": pages}


async def _job() -> AsyncIterator[dict[str, str]]:
    for done in range(21):
        state = {"id": "1", "state": "done" if done == 20 else "running", "stage": "embed", "done": done, "total": 20}
        yield {"event": "job", "data": json.dumps(state)}
        await asyncio.sleep(DELAY)


@post("/v1/ask", status_code=200)
async def ask(request: Request[Any, Any, Any]) -> ServerSentEvent:
    return ServerSentEvent(_events((await request.json())["question"]))


@get("/v1/documents", sync_to_thread=False)
def documents(contains: FromQuery[str] = "") -> dict[str, Any]:
    items = [_item(path) for path in TEXTS if contains.lower() in path.lower()]
    return {"items": items, "total": len(items), "offset": 0, "limit": 50}


@get("/v1/documents/{path:path}", sync_to_thread=False)
def text(path: FromPath[str], start: FromQuery[int] = 0, end: FromQuery[int] = 200_000) -> dict[str, Any]:
    name = path.removeprefix("/").removesuffix("/text")
    whole = TEXTS[name]
    end = min(end, len(whole))
    pages = PAGES if name == BOOK else []
    return {
        "id": name,
        "path": name,
        "start": start,
        "end": end,
        "length": len(whole),
        "text": whole[start:end],
        "pages": pages,
    }


@delete("/v1/documents/{path:path}", status_code=202, sync_to_thread=False)
def remove(path: FromPath[str]) -> dict[str, Any]:
    return {"removed": path, "job": {"id": "1", "state": "waiting"}}


@post("/v1/documents", status_code=202)
async def upload(request: Request[Any, Any, Any]) -> dict[str, Any]:
    files = (await request.form()).getall("files")
    return {"added": [file.filename for file in files], "job": {"id": "1", "state": "waiting"}}


@get("/v1/jobs/1", sync_to_thread=False)
def job() -> ServerSentEvent:
    return ServerSentEvent(_job())


@get(["/v1/jobs", "/health/ready"], sync_to_thread=False)
def nothing() -> dict[str, Any]:
    return {"items": []}


@get("/v1/me", sync_to_thread=False)
def me() -> dict[str, Any]:
    return {"scopes": ["read", "ingest", "admin"], "keys_required": False}


def create() -> Litestar:
    return Litestar([*page.HANDLERS, ask, documents, text, remove, upload, job, nothing, me])


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(create(), host="127.0.0.1", port=8123)
