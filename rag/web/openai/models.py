"""The models by the names that clients of OpenAI give: what answers, and what embeds."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter
from msgspec import Struct

from rag.engine import Engine
from rag.errors import NotFound
from rag.web.guard.access import READ
from rag.web.openai import failures

# The whole of retrieval, judge and language model, under one name.
CHAT = "rag"


class Model(Struct, frozen=True):
    """A model; when it was made is not known."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "rag"


class Models(Struct, frozen=True):
    """What may be named as `model`."""

    data: list[Model]
    object: str = "list"


@get(
    "/v1/models",
    sync_to_thread=False,
    summary="The models, as OpenAI lists them",
    opt={"scope": READ},
    exception_handlers=failures.HANDLERS,
    responses=failures.documented(),
)
def listed(engine: NamedDependency[Engine]) -> Models:
    """`rag`, which answers chats from the documents, and the embedder."""
    return Models([Model(CHAT), Model(engine.settings.embedder)])


@get(
    "/v1/models/{name:path}",
    sync_to_thread=False,
    summary="One of the models",
    opt={"scope": READ},
    exception_handlers=failures.HANDLERS,
    responses=failures.documented(400, 404),
)
def one(
    name: Annotated[str, PathParameter(description="as GET /v1/models lists it")], engine: NamedDependency[Engine]
) -> Model:
    """The model of this name."""
    name = name.removeprefix("/")
    require(name, CHAT, engine.settings.embedder)
    return Model(name)


def require(name: str, *known: str) -> None:
    """That the model is one of these. Raises NotFound."""
    if name not in known:
        raise NotFound(f"the model {name[:80]!r} does not exist here", f"name {' or '.join(known)} (GET /v1/models)")
