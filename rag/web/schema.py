"""Extends Litestar's description of the routes, `GET /schema`: examples of responses, and the meaning of every value.

Examples are instances of the values themselves, so that no example can differ from a real response. Imported at the first
`GET /schema`: the service does not pay for it at its start.
"""

from types import ModuleType
from typing import Any

import msgspec

from rag import types
from rag.indexing import build
from rag.indexing.build import BuildReport
from rag.types import Answer, Citation, Parameters, Passage, Receipt, Sentence, Span
from rag.web import problems
from rag.web.openai import embeddings, replies, requests
from rag.web.openai.embeddings import CHAT, Embedding, Embeddings, Model, Models, Usage
from rag.web.openai.replies import Completion
from rag.web.problems import Problem
from rag.web.routes import documents, index, questions, service, uploads
from rag.web.routes.documents import Documents, Item, Page, Removed, Text, UnreadFiles, UnreadItem
from rag.web.routes.index import Job, Jobs, SnapshotItem, Snapshots
from rag.web.routes.questions import SearchResponse
from rag.web.routes.service import Health, Live, Me
from rag.web.routes.uploads import Added

_QUESTION = "Apa yang dikatakan Menteri Pertahanan tentang Venezuela?"
_SAID = "Menteri Pertahanan mengatakan Iran tidak memiliki batasan untuk mengekspor peralatan militer, termasuk ke Venezuela."
_WORDS = "Menteri Pertahanan Ashtiani mengatakan Iran “tidak memiliki batasan” untuk mengekspor peralatan militer ke Venezuela."
_DOCUMENT, _PATH, _SNAPSHOT, _DIGEST = "7b38ca4d8139", "berita/ekspor.pdf", "20261124T010909623850-941ffed7", "1b516e2567251302"

_CITATION = Citation(_DOCUMENT, _PATH, _DIGEST * 4, 894, 894 + len(_WORDS), _WORDS, page=2)
_PASSAGE = Passage(
    _DOCUMENT,
    _PATH,
    "id",
    894,
    894 + len(_WORDS),
    _WORDS,
    score=0.91,
    dense=0.88,
    lexical=7.2,
    page=2,
    confidence=0.94,
    highlight=Span(894, 894 + len(_WORDS)),
)
_RECEIPT = Receipt(
    version="0.1.0",
    snapshot=_SNAPSHOT,
    embedder=_DIGEST,
    judge=_DIGEST,
    llm=_DIGEST,
    prompts="8d93837f0a0b",
    parameters=Parameters("language=id", 4, 0.6, "drop", 4096, 160),
    seconds={"search": 0.03, "judge": 0.1, "first_token": 1.1, "write": 2.9, "cite": 0.1},
    read=1,
)
_ANSWER = Answer(
    question=_QUESTION,
    language="id",
    answered=True,
    text=f"{_SAID} [1]",
    sentences=(Sentence(_SAID, (_CITATION,), support=0.97),),
    citations=(_CITATION,),
    confidence=0.94,
    passages=(_PASSAGE,),
    receipt=_RECEIPT,
    marked=_CITATION,
)
_REPORT = BuildReport(_SNAPSHOT, (_PATH,), (), (), (), 28, 31, 3, (), 2.6)
_ITEM = Item(_DOCUMENT, _PATH, "id", "application/pdf", "2026-11-24", 2225, 3, f"/v1/documents/{_DOCUMENT}/original")
_BROKEN = Problem("urn:rag:SeedDamaged", "SeedDamaged", 422, "rusak.pdf: it is damaged; get it or save it again")
_WAITING = Job("57830d158a4f", "index", "waiting", "", 0, 0, None, None)
_DONE = Job("57830d158a4f", "index", "done", "embedding", 3, 3, _REPORT, None)
_STATE = SnapshotItem(_SNAPSHOT, "2026-11-24T01:09:09+00:00", 29, 31, serving=True)
_READY = Health("ok", "0.1.0", _SNAPSHOT, 29)
_TEXT = Text(_DOCUMENT, _PATH, 894, 894 + len(_WORDS), 2225, _WORDS, [Page(1, 0), Page(2, 760), Page(3, 1600)])
_COMPLETION = Completion(
    CHAT, _QUESTION, "http://127.0.0.1:8000", lambda text: len(text.split()), id="chatcmpl-57830d158a4f", created=1795482549
)

