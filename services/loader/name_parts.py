"""A name that nobody goes by, and the names that may stand in it: at its sides, in another order, cut shorter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile

from services.loader.nicknames import ALTERNATIVES, other_first_names
from shared.catalog.first_names import FIRST_NAMES
from shared.catalog.identity import fold, normalise_name, words_of
from shared.catalog.name_forms import (
    GENERATIONS,
    NAMED_LIKE_PEOPLE,
    PARTICLES,
    TEXT_MAX,
    Trust,
    is_about_work,
    is_side_word,
    is_work_word,
    names_inside,
    plain_name,
    relations,
    segments_of_child,
    small_words,
)
from shared.catalog.place_forms import places_in

# Errors and short forms are looked for in the whole name and in the likeliest names inside it.
_FORMS_SEARCHED = 2
_WINDOW_WORDS = (2, 3)
_WORK_WORDS_MAX = 5
WINDOWS_MAX = 12


@dataclass
class Sought:
    """A name that nobody goes by."""

    entry: int
    parent: str
    text: str
    normalised: str
    has_unknown_contact: bool
    """The reference tells an e-mail address or a phone, and it is nobody's."""
    told: Sequence[int] = ()
    """Records to which a further fact points."""

    @property
    def is_like_people(self) -> bool:
        """Whether it is the name of a person or a company."""
        return self.parent in NAMED_LIKE_PEOPLE

    @cached_property
    def parts(self) -> Mapping[str, Trust]:
        """Shorter forms."""
        if self.is_like_people:
            return names_inside(self.text)
        return dict.fromkeys(places_in(self.text) if self.parent == "properties" else (), Trust.ALONE)

    @cached_property
    def wholes(self) -> list[str]:
        """The name itself, also without its legal form and in plain letters."""
        if not self.is_like_people or self.normalised != normalise_name(self.text):
            return [self.normalised]
        return list(dict.fromkeys((self.normalised, plain_name(self.text))))

    @cached_property
    def windows(self) -> Mapping[str, Trust]:
        """The first and the last words, where a longer text has no dash between name and work."""
        if not self.is_like_people:
            return {}
        found: dict[str, Trust] = {}
        for segment in segments_of_child(self.text):
            if len(segment) <= _WINDOW_WORDS[0]:
                continue
            for window, trust in _windows(segment, self.text):
                if window not in self.parts and window != self.normalised:
                    found.setdefault(window, trust)
        return dict(islice(found.items(), WINDOWS_MAX))

    @cached_property
    def likeliest(self) -> list[str]:
        """The likeliest names inside."""
        parts = [part for part, trust in self.parts.items() if trust is not Trust.SOMEBODY_ELSE]
        sure = [window for window, trust in self.windows.items() if trust is Trust.ALONE]
        return [*parts[:_FORMS_SEARCHED], *sure[:_FORMS_SEARCHED]]

    @cached_property
    def nicknames(self) -> list[str]:
        """The name and the likeliest ones inside with another form of the first name."""
        firsts = _firsts(self.text) if ALTERNATIVES.keys() & set(self.normalised.split()) else ()
        return [name for base in (*self.wholes, *self.likeliest) for name in other_first_names(base, firsts)]

    @property
    def may_be_swapped(self) -> bool:
        """Whether several words may be first names: 'Ray Martin' is Raymond Martin, but not Martin Raymond."""
        return sum(word in ALTERNATIVES or word in FIRST_NAMES for word in self.normalised.split()) > 1

    @property
    def needs_a_fact(self) -> bool:
        """Whether somebody else is named, too."""
        return any(self.parts.get(part) is Trust.WITH_A_FACT for part in self.likeliest)


def _windows(words: Sequence[str], text: str) -> Iterator[tuple[str, Trust]]:
    for window, rest in _beside_work(words, small_words(text)):
        if GENERATIONS.isdisjoint(rest) and is_about_work(rest, text) and not all(map(is_side_word, window)):
            yield " ".join(sorted(window)), Trust.WITH_A_FACT if relations(text, window) else Trust.ALONE
    for size in _WINDOW_WORDS:
        for window, rest in ((words[:size], words[size:]), (words[-size:], words[:-size])):
            if _is_text(rest, relations(text, window)) and not all(map(is_side_word, window)):
                yield " ".join(sorted(window)), Trust.WITH_A_FACT


def _is_text(rest: Sequence[str], relations_: Collection[str]) -> bool:
    """Whether the words are more than what tells a relative or a sister firm: one word, 'de la Cruz', Jr."""
    is_more = sum(word not in PARTICLES for word in rest) > 1 or not set(rest).isdisjoint(relations_)
    return is_more and GENERATIONS.isdisjoint(rest)


def _beside_work(words: Sequence[str], small: Collection[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """What is left, two words at least, without the first or last words as long as they belong to the work, and
    those: in 'Maria Garcia Lopez bathroom remodel' the name goes on behind the first two words."""
    most = min(len(words) - _WINDOW_WORDS[0], _WORK_WORDS_MAX)
    is_work = [is_work_word(word) or word in small for word in words]
    for count in takewhile(lambda count: is_work[-count], range(1, most + 1)):
        yield words[:-count], words[-count:]
    for count in takewhile(lambda count: is_work[count - 1], range(1, most + 1)):
        yield words[count:], words[:count]


def _firsts(text: str) -> set[str]:
    """Words that stand where first names do: at the beginning and behind a comma of each part, titles left out."""
    found: set[str] = set()
    for part in segments_of_child(text):
        found.update(_first_telling(part))
    for behind in fold(text[:TEXT_MAX]).split(",")[1:]:
        found.update(_first_telling(words_of(behind)))
    return found


def _first_telling(words: Sequence[str]) -> list[str]:
    return [word for word in words if len(word) > 1 and not is_side_word(word)][:1]
