"""Further records of the same source row: the properties of a customer's further addresses."""

from __future__ import annotations

from services.mapper.address_groups import AddressGroup
from shared.matching.scorer import Scorer
from shared.messages.analysis import Detection
from shared.messages.mapping import FieldMapping, RecordMapping


def property_record(
    slot: int, group: AddressGroup, detection: Detection, scorer: Scorer, pair: FieldMapping | None
) -> RecordMapping:
    """The property of one further address in a customer's row."""
    evidence = scorer.evidence
    properties = evidence.catalog["properties"]
    fields = [FieldMapping(field="customer", column=None, by="row", reasons=("The customer of the same row.",))]
    if pair is not None and slot == 0:
        fields.append(
            FieldMapping(
                field="source_id",
                column=pair.column,
                header=pair.header,
                confidence=pair.confidence,
                reasons=("The whole id stands for the customer's property, the part before “_” for the customer.",),
            )
        )
    for part, column in sorted(group.columns.items(), key=lambda item: item[1]):
        profile = detection.columns[column]
        fit = evidence.fit("properties", properties.fields[part], profile)
        fields.append(
            FieldMapping(
                field=part,
                column=column,
                header=profile.header or None,
                confidence=round(scorer.model.calibrated("column", 0.95 * fit), 3),
                reasons=(f"“{profile.header}” is part of a further address of the customer ({group.label}).",),
            )
        )
    return RecordMapping(entity="properties", slot=slot, primary=False, fields=tuple(fields))
