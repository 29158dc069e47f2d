"""What a Dockerfile of this project must be like, after hadolint's rules; each gives the problems it finds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Instruction:
    """One instruction with its continued lines joined."""

    name: str
    arguments: str


@dataclass
class Stage:
    """What stands between one FROM and the next."""

    image: str
    alias: str | None
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, *names: str) -> list[str]:
        """Arguments of the instructions with these names, in order."""
        return [one.arguments for one in self.instructions if one.name in names]


Rule = Callable[[list[Stage]], Iterator[str]]

_KNOWN = {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "RUN", "SHELL",
          "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}  # fmt: skip
_PINNED = re.compile(r":\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$|@sha256:[0-9a-f]{64}$")
_COMPILERS = re.compile(r"\b(gcc|g\+\+|clang|make|build-essential|cargo|rustc)\b")


def problems(text: str) -> list[str]:
    """Everything that is wrong."""
    found = stages(text)
    return [problem for rule in RULES for problem in rule(found)]


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile. ValueError for what is no Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        name, _, arguments = line.partition(" ")
        if name == "FROM":
            image, *rest = arguments.split()
            found.append(Stage(image, rest[1] if rest else None))
        elif name in _KNOWN and found:
            found[-1].instructions.append(Instruction(name, arguments.strip()))
        else:
            raise ValueError(f"no instruction of a Dockerfile: {line[:80]}")
    return found


def bases_are_pinned(found: list[Stage]) -> Iterator[str]:
    aliases = {stage.alias for stage in found}
    for stage in found:
        if stage.image not in aliases and not _PINNED.search(stage.image):
            yield f"the base {stage.image} is not pinned to a version"


def nothing_is_added_from_the_network(found: list[Stage]) -> Iterator[str]:
    for stage in found:
        if stage.of("ADD"):
            yield "ADD fetches and unpacks without a check: take COPY"
        if any(re.search(r"(curl|wget)\b.*\|\s*(ba)?sh\b", command) for command in stage.of("RUN")):
            yield "a script is run as it comes from the network"


def packages_leave_no_lists(found: list[Stage]) -> Iterator[str]:
    for command in (command for stage in found for command in stage.of("RUN")):
        if "apt-get install" not in command:
            continue
        if "rm -rf /var/lib/apt/lists" not in command:
            yield "apt's lists are left in a layer"
        if "--no-install-recommends" not in command:
            yield "apt installs recommended packages"


def pip_leaves_no_cache_and_pins(found: list[Stage]) -> Iterator[str]:
    for command in (command for stage in found for command in stage.of("RUN")):
        for part in re.findall(r"pip (?:--python \S+ )?(?:install|wheel)[^&|;]*", command):
            if "--no-cache-dir" not in part:
                yield "pip's cache is left in a layer"
            if " wheel " not in part and "--require-hashes" not in part and "==" not in part:
                yield "pip installs what is not pinned"


def the_last_stage_is_not_root(found: list[Stage]) -> Iterator[str]:
    users = found[-1].of("USER")
    if not users:
        yield "the image runs as root"
    elif not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]):
        yield f"the user {users[-1]} is root or has no number"


def the_last_stage_has_no_compiler(found: list[Stage]) -> Iterator[str]:
    if any(_COMPILERS.search(command) for command in found[-1].of("RUN")):
        yield "a compiler is left in the image"
    if len(found) < 2:
        yield "what built the image is left in it"


def commands_are_in_exec_form(found: list[Stage]) -> Iterator[str]:
    for arguments in found[-1].of("ENTRYPOINT", "CMD"):
        if not _is_exec_form(arguments):
            yield f"{arguments} runs in a shell, which keeps signals from it"
    if not found[-1].of("ENTRYPOINT"):
        yield "no ENTRYPOINT"


def health_is_checked(found: list[Stage]) -> Iterator[str]:
    checks = found[-1].of("HEALTHCHECK")
    if len(checks) != 1 or not _is_exec_form(checks[0].partition("CMD ")[2]):
        yield "no HEALTHCHECK in exec form"


def no_secret_is_built_in(found: list[Stage]) -> Iterator[str]:
    for arguments in (arguments for stage in found for arguments in stage.of("ARG", "ENV")):
        if re.search(r"PASSWORD|TOKEN|SECRET", arguments):
            yield "a secret is part of the image"


def folders_are_absolute(found: list[Stage]) -> Iterator[str]:
    for stage in found:
        for folder in stage.of("WORKDIR"):
            if not folder.startswith("/"):
                yield f"WORKDIR {folder} depends on the one before"


def _is_exec_form(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), list)
    except json.JSONDecodeError:
        return False


RULES: tuple[Rule, ...] = (
    bases_are_pinned,
    nothing_is_added_from_the_network,
    packages_leave_no_lists,
    pip_leaves_no_cache_and_pins,
    the_last_stage_is_not_root,
    the_last_stage_has_no_compiler,
    commands_are_in_exec_form,
    health_is_checked,
    no_secret_is_built_in,
    folders_are_absolute,
)
