from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.catalog.lexicon import Lexicon, load_lexicon
from shared.catalog.model import load_catalog
from shared.errors import ConfigurationError


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Job #", ("job", "number")),
        ("custPhone2", ("customer", "phone", "2")),
        ("CUST_NM", ("customer", "name")),
        ("Total ($)", ("total",)),
        ("Tax (%)", ("tax", "percent")),
        ("ASSETNUM", ("asset", "number")),
        ("Date d'échéance", ("due", "date")),
        ("Código postal", ("zip",)),
        ("wrnty", ("warranty",)),
        ("Adress", ("address",)),
        ("E-mails", ("email",)),
        ("CFT[Gate code]", ("custom", "field", "gate", "code")),
    ],
)
def test_a_header_becomes_words(header: str, words: tuple[str, ...]) -> None:
    assert set(load_lexicon().tokens(header)) == set(words)


@pytest.mark.parametrize(
    ("header", "entity", "field"),
    [
        ("customer_name", "customers", "name"),
        ("client_email", "customers", "email"),
        ("work_order_date", "jobs", "scheduled_start"),
        ("Fecha de vencimiento", "invoices", "due_on"),
        ("Mode de paiement", "invoices", "payment_method"),
        ("serialNumber", "equipment", "serial_number"),
        ("QOH", "inventory", "quantity_on_hand"),
    ],
)
def test_the_best_field_of_a_header(header: str, entity: str, field: str) -> None:
    scores = {f: s for (e, f), s in load_lexicon().header_scores(header).items() if e == entity}
    assert max(scores, key=lambda f: scores[f]) == field


@pytest.mark.parametrize("header", ["Tax (%)", "Last Modified Date", "Currency Code", "CFT[Dog's name]"])
def test_some_headers_name_nothing_we_hold(header: str) -> None:
    assert load_lexicon().nothing_score(header) == 1.0


@pytest.mark.parametrize("wrong", ["fields: {nmae: x}", "entities: {jobs: {nmae: x}}", "entities: {jbos: {}}"])
def test_a_field_the_catalogue_does_not_have_is_refused(wrong: str) -> None:
    raw = {
        "fields": {}, "entities": {}, "words": {}, "rewrites": {}, "stop_words": [], "weights": {}, "entity_words": {},
        "subjects": {}, "other_parties": [], "other_papers": [],
            "vocabularies": {}, "nothing": "", "others": {}, "platforms": [],
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"nmae|jbos"):
        Lexicon({**raw, **yaml.safe_load(wrong)}, load_catalog())


@given(st.text(max_size=60))
def test_any_text_may_be_a_header(text: str) -> None:
    scores = load_lexicon().header_scores(text)
    assert all(0.0 <= score <= 1.0 for score in scores.values())
