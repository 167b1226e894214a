"""The real embedder."""

import numpy as np
import pytest

from rag.embedding import sentence_embedder
from rag.engine import Engine
from rag.errors import WeightsError

pytestmark = pytest.mark.real


def test_vectors_are_unit_vectors_of_384(real_engine: Engine) -> None:
    vectors = real_engine.models.embedder.embed_passages(["Jakarta", "Kucing makan ikan."])
    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_a_question_lies_nearest_to_the_passage_that_answers_in_any_language(real_engine: Engine) -> None:
    passages = ["Jakarta adalah ibu kota Indonesia.", "Kucing suka makan ikan.", "Paris is the capital of France."]
    questions = ["Apa ibu kota Indonesia?", "What do cats eat?", "法国的首都是哪里？"]
    similarities = real_engine.models.embedder.embed_queries(questions) @ real_engine.models.embedder.embed_passages(passages).T
    assert similarities.argmax(axis=1).tolist() == [0, 1, 2]


def test_token_starts_are_offsets_of_the_text_as_it_is(real_engine: Engine) -> None:
    text = "Kucing\u200b  makan 😀 ikan\r\nﬁnal"
    starts = real_engine.models.embedder.token_starts(text)
    assert starts == sorted(starts)
    assert starts[-1] < len(text)
    assert text.index("ikan") in starts or text.index("ikan") - 1 in starts


def test_a_folder_without_a_model_is_reported(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(WeightsError, match="no sentence-transformers embedder in"):
        sentence_embedder.open_named(str(tmp_path_factory.mktemp("empty")))


def test_token_starts_reach_the_end_of_a_long_text_also_after_embedding(real_engine: Engine) -> None:
    text = "Kucing makan ikan. " * 400
    real_engine.models.embedder.embed_passages([text])
    assert text.rindex("ikan") - real_engine.models.embedder.token_starts(text)[-1] < 8
