# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The tables, in Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .figures import Figure, Pass, Row, rowsOf, workloadsOf
from .servers import SERVERS, baselineFor
from .workloads import Workload

FULL_MARK, BUSY_MARK = "!", "~"

NOTES = (
    "Medians of the rounds, with their range; in order of cost.  The ratio is that of"
    " costs, to the plain echo in the same run.  `!n`: in n rounds the load had more"
    " than 90 % of its core, so that it, and not the server, may be what was measured."
    "  `~n`: in n rounds the server or the load waited for its core for more than 10 %"
    " of the time, since the machine had other work; that makes messages a second and"
    " latency worse, and cost a little."
)


def number(value: float) -> str:
    """
    @return: with three digits or more.
    """
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:,.{digits}f}"


def ranged(figure: Figure) -> str:
    """
    @return: a median, and its range where there is one.
    """
    middle, least, most = map(number, (figure.middle, figure.least, figure.most))
    return middle if least == most else f"{middle} ({least} to {most})"


def titleOf(server: str) -> str:
    """
    @return: how a server is called.
    """
    known = SERVERS.get(server)
    return known.title if known else f"twisted_ws ({server})"


def marks(row: Row) -> str:
    """
    @return: what is to be said of its rounds.
    """
    full = f" {FULL_MARK}{row.full}" if row.full else ""
    busy = f" {BUSY_MARK}{row.busy}" if row.busy else ""
    return full + busy


def cells(row: Row, workload: Workload) -> list[str]:
    """
    @return: the cells of a row.
    """
    isMeasured = any(not each.failed for each in row.passes)
    title = titleOf(row.server)
    if not isMeasured:
        return [title, row.failed]
    ratio = "" if row.ratio is None else number(row.ratio)
    cost = ranged(row.figure(lambda each: each.cost))
    memory = ranged(row.figure(lambda each: each.memory / (1 << 20)))
    last = [*([row.failed] if row.failed else [])]
    if workload.isOfMemory:
        return [title, cost, ratio, memory, *last]
    share = row.figure(lambda each: 100 * each.loadShare)
    return [
        title,
        cost,
        ratio,
        ranged(row.figure(lambda each: each.rate)),
        ranged(row.figure(lambda each: each.middle)),
        ranged(row.figure(lambda each: each.p99)),
        memory,
        f"{share.middle:.0f} %{marks(row)}",
        *last,
    ]


def table(passes: Sequence[Pass], workload: Workload) -> Iterable[str]:
    """
    @return: the lines of the table of a workload.
    """
    yield f"### {workload.name}: {workload.title}"
    yield ""
    unit = workload.unit
    plain = f"x {titleOf(baselineFor(workload))}"
    heads = ["server", f"CPU µs a {unit}", plain]
    if workload.isOfMemory:
        heads = ["server", f"KiB a {unit}", plain, "MiB in all"]
    else:
        plural = "deliveries" if unit == "delivery" else f"{unit}s"
        heads += [f"{plural}/s", "median µs", "p99 µs", "MiB", "load's core"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" + "|--:" * (len(heads) - 1) + "|"
    for row in rowsOf(passes, workload):
        yield "| " + " | ".join(cells(row, workload)) + " |"


def report(
    passes: Sequence[Pass], system: Mapping[str, str], skipped: Mapping[str, str]
) -> str:
    """
    @param system: what there is to say of the machine and the run.
    @param skipped: what servers that were not measured are in want of, by name.
    @return: all of it.
    """
    lines: list[str] = []
    for workload in workloadsOf(passes):
        lines += [*table(passes, workload), ""]
    lines += [NOTES, ""]
    versions = {each.server: each.versions for each in passes if each.versions}
    for server, told in versions.items():
        lines.append(f"  - {titleOf(server)}: {told}")
    for server, wanted in skipped.items():
        lines.append(f"  - {titleOf(server)}: left out, without {wanted}")
    lines.append("")
    lines += [f"  - {name}: {told}" for name, told in system.items()]
    return "\n".join(lines)
