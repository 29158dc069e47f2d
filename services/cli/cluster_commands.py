"""Commands about processes of their own and the bus between them: api, service, topics, dead-letters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli import options as o

if TYPE_CHECKING:
    from services.settings import HubSettings

topics_app = typer.Typer(help="The topics on the bus.", no_args_is_help=True, rich_markup_mode=None)
dead_letters_app = typer.Typer(help="Messages that were set aside.", no_args_is_help=True, rich_markup_mode=None)

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; HUB_HTTP_HOST if left out.")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="0: any; HUB_HTTP_PORT or 8080 if left out.")
]
ShowSettings = Annotated[
    bool, typer.Option("--show-settings", help="Only print every setting and where it comes from.")
]
Session = Annotated[str | None, typer.Option("--session", help="Only messages of this session.")]
Topic = Annotated[str | None, typer.Option("--topic", help="Only messages of this topic.")]
Group = Annotated[str | None, typer.Option("--group", help="Only messages that this consumer group set aside.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only messages with this reason code.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Only messages set aside since: a time (ISO 8601), or 30m, 12h, 7d.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many messages.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(api)
    app.command()(service)
    app.add_typer(topics_app, name="topics")
    app.add_typer(dead_letters_app, name="dead-letters")


def api(
    host: Host = None,
    port: Port = None,
    show_settings: ShowSettings = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
) -> None:
    """Runs the HTTP API of a cluster, without consumers; HUB_BUS and HUB_STORE say where. Any number may run.

    Example: hub api --port 8080
    """
    settings = _settings("hub api", data_dir, host, port, show_settings, json)
    from services.cli.processes import run_api

    o.run(run_api(settings, as_json=json))


def service(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ingest, analyze, mapper, loader or status.")],
    host: Host = None,
    port: Port = None,
    show_settings: ShowSettings = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
) -> None:
    """Runs one service of a cluster; HUB_BUS and HUB_STORE say where. Any number of each may run.

    Its port answers /live, /ready and /metrics. SIGTERM lets it finish what it has begun.

    Example: hub service loader --port 0
    """
    from services.app import SERVICES
    from shared.errors import BadInputError

    if name not in SERVICES:
        raise BadInputError(f"There is no service {name!r}.", next_step=f"Choose one of: {', '.join(SERVICES)}.")
    settings = _settings(f"hub service {name}", data_dir, host, port, show_settings, json)
    from services.cli.processes import run_service

    o.run(run_service(settings, name, as_json=json))


@topics_app.command("create")
def create_topics(json: o.Json = False, data_dir: o.DataDir = o.DATA_DIR) -> None:
    """Creates the topics that are missing, those of dead letters too. Repeating it changes nothing.

    Example: hub topics create
    """
    from services.cli.topic_work import create

    _show_topics(o.run(create(data_dir)), json)


@topics_app.command("list")
def list_topics(json: o.Json = False, data_dir: o.DataDir = o.DATA_DIR) -> None:
    """Lists the topics of the registry and how they are on the bus.

    Example: hub topics list --json
    """
    from services.cli.topic_work import listed

    _show_topics(o.run(listed(data_dir)), json)


@dead_letters_app.command("list")
def list_dead_letters(
    session: Session = None,
    topic: Topic = None,
    group: Group = None,
    reason: Reason = None,
    since: Since = None,
    limit: Limit = 100,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Lists messages that were set aside, each with its reason.

    Example: hub dead-letters list --since 12h
    """
    from services.cli.dead_letter_work import list_letters, wanted_of

    wanted = wanted_of(session, topic, group, reason, since, limit)
    letters = o.run(list_letters(o.target(data_dir, server, token), wanted))
    if json:
        o.answer_json(letters)
        return
    from services.cli.cluster_tables import console, dead_letters_table

    console().print(dead_letters_table(letters) if letters else "No message was set aside.")


@dead_letters_app.command("replay")
def replay_dead_letters(
    session: Session = None,
    topic: Topic = None,
    group: Group = None,
    reason: Reason = None,
    since: Since = None,
    limit: Limit = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
    data_dir: o.DataDir = o.DATA_DIR,
    server: o.Server = None,
    token: o.Token = None,
) -> None:
    """Sends messages that were set aside to their topics again. They stay listed; the replay is audited.

    Example: hub dead-letters replay --session 1f3a --reason attempts_used_up --yes
    """
    from services.cli.dead_letter_work import replay_letters, wanted_of

    if not (yes or dry_run) and not (sys.stdin.isatty() and typer.confirm("Send the messages again?", err=True)):
        o.say("Nothing was sent. Give --yes to send them without being asked, or --dry-run to count them.")
        raise o.Ended(1)
    wanted = wanted_of(session, topic, group, reason, since, limit)
    replay = o.run(replay_letters(o.target(data_dir, server, token), wanted, dry_run=dry_run))
    if json:
        o.answer_json(replay)
    elif dry_run:
        o.answer(f"{replay['matched']} messages match. Nothing was sent.")
    else:
        o.answer(f"{replay['replayed']} of {replay['matched']} messages were sent again.")


def _settings(
    command: str, data_dir: Path, host: str | None, port: int | None, show_settings: bool, json: bool
) -> HubSettings:
    """The settings of a process; with --show-settings they are printed and the command ends."""
    from dataclasses import asdict

    from services.settings import load_settings, shown

    given = {"data_dir": data_dir, "http_host": host, "http_port": port}
    settings = load_settings(shared_bus_for=None if show_settings else command, **given)
    if not show_settings:
        return settings
    lines = shown(settings)
    if json:
        o.answer_json([asdict(line) for line in lines])
    else:
        for line in lines:
            o.answer(f"{line.name:<28} {line.value or '-':<40} ({line.origin})")
    raise o.Ended(0)


def _show_topics(topics: list[dict[str, Any]], json: bool) -> None:
    if json:
        o.answer_json(topics)
        return
    from services.cli.cluster_tables import console, topics_table

    console().print(topics_table(topics))
