"""Worker entry: looks at the sampled files of a session."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.analyze.entity_detection import detect
from shared.messages.analysis import SampledFile


def analyse_sample(path: str) -> bytes:
    """The sample at a path in (list[SampledFile]), list[Detection] out, both MessagePack."""
    files = msgspec.msgpack.decode(Path(path).read_bytes(), type=list[SampledFile])
    return msgspec.msgpack.encode(detect(files))
