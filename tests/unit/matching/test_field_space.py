from __future__ import annotations

import numpy as np

from shared.matching.field_space import load_space


def test_a_space_without_a_phrase_says_less_of_headers_like_it() -> None:
    space = load_space()
    lexicon = space.evidence.lexicon
    phrase = frozenset(lexicon.tokens("Serial number"))
    at = space.place["equipment", "serial_number"]

    fewer = space.without(space.evidence, frozenset({phrase}))

    assert fewer.header("Serialnumbr")[1][at] < space.header("Serialnumbr")[1][at]


def test_the_space_of_one_entity_type_has_its_pairs_alone() -> None:
    space = load_space()

    own = space.of("invoices")

    assert own.pairs == space.pairs[space.parts["invoices"]]
    assert own.parts == {"invoices": slice(0, len(own.pairs))}
    assert np.array_equal(own.field_of, space.field_of[space.parts["invoices"]])
