"""The routes for models and embeddings, for OpenAI clients: the names that `model` may have, and vectors of texts."""

import base64
from typing import Annotated, Literal

import numpy as np
from litestar import get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import BodyKwarg, PathParameter
from msgspec import Struct
from numpy.typing import NDArray

from rag.engine import Engine
from rag.errors import NotFound, QuestionError, TooLarge
from rag.web.guard.access import READ
from rag.web.openai import replies

# The name of retrieval, judge and language model together, as a chat model.
CHAT = "rag"
# Texts of one request, which two slow cores embed in some seconds; characters of a text, far more than the embedder reads.
MOST_TEXTS, MOST_CHARACTERS = 256, 8000
_EXAMPLE = {"model": "multilingual-e5-small-q4", "input": ["Siapa Menteri Pertahanan Iran?"]}


class Model(Struct, frozen=True):
    """A model. `created` is always 0: the date is not known."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "rag"


class Models(Struct, frozen=True):
    """The models that a request may name."""

    data: list[Model]
    object: str = "list"


@get(
    "/v1/models",
    sync_to_thread=False,
    summary="List the models",
    opt={"scope": READ},
    exception_handlers=replies.HANDLERS,
    responses=replies.documented(),
)
def listed(engine: NamedDependency[Engine]) -> Models:
    """`rag`, for chat completions, and the embedder, for embeddings."""
    return Models([Model(CHAT), Model(engine.settings.embedder)])


@get(
    "/v1/models/{name:path}",
    sync_to_thread=False,
    summary="Get a model",
    opt={"scope": READ},
    exception_handlers=replies.HANDLERS,
    responses=replies.documented(400, 404),
)
def one(
    name: Annotated[str, PathParameter(description="as GET /v1/models lists it")], engine: NamedDependency[Engine]
) -> Model:
    """The model with this name; 404 where there is none."""
    name = name.removeprefix("/")
    require(name, CHAT, engine.settings.embedder)
    return Model(name)


def require(name: str, *known: str) -> None:
    """Refuse a model that is not one of `known`. Raises NotFound."""
    if name not in known:
        raise NotFound(f"there is no model {name[:80]!r}", f"use {' or '.join(known)} (GET /v1/models)")


class EmbeddingRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A text, or a list of at most 256 texts, of at most 8,000 characters each. The first 512 tokens of a text count.

    `dimensions` can only be the embedder's own number. `user` has no effect.
    """

    model: str
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        """The texts as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(Struct, frozen=True):
    """The vector of the text at `index`: numbers, or base64 of little-endian 32-bit floats."""

    index: int
    embedding: list[float] | str
    object: str = "embedding"


class Usage(Struct, frozen=True):
    """The number of tokens in the texts, as the embedder counts them."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(Struct, frozen=True):
    """A vector for each text, in the order of the request."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: str = "list"


@post(
    "/v1/embeddings",
    status_code=200,
    sync_to_thread=True,
    summary="Embed texts",
    opt={"scope": READ},
    exception_handlers=replies.HANDLERS,
    responses=replies.documented(400, 404, 413, 503, 507),
)
def embed(
    data: Annotated[EmbeddingRequest, BodyKwarg(examples=[Example(summary="A text", value=_EXAMPLE)])],
    engine: NamedDependency[Engine],
) -> Embeddings:
    """OpenAI's embeddings: unit vectors of the embedder that also searches the documents.

    Each text is embedded as a question (with the prefix `query: ` for the default embedder), so that texts compare with each
    other. The passages of the index are embedded with the prefix `passage: `.
    """
    require(data.model, engine.settings.embedder)
    texts = data.texts
    _require_meaningful(texts)
    vectors = engine.models.embedder.embed_queries(texts)
    if data.dimensions not in {None, vectors.shape[1]}:
        raise QuestionError(f"the vectors have {vectors.shape[1]} dimensions", "leave `dimensions` out")
    tokens = sum(len(engine.models.embedder.token_starts(text)) for text in texts)
    return Embeddings(
        [Embedding(index, _encoded(vector, data.encoding_format)) for index, vector in enumerate(vectors)],
        data.model,
        Usage(tokens, tokens),
    )


def _require_meaningful(texts: list[str]) -> None:
    if not texts or not all(text.strip() for text in texts):
        raise QuestionError("`input` is empty or has an empty text", "send texts with words")
    if len(texts) > MOST_TEXTS or max(map(len, texts)) > MOST_CHARACTERS:
        most = f"{MOST_TEXTS} texts of {MOST_CHARACTERS} characters"
        raise TooLarge("`input` is too large", f"send at most {most} in a request")


def _encoded(vector: NDArray[np.float32], form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(number) for number in vector]
