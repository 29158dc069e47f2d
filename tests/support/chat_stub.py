"""A stub of an OpenAI-compatible endpoint: a real HTTP server that answers as told and notes what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass
class Reply:
    """What the stub answers. `hangs`: not before the test ends."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


def said(text: str) -> Reply:
    """The answer of a model that says this."""
    return Reply(body=json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode())


def maps(**fields: str | None) -> Reply:
    """A model that maps columns: c1="phone" is column 1."""
    columns = [{"index": int(name.removeprefix("c")), "field": value} for name, value in fields.items()]
    return said(json.dumps({"columns": columns}))


@dataclass
class ChatStub:
    """The running stub. `replies` gives the answer to each request."""

    url: str
    replies: Callable[[Json], Reply]
    requests: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def questions(self) -> list[Json]:
        """What the user messages held."""
        return [json.loads(request["messages"][-1]["content"]) for request in self.requests]


@contextmanager
def chat_stub(reply: Reply | Callable[[Json], Reply]) -> Iterator[ChatStub]:
    """Runs the stub on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    stub = ChatStub(f"http://127.0.0.1:{server.server_port}/v1", reply if callable(reply) else lambda _: reply)
    server.stub = stub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        stub: ChatStub = self.server.stub  # type: ignore[attr-defined]
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stub.requests.append(request)
        stub.paths.append(self.path)
        stub.authorizations.append(self.headers.get("Authorization"))
        reply = stub.replies(request)
        if reply.hangs:
            stub.released.wait()
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at what was noted."""
