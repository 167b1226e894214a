"""What the framework's description of a route in the schema lacks: event streams, uploads and files as they are."""

from dataclasses import dataclass
from typing import ClassVar

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

_TEXT = Schema(type=OpenAPIType.STRING)
_BYTES = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
_FILES = Schema(
    type=OpenAPIType.OBJECT,
    properties={"files": Schema(type=OpenAPIType.ARRAY, items=_BYTES, min_items=1)},
    required=["files"],
    description="One part for each file, with its name; what the parts are called does not matter.",
)


# One event of a stream; what its data are is said in the description of the route.
_EVENT = Schema(type=OpenAPIType.OBJECT, properties={"event": _TEXT, "data": _TEXT}, required=["data"])


@dataclass
class EventStreamToo(Operation):
    """A route that answers with server-sent events where they are asked for."""

    status: ClassVar[str] = "200"

    def __post_init__(self) -> None:
        """Add the stream beside the JSON."""
        self._contents()["text/event-stream"] = OpenAPIMediaType(schema=_EVENT)

    def _contents(self) -> dict[str, OpenAPIMediaType]:
        response = (self.responses or {})[self.status]
        assert isinstance(response, OpenAPIResponse)
        response.content = response.content or {}
        return response.content


@dataclass
class Original(EventStreamToo):
    """A route that answers with a file's bytes."""

    def __post_init__(self) -> None:
        """Bytes instead of JSON."""
        self._contents().clear()
        self._contents()["application/octet-stream"] = OpenAPIMediaType(schema=_BYTES)


@dataclass
class NoContent(Operation):
    """A route whose reply has no body, and so none of any type."""

    def __post_init__(self) -> None:
        """Take away what a `Response` is taken to have."""
        response = (self.responses or {})["204"]
        assert isinstance(response, OpenAPIResponse)
        response.content = None


@dataclass
class Upload(Operation):
    """A route that takes files, as forms of browsers send them."""

    def __post_init__(self) -> None:
        """Add what the body is."""
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=_FILES)}, required=True)


EVENTS = (
    "The answer. As events: `evidence` {passages}, where others ask too `waiting` {before} with how many questions must end "
    "before this one has the model, each time that changes and 0 last, of a follow-up then `understood` {question} and "
    "`evidence` again, "
    "`verdict` {citation, confidence}, `token` {text}, `citation` {number, citation}, last `done` with the answer, or `error` "
    "with a problem"
)
