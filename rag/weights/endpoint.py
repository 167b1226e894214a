"""An OpenAI-compatible endpoint as a user names it: `http://127.0.0.1:11434/v1#qwen2.5:3b`. Pure: nobody is asked."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from rag.errors import QuestionError

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MEND = "set RAG_LLM to one such as http://127.0.0.1:8080/v1 or http://127.0.0.1:11434/v1#qwen2.5:3b"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a language model is served. `url` has neither credentials nor a slash at its end; `host` is of it.

    `model` is the name by which the endpoint knows it, empty where the first that it has is meant.
    """

    url: str
    host: str
    model: str

    @property
    def local(self) -> bool:
        """Whether the address itself says that it is on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    def __str__(self) -> str:
        return f"{self.url}#{self.model}" if self.model else self.url


def parse(name: str) -> Endpoint | None:
    """The endpoint whose address `name` is; None where it is no address of the web.

    Raises QuestionError for an address that cannot be one. It does not repeat the address, which may hold a password.
    """
    if not _ADDRESS.match(name):
        return None
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise QuestionError("llm is no address that can be", _MEND) from error
    if not host or not name.isprintable() or " " in name:
        raise QuestionError("llm is no address that can be", _MEND)
    if "@" in parts.netloc:
        raise QuestionError("llm holds a user or a password", "name the address alone in RAG_LLM, and the key in RAG_LLM_KEY")
    if parts.query:
        raise QuestionError("llm is an address with a query", _MEND)
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    return Endpoint(f"{parts.scheme}://{place}{parts.path.rstrip('/')}", host, parts.fragment)
