"""OpenAPI operations that Litestar cannot describe by itself: server-sent events, uploads, raw files, empty responses."""

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
    description="One part for each file, with a file name. The names of the form fields are ignored.",
)
# One event of a stream. The description of the route says what its data are.
_EVENT = Schema(type=OpenAPIType.OBJECT, properties={"event": _TEXT, "data": _TEXT}, required=["data"])


@dataclass
class EventStreamToo(Operation):
    """A route that responds with JSON or with server-sent events."""

    status: ClassVar[str] = "200"

    def __post_init__(self) -> None:
        """Add the stream to the JSON."""
        self._contents()["text/event-stream"] = OpenAPIMediaType(schema=_EVENT)

    def _contents(self) -> dict[str, OpenAPIMediaType]:
        response = (self.responses or {})[self.status]
        assert isinstance(response, OpenAPIResponse)
        response.content = response.content or {}
        return response.content


@dataclass
class Original(EventStreamToo):
    """A route that responds with the bytes of a file."""

    def __post_init__(self) -> None:
        """Replace the JSON by bytes."""
        self._contents().clear()
        self._contents()["application/octet-stream"] = OpenAPIMediaType(schema=_BYTES)


@dataclass
class NoContent(Operation):
    """A route whose response has no body."""

    def __post_init__(self) -> None:
        """Remove the body that Litestar describes for any `Response`."""
        response = (self.responses or {})["204"]
        assert isinstance(response, OpenAPIResponse)
        response.content = None


@dataclass
class Upload(Operation):
    """A route that takes files as `multipart/form-data`."""

    def __post_init__(self) -> None:
        """Describe the body."""
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=_FILES)}, required=True)
