"""What speaks for and against each (entity type, field) pair of each column of a file, as numbers with names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.matching.field_space import FieldSpace
from shared.matching.value_habits import traits_of
from shared.messages.analysis import ColumnProfile

Floats = NDArray[np.float64]

KNOWN_MIN = 0.5
"""A header that fits something this well is understood; below it the values must tell."""

FEATURES = (
    "words", "words_exact", "words_good", "words_of_rival", "words_beaten", "letters", "letters_of_rival",
    "other_meaning", "other_meaning_stronger", "belongs_elsewhere",
    "fit", "words_x_fit", "words_x_misfit", "telling", "telling_x_unknown", "telling_x_headless",
    "habit", "habit_x_words", "habit_x_unknown", "habit_x_headless", "habit_rank",
    "unknown", "headless", "empty", "words_x_empty", "is_ref", "ref_x_words", "usual",
)  # fmt: skip


DIGITS = 6
"""Features and chances are rounded: processors differ in the last bits of a sum, and a limit must not."""


@dataclass(frozen=True)
class Reading:
    """What a file's columns say whatever the model: headers and values. Arrays are columns x pairs but for `others`."""

    words: Floats
    letters: Floats
    rival_words: Floats
    rival_letters: Floats
    elsewhere: Floats
    """How well the header names a field (of any entity type) that goes by another name."""
    fit: Floats
    telling: Floats
    other_meaning: Floats
    """Columns x 1, as the following: how well the header names what no field holds."""
    unknown: Floats
    """1 where there is a header and it says nothing."""
    headless: Floats
    empty: Floats
    traits: Floats
    """Columns x traits."""

    def of(self, part: slice) -> Reading:
        """The reading for a part of the pairs."""
        return replace(
            self,
            words=self.words[:, part].copy(),
            letters=self.letters[:, part].copy(),
            rival_words=self.rival_words[:, part].copy(),
            rival_letters=self.rival_letters[:, part].copy(),
            elsewhere=self.elsewhere[:, part].copy(),
            fit=self.fit[:, part].copy(),
            telling=self.telling[:, part].copy(),
        )


@dataclass(frozen=True)
class FileEvidence:
    """A file's evidence: `features` is features x columns x pairs, in the order of `FEATURES`."""

    features: Floats
    words: Floats
    letters: Floats
    other_meaning: Floats
    fit: Floats
    telling: Floats
    habit: Floats


def best_of_entity(space: FieldSpace, values: Floats) -> tuple[Floats, Floats]:
    """Per column and pair: the best and the second best value among the pairs of the same entity type."""
    first, second = np.empty_like(values), np.empty_like(values)
    for part in space.parts.values():
        block = values[:, part]
        top = np.partition(block, block.shape[1] - 2, axis=1)[:, -2:]
        first[:, part] = top[:, 1:]
        second[:, part] = top[:, :1]
    return first, second


def best_rival(space: FieldSpace, values: Floats) -> Floats:
    """Per column and pair: the best value of another pair of the same entity type."""
    first, second = best_of_entity(space, values)
    return np.where(values >= first, second, first)


def read_columns(space: FieldSpace, names: Sequence[str], columns: Sequence[ColumnProfile]) -> Reading:
    """The reading of a file's columns, of which there is at least one. `names`: traits."""
    read = [space.header(column.header) for column in columns]
    words = np.array([r[0] for r in read])
    letters = np.array([r[1] for r in read])
    other = np.array([[r[2]] for r in read])
    headless = np.array([[float(not column.header)] for column in columns])
    known = (words.max(axis=1, keepdims=True) >= KNOWN_MIN) | (other >= KNOWN_MIN)
    return Reading(
        words=words,
        letters=letters,
        rival_words=best_rival(space, words),
        rival_letters=best_rival(space, letters),
        elsewhere=_elsewhere(space, words),
        fit=np.array([space.fit(column) for column in columns]),
        telling=np.array([space.telling(column) for column in columns]),
        other_meaning=other,
        unknown=(1.0 - known) * (1.0 - headless),
        headless=headless,
        empty=np.array([[float(column.type == "empty")] for column in columns]),
        traits=traits_of(columns, names),
    )


def file_evidence(space: FieldSpace, reading: Reading, likeness: Floats, usual: Floats) -> FileEvidence:
    """The evidence of a file's columns. `likeness`: how much they look like the pairs' columns; `usual`: how often
    files of the entity type have the field."""
    words, fit, telling, other = reading.words, reading.fit, reading.telling, reading.other_meaning
    unknown, headless, empty = reading.unknown, reading.headless, reading.empty
    habit = np.round(likeness * (1.0 - empty), DIGITS)
    habit_best, _ = best_of_entity(space, habit)
    features = np.empty((len(FEATURES), *words.shape))
    for at, values in enumerate((
        words, words >= 0.95, np.maximum(words - 0.6, 0.0), reading.rival_words,
        np.maximum(reading.rival_words - words, 0.0), reading.letters, reading.rival_letters,
        other, np.maximum(other - words, 0.0), np.maximum(reading.elsewhere - words, 0.0),
        fit, words * fit, words * (1.0 - fit), telling, telling * unknown, telling * headless,
        habit, habit * words, habit * unknown, habit * headless, habit - habit_best,
        unknown, headless, empty, words * empty, space.is_ref, space.is_ref * words, usual,
    )):  # fmt: skip
        features[at] = values
    np.round(features, DIGITS, out=features)
    return FileEvidence(features, words, reading.letters, other[:, 0], fit, telling, habit)


def no_evidence(space: FieldSpace) -> FileEvidence:
    """The evidence of a file without columns."""
    none = np.zeros((0, len(space.pairs)))
    return FileEvidence(np.zeros((len(FEATURES), 0, len(space.pairs))), none, none, none[:, 0], none, none, none)


def first_chances(features: Floats, weights: Floats) -> Floats:
    """The chances that a logistic regression gives by the features of each column alone, the constant last."""
    return np.round(sigmoid(np.tensordot(weights[:-1], features, 1) + weights[-1]), DIGITS)


def sigmoid(log_odds: Floats) -> Floats:
    """Log odds to chances."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0))))


def _elsewhere(space: FieldSpace, words: Floats) -> Floats:
    by_field = np.maximum.reduceat(words[:, space.by_field], space.field_starts, axis=1)
    top = np.partition(by_field, by_field.shape[1] - 2, axis=1)[:, -2:]
    own = by_field[:, space.field_of]
    return np.where(own >= top[:, 1:], top[:, :1], top[:, 1:])
