"""The command line `hub`. Commands are declared here; what they need is loaded when one runs, so that help is quick."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from services.cli import cluster_commands
from services.cli import options as o
from services.cli.mapping_commands import mapping_app
from services.cli.session_commands import register

_STARTED = time.monotonic()

USAGE_EXIT_CODE = 2
"""What typer ends with for a wrong command line; here 2 means completed with errors, so it becomes 1."""

app = typer.Typer(
    name="hub",
    help="Moves a field-service business from one software to another without losing a record, and proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Paths = Annotated[list[Path], typer.Argument(help="Files, or folders of files.", show_default=False)]
Entity = Annotated[
    list[str] | None, typer.Option("--entity", metavar="FILE=TYPE", help="Sets the type of a file by hand; repeatable.")
]


@app.command("import")
def import_(
    paths: Paths,
    entity: Entity = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", help="A mapping document (YAML) to use.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the writes.")] = False,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, max=5000, help="Records of a batch.")] = 500,
    strict: Annotated[bool, typer.Option("--strict", help="Every unreadable value makes its record an error.")] = False,
    source_label: Annotated[str | None, typer.Option("--source-label", help="Name space of the source ids.")] = None,
    region: Annotated[str, typer.Option("--region", help="Country of phone numbers without a country code.")] = "US",
    yes: o.Yes = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Imports files: finds out what each holds, proposes a mapping, imports, and reports on every record.

    Ends with 0 when completed, 2 when completed with errors, 1 when failed or refused.

    Example: hub import clients.csv jobs.csv invoices.csv
    """
    from services.cli.arguments import entities_of, files_of, mapping_of
    from services.cli.import_report import empty_report
    from services.cli.importing import ImportOptions, import_files
    from shared.errors import HubError

    try:
        files = files_of(paths)
        chosen = ImportOptions(
            entities=entities_of(entity or [], files),
            mapping=mapping_of(mapping, strict=strict, source_label=source_label),
            dry_run=dry_run,
            batch_records=batch_size,
            strict=strict,
            source_label=source_label,
            region=region,
            yes=yes,
        )
    except HubError as error:
        files_named = [{"file": path.name, "entities": [], "records": 0, "left_out": 0} for path in paths]
        _end_import(empty_report("refused", error=error.message, next_step=error.next_step, files=files_named), json)
        return
    _end_import(o.run(import_files(o.target(data_dir, server, token), files, chosen, started=_STARTED)), json)


@app.command()
def resume(
    session: o.SessionId = None,
    failed: Annotated[bool, typer.Option("--failed", help="Repeat the batches that failed in the last run.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Finishes the latest unfinished import, as if nothing had happened; or prints the latest report again.

    Example: hub resume --yes
    """
    from services.cli.importing import resume as resume_session

    target = o.target(data_dir, server, token)
    _end_import(o.run(resume_session(target, session, yes=yes, failed=failed, started=_STARTED)), json)


@app.command()
def analyze(
    paths: Paths,
    entity: Entity = None,
    separately: Annotated[bool, typer.Option("--separately", help="Look at each file by itself.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why for every column.")] = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Tells what files hold and how their columns would be mapped. Nothing is stored; no hub is needed.

    Example: hub analyze exports/ --json
    """
    from services.cli.analyzing import analyse_files
    from services.cli.arguments import entities_of, files_of

    files = files_of(paths)
    entries = analyse_files(files, entities=entities_of(entity or [], files), separately=separately)
    if json:
        o.answer_json(entries)
    else:
        from services.cli.analysis_tables import analysis_table
        from services.cli.tables import console

        screen = console()
        for entry in entries:
            screen.print(analysis_table(entry, explain=explain, width=screen.width))
    if all("error" in entry for entry in entries):
        raise o.Ended(1)


@app.command()
def up(
    host: Annotated[str, typer.Option("--host", envvar="HUB_HTTP_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", envvar="HUB_HTTP_PORT", min=0, max=65535, help="0: any.")] = 8080,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make and show another owner token.")] = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
) -> None:
    """Runs all services with the HTTP API at /api/v1 until it is stopped (Ctrl-C or SIGTERM).

    Example: hub up --port 8080
    """
    from services.cli.serving import serve

    o.run(serve(data_dir, host=host, port=port, new_token=new_token, as_json=json))


@app.command()
def doctor(
    port: Annotated[int, typer.Option("--port", envvar="HUB_HTTP_PORT", help="Port that `hub up` would use.")] = 8080,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Checks what the hub needs, and says what to do where something is wrong.

    Example: hub doctor
    """
    from services.cli.checkup import checkup

    checks = o.run(checkup(o.target(data_dir, server, token), port=port))
    if json:
        o.answer_json(checks)
    else:
        for check in checks:
            mark = "ok     " if check["ok"] else "problem"
            o.answer(f"{mark}  {check['check']}: {check['detail']}{' ' + check['next'] if check['next'] else ''}")
    raise o.Ended(0 if all(check["ok"] for check in checks) else 1)


app.add_typer(mapping_app, name="mapping")
register(app)
cluster_commands.register(app)


def _end_import(report: dict[str, object], json: bool) -> None:
    from services.cli.import_report import exit_code

    if json:
        o.answer_json({"state": "none"} if report["state"] == "none" else report)
    if not json or report["state"] == "refused":
        from services.cli.tables import console, print_report

        print_report(console(sys.stderr if json else None), report)
    raise o.Ended(exit_code(report))


def main() -> None:
    """Entry point: runs a command; errors end it with what happened and what to do, never with a traceback."""
    try:
        app()
    except o.Ended as ended:
        sys.exit(ended.code)
    except SystemExit as ended:
        sys.exit(1 if ended.code == USAGE_EXIT_CODE else ended.code)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        from shared.errors import HubError

        if not isinstance(error, HubError):
            _say_fault(error)
            error = HubError(
                f"The hub failed by a fault of its own ({type(error).__name__}). What was stored is safe.",
                next_step="Try `hub resume`; if it stays, report the lines above.",
                code="internal",
            )
        if "--json" in sys.argv:
            o.answer_json({"state": "failed", "error": error.message, "next": error.next_step, "code": error.code})
        o.say(f"{error.message}\n{error.next_step}".strip())
        sys.exit(1)


def _say_fault(error: Exception) -> None:
    """Where a fault came from, without its message: that may quote a customer's value."""
    from shared.observability.logs import error_places

    o.say(error_places(error))


if __name__ == "__main__":
    main()
