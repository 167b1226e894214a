"""The real reader on the small model, and what it reads."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.answering.local.llama import LlamaReader
from rag.answering.local.store import PassageStore
from rag.engine import Engine

PASSAGE = "Ibu kota Indonesia adalah Jakarta. Jakarta terletak di pulau Jawa dan dihuni sekitar sepuluh juta orang."
OTHER = "Kucing adalah hewan peliharaan yang suka makan ikan dan tidur di tempat hangat."
QUESTION = "Apa ibu kota Indonesia?"
# Cells of the context in another order are summed in another order: seen 0.04 here and 0.15 with the default model, where
# verdicts differ by units.
ROUNDING = 0.3


@pytest.fixture
def reader(real_engine: Engine) -> LlamaReader:
    assert isinstance(real_engine.models.reader, LlamaReader)
    return real_engine.models.reader


@pytest.fixture(scope="session")
def narrow_reader(real_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaReader]:
    """The same model with a context that is soon full: reading the usual one full takes a minute."""
    models, store = real_engine.models, PassageStore(tmp_path_factory.mktemp("narrow"), 0)
    reader = LlamaReader(
        models.llm_source, models.prompts, store=store, threads=models.settings.threads, context_tokens=768, answer_tokens=16
    )
    yield reader
    reader.close()


def logits_of(reader: LlamaReader, passage: str) -> NDArray[np.float32]:
    """The scores of the model's next token after the passage and a question, shape (vocabulary,)."""
    task = reader._task(reader._prompts.judge.fill(question=QUESTION))
    held = reader._hold(passage, len(task))
    try:
        return reader._context.read(held.sequence, held.end, task)
    finally:
        reader._held.take_back(held)


def state_of(reader: LlamaReader, passage: str) -> bytes:
    """The state of a passage that the context holds, or reads now."""
    return reader._held.state(reader._hold(passage, 0))
