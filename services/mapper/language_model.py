"""Asks a language model over HTTP about doubtful columns. Whatever goes wrong, the proposal stands without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from services.mapper.hints import Hint
from services.mapper.language_model_questions import Question, chat_messages, hints_of
from shared.observability.events import LANGUAGE_MODEL_ASKED, emit

ANSWER_BYTES_MAX = 256 * 1024
"""Forty columns answer in some 2 KiB; what is larger is no answer."""
AT_ONCE_MAX = 4

Outcome = Literal["answered", "unusable", "refused", "timed_out", "unreachable"]


class _RefusedError(Exception):
    """The endpoint answered with something else than success; a redirect counts, it would lead to another host."""


class _TooLongError(Exception):
    """The answer is longer than ANSWER_BYTES_MAX."""


@dataclass(frozen=True)
class LanguageModel:
    """An OpenAI-compatible endpoint, `url` up to and without /chat/completions. `key` never leaves the header."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    samples_allowed: bool = False
    confidence_below: float = 0.6
    timeout_seconds: float = 10.0

    async def hints(self, questions: Sequence[Question]) -> dict[int, list[Hint]]:
        """The evidence of all answers by the place of the file in the session.

        Ends within the timeout, with what has been answered until then.
        """
        found: dict[int, list[Hint]] = {}
        if not questions:
            return found
        turns = asyncio.Semaphore(AT_ONCE_MAX)

        async def ask(client: httpx2.AsyncClient, question: Question) -> None:
            async with turns:
                hints = await self._asked(client, question)
            if hints:
                found[question.place] = hints

        try:
            connections = self._client()
        except Exception as error:  # a key or certificates that no client can be made with
            for question in questions:
                _tell("unreachable", question, error)
            return found
        async with connections as client:
            tasks = [asyncio.create_task(ask(client, question)) for question in questions]
            try:
                _, late = await asyncio.wait(tasks, timeout=self.timeout_seconds)
            finally:
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _ in late:
                emit(LANGUAGE_MODEL_ASKED, outcome="timed_out", columns=0, hints=0)
        for task in tasks:
            if not task.cancelled() and (fault := task.exception()) is not None:
                raise fault  # a fault of ours, not of the endpoint: those are outcomes
        return found

    async def _asked(self, client: httpx2.AsyncClient, question: Question) -> list[Hint]:
        """The evidence in the answer about one file; what became of the question is told."""
        hints: list[Hint] | None = None
        try:
            reply = await self._reply(client, question)
        except _RefusedError:
            _tell("refused", question)
        except httpx2.TimeoutException as error:
            _tell("timed_out", question, error)
        except (_TooLongError, httpx2.DecodingError) as error:
            _tell("unusable", question, error)
        except Exception as error:  # a client may raise anything for an address that leads nowhere
            _tell("unreachable", question, error)
        else:
            hints = _hints_in(reply, question, self.model)
            _tell("unusable" if hints is None else "answered", question, hints=len(hints or ()))
        return hints or []

    async def _reply(self, client: httpx2.AsyncClient, question: Question) -> bytes:
        """What the endpoint answers, whatever it is."""
        body = {"model": self.model, "temperature": 0, "messages": chat_messages(question)}
        reply = bytearray()
        async with client.stream("POST", f"{self.url.rstrip('/')}/chat/completions", json=body) as response:
            if response.status_code != 200:
                raise _RefusedError
            async for block in response.aiter_bytes():
                reply += block
                if len(reply) > ANSWER_BYTES_MAX:
                    raise _TooLongError
        return bytes(reply)

    def _client(self) -> httpx2.AsyncClient:
        """Only the configured host is spoken to: no redirects, no proxy or login from the environment."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx2.AsyncClient(
            headers=headers, timeout=self.timeout_seconds, follow_redirects=False, trust_env=False
        )


def _hints_in(reply: bytes, question: Question, model: str) -> list[Hint] | None:
    """The evidence in a reply; None where it is no answer of a model."""
    try:
        content: Any = json.loads(reply)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return hints_of(question, content, model) if isinstance(content, str) else None


def _tell(outcome: Outcome, question: Question, error: Exception | None = None, *, hints: int = 0) -> None:
    emit(LANGUAGE_MODEL_ASKED, outcome=outcome, columns=len(question.columns), hints=hints, exc_info=error)
