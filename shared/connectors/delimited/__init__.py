"""Reading of delimited text files (CSV, TSV and the like): landing once, then batch by batch."""

from shared.connectors.delimited.landing import land
from shared.connectors.delimited.layout import detect_reading
from shared.connectors.delimited.rows import read_cells_at, read_span, read_span_columns, sample_rows

__all__ = ["detect_reading", "land", "read_cells_at", "read_span", "read_span_columns", "sample_rows"]
