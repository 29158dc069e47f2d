"""What runs inside a worker process: calls come in over a socket, results go out. Imports the standard library only."""

from __future__ import annotations

import importlib
import os
import pickle
import select
import signal
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

LENGTH = struct.Struct("!Q")
"""Each frame: its length, then that many bytes of pickle (protocol 5)."""

REPORT, RESULT, ERROR, FAILURE = range(4)
"""Kinds of frames from the worker: (kind, object, CPU seconds of the process since the call began). ERROR carries an
exception, FAILURE the text of one."""

_send: Callable[[int, Any], None] | None = None
_began = 0.0


def report(progress: Any) -> None:
    """Send progress to the `on_report` of the call that runs now. Outside a worker process it does nothing."""
    if _send is not None:
        _send(REPORT, progress)


def serve(descriptor: int) -> None:
    """Answer calls until the socket closes. The process ends at once when the other side is gone, also in a call."""
    global _send
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
    _send = lambda kind, content: _send_frame(channel, kind, content)  # noqa: E731
    while (frame := _receive_frame(channel)) is not None:
        _answer(*pickle.loads(frame))  # noqa: S301 - from our own parent


def _answer(function: str, arguments: tuple[Any, ...]) -> None:
    global _began
    assert _send is not None
    _began = time.process_time()
    try:
        module, _, name = function.partition(":")
        _send(RESULT, getattr(importlib.import_module(module), name)(*arguments))
    except Exception as error:
        _send_error(error)


def _send_error(error: Exception) -> None:
    """The exception itself where the hub knows what to do about it, otherwise its traceback as text."""
    assert _send is not None
    from shared.errors import HubError

    if isinstance(error, HubError | OSError):
        try:
            # Some exceptions can be pickled and not be read again: better to find out on this side.
            pickle.loads(pickle.dumps(error, protocol=5))  # noqa: S301 - our own bytes
        except Exception as not_picklable:
            error.add_note(f"(could not be sent as it is: {not_picklable})")
        else:
            _send(ERROR, error)
            return
    _send(FAILURE, "".join(traceback.format_exception(error)))


def _send_frame(channel: socket.socket, kind: int, content: Any) -> None:
    body = pickle.dumps((kind, content, time.process_time() - _began), protocol=5)
    # Two calls: joining them would copy the body once more.
    channel.sendall(LENGTH.pack(len(body)))
    channel.sendall(body)


def _receive_frame(channel: socket.socket) -> memoryview | None:
    head = _receive(channel, LENGTH.size)
    return None if head is None else _receive(channel, LENGTH.unpack(head)[0])


def _receive(channel: socket.socket, size: int) -> memoryview | None:
    buffer = memoryview(bytearray(size))
    received = 0
    while received < size:
        try:
            count = channel.recv_into(buffer[received:])
        except ConnectionResetError:  # the parent died with an answer unread
            return None
        if count == 0:
            return None
        received += count
    return buffer


def _end_with_parent(descriptor: int) -> None:
    """End the process when the parent closes its side, be it by dying. Polling for no event waits for that alone."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    os._exit(0)
