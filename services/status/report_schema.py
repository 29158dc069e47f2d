"""The published JSON schema of the import report: `python -m services.status.report_schema` writes it again."""

from __future__ import annotations

import json
from pathlib import Path

from services.status.report import ImportReport

PUBLISHED = Path(__file__).with_name("import_report.schema.json")


def schema_text() -> str:
    """The schema as the models say."""
    return json.dumps(ImportReport.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PUBLISHED.write_text(schema_text(), encoding="utf-8")
