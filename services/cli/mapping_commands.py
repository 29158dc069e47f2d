"""`hub mapping`: show, export and approve the mapping of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli import options as o

mapping_app = typer.Typer(help="Shows, exports or approves the mapping of a session.", no_args_is_help=True)


@mapping_app.command()
def show(
    session: o.SessionId = None,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Shows which column feeds which field, how sure that is, and what is missing.

    Example: hub mapping show
    """
    from services.cli.mapping_work import session_and_mapping

    found, mapping = o.run(session_and_mapping(o.target(data_dir, server, token), session))
    if json:
        o.answer_json(mapping)
        return
    from services.cli.tables import console, mapping_tables, understanding

    console().print(mapping_tables(mapping["mapping"]))
    console().print(understanding(found, mapping))


@mapping_app.command()
def export(
    session: o.SessionId = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON instead of YAML; --mapping takes both.")] = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Writes the mapping as a YAML document, to be kept, changed, and given back with `hub import --mapping`.

    Example: hub mapping export --output mapping.yaml
    """
    from services.cli.mapping_work import mapping_text

    text = o.run(mapping_text(o.target(data_dir, server, token), session, as_json=json))
    if output is None:
        o.answer(text.rstrip("\n"))
    else:
        output.write_text(text, encoding="utf-8")
        o.say(f"Written to {output}")


@mapping_app.command()
def approve(
    session: o.SessionId = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", help="Approve this document (YAML) instead.")] = None,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Approves a session's mapping; `hub resume` then imports with it.

    Example: hub mapping approve --mapping mapping.yaml
    """
    from services.cli.mapping_work import approve_mapping

    view = o.run(approve_mapping(o.target(data_dir, server, token), session, mapping))
    if json:
        o.answer_json(view)
    else:
        o.answer(f"The mapping of session {view['session']} is approved. Import with: hub resume")
