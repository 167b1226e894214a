"""Opens the index and the models chosen in the settings. Each is opened when first needed, or ahead, and then shared."""

from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from rag import language, processor
from rag.answering import prompt
from rag.answering.local.store import PassageStore
from rag.errors import RagError, WeightsMissing
from rag.indexing.embedded.embedded_index import EmbeddedIndex
from rag.indexing.protocol import Index
from rag.judging.other_judges import SecondOpinion
from rag.settings import BOTH_JUDGES, LLM_JUDGE, Settings
from rag.stopping import once
from rag.types import Calibration, Judge, Reader, SupportCheck
from rag.weights import sources
from rag.weights.cache import WeightCache, fetch_command
from rag.weights.catalogue import CATALOGUE, JUDGE, LLM, SHIPPED

if TYPE_CHECKING:
    from rag.answering.endpoint.remote import RemoteReader
    from rag.embedding.openvino import OpenVinoEmbedder
    from rag.embedding.sentence_embedder import SentenceEmbedder
    from rag.judging.small_judge import SmallJudge

# The digests in receipts of the judges whose weights come with rag.
JUDGES_DIGESTS = {JUDGE: SHIPPED.sha256, BOTH_JUDGES: f"{BOTH_JUDGES} {SHIPPED.sha256}"}


def open_index(settings: Settings) -> Index:
    """The index of the home; the only place that chooses an implementation. Nothing is read yet."""
    return EmbeddedIndex(settings.index)


