"""`bin/bench`: the command line."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import beside, compare, databases, rounds
from benchmarks.measurements import MEASUREMENTS, WATCHINGS
from benchmarks.report import Report, UnreadableReportError, read
from benchmarks.running import BenchmarkError
from queuekit.errors import ConfigurationError

#: Rounds, without a choice: five are the least that --compare can tell anything from.
_ROUNDS = 5

#: Options that say what is measured, and may be given several times.
_WHAT = ("only", "url", "measure")


def main() -> int:
    parser = _parser()
    arguments = parser.parse_args()
    try:
        if arguments.compare:
            return _compare(*map(read, arguments.compare))
        if arguments.read:
            return _show(read(arguments.read), arguments)
        for name in [name for name in os.environ if name.startswith(("QUEUEKIT_", "PG"))]:
            if not name.startswith("QUEUEKIT_TEST_"):
                del os.environ[name]  # nobody's own queue, nor psql's defaults, are to be measured
        return _measure(arguments)
    except (ConfigurationError, UnreadableReportError) as error:
        parser.error(str(error))
    except BenchmarkError as error:
        sys.exit(f"bin/bench: {error}")
    except KeyboardInterrupt:
        return 130


def _compare(before: Report, after: Report) -> int:
    """Status 1 says that something is slower."""
    changes = compare.compare(before, after)
    print(compare.markdown(changes))
    return int(any(change.verdict is compare.Verdict.SLOWER for change in changes))


def _measure(arguments: argparse.Namespace) -> int:
    plan = rounds.Plan(
        products=arguments.only or ([] if arguments.url else databases.USUAL),
        urls=arguments.url or [],
        measurements=[m for m in MEASUREMENTS if m.key in (arguments.measure or m.key)],
        watchings=[name for name in WATCHINGS if name in (arguments.measure or WATCHINGS)],
        rounds=arguments.repetitions or (1 if arguments.quick else _ROUNDS),
        is_quick=arguments.quick,
        rows=arguments.rows,
    )

    def keep(report: Report) -> None:
        if arguments.json is not None:
            arguments.json.write_text(f"{report.json()}\n")

    if arguments.beside is not None:
        return _measure_beside(arguments, plan.rounds)
    if arguments.peers:
        from benchmarks.peers import comparison

        report, is_complete = comparison.measure(plan, keep)
    else:
        report, is_complete = rounds.measure(plan, keep)
    return _show(report, arguments) or int(not is_complete)


def _measure_beside(arguments: argparse.Namespace, rounds: int) -> int:
    what = [f"--{name}={value}" for name in _WHAT for value in getattr(arguments, name) or []]
    what += [f"--rows={arguments.rows}"] * (arguments.rows is not None)
    what += ["--quick"] * arguments.quick
    before, after = beside.measure(arguments.beside, rounds, what)
    if arguments.json is not None:
        arguments.json.write_text(f"{after.json()}\n")
        arguments.json.with_suffix(".beside.json").write_text(f"{before.json()}\n")
    print("\n".join(f"- {line}" for line in (*after.machine, *after.settings)))
    print()
    return _compare(before, after)


def _show(report: Report, arguments: argparse.Namespace) -> int:
    print(report.markdown())
    if arguments.plots is not None:
        from benchmarks import plots  # matplotlib is there only where plots are asked for

        for path in plots.draw(report, arguments.plots):
            print(path, file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bin/bench",
        description="Measures queuekit on throwaway databases, beside the bare statements "
        "through the same drivers, and prints the settings and a Markdown table.",
        epilog="examples: bin/bench --only sqlite --measure enqueue --repetitions 9; "
        "bin/bench --json after.json && bin/bench --compare before.json after.json",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "--only", action="append", choices=databases.PRODUCTS, help="this database; repeatable"
    )
    what.add_argument(
        "--url",
        action="append",
        help="a server of your own, as a user who may create databases, or sqlite:///FOLDER; "
        "repeatable; without --only nothing else",
    )
    what.add_argument(
        "--measure",
        action="append",
        choices=[*(measurement.key for measurement in MEASUREMENTS), *WATCHINGS],
        metavar="NAME",
        help=f"this measurement; repeatable: {_names()}",
    )
    what.add_argument(
        "--peers",
        action="store_true",
        help="other libraries, beside queuekit; "
        "Redis from the PATH, or the program that BENCHMARK_REDIS names",
    )
    what.add_argument(
        "--beside",
        type=Path,
        metavar="CHECKOUT",
        help="another checkout's queuekit in the same rounds, and what differs",
    )
    how = parser.add_argument_group("how much")
    how.add_argument(
        "--repetitions", type=_positive, metavar="N", help=f"rounds ({_ROUNDS}; with --quick 1)"
    )
    how.add_argument("--rows", type=_positive, metavar="N", help="of deep and history (100000)")
    how.add_argument("--quick", action="store_true", help="short: whether it works, not how fast")
    _add_results(parser.add_argument_group("what comes out"))
    return parser


def _add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--json", type=Path, metavar="FILE", help="write all samples into FILE, after each round"
    )
    group.add_argument("--plots", type=Path, metavar="FOLDER", help="draw PNG and SVG into FOLDER")
    group.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing: show FILE, draw its plots"
    )
    group.add_argument(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="measure nothing: what is slower in AFTER, and what is only noise",
    )


def _names() -> str:
    return ", ".join([*(measurement.key for measurement in MEASUREMENTS), *WATCHINGS])


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
