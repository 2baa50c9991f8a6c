# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What L{benchmarks.race} makes of its figures, and of its command line.
"""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.race import command
from benchmarks.race.figures import Figure, Pass, rowsOf, workloadsOf
from benchmarks.race.plot import OURS, THEIRS, plot
from benchmarks.race.rounds import line, order
from benchmarks.race.servers import SERVERS, oursWith
from benchmarks.race.table import number, report, table
from benchmarks.race.workloads import WORKLOADS

W2, W2S, W7, W10 = (WORKLOADS[name] for name in ("W2", "W2s", "W7", "W10"))


def measured(server: str, cost: float, workload: str = "W2", round: int = 0) -> Pass:
    """
    @return: a pass with nothing to say against it.
    """
    result = Pass(workload, server, round, versions="it 1.0", cost=cost)
    return replace(result, rate=1e6 / cost, middle=100.0, p99=900.0, memory=50 << 20)


class FiguresTests(SynchronousTestCase):
    """
    Medians, ranges and ratios.
    """

    def test_figure(self) -> None:
        """
        A figure is the median of the rounds, with the least and the most of them.
        """
        self.assertEqual(Figure.of([9.0, 1.0, 3.0]), Figure(3.0, 1.0, 9.0))
        self.assertEqual(Figure.of([2.0, 4.0]).middle, 3.0)

    def test_rows(self) -> None:
        """
        There is a row for each server, the cheapest first, with the ratio of its median
        to that of the plain echo, whatever the order of the passes.
        """
        passes = [measured("ours", cost, round=at) for at, cost in enumerate((9, 5, 7))]
        passes += [measured("plain-tcp", 14.0), measured("aiohttp", 21.0)]
        passes += [measured("ours", 1000.0, "W3")]
        rows = rowsOf(passes, W2)
        self.assertEqual(
            [(row.server, row.ratio) for row in rows],
            [("ours", 0.5), ("plain-tcp", 1.0), ("aiohttp", 1.5)],
        )
        self.assertEqual(rows[0].figure(lambda each: each.cost), Figure(7, 5, 9))

    def test_overTLS(self) -> None:
        """
        What goes over TLS is compared with the plain echo over TLS.
        """
        passes = [measured("plain-tls", 20.0, "W2s"), measured("ours", 30.0, "W2s")]
        passes += [measured("plain-tcp", 10.0)]
        self.assertEqual([row.ratio for row in rowsOf(passes, W2S)], [1.0, 1.5])

    def test_withoutBaseline(self) -> None:
        """
        There is no ratio if the plain echo was not measured, or has failed.
        """
        passes = [measured("ours", 3.0)]
        self.assertEqual([row.ratio for row in rowsOf(passes, W2)], [None])
        passes.append(Pass("W2", "plain-tcp", 0, failed="it did not start"))
        self.assertEqual([row.ratio for row in rowsOf(passes, W2)], [None, None])

    def test_failed(self) -> None:
        """
        A server that failed in some rounds has the figures of the others, and it is
        said; one that failed in all of them comes last.
        """
        passes = [
            Pass("W2", "aiohttp", 0, failed="no echo"),
            Pass("W2", "ours", 0, failed="it died"),
            measured("ours", 8.0, round=1),
            measured("plain-tcp", 16.0),
        ]
        rows = rowsOf(passes, W2)
        self.assertEqual([row.server for row in rows], ["ours", "plain-tcp", "aiohttp"])
        self.assertEqual(rows[0].failed, "failed in 1 of 2 rounds: it died")
        self.assertEqual(rows[0].figure(lambda each: each.cost), Figure(8.0, 8.0, 8.0))
        self.assertEqual(rows[2].ratio, None)

    def test_marks(self) -> None:
        """
        Rounds count as full when the load has more than 90 % of its core, and as busy
        when one side has waited for its core for more than 10 % of the time.
        """
        plain = measured("ours", 8.0)
        passes = [
            replace(plain, loadShare=0.9, waitedShare=0.1, loadWaitedShare=0.1),
            replace(plain, loadShare=0.91),
            replace(plain, waitedShare=0.11),
            replace(plain, loadWaitedShare=0.11),
        ]
        (row,) = rowsOf(passes, W2)
        self.assertEqual((row.full, row.busy), (1, 2))

    def test_order(self) -> None:
        """
        Workloads come in their own order.
        """
        passes = [measured("ours", 1.0, name) for name in ("W10", "W2s", "W2")]
        self.assertEqual(workloadsOf(passes), [W2, W10, W2S])


class TableTests(SynchronousTestCase):
    """
    The tables.
    """

    def test_number(self) -> None:
        """
        Numbers have about three digits, and commas when they are large.
        """
        values = (0.0123, 0.456, 7.891, 23.456, 789.4, 1234567.8)
        self.assertEqual(
            [*map(number, values)],
            ["0.012", "0.46", "7.89", "23.5", "789", "1,234,568"],
        )

    def test_messages(self) -> None:
        """
        A row has the cost with its range, the ratio, the rate, latencies, memory, and
        the share of the load with its marks.
        """
        passes = [measured("ours", cost, round=at) for at, cost in enumerate((9, 5, 7))]
        passes[1] = replace(passes[1], loadShare=0.95, waitedShare=0.5)
        passes.append(measured("plain-tcp", 14.0))
        rows = [*table(passes, W2)]
        self.assertEqual(rows[0], "### W2: 100 connections, 125 B")
        self.assertIn("| CPU µs a message | x plain Twisted TCP echo |", rows[2])
        self.assertEqual(
            rows[4],
            "| twisted_ws | 7.00 (5.00 to 9.00) | 0.50 | 142,857 (111,111 to 200,000)"
            " | 100 | 900 | 50.0 | 0 % !1 ~1 |",
        )
        self.assertEqual({row.count("|") for row in rows[2:]}, {9})

    def test_memory(self) -> None:
        """
        That of idle connections has KiB for each.
        """
        rows = [*table([measured("ours", 2.5, "W7")], W7)]
        self.assertIn("| KiB a connection |", rows[2])
        self.assertEqual(rows[4], "| twisted_ws | 2.50 |  | 50.0 |")

    def test_failed(self) -> None:
        """
        What failed says why.
        """
        rows = [*table([Pass("W2", "picows", 0, failed="no echo")], W2)]
        why = "failed in 1 of 1 rounds: no echo"
        self.assertEqual(rows[4], f"| picows, asyncio | {why} |")

    def test_report(self) -> None:
        """
        After the tables come what was measured, what was left out, and the system.
        """
        passes = [measured("ours", 2.0), measured("compiled", 1.0)]
        text = report(passes, {"Python": "3.12"}, {"tornado": "tornado"})
        self.assertIn("  - twisted_ws: it 1.0\n", text)
        self.assertIn("  - twisted_ws (compiled): it 1.0\n", text)
        self.assertIn("  - tornado: left out, without tornado\n", text)
        self.assertTrue(text.endswith("  - Python: 3.12"))

    def test_line(self) -> None:
        """
        The line about a pass says what share the load had, and whether that was too
        much.
        """
        done = replace(measured("ours", 2.0), serverShare=0.99, loadShare=0.5)
        said = "W2 round 1 ours: 2.00 us, 500,000/s; server 99% of its core, load 50%"
        self.assertEqual(line(done, W2), said)
        done.loadShare = 0.92
        self.assertIn("load 92%, LOAD OVER 90 %", line(done, W2))
        done.failed = "no echo"
        self.assertEqual(line(done, W2), "W2 round 1 ours: failed: no echo")


class PlotTests(SynchronousTestCase):
    """
    The picture.
    """

    def test_bars(self) -> None:
        """
        There is a bar for each ratio, as long as it says, in our colour if it is ours.
        """
        passes = [measured("plain-tcp", 10.0), measured("compiled", 5.0)]
        passes += [measured("ours", 20.0), measured("plain-tcp", 3.0, "W7")]
        root = ElementTree.fromstring(plot(passes))
        bars = [each for each in root.iter() if each.get("fill") in (OURS, THEIRS)]
        widths = [float(each.get("width", "")) for each in bars]
        self.assertEqual([width / widths[1] for width in widths[:3]], [0.5, 1.0, 2.0])
        colours = [each.get("fill") for each in bars]
        self.assertEqual(colours, [OURS, THEIRS, OURS, THEIRS])
        texts = [each.text for each in root.iter() if each.tag.endswith("text")]
        self.assertIn("2.00", texts)
        self.assertIn("memory for each connection, times the plain echo", texts)

    def test_nothing(self) -> None:
        """
        Without a plain echo there is nothing to draw.
        """
        self.assertRaises(ValueError, plot, [measured("ours", 2.0)])


class CommandTests(SynchronousTestCase):
    """
    The command line.
    """

    def refuses(self, *arguments: str) -> str:
        """
        @return: what is said against these.
        """
        with redirect_stderr(StringIO()) as said:
            self.assertRaises(SystemExit, command.parse, arguments)
        return said.getvalue()

    def test_all(self) -> None:
        """
        By default there are all servers and all workloads.
        """
        asked = command.parse([])
        self.assertEqual(asked.servers, [*SERVERS.values()])
        self.assertEqual(asked.workloads, [*WORKLOADS.values()])
        self.assertEqual((asked.rounds, asked.seconds), (5, 3.0))

    def test_some(self) -> None:
        """
        Some can be asked for; they come in their own order, with the plain echoes.
        """
        names = ["--server=ours", "--server=aiohttp", "--workload=W7", "--workload=W2"]
        asked = command.parse(names)
        named = [each.name for each in asked.servers]
        self.assertEqual(named, ["plain-tcp", "plain-tls", "ours", "aiohttp"])
        self.assertEqual(asked.workloads, [W2, W7])

    def test_ours(self) -> None:
        """
        A build of ours that another interpreter has is one more server.
        """
        asked = command.parse(["--ours=fast=/a/b", "--server=aiohttp"])
        self.assertEqual(asked.servers[-1], oursWith("fast", "/a/b"))
        for wrong in ("fast", "=/a/b", "fast=", "ours=/a/b"):
            self.assertIn("NAME=PYTHON", self.refuses(f"--ours={wrong}"))

    def test_refused(self) -> None:
        """
        What there is not is refused, and so is a run of no rounds or no time.
        """
        self.assertIn("no server nginx", self.refuses("--server=nginx"))
        self.assertIn("invalid choice", self.refuses("--workload=W99"))
        for wrong in ("--rounds=0", "--seconds=0", "--warm=-1"):
            self.assertIn("a round and some time", self.refuses(wrong))

    def test_order(self) -> None:
        """
        Each round has all servers that can do the workload, and begins with another.
        """
        servers = [SERVERS[name] for name in ("plain-tcp", "ours", "picows")]
        turns = [
            (server.name, workload.name, round)
            for server, workload, round in order(servers, [W2, W10], 2)
        ]
        self.assertEqual(
            turns,
            [
                *[("plain-tcp", "W2", 0), ("ours", "W2", 0), ("picows", "W2", 0)],
                *[("ours", "W2", 1), ("picows", "W2", 1), ("plain-tcp", "W2", 1)],
                *[("plain-tcp", "W10", 0), ("ours", "W10", 0)],
                *[("ours", "W10", 1), ("plain-tcp", "W10", 1)],
            ],
        )

    def test_read(self) -> None:
        """
        What was written can be read, printed and drawn again, all of it or some.
        """
        passes = [measured("plain-tcp", 4.0), measured("ours", 2.0)]
        passes += [measured("ours", 9.0, "W7")]
        figures, picture = Path(self.mktemp()), Path(self.mktemp())
        command.write(figures, passes, {"Python": "3"}, {"ws": "node"})
        self.assertEqual(
            command.read(figures), (passes, {"Python": "3"}, {"ws": "node"})
        )
        arguments = [f"--read={figures}", f"--plot={picture}", "--workload=W2"]
        with redirect_stdout(StringIO()) as said:
            self.assertEqual(command.main(arguments), 0)
        self.assertEqual(
            said.getvalue(), report(passes[:2], {"Python": "3"}, {"ws": "node"}) + "\n"
        )
        self.assertEqual(picture.read_text(), plot(passes[:2]))
