"""`hub mapping`: show, export, reset and approve a session's mapping; see what approvals taught, and forget it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli import options as o

mapping_app = typer.Typer(help="Shows, exports, resets or approves the mapping of a session.", no_args_is_help=True)
memory_app = typer.Typer(help="Shows, shares or forgets what approved mappings taught.", no_args_is_help=True)
mapping_app.add_typer(memory_app, name="memory")


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
    from services.cli.mapping_tables import mapping_tables, values_tables
    from services.cli.tables import console, understanding

    screen, records = console(), {file["name"]: file.get("records") or 0 for file in found["files"]}
    screen.print(mapping_tables(mapping["mapping"], screen.width))
    screen.print(values_tables({**one, "records": records.get(one["file"], 0)} for one in mapping["value_mappings"]))
    screen.print(understanding(found, mapping, reasons=False))


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


@mapping_app.command()
def reset(
    session: o.SessionId = None,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Makes the hub's proposal the mapping again; changes made by hand stay in the older versions.

    Example: hub mapping reset
    """
    from services.cli.mapping_work import reset_mapping

    view = o.run(reset_mapping(o.target(data_dir, server, token), session))
    if json:
        o.answer_json(view)
    else:
        o.answer(f"The mapping of session {view['session']} is the hub's proposal again (version {view['number']}).")


@memory_app.command("list")
def list_memory(
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Lists approved mappings that help with files of the same shape.

    Example: hub mapping memory list
    """
    from services.cli.mapping_work import remembered_mappings

    memory = o.run(remembered_mappings(o.target(data_dir, server, token)))
    if json:
        o.answer_json(memory)
        return
    from services.cli.mapping_tables import memory_table
    from services.cli.tables import console

    screen = console()
    screen.print(memory_table(memory["entries"], screen.width) if memory["entries"] else "Nothing is remembered yet.")


@memory_app.command()
def forget(
    entries: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids that `list` shows, or how they begin.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Forget all of them.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Forgets remembered mappings; what was mapped with them stays as it is.

    Example: hub mapping memory forget 3f2a9c --yes
    """
    from services.cli.mapping_work import forget_mappings
    from shared.errors import BadInputError

    if bool(entries) == everything:
        raise BadInputError(
            "Nothing was forgotten: it is not clear what to forget.",
            next_step="Name ids that `hub mapping memory list` shows, or give --all.",
        )
    what = "all remembered mappings" if everything else f"{len(entries or [])} remembered mappings"
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Forget {what}?", err=True)):
        o.say("Nothing was forgotten. Give --yes to forget without being asked.")
        raise o.Ended(1)
    number = o.run(forget_mappings(o.target(data_dir, server, token), None if everything else entries))
    if json:
        o.answer_json({"forgotten": number})
    else:
        o.answer(f"{number} mappings were forgotten.")


@memory_app.command()
def share(
    entry: Annotated[str, typer.Argument(metavar="ID", help="An id that `list` shows, or how it begins.")],
    stop: Annotated[bool, typer.Option("--stop", help="Share it no longer.")] = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Shares headers and fields of a remembered mapping, never values, with the other accounts of the hub.

    Example: hub mapping memory share 3f2a9c
    """
    from services.cli.mapping_work import share_mapping

    view = o.run(share_mapping(o.target(data_dir, server, token), entry, shared=not stop))
    if json:
        o.answer_json(view)
    else:
        o.answer(f"Mapping {view['id']} is {'shared' if view['shared'] else 'no longer shared'}.")
