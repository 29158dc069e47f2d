"""Commands about sessions and what they made: status, sessions, report, errors, cancel, pause, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import options as o

Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; standard output if left out.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (status, sessions, report, errors, pause, cancel, export):
        app.command()(command)


def status(
    session: o.SessionId = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show the progress to the end.")] = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Shows where a session stands.

    Example: hub status --follow
    """
    from services.cli.session_work import status_of

    view = o.run(status_of(o.target(data_dir, server, token), session, follow=follow))
    if json:
        o.answer_json(view)
        return
    from services.cli.progress_view import counts_table
    from services.cli.tables import console

    screen = console()
    line = f"Session {view['session']} ({view['name']}): {view['state'].replace('_', ' ')}"
    screen.print(line + (_how_far(view["run"]) if view["run"] else ""), markup=False, highlight=False)
    if view["run"]:
        screen.print(counts_table(view["run"]))


def sessions(
    json: o.Json = False, data_dir: o.DataDir = o.DATA_DIR, server: o.Server = None, token: o.Token = None
) -> None:
    """Lists the sessions, newest first.

    Example: hub sessions
    """
    from services.cli.session_work import list_sessions

    found = o.run(list_sessions(o.target(data_dir, server, token)))
    if json:
        o.answer_json(found)
        return
    from services.cli.tables import console, sessions_table

    console().print(sessions_table(found))


def report(
    session: o.SessionId = None,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Shows the report of a session's import again and writes its files.

    Example: hub report --json
    """
    from services.cli.session_work import report_again

    found = o.run(report_again(o.target(data_dir, server, token), session))
    if json:
        o.answer_json(found)
        return
    from services.cli.tables import console, print_report

    print_report(console(), found)


def errors(
    session: o.SessionId = None,
    severity: Annotated[
        list[str] | None, typer.Option("--severity", help="error, skipped or warning; repeatable.")
    ] = None,
    file: Annotated[str | None, typer.Option("--file", help="Only rows of this source file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write them as CSV to this file.")] = None,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Lists rows that errored, were skipped or carry a warning, each with its reason.

    Example: hub errors --severity error --output to-correct.csv
    """
    from services.cli.session_work import list_errors, save_errors

    wanted = o.target(data_dir, server, token)
    if output is not None:
        o.run(save_errors(wanted, session, output, severity or [], file))
        o.answer_json({"errors_file": str(output)}) if json else o.answer(f"Written to {output}")
        return
    found = o.run(list_errors(wanted, session, severity or [], file))
    if json:
        o.answer_json(found)
        return
    from services.cli.tables import console, problems_table

    console().print(problems_table(found) if found else "There is nothing to look at.")


def pause(
    session: o.SessionId = None,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Pauses a running import; `hub resume` goes on with it.

    Example: hub pause
    """
    from services.cli.session_work import pause_run

    _said(o.run(pause_run(o.target(data_dir, server, token), session)), json)


def cancel(
    session: o.SessionId = None,
    yes: o.Yes = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Cancels a running import: what is imported stays, everything else is skipped as cancelled.

    Example: hub cancel --yes
    """
    from services.cli.session_work import cancel_run

    if not yes and not (sys.stdin.isatty() and typer.confirm("Cancel the import?", err=True)):
        o.say("Nothing was cancelled. Give --yes to cancel without being asked.")
        raise o.Ended(1)
    _said(o.run(cancel_run(o.target(data_dir, server, token), session)), json)


def export(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="Entity type, for example customers.")],
    format: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    output: Output = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, whatever --format says.")] = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Writes every stored record of an entity type with its fields, links and where it came from.

    Example: hub export customers --format csv --output customers.csv
    """
    from services.cli.session_work import export_records

    o.run(export_records(o.target(data_dir, server, token), entity, "jsonl" if json else format, output))


def _how_far(run: dict[str, Any]) -> str:
    return f", {run['percent']} %" + (", paused" if run["paused"] else "")


def _said(view: dict[str, object], json: bool) -> None:
    if json:
        o.answer_json(view)
    else:
        o.answer(f"Session {view['session']}: {str(view['state']).replace('_', ' ')}")
