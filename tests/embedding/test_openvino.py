"""OpenVINO beside sentence-transformers, on small random models and on the real one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rag.embedding import backend, graph, model_folder, openvino, sentence_embedder
from rag.embedding.graph import ARITHMETICS, FLOAT32
from rag.embedding.openvino import OpenVinoEmbedder
from rag.engine import Engine
from rag.weights import sources
from tests.embedding import tiny

ROOT = Path(__file__).parent.parent.parent
TEXTS = ["kucing makan ikan .", "Jakarta ibu kota", "", "tak dikenal", "ikan", "ibu kota " * 30, "kucing\u200b  makan\nikan"]
REAL_TEXTS = [
    "Jakarta adalah ibu kota Indonesia.",
    "",
    "Kucing\u200b suka  makan ikan\r\n😀",
    "法国的首都是巴黎。",
    "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "kata " * 2000,
    "x",
]


def opened(path: Path, arithmetic: graph.Arithmetic = FLOAT32) -> OpenVinoEmbedder:
    return OpenVinoEmbedder("tiny", "0" * 64, model_folder.read(path), arithmetic)


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    product: NDArray[np.float32] = (one * other).sum(axis=1)
    return product


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("bert", "cls"), ("xlm-roberta", "mean"), ("roberta", "cls")])
def test_the_vectors_are_those_of_sentence_transformers(tmp_path, kind, pooling):
    path = tiny.write(tmp_path / "model", kind=kind, pooling=pooling)
    ours, theirs = opened(path), sentence_embedder.open_folder("tiny", "0" * 64, path)
    for embed in ("embed_passages", "embed_queries"):
        one, other = getattr(ours, embed)(TEXTS), getattr(theirs, embed)(TEXTS)
        assert one.shape == other.shape == (len(TEXTS), tiny.HIDDEN)
        assert cosines(one, other) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert cosines(ours.embed_passages(TEXTS), ours.embed_queries(TEXTS)).min() < 0.9999
    assert [ours.token_starts(text) for text in TEXTS] == [theirs.token_starts(text) for text in TEXTS]


@pytest.fixture
def model(tmp_path):
    return tiny.write(tmp_path / "model")


def test_a_text_has_the_same_vector_alone_and_among_many(model, monkeypatch):
    monkeypatch.setattr(openvino, "_BATCH_TOKENS", 64)
    ours = opened(model)
    many = ours.embed_passages(TEXTS * 9)
    alone = np.concatenate([ours.embed_passages([text]) for text in TEXTS])
    assert cosines(many, np.tile(alone, (9, 1))).min() > 0.99999


def test_several_threads_may_embed_at_once(model):
    ours = opened(model)
    expected = ours.embed_passages(TEXTS * 20)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(ours.embed_passages, [TEXTS * 20] * 8):
            assert cosines(vectors, expected).min() > 0.99999


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: a.name)
def test_every_arithmetic_gives_nearly_the_same_vectors(model, arithmetic):
    vectors = opened(model, arithmetic).embed_passages(TEXTS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-3)
    assert cosines(vectors, opened(model).embed_passages(TEXTS)).min() > 0.999


def test_no_texts_have_no_vectors(model):
    assert opened(model).embed_passages([]).shape == (0, tiny.HIDDEN)


def test_neither_torch_nor_telemetry_nor_the_network_is_touched(model):
    code = """
import socket, sys
def refuse(*a, **k): raise SystemExit(f"network: {a}")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from pathlib import Path
from rag.embedding import backend
made = backend.open_folder("tiny", "0" * 64, Path(sys.argv[1]), Path(sys.argv[1]) / "cache")
assert made.embed_passages(["kucing makan ikan"] * 300).shape == (300, 32)
heavy = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "openvino_telemetry"}
print(made.backend, sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""
    command = [sys.executable, "-c", code, str(model)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert said.stdout.strip() == "openvino float32 []"
    assert said.stderr == ""


@pytest.mark.real
def test_the_real_models_vectors_are_those_of_sentence_transformers(real_engine: Engine) -> None:
    source = sources.embedder(real_engine.settings.embedder, real_engine.models.weights)
    assert source is not None
    theirs, model = sentence_embedder.open_folder(source.name, source.digest, source.path), model_folder.read(source.path)
    passages, queries = theirs.embed_passages(REAL_TEXTS), theirs.embed_queries(REAL_TEXTS)
    for arithmetic in backend.allowed(source.digest):
        ours = OpenVinoEmbedder(source.name, source.digest, model, arithmetic)
        least = 0.99999 if arithmetic == FLOAT32 else 0.998
        assert cosines(ours.embed_passages(REAL_TEXTS), passages).min() > least, arithmetic
        assert cosines(ours.embed_queries(REAL_TEXTS), queries).min() > least, arithmetic
    assert [ours.token_starts(text) for text in REAL_TEXTS] == [theirs.token_starts(text) for text in REAL_TEXTS]
