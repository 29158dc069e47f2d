"""What a column header means: headers become words, words are compared with the phrases of `lexicon.yaml`.

Pure knowledge shared by detection and mapping. Scores are 0 to 1: how well the words of a header fit the best
phrase of a field; they are evidence, not probabilities.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import yaml
from rapidfuzz import fuzz, process

from shared.catalog.identity import fold
from shared.catalog.model import Catalog, load_catalog
from shared.errors import ConfigurationError
from shared.messages.mapping import TimeUnit

Tokens = tuple[str, ...]

STRENGTHS = (1.0, 0.74, 0.5)
"""Of the three parts of a phrase list: sure, likely, possible."""
SIMILARITY_MIN = 0.4
HEADER_CHARACTERS_MAX = 120

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGIT_EDGE = re.compile(r"(?<=[a-zA-Z])(?=\d)|(?<=\d)(?=[a-zA-Z])")
_UNIT = re.compile(r"\(\s*(\$|€|£|usd|cad|eur|gbp|aud|mxn|h|hrs?|hours?|lbs?|min|mins|ea)\s*\)|[$€£]", re.IGNORECASE)
SERVICE_WORDS = frozenset({"service", "site", "property", "location"})
"""They begin the headers of an address at which the work is done."""
SHIPPING_WORDS = frozenset({"shipping", "ship", "delivery"})
"""They begin the headers of an address to which things are sent; where no other is told, the work is done there."""

_TIME_UNITS: dict[TimeUnit, re.Pattern[str]] = {
    "hours": re.compile(r"\b(?:h|hrs?|hours?|horas?|heures?)\b"),
    "minutes": re.compile(r"\b(?:mins|minutes?|minutos?)\b|(?<=.)\bmin$|\(\s*min\s*\)"),
    "seconds": re.compile(r"\b(?:secs?|seconds?|segundos?|secondes?)\b"),
    "days": re.compile(r"\b(?:days?|dias?|jours?)\b"),
}
"""In folded headers. "Duration Min" counts minutes, "Min Duration" is the smallest one."""
_MEASURES = re.compile(r"[$€£%]|\(\s*(?:usd|cad|eur|gbp|aud|mxn|lbs?|kg|ea|miles?|km|ft|weeks?|months?|years?)\s*\)")
_POSSESSIVE = re.compile(r"['’]s\b")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_CUSTOM_FIELD = re.compile(r"^[CPJIQ]F[A-Z]\[(.*)\]$")
_VOWELS = re.compile(r"[aeiouy]")


@dataclass(frozen=True)
class Platform:
    """A known export: where `at_least` of these headers are present the file holds the entity type.

    It comes from the platform only where the headers are `spelled` so too and nearly all others of the file are among
    `spelled` or `also`: invented files have columns of the same meaning.
    """

    platform: str
    entity: str
    at_least: int
    headers: frozenset[Tokens]
    spelled: frozenset[str]
    also: frozenset[str]


@dataclass(frozen=True)
class Vocabulary:
    """Words by which values of one kind are known; `whole`: the value must be one of them, else contain one."""

    whole: bool
    words: frozenset[str]


def platform_label(platform: str) -> str:
    """The platform's name as its maker writes it."""
    return _PLATFORM_LABELS.get(platform, platform.replace("_", " ").title())


_PLATFORM_LABELS = {
    "fieldedge": "FieldEdge", "servicenow": "ServiceNow", "servicetitan": "ServiceTitan",
    "servicetracker": "ServiceTracker",
}  # fmt: skip


