from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from shared.matching.field_space import load_space
from shared.matching.model import decode, encode, shipped


def test_a_model_written_and_read_again_is_the_same() -> None:
    raw = shipped()
    space = load_space()

    assert encode(decode(raw, space), space, raw["made_from"]) == raw


def test_a_model_for_other_features_is_refused_with_what_to_do() -> None:
    raw = {**shipped(), "form": 0}

    with pytest.raises(ConfigurationError, match="trained for other features"):
        decode(raw, load_space())


def test_confidence_never_falls_as_chances_rise() -> None:
    for points in shipped()["confidence"].values():
        xs, ys = zip(*points, strict=True)
        assert list(xs) == sorted(xs)
        assert list(ys) == sorted(ys)
