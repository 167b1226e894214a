"""The composition root: one object behind HTTP, MCP, the command line and the Python API."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Self

from rag import __version__, language, stopping
from rag.answering import answer as answering
from rag.answering import follow_up
from rag.answering.choosing import Tools
from rag.answering.local import store
from rag.answering.local.store import Warmed
from rag.errors import DocumentChanged, IndexMismatch, QuestionError, SeedError
from rag.indexing import build
from rag.indexing.build import BuildReport
from rag.indexing.protocol import Index, Listed, Maker, Manifest, Progress, State, Unread
from rag.ingestion import seeds_folder, watching, worker
from rag.ingestion.chunking import Chunking
from rag.judging import scoring
from rag.models import Models, open_index
from rag.retrieval import filters
from rag.retrieval.hybrid import HybridRetriever
from rag.settings import FLAG, Settings
from rag.types import (
    Answer,
    Document,
    Event,
    Found,
    Parameters,
    Passage,
    Reader,
    Receipt,
    Turn,
    Understood,
)

# Longer texts are documents, not questions: the embedder reads 512 tokens, the language model 40 tokens a second.
MOST_QUESTION_CHARACTERS = 1000
MOST_RESULTS = 100
# Passages that the judge reads in a judged search, at least: the right one is among ten for nearly every question.
LEAST_JUDGED = 10


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that is not shown."""


