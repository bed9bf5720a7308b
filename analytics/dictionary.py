"""The columns of what is exported, documented: name, type and meaning."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its SQL type (DuckDB's and Parquet's), what it means and in which unit."""

    name: str
    type: str
    meaning: str


FACTS = (
    Column("statement_id", "VARCHAR", "Id of the statement (UUID)."),
    Column("seq", "BIGINT", "When it was stored, microseconds since 1970 UTC; unique, rising."),
    Column("timestamp", "TIMESTAMP", "When it happened, as its sender says, UTC."),
    Column("date", "DATE", "The day of `timestamp`, UTC."),
    Column("subject", "VARCHAR", "Opaque key of the learner: the same for every identifier of a known person. No name, no e-mail. "
           "An unknown learner's key changes once the directory knows him: then export again from the start."),
    Column("verb", "VARCHAR", "Canonical verb, `unmapped` where the verb map has no row."),
    Column("verb_iri", "VARCHAR", "The verb as it was sent."),
    Column("status", "VARCHAR",
           "The outcome it tells: completed, passed, failed, completed_failed, waived, one that is held, or empty."),
    Column("activity", "VARCHAR", "Id of the object, an IRI; empty if the object is no activity."),
    Column("course", "VARCHAR", "Id of the course that the object is, or is a part of (catalogue, activity type); or empty."),
    Column("source", "VARCHAR", "Provider that sent it."),
    Column("registration", "VARCHAR", "Registration (UUID), empty if none."),
    Column("score", "DOUBLE", "Score from -1 to 1, scaled; empty if it cannot be known."),
    Column("score_raw", "DOUBLE", "Score as sent, in the sender's own units."),
    Column("success", "BOOLEAN", "`result.success` as sent."),
    Column("completion", "BOOLEAN", "`result.completion` as sent."),
    Column("duration", "DOUBLE", "Seconds."),
    Column("voided", "BOOLEAN", "Taken back by a voiding statement. Leave such rows out of reports."),
    Column("map_version", "INTEGER", "Version of the verb map by which it was read."),
)
RAW = (
    Column("statement_id", "VARCHAR", "Id of the statement (UUID)."),
    Column("seq", "BIGINT", "When it was stored, microseconds since 1970 UTC; unique, rising."),
    Column("voided", "BOOLEAN", "Taken back by a voiding statement."),
    Column("statement", "VARCHAR", "The statement as JSON, to the byte as it is served."),
)


def markdown() -> str:
    """The data dictionary as a page (docs/data-dictionary.md is this text)."""
    def table(columns: tuple[Column, ...]) -> str:
        return "\n".join(["| Column | Type | Meaning |", "|---|---|---|", *(f"| `{c.name}` | {c.type} | {c.meaning} |" for c in columns)])
    return ("# Data dictionary\n\nThe columns of `lrs export` and `GET /api/v1/exports/facts`, the same in CSV, NDJSON and Parquet. "
            "An empty CSV cell is a null.\n\n## Facts: one row a statement\n\n" + table(FACTS) +
            "\n\n## Raw statements (`--raw`)\n\n" + table(RAW) + "\n")