# The JSON of a successful response, by method and path.
REPLIES: dict[tuple[str, str], object] = {
    ("post", "/v1/ask"): _ANSWER,
    ("post", "/v1/search"): SearchResponse(_QUESTION, [_PASSAGE]),
    ("get", "/v1/documents"): Documents([_ITEM], 29, 0, 1),
    ("get", "/v1/documents/unread"): UnreadFiles([UnreadItem("0a1b2c3d4e5f", "rusak.pdf", _BROKEN)], 1),
    ("post", "/v1/documents"): Added([_PATH], _WAITING),
    ("get", "/v1/documents/{document_id}"): _ITEM,
    ("delete", "/v1/documents/{document_id}"): Removed(_PATH, _WAITING),
    ("get", "/v1/documents/{document_id}/text"): _TEXT,
    ("post", "/v1/index"): _WAITING,
    ("get", "/v1/jobs"): Jobs([_DONE]),
    ("get", "/v1/jobs/{job_id}"): _DONE,
    ("get", "/v1/snapshots"): Snapshots([_STATE]),
    ("post", "/v1/snapshots/{snapshot_id}/activate"): _STATE,
    ("get", "/health/live"): Live("ok", "0.1.0"),
    ("get", "/health/ready"): _READY,
    ("get", "/health"): _READY,
    ("get", "/v1/me"): Me(("read",), keys_required=True),
    ("post", "/v1/chat/completions"): _COMPLETION.whole(_ANSWER),
    ("post", "/v1/embeddings"): Embeddings([Embedding(0, [0.025, -0.018, 0.089])], "multilingual-e5-small-q4", Usage(9, 9)),
    ("get", "/v1/models"): Models([Model(CHAT), Model("multilingual-e5-small-q4")]),
    ("get", "/v1/models/{name}"): Model(CHAT),
}
# How a response begins that is not JSON.
STREAMS: dict[tuple[str, str], str] = {
    ("post", "/v1/ask"): 'event: waiting\ndata: {"before":2}\n\nevent: token\ndata: {"text":"Menteri"}\n\n',
    ("get", "/v1/jobs/{job_id}"): 'event: job\ndata: {"id":"57830d158a4f","state":"running","stage":"reading","done":1}\n\n',
    ("post", "/v1/chat/completions"): 'data: {"object":"chat.completion.chunk","choices":[]}\n\n',
    ("get", "/metrics"): "rag_queue_length 0.0\n",
}

# The modules that define the values of requests and responses.
_VALUES: tuple[ModuleType, ...] = (
    types,
    build,
    problems,
    questions,
    documents,
    uploads,
    index,
    service,
    requests,
    embeddings,
    replies,
)


def complete(schema: dict[str, Any]) -> None:
    """Add the examples and descriptions to an OpenAPI document, in place. Doing it twice changes nothing."""
    _add_examples(schema["paths"])
    _add_descriptions(schema["components"]["schemas"])


def _add_examples(paths: dict[str, Any]) -> None:
    for (method, path), value in REPLIES.items():
        _content(paths[path][method])["application/json"]["example"] = msgspec.to_builtins(value)
    for (method, path), text in STREAMS.items():
        ((_, content),) = [c for c in _content(paths[path][method]).items() if c[0].startswith("text/")]
        content["example"] = text


def _content(operation: dict[str, Any]) -> dict[str, Any]:
    """The content of a successful response, by media type."""
    (success,) = [reply for status, reply in operation["responses"].items() if status.startswith("2")]
    content: dict[str, Any] = success["content"]
    return content


def _add_descriptions(schemas: dict[str, Any]) -> None:
    """Describe each value by its docstring, which says what the fields are."""
    for name, schema in schemas.items():
        (kind, *_) = [vars(module)[name] for module in _VALUES if name in vars(module)]
        schema["description"] = " ".join((kind.__doc__ or "").split())
