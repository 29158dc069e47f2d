"""Log lines: registered events, no customer's value, one JSON object a line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from functools import partial

import pytest
import structlog

from shared.observability.events import REQUEST_FAILED, REQUEST_REFUSED, emit, listen, register
from shared.observability.logs import OncePerInterval, configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_an_event_is_one_json_line_with_its_facts(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    emit(REQUEST_REFUSED, status=404, code="not_found")

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["status"], line["code"]) == ("request_refused", "info", 404, "not_found")
    assert line["timestamp"].endswith("Z")


def test_facts_that_may_hold_a_value_or_secret_are_blanked(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    emit(REQUEST_REFUSED, value="Ana Ruiz", token="hub_secret", email="ana@example.com", code="x")

    assert "Ana" not in stream.getvalue()
    assert "secret" not in stream.getvalue()
    assert json.loads(stream.getvalue())["value"] == "[redacted]"


@pytest.mark.parametrize(("level", "is_shown"), [("info", False), ("debug", True)])
def test_the_message_of_an_exception_is_shown_at_debug_only(stream: io.StringIO, level: str, is_shown: bool) -> None:
    configure_logging(json_lines=True, level=level, stream=stream)

    try:
        raise KeyError("Ana Ruiz")
    except KeyError as error:
        emit(REQUEST_FAILED, exc_info=error)

    line = json.loads(stream.getvalue())
    assert ("Ana Ruiz" in line["error"]) is is_shown
    assert "KeyError" in line["error"]
    assert "test_logs.py" in line["error"]


def test_lines_of_libraries_come_out_in_the_same_form(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    logging.getLogger("some.library").warning("disk nearly %s", "full")

    assert json.loads(stream.getvalue())["event"] == "disk nearly full"


def test_a_library_that_repeats_itself_is_heard_once_in_ten_seconds() -> None:
    now = 100.0
    once = OncePerInterval(lambda: now)
    line = partial(logging.LogRecord, "client", logging.ERROR, "", 0)

    heard = [once.filter(line("no connection to %s", (node,), None)) for node in ("a", "a", "b")]
    other = once.filter(line("no metadata", (), None))
    now += 10.0
    later = line("no connection to %s", ("c",), None)

    assert (heard, other, once.filter(later)) == ([True, False, False], True, True)
    assert later.getMessage() == "no connection to c (and 2 such lines before)"


def test_events_below_the_level_are_not_written_but_counted(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, level="error", stream=stream)
    counted: list[str] = []
    stop = listen(lambda event, facts: counted.append(event.name))

    emit(REQUEST_REFUSED, code="x")
    stop()
    emit(REQUEST_REFUSED, code="x")

    assert stream.getvalue() == ""
    assert counted == ["request_refused"]


@pytest.mark.parametrize(
    ("name", "level"), [("request_refused", "info"), ("Request", "info"), ("two words", "info"), ("fine", "loud")]
)
def test_a_name_that_is_taken_or_misspelt_is_refused(name: str, level: str) -> None:
    with pytest.raises(ValueError):
        register(name, level, "test")


def test_without_set_up_an_exception_shows_no_message_either(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()

    emit(REQUEST_FAILED, exc_info=KeyError("Ana Ruiz"))

    written = "".join(capsys.readouterr())
    assert "KeyError" in written
    assert "Ana Ruiz" not in written
