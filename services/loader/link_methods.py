"""By what a reference was settled, and how sure that is."""

from __future__ import annotations

from typing import Literal, get_args

Method = Literal[
    "source_id",
    "number",
    "name",
    "email",
    "phone",
    "row",
    "name_with_evidence",
    "similar_name",
    "similar_name_with_evidence",
    "name_in_text",
    "name_in_text_with_evidence",
    "nickname",
    "nickname_with_evidence",
    "name_despite_contacts",
]

METHODS: tuple[Method, ...] = get_args(Method)
"""The first six stand where `ReferenceColumn.by` has them."""
BY_NAME = METHODS.index("name")
CONFIDENCE: dict[str, float] = {
    "source_id": 1.0,
    "row": 1.0,
    "number": 0.99,
    "name_with_evidence": 0.98,
    "email": 0.95,
    "nickname_with_evidence": 0.95,
    "similar_name_with_evidence": 0.93,
    "name_in_text_with_evidence": 0.93,
    "name": 0.9,
    "phone": 0.85,
    "similar_name": 0.8,
    "name_in_text": 0.8,
    "nickname": 0.8,
    # The name is exactly the record's, but the e-mail or the phone told is nobody's.
    "name_despite_contacts": 0.75,
}
WITH_EVIDENCE: dict[Method, Method] = {
    "name": "name_with_evidence",
    "similar_name": "similar_name_with_evidence",
    "name_in_text": "name_in_text_with_evidence",
    "nickname": "nickname_with_evidence",
}