class Models:
    """The embedder, the judges and the language model (reader), with its prompts and the store of read passages.

    Safe to use from several threads. If opening one fails, each access tries again: the cause may have been fixed.
    """

    def __init__(self, settings: Settings) -> None:
        processor.wait_briefly()
        self.settings = settings
        self.weights = WeightCache(settings.cache)

    def begin_searching(self) -> None:
        """Start to open what a search needs, and return at once. An error is raised to the first call that needs it."""
        _begin(language.load)
        _begin(self._open_embedder)

    def begin_answering(self) -> None:
        """Start to open what an answer needs beyond that, likewise."""
        _begin(self._open_judge)
        _begin(self._open_reader)

    def _open_embedder(self) -> None:
        self.embedder.embed_queries(["?"])  # compiles it

    def _open_judge(self) -> None:
        if self.support_check:
            self.support_check.supports([("?", "?")])  # likewise
        _ = self.judge

    def _open_reader(self) -> None:
        _ = self.reader

    def close(self) -> None:
        """Let the store write what waits to be written, then free the models. A later call opens again what it needs."""
        if "store" in vars(self):
            self.store.settle()
        for name in ("reader", "_remote"):
            if opened := self._taken(name):
                opened.close()
        # They hold one another, and the store's thread ends with the store.
        for name in ("judge", "small_judge", "embedder", "store"):
            self._taken(name)

    def _taken(self, name: str) -> Any:
        """Take out what was opened under this name; None if nothing was.

        Waits for models still being opened (a refusal may come before the language model is loaded); otherwise they would
        remain after `close`.
        """
        opening = getattr(type(self), name)
        if isinstance(opening, once) and (loading := opening.in_progress(self)):
            wait([loading])
        return vars(self).pop(name, None)

    def require_weights(self) -> None:
        """Raises WeightsMissing unless the files of the catalogue's models are there, with their sizes. Nothing is read."""
        for name in self.settings.models:
            if (model := CATALOGUE.get(name)) and not self.weights.is_present(model):
                raise WeightsMissing(f"the weights of {name} are not in {self.weights.root}", fetch_command(model))

    @once
    def embedder(self) -> "OpenVinoEmbedder | SentenceEmbedder":
        """The embedder of the settings. Raises WeightsError."""
        from rag.embedding import backend

        source = sources.embedder(self.settings.embedder, self.weights)
        if source is None:
            return backend.open_named(self.settings.embedder, self.settings.cache)
        return backend.open_folder(source.name, source.digest, source.path, self.settings.cache)

    @property
    def embedder_digest(self) -> str:
        """The digest of the embedder's weights. A model of the catalogue is not loaded for it. Raises WeightsError."""
        model = CATALOGUE.get(self.settings.embedder)
        return model.sha256 if model else self.embedder.digest

    @once
    def judge(self) -> Judge:
        """The judge of the settings. Raises WeightsError."""
        name = self.settings.judge
        if name == JUDGE:
            return self.small_judge
        if name == BOTH_JUDGES:
            return SecondOpinion(self.small_judge, self._llm_judge, self.settings.min_confidence)
        if name == LLM_JUDGE:
            return self._llm_judge()
        from rag.judging import other_judges

        return other_judges.open_named(name)

    def _llm_judge(self) -> Judge:
        from rag.judging.other_judges import LlmJudge

        return LlmJudge(self.reader, self._calibration())

    def _calibration(self) -> Calibration:
        """The calibration of the language model; if the catalogue does not have it, that of the default model."""
        known = CATALOGUE.get(self.settings.llm, CATALOGUE[LLM]).calibration
        assert known is not None
        return known

    @property
    def judge_digest(self) -> str:
        """The digest of the judge's weights; its name if they are the language model's or from a hub."""
        return JUDGES_DIGESTS.get(self.settings.judge, self.settings.judge)

    @property
    def support_check(self) -> SupportCheck | None:
        """Our own judge, if the settings chose it: only it can judge whether evidence supports a claim."""
        return self.small_judge if self.settings.uses_ours else None

    @once
    def small_judge(self) -> "SmallJudge":
        """Our own judge. Raises WeightsError."""
        from rag.judging import small_judge

        return small_judge.open_shipped(self.embedder, self.weights)

    @once
    def prompts(self) -> prompt.Prompts:
        """The prompts of the home, else those of the package. Raises PromptError."""
        return prompt.load(self.settings.home)

    @once
    def store(self) -> PassageStore:
        """The store of passages that the language model has read; it keeps nothing if `store_mb` is 0."""
        return PassageStore(self.settings.store, self.settings.store_mb * 10**6)

    @once
    def llm_source(self) -> sources.Source:
        """The language model's weights on this disk. Raises WeightsError."""
        return sources.llm(self.settings.llm, self.weights)

    @property
    def llm_weights(self) -> str:
        """The digest of the language model's weights; at an endpoint, its address and name there. Raises WeightsError."""
        return self._remote.name if self.settings.endpoint else self.llm_source.digest

    @property
    def llm_digest(self) -> str:
        """The same, with the layers that a GPU computes: it rounds differently. To know them, llama.cpp is imported."""
        if self.settings.endpoint or self.settings.most_gpu_layers == 0:
            return self.llm_weights
        from rag.answering.local import model

        offload = model.offload(self.settings.most_gpu_layers)
        return f"{self.llm_weights}, {offload}" if offload.layers else self.llm_weights

    @once
    def _remote(self) -> "RemoteReader":
        from rag.answering.endpoint import remote

        chosen = self.settings
        assert chosen.endpoint is not None
        key = chosen.llm_key.reveal()
        return remote.open_endpoint(chosen.endpoint, self.prompts, key=key, answer_tokens=chosen.answer_tokens)

    @once
    def reader(self) -> Reader:
        """The language model of the settings. Raises WeightsError; EndpointError for a model at an endpoint."""
        if self.settings.endpoint:
            return self._remote
        from rag.answering.local.llama import LlamaReader

        return LlamaReader(
            self.llm_source,
            self.prompts,
            store=self.store,
            threads=self.settings.threads,
            context_tokens=self.settings.context_tokens,
            answer_tokens=self.settings.answer_tokens,
            gpu_layers=self.settings.most_gpu_layers,
        )


def _begin(work: Callable[[], None]) -> None:
    """Do the work in a daemon thread, without its errors."""

    def quietly() -> None:
        with suppress(RagError):
            work()

    Thread(target=quietly, name="opening models", daemon=True).start()