def _stem(word: str) -> str:
    """'phones' -> 'phone', 'categories' -> 'category'; what is no plural stays."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word


def _skeleton(word: str) -> str:
    """Consonants, doubled ones once: what remains of a word in 'wrnty' or 'cntct'."""
    letters = word[:1] + _VOWELS.sub("", word[1:])
    return "".join(c for i, c in enumerate(letters) if not i or c != letters[i - 1])


def spelling(header: str) -> str:
    """A header as its export spells it: only case and white space are left out of account."""
    return " ".join(header.split()).casefold()


def time_unit_of(header: str) -> TimeUnit | Literal["other"] | None:
    """What a header says is counted: hours, minutes, seconds or days, "other" (money, pounds), None if nothing."""
    text = fold(_CAMEL.sub(" ", header[:HEADER_CHARACTERS_MAX]).replace("_", " ").replace("-", " "))
    named = [unit for unit, pattern in _TIME_UNITS.items() if pattern.search(text)]
    if "hours" in named or len(named) == 1:
        return named[0]
    return "other" if named or _MEASURES.search(text) else None


def is_custom_field(header: str) -> bool:
    """True for columns that the business added to its export, such as 'CFT[Gate code]'."""
    return _CUSTOM_FIELD.match(header) is not None


def _check_names(raw: Mapping[str, Any], catalog: Catalog) -> None:
    """A misspelt field would be silently without phrases: refuse it."""
    fields = {entity.name: set(entity.fields) for entity in catalog.detectable()}
    unknown = sorted(set(raw["fields"]) - set().union(*fields.values()))
    unknown += sorted(set(raw["entities"]) - set(fields))
    for entity, special in raw["entities"].items():
        unknown += [f"{entity}.{name}" for name in special if name not in fields.get(entity, special)]
    if unknown:
        raise ConfigurationError(
            f"lexicon.yaml speaks of {', '.join(unknown)}, which the catalogue does not have.",
            next_step="Correct the names in shared/catalog/lexicon.yaml.",
        )


class Lexicon:
    """The lexicon, indexed. Build it once with `load_lexicon`; it is immutable and safe to share between threads.

    Phrases in `without` (as sets of words) are left out: so it can be measured how well headers nobody listed are read.
    """

    def __init__(
        self, raw: Mapping[str, Any], catalog: Catalog, *, without: frozenset[frozenset[str]] = frozenset()
    ) -> None:
        self._words: dict[str, Tokens] = {fold(str(k)): tuple(str(v).split()) for k, v in raw["words"].items()}
        self._stops = frozenset(raw["stop_words"])
        self._rewrites: dict[Tokens, Tokens] = {}
        self._rewrite_longest = 1
        self._known: frozenset[str] = frozenset()
        for phrase, meaning in raw["rewrites"].items():
            key = self._plain(phrase)
            self._rewrites[key] = tuple(meaning.split())
            self._rewrite_longest = max(self._rewrite_longest, len(key))
        self._weights: dict[str, float] = {str(k): float(v) for k, v in raw["weights"].items()}
        self.entity_words = {entity: frozenset(words) for entity, words in raw["entity_words"].items()}
        self.subjects = {entity: frozenset(words) for entity, words in raw["subjects"].items()}
        self.other_parties = frozenset(raw["other_parties"])
        self.other_subjects = self.other_parties | set(raw["other_papers"])
        self.vocabularies = {
            name: Vocabulary(bool(v.get("whole")), frozenset(map(str, v["words"])))
            for name, v in raw["vocabularies"].items()
        }
        self._targets: dict[frozenset[str], dict[tuple[str, str], float]] = {}
        self._fill_targets(raw, catalog)
        self._nothing = {frozenset(self._phrase(text)) for text in str(raw["nothing"]).split(",")} - without
        self._targets = {phrase: targets for phrase, targets in self._targets.items() if phrase not in without}
        self._phrases = list(dict.fromkeys([*self._targets, *self._nothing]))
        self._sizes = [self._weight(phrase) for phrase in self._phrases]
        self._by_word: dict[str, list[int]] = {}
        for index, phrase in enumerate(self._phrases):
            for word in phrase:
                self._by_word.setdefault(word, []).append(index)
        vocabulary = set(self._by_word) | set(self._words)
        vocabulary.update(word for words in self.entity_words.values() for word in words)
        vocabulary.update(word for key in self._rewrites for word in key)
        self._known = frozenset(vocabulary)
        self._long_words = sorted(word for word in vocabulary if len(word) >= 5)
        self._skeletons: dict[str, str] = {}
        for word in sorted(vocabulary, key=lambda w: (len(w), w)):
            if len(word) >= 4:
                self._skeletons.setdefault(_skeleton(word), word)
        self.others = {
            name: (frozenset(other["words"]), [frozenset(self.tokens(t)) for t in other["columns"].split(",")])
            for name, other in raw["others"].items()
        }
        self.platforms = tuple(
            Platform(
                p["platform"],
                p["entity"],
                int(p["at_least"]),
                frozenset(map(self.tokens, p["headers"])),
                frozenset(map(spelling, p["headers"])),
                frozenset(map(spelling, p.get("also", ()))),
            )
            for p in raw["platforms"]
        )

    def _fill_targets(self, raw: Mapping[str, Any], catalog: Catalog) -> None:
        _check_names(raw, catalog)
        for entity in catalog.detectable():
            special = raw["entities"].get(entity.name, {})
            for field in entity.fields:
                # An entity type's own phrases come first; where both say the same words the stronger one counts.
                for text in (special.get(field), raw["fields"].get(field)):
                    for strength, part in zip(STRENGTHS, (text or "").split("|"), strict=False):
                        for phrase in filter(None, map(str.strip, part.split(","))):
                            targets = self._targets.setdefault(frozenset(self._phrase(phrase)), {})
                            key = (entity.name, field)
                            targets[key] = max(targets.get(key, 0.0), strength)

    # ---- words ------------------------------------------------------------------------------------------------

    def _plain(self, text: str) -> Tokens:
        """Lower-case words with abbreviations written out, before rewrites."""
        result: list[str] = []
        for word in _NOT_WORD.sub(" ", fold(text)).split():
            result.extend(self._translate(word))
        return tuple(word for word in result if word not in self._stops) or tuple(result)

    def _translate(self, word: str) -> Tokens:
        if (known := self._words.get(word)) is not None:
            return known
        stem = _stem(word)
        if (known := self._words.get(stem)) is not None:
            return known
        return (stem,) if not self._known or stem in self._known or word.isdigit() else self._guess(stem)

    def _guess(self, word: str) -> Tokens:
        """A word the lexicon does not know: joined words, an abbreviation by consonants, or a typing error."""
        for cut in range(len(word) - 3, 2, -1):
            left, right = word[:cut], word[cut:]
            if left in self._known and (right in self._known or _stem(right) in self._known):
                return self._translate(left) + self._translate(right)
        if len(word) >= 3 and not _VOWELS.search(word[1:]) and (full := self._by_consonants(word)):
            return self._translate(full)
        if len(word) >= 5:
            close = process.extractOne(word, self._long_words, scorer=fuzz.ratio, score_cutoff=86)
            if close is not None and close[0][0] == word[0]:
                return self._translate(close[0])
        return (word,)

    def _by_consonants(self, word: str) -> str | None:
        key = _skeleton(word)
        if key in self._skeletons:
            return self._skeletons[key]
        return next((full for bones, full in self._skeletons.items() if len(key) > 2 and bones.startswith(key)), None)

    def _phrase(self, text: str) -> Tokens:
        text = text.replace("#", " number ").replace("%", " percent ")
        return self._rewrite(self._plain(_DIGIT_EDGE.sub(" ", text)))

    def _rewrite(self, words: Tokens) -> Tokens:
        result: list[str] = []
        at = 0
        while at < len(words):
            for length in range(min(self._rewrite_longest, len(words) - at), 0, -1):
                if (meaning := self._rewrites.get(words[at : at + length])) is not None:
                    result.extend(meaning)
                    at += length
                    break
            else:
                result.append(words[at])
                at += 1
        return tuple(result)

    @lru_cache(maxsize=8192)  # noqa: B019 - one lexicon lives as long as the process
    def tokens(self, header: str) -> Tokens:
        """The words of a header in the lexicon's own spelling: 'CustPh#2' -> ('customer', 'phone', 'number', '2')."""
        text = header.strip()[:HEADER_CHARACTERS_MAX]
        if custom := _CUSTOM_FIELD.match(text):
            return ("custom", "field", *self._phrase(custom[1]))
        text = _UNIT.sub(" ", _POSSESSIVE.sub("", text))
        text = text.replace("#s", " number ")
        return self._phrase(_CAMEL.sub(" ", text))

    # ---- scores -----------------------------------------------------------------------------------------------

    def is_known(self, word: str) -> bool:
        """True for words of the lexicon."""
        return word in self._known

    def phrases(self) -> list[tuple[frozenset[str], list[tuple[tuple[str, str], float]]]]:
        """Every phrase that names fields, with the fields it names and how surely."""
        return [(phrase, sorted(targets.items())) for phrase, targets in self._targets.items()]

    def without(self, phrases: frozenset[frozenset[str]]) -> Lexicon:
        """The same words, but for whole phrases that are left out and known exports: for measuring and training."""
        fewer = copy.copy(self)
        fewer._targets = {phrase: targets for phrase, targets in self._targets.items() if phrase not in phrases}
        fewer._nothing = self._nothing - phrases
        fewer.platforms = ()
        return fewer

    def _weight(self, words: Iterable[str]) -> float:
        # Sets of words have another order in each process; the sum must not depend on it to the last bit.
        return math.fsum(self._weights.get(word, 1.0) for word in words)

    @lru_cache(maxsize=8192)  # noqa: B019
    def _similar(self, words: frozenset[str]) -> dict[int, float]:
        """Phrase number -> weighted share of common words, from SIMILARITY_MIN on."""
        shared: dict[int, float] = {}
        for word in sorted(words):
            weight = self._weights.get(word, 1.0)
            for index in self._by_word.get(word, ()):
                shared[index] = shared.get(index, 0.0) + weight
        size = self._weight(words)
        result = {}
        for index, common in shared.items():
            similarity = common / (size + self._sizes[index] - common)
            if similarity >= SIMILARITY_MIN:
                result[index] = similarity
        return result

    @lru_cache(maxsize=4096)  # noqa: B019
    def header_scores(self, header: str) -> Mapping[tuple[str, str], float]:
        """(entity type, field) -> 0..1 for every field the header may name."""
        words = frozenset(self.tokens(header))
        result: dict[tuple[str, str], float] = {}
        self._collect(words, result, None, 1.0)
        for entity, own in self.entity_words.items():
            if words & own and (rest := words - own):
                self._collect(rest, result, entity, 0.96)
        return result

    def _collect(
        self, words: frozenset[str], result: dict[tuple[str, str], float], entity: str | None, factor: float
    ) -> None:
        for index, similarity in self._similar(words).items():
            for key, strength in self._targets.get(self._phrases[index], {}).items():
                if entity is None or key[0] == entity:
                    score = strength * similarity * factor
                    if score > result.get(key, 0.0):
                        result[key] = score

    @lru_cache(maxsize=4096)  # noqa: B019
    def nothing_score(self, header: str) -> float:
        """0..1: how well the header fits something that no field holds."""
        words = frozenset(self.tokens(header))
        if "custom" in words:
            return 1.0
        similar = self._similar(words)
        return max((s for index, s in similar.items() if self._phrases[index] in self._nothing), default=0.0)

    def named_in(self, text: str) -> dict[str, float]:
        """Entity types that a file or sheet name speaks of: 1 where it is the only one, or a short name; else less."""
        words = set(self.tokens(re.sub(r"\.[A-Za-z0-9]{1,5}$", "", text)))
        named = [entity for entity, own in self.entity_words.items() if words & own]
        return dict.fromkeys(named, 1.0 if len(named) == 1 or len(words) <= 3 else 0.7)


def build_lexicon(*, without: frozenset[frozenset[str]] = frozenset()) -> Lexicon:
    """The shipped lexicon, but for the phrases in `without`; where some are left out, known exports are too."""
    text = resources.files("shared.catalog").joinpath("lexicon.yaml").read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    if without:
        raw["platforms"] = []
    return Lexicon(raw, load_catalog(), without=without)


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """The lexicon that ships with the hub."""
    return build_lexicon()
