"""An OpenAI-compatible endpoint on a loopback port, in a thread: a real server, with word overlap for a model.

It writes down what it hears. `instead` is what it does in place of an answer, for the tests in which it misbehaves.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from tests.fakes import OverlapReader

if TYPE_CHECKING:
    from llama_cpp import Llama

PATIENCE = 30
# Held while real weights are at work: they must not be freed under a request whose client has gone.
ONE_AT_A_TIME = Lock()
_USER = re.compile(r"Text: (?P<passage>.*?)\n\nQuestion: (?P<question>.*?)\n(?P<rest>.*)", re.DOTALL)


class Endpoint(ThreadingHTTPServer):
    """Serves `models`. Gives `probabilities` where it is asked for them, or none; wants `key` where there is one."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.models = ["tiny", "large"]
        self.probabilities, self.key = True, ""
        self.model = OverlapReader()
        self.instead: Callable[[_Handler, dict[str, Any]], None] | None = None
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.asked_for_models = 0
        # After each piece of an answer it waits until it may go on; if the client has disconnected, it says so.
        self.may_go_on, self.left_alone = Event(), Event()
        self.may_go_on.set()

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no error here."""


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked_for_models += 1
        if self.path != "/v1/models":
            return self.fail(404, {"error": "no such page"})
        return self.reply({"object": "list", "data": [{"id": name} for name in self.server.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append(body)
        self.server.keys.append(self.headers["Authorization"])
        if self.path != "/v1/chat/completions":
            return self.fail(404, {"error": "no such page"})
        if self.server.key and self.headers["Authorization"] != f"Bearer {self.server.key}":
            return self.fail(401, {"error": {"message": f"wrong key {self.headers['Authorization']}"}})
        if body["model"] not in self.server.models:
            return self.fail(404, {"error": {"message": f"model '{body['model']}' not found"}})
        if self.server.instead:
            return self.server.instead(self, body)
        question, passage = heard(body)
        if body.get("stream"):
            return self.write(list(self.server.model.answer(question, [passage], "")))
        return self.reply(self.verdict(self.server.model.judge(question, passage), asked=bool(body.get("logprobs"))))

    def verdict(self, log_odds: float, *, asked: bool) -> dict[str, Any]:
        choice: dict[str, Any] = {"message": {"content": "Yes" if log_odds > 0 else "No"}, "finish_reason": "length"}
        if asked and self.server.probabilities:
            no = -math.log1p(math.exp(log_odds))
            tops = [{"token": token, "logprob": logprob} for token, logprob in (("Yes", no + log_odds), ("No", no))]
            choice["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
        return {"choices": [choice]}

    def reply(self, value: object, status: int = 200, **headers: str) -> None:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(raw)

    def fail(self, status: int, value: object = None, **headers: str) -> None:
        self.reply(value or {}, status, **headers)

    def write(self, pieces: list[str], *, ending: bool = True, reason: str = "stop") -> None:
        """Pieces as events, which end for a reason; without `ending`, it hangs up in the middle."""
        self.begin()
        try:
            self.event({"choices": [{"delta": {"role": "assistant", "content": None}, "finish_reason": None}]})
            for piece in pieces:
                self.event({"choices": [{"delta": {"content": piece}, "finish_reason": None}]})
                self.server.may_go_on.wait(PATIENCE)
            if ending:
                self.event({"choices": [{"delta": {}, "finish_reason": reason}]})
                self.chunk(b"data: [DONE]\n\n")
                self.chunk(b"")
        except OSError:
            self.server.left_alone.set()
        if not ending:
            self.close_connection = True

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, value: object) -> None:
        self.chunk(b": still here\n\ndata: " + json.dumps(value).encode() + b"\r\n\r\n")

    def chunk(self, raw: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(raw), raw))
        self.wfile.flush()


Handler = _Handler


def heard(body: dict[str, Any]) -> tuple[str, str]:
    """The question and the passage of a request."""
    found = _USER.fullmatch(body["messages"][1]["content"])
    assert found, body
    return found["question"], found["passage"]


def serve_llama(llama: "Llama") -> Callable[[_Handler, dict[str, Any]], None]:
    """Real weights for a model, as `python -m llama_cpp.server` serves them: what fails is HTTP 500 with the reason."""

    def serve(handler: _Handler, body: dict[str, Any]) -> None:
        arguments = {name: value for name, value in body.items() if name != "model"}
        with ONE_AT_A_TIME:
            try:
                reply = llama.create_chat_completion(**arguments)
            except ValueError as error:
                return handler.fail(500, {"error": {"message": str(error)}})
            if not body.get("stream"):
                return handler.reply(json.loads(json.dumps(reply, default=float)))
            handler.begin()
            for chunk in reply:
                handler.event(chunk)
            handler.chunk(b"data: [DONE]\n\n")
            return handler.chunk(b"")

    return serve


@contextmanager
def served() -> Iterator[Endpoint]:
    """An endpoint that is there until the end of the block."""
    endpoint = Endpoint()
    thread = Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.may_go_on.set()
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()