class Engine:
    """Search, ask and rebuild over one home. Safe to use from several threads.

    Nothing is opened before a call needs it. As a context manager it calls `close` at the end.
    """

    def __init__(self, settings: Settings, models: Models | None = None, index: Index | None = None) -> None:
        self.settings = settings
        self.models = models or Models(settings)
        self.index = index or open_index(settings)
        self.chunking = Chunking()
        self._opening = Lock()
        self._snapshot: State | None = None
        self._retriever: HybridRetriever | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what the passage store still has to write; then free the models, the index and the process that reads files.

        Waits for an answer that another thread is writing; raises RuntimeError if a `stream` of this thread is still open.
        Closing twice is harmless, and a later call opens again what it needs.
        """
        with self._opening:
            # A search under way holds the state itself; its files are closed with the last one that does.
            self._snapshot = self._retriever = None
        self.models.close()
        # All engines of this process share it. Where another one is reading a file, this waits for that.
        worker.shared.close()

    def rebuild(self, progress: Progress = _silent, *, anew: bool = False) -> BuildReport:
        """Bring the index in line with the seeds; with `anew`, reuse nothing of the old one.

        `progress` is called with the stage (`waiting`, `reading` or `embedding`), and how many of how many items are done. A
        document that cannot be read becomes one of the report's `failures`. Raises SeedError if none can be read;
        WeightsError or StorageError.
        """
        return build.rebuild(
            seeds=self.settings.seeds,
            index=self.index,
            maker=self.maker(),
            chunking=self.chunking,
            open_embedder=lambda: self.models.embedder,
            progress=progress,
            anew=anew,
        )

    def watch(self) -> Iterator[None]:
        """Yield at once, then after each burst of changes in the seeds, without end. Raises SeedError."""
        return watching.changes(self.settings.seeds)

    def add(self, sources: Sequence[Path]) -> list[str]:
        """Copy documents and folders of them into the seeds. Returns their paths there. Raises SeedError or StorageError."""
        self._require_seeds()
        return seeds_folder.add(self.settings.seeds, sources)

    def add_bytes(self, raw: bytes, name: str | None) -> str:
        """Write one document into the seeds, under `name`. Returns its path there. Raises SeedError or StorageError."""
        self._require_seeds()
        return seeds_folder.add_bytes(self.settings.seeds, raw, name)

    def _require_seeds(self) -> None:
        """Raises SeedError if the folder of indexed documents is missing: a disk may not be mounted.

        In a new folder, the next build would find the added document only, and remove all others from the index.
        """
        if not self.settings.seeds.is_dir() and self.snapshots():
            hint = "bring it back or mount its disk; to begin anew, make an empty one"
            raise SeedError(f"the folder {self.settings.seeds} is missing, but the index contains documents from it", hint)

    def remove(self, path: str) -> None:
        """Remove one document from the seeds; the next build drops it from the index. Raises SeedError or StorageError."""
        seeds_folder.remove(self.settings.seeds, path)

    def unread(self) -> list[Unread]:
        """The files of the seeds that the last build could not read, and why."""
        return self.index.unread()

    def original(self, document: Listed) -> bytes:
        """The bytes of a document's file. Raises DocumentChanged if they are not those that were indexed."""
        hint = "run `rag index` or POST /v1/index, then open the document anew"
        try:
            seed = seeds_folder.read(self.settings.seeds, document.path)
        except SeedError as error:
            raise DocumentChanged(error.problem, hint) from error
        if seed.sha256 != document.sha256:
            raise DocumentChanged(f"{document.path} was changed since it was indexed", hint)
        return seed.raw

    def verify(self) -> list[str]:
        """Every defect of the index that serves; all of it is read. Raises SnapshotError."""
        return list(self.index.verify())

    def serving(self) -> str | None:
        """The id of the snapshot that serves; None if nothing was indexed yet. Raises SnapshotError."""
        return self.index.serving()

    def manifest(self) -> Manifest:
        """The manifest of the snapshot that serves; nothing else of it is read. Raises SnapshotError."""
        return self.index.manifest()

    def snapshots(self) -> Sequence[Manifest]:
        """The snapshots that can be rolled back to, newest first."""
        return self.index.stored()

    def rollback(self, name: str, waiting: Callable[[], None] = lambda: None) -> Manifest:
        """Make an older snapshot serve again. `waiting` is called if a build has to end first, and may raise.

        Raises SnapshotError or StorageError.
        """
        with self.index.writing(waiting):
            return self.index.rollback(name)

    def prune(self, keep: int) -> list[str]:
        """Keep the snapshot that serves and the newest others, `keep` in all. Returns the ids removed. Raises StorageError."""
        with self.index.writing():
            return self.index.prune(keep)

    def search(self, question: str, count: int = 5, where: str = "", *, judged: bool = False) -> list[Passage]:
        """At most `count` passages for the question, best first, from documents that meet the filter `where`.

        With `judged`, the judge reads the best of them, and they come in its order. `retrieval/filters.py` has the syntax of
        filters. Raises QuestionError, SnapshotError or WeightsError.
        """
        if not 1 <= count <= MOST_RESULTS:
            raise QuestionError(f"the number of results is {count}", f"ask for 1 to {MOST_RESULTS}")
        question, conditions = checked(question), filters.parse(where)
        opened = self.snapshot()
        spoken = language.of_question(question, leaning=opened.languages())
        if not judged:
            return self.retriever(opened).search(question, spoken, count, conditions)
        found = self.retriever(opened).search(question, spoken, max(count, LEAST_JUDGED), conditions)
        return scoring.rerank(question, found, self.models.judge)[:count]

    def ask(self, question: str, where: str = "", snapshot_id: str | None = None, history: Sequence[Turn] = ()) -> Answer:
        """The answer with its citations, or a refusal, whose `answered` is false. Parameters and errors as of `stream`."""
        return whole(self.stream(question, where, snapshot_id, history))

    def stream(
        self, question: str, where: str = "", snapshot_id: str | None = None, history: Sequence[Turn] = ()
    ) -> Iterator[Event]:
        """Events: the passages found, the words that answer, the answer as it is written, and last the whole `Answer`.

        `snapshot_id` names the snapshot to search, by default the one that serves. A question that depends on `history`, oldest
        turn first, is rewritten to stand alone. Raises as `search` does; EndpointError if the language model is at an endpoint.
        """
        question, conditions = checked(question), filters.parse(where)
        start = time.perf_counter()
        opened = self.snapshot(snapshot_id)
        prompts = self.models.prompts
        reader = self._loading_reader()
        retriever, judge = self.retriever(opened), self.models.judge
        asked, spoken = question, _language(question, history, opened)

        def search(wanted: str) -> list[Passage]:
            return retriever.search(wanted, spoken, self.settings.passages, conditions, joining=False)

        loaded = time.perf_counter()
        if follow_up.is_likely(question, history, spoken, prompts.phrases(spoken)):
            question = yield from self._understood(question, history, spoken, search, reader)
        understood = time.perf_counter()
        passages = search(question)
        seconds = {"load": round(loaded - start, 4), "search": round(time.perf_counter() - understood, 4)}
        if question != asked:
            seconds["understand"] = round(understood - loaded, 4)
        store = self.models.store
        hits, misses = store.hits, store.misses
        for event in answering.answer(
            question,
            spoken,
            passages,
            tools=Tools(judge, self.models.support_check, reader, self.models.embedder, opened.document),
            phrases=prompts.phrases(spoken),
            least_confidence=self.settings.min_confidence,
            flagging=self.settings.unsupported == FLAG,
            # Without what a GPU computes: to know that, llama.cpp is imported, and the passages are reported before.
            receipt=replace(self._receipt(opened.manifest.id, where, self.models.llm_weights), seconds=seconds),
        ):
            if isinstance(event, Answer):
                stored, read = store.hits - hits, store.misses - misses
                receipt = replace(event.receipt, llm=self.models.llm_digest, stored=stored, read=read)
                yield replace(event, question=asked, understood_as=question if question != asked else "", receipt=receipt)
            else:
                yield event

    def _loading_reader(self) -> Callable[[], Reader]:
        """A function that waits for the language model and returns it.

        The model is loaded in a thread during search and judging: neither the words that answer nor a refusal wait for it.
        Loading goes on if the question is stopped: the next one needs it.
        """
        loading = ThreadPoolExecutor(1)
        reader = loading.submit(lambda: self.models.reader)
        loading.shutdown(wait=False)
        return lambda: stopping.result(reader)

    def _understood(
        self,
        question: str,
        history: Sequence[Turn],
        spoken: str,
        search: Callable[[str], list[Passage]],
        reader: Callable[[], Reader],
    ) -> Generator[Event, None, str]:
        """The follow-up as a question that stands alone. Passages for a guess are yielded first: the model takes seconds."""
        phrases = self.models.prompts.phrases(spoken)
        guess = follow_up.joined(question, history, phrases)
        yield Found(tuple(search(guess)))
        alone = follow_up.alone(question, history, spoken, phrases, reader)
        yield Understood(alone)
        return alone

    def warm(self, progress: Progress = _silent) -> Warmed:
        """Let the language model read the chunks of the index ahead of questions, until the passage store is full.

        `progress` is called with the stage `warming`, and how many of how many chunks are read. Raises QuestionError if the
        model is at an endpoint, StorageError if the disk does not accept what was read, and as `ask` does.
        """
        opened, reader = self.snapshot(), self.models.reader
        if not isinstance(reader, store.AheadReader):
            raise QuestionError(
                f"the passage store cannot be used with the remote model {self.settings.llm}", "leave out --warm"
            )
        return store.warm(opened.chunk_texts(), opened.manifest.chunks, reader, self.models.store, partial(progress, "warming"))

    def document(self, document_id: str) -> Document | None:
        """A document of the index with its original text; None if there is none with this id. Raises SnapshotError."""
        return self.snapshot().document(document_id)

    def snapshot(self, name: str | None = None) -> State:
        """The snapshot that serves, opened once and shared; after a build, the new one.

        With the id of another snapshot as `name`, that one is opened for the caller. Raises SnapshotError.
        """
        with self._opening:
            serving = self.index.serving()
            if name is not None and name != serving:
                older = self.index.open(name)
                self._require_same_maker(older)
                return older
            if self._snapshot is None or self._snapshot.manifest.id != serving:
                opened = self.index.open()
                self._require_same_maker(opened)
                # Questions under way hold the one before; its files are closed with the last of them.
                self._snapshot = opened
            return self._snapshot

    def _require_same_maker(self, opened: State) -> None:
        made, wanted = opened.manifest.maker, self.maker()
        if (made.embedder, made.embedder_digest) != (wanted.embedder, wanted.embedder_digest):
            hint = "run `rag index --rebuild`, or set RAG_EMBEDDER to the one that made it"
            raise IndexMismatch(f"the index was made with the embedder {made.embedder}, not {wanted.embedder}", hint)

    def maker(self) -> Maker:
        """The maker of an index that is built now. Raises WeightsError."""
        return Maker(self.settings.embedder, self.models.embedder_digest, self.chunking.as_dict())

    def retriever(self, opened: State | None = None) -> HybridRetriever:
        """Search over `opened`, by default the snapshot that serves. Raises SnapshotError or WeightsError."""
        opened = opened or self.snapshot()
        known = self._retriever
        if known is None or known.state is not opened:
            known = self._retriever = HybridRetriever(self.models.embedder, opened)
        return known

    def at(self, home: Path) -> "Engine":
        """An engine over another home with the same models, prompts and store."""
        return type(self)(replace(self.settings, home=home), self.models)

    def receipt(self, snapshot_id: str, where: str) -> Receipt:
        """The receipt of an answer made now from this snapshot under this filter, without seconds. Raises WeightsError."""
        return self._receipt(snapshot_id, where, self.models.llm_digest)

    def _receipt(self, snapshot_id: str, where: str, llm: str) -> Receipt:
        settings = self.settings
        return Receipt(
            version=__version__,
            snapshot=snapshot_id,
            embedder=self.models.embedder_digest,
            judge=self.models.judge_digest,
            llm=llm,
            prompts=self.models.prompts.digest,
            parameters=Parameters(
                where,
                settings.passages,
                settings.min_confidence,
                settings.unsupported,
                settings.context_tokens,
                settings.answer_tokens,
            ),
            seconds={},
        )


def _language(question: str, history: Sequence[Turn], opened: State) -> str:
    """The language of a question. One as short as "When?" is taken to be in the language of the question before."""
    leaning = set(opened.languages())
    if history:
        leaning.add(language.of_question(history[-1].question, leaning))
    return language.of_question(question, leaning)


def checked(question: str) -> str:
    """The question without white space around it. Raises QuestionError if it is empty or far too long."""
    question = question.strip()
    if not any(character.isalnum() for character in question):
        raise QuestionError("the question is empty", 'ask something, as in: rag ask "Siapa Menteri Pertahanan?"')
    if len(question) > MOST_QUESTION_CHARACTERS:
        length = f"{len(question)} characters, more than {MOST_QUESTION_CHARACTERS}"
        raise QuestionError(
            f"the question has {length}", "ask in a few sentences; put long texts into seeds/ and run `rag index`"
        )
    return question


def whole(events: Iterator[Event], observe: Callable[[Event], None] = lambda _: None) -> Answer:
    """The answer that ends a stream of events. `observe` is called with each event before it."""
    last: Event = Found(())
    for last in events:
        observe(last)
    assert isinstance(last, Answer)
    return last
