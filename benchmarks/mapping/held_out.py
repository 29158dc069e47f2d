"""What only one platform's files could have taught: left out of the lexicon before that platform's files are judged.

The lexicon was written by people who knew the headers of the cases. A phrase whose words are those of a header of one
group of cases and of no other group's is taken as learned from that group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from benchmarks.mapping.cases import Case
from shared.catalog.lexicon import Lexicon, load_lexicon

Grouping = Literal["platform", "case"]
Phrases = frozenset[frozenset[str]]


def group_of(case: Case, grouping: Grouping) -> str:
    """Cases of one group are left out together."""
    return case.platform if grouping == "platform" else case.id


def own_phrases(cases: Iterable[Case], grouping: Grouping, lexicon: Lexicon | None = None) -> dict[str, Phrases]:
    """Per group the phrases that only its headers have."""
    words_of = (lexicon or load_lexicon()).tokens
    seen: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    groups = set()
    for case in cases:
        groups.add(group_of(case, grouping))
        for column in case.columns:
            if column.header:
                seen[frozenset(words_of(column.header))].add(group_of(case, grouping))
    own: dict[str, set[frozenset[str]]] = {group: {frozenset()} for group in groups}
    for words, where in seen.items():
        if len(where) == 1:
            own[next(iter(where))].add(words)
    return {group: frozenset(words) for group, words in own.items()}
