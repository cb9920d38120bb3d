"""What a terminal shows: the answer and the table of a run, an audit, a plan, the data sets, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tsforecast.auditing.audit import Audit
    from tsforecast.datasets import DatasetInfo
    from tsforecast.planning.prospect import Prospect
    from tsforecast.results import BacktestResult
    from tsforecast.running.status import Status

__all__ = ["progress_bar", "show_audit", "show_datasets", "show_prospect", "show_status", "show_summary"]

WIDE = 132  # columns that the whole table of models needs
LEFT_OUT_WHERE_NARROW = ("RMSE", "sMAPE", "WQL", "in 95 %")


def show_summary(result: BacktestResult) -> None:
    """The answer, what it rests on and the table of models, as the report has them."""
    from tsforecast.reporting.answer import NO_MASE, audit_line
    from tsforecast.reporting.findings import find
    from tsforecast.reporting.tables import summary_table
    from tsforecast.reporting.words import visible

    findings, console = find(result), _console()
    whole = summary_table(findings)
    narrow = console.width < WIDE
    columns = [i for i, head in enumerate(whole.head) if not (narrow and head in LEFT_OUT_WHERE_NARROW)]
    table = _table(
        [whole.head[i].replace("error against ", "error against\n") for i in columns],
        [[row[i].text for i in columns] for row in whole.rows],
        left=("model", "verdict"),
    )
    console.print()
    for line in findings.answers:
        console.print(Text(line, style="bold"))
    console.print()
    for evidence in findings.evidence:
        console.print(Text(f"{evidence.word}: {visible(evidence.sentence, 600)}"))
    console.print(Text(audit_line(findings.audit)))
    if findings.placebo:
        console.print(Text(f"Placebo: {visible(findings.placebo['sentence'], 600)}"))
    if findings.metric == "mae":
        console.print(Text(NO_MASE))
    console.print()
    console.print(table)
    console.print()


def show_audit(audit: Audit) -> None:
    """What was found, and a line per model."""
    from tsforecast.reporting.words import visible

    console, found = _console(), audit.to_dict()
    console.print(Text(visible(found["sentence"], 600), style="bold"))
    for own in [found["preparation"], *found["models"].values()]:
        if own is not None:
            console.print(Text(visible(own["sentence"], 600)))


def show_prospect(prospect: Prospect) -> None:
    """What a backtest could find and would cost: the sentences, and a line per model."""
    from tsforecast.reporting.words import column, visible

    console, costs = _console(), prospect.table
    for line in prospect.sentences:
        console.print(Text(visible(line, 600)))
    seconds = column([float(v) for v in costs["seconds"]])
    cells = zip(costs["model"], costs["fits"], seconds, costs["how"], strict=True)
    rows = [[visible(model), f"{fits:,}", spent, visible(how)] for model, fits, spent, how in cells]
    console.print()
    console.print(
        _table(["model", "fits", "seconds", "how it was found out"], rows, left=("model", "how it was found out"))
    )


def show_status(found: Status) -> None:
    """How far a run is: a sentence and a line per model."""
    from tsforecast.reporting.words import visible

    console = _console()
    state = "finished" if found.finished else f"{100 * found.share:.0f} % done"
    working = f", {found.worker} works on it" if found.worker else ""
    console.print(Text(f"{visible(found.run, 200)} ({visible(found.data, 200)}): {state}{working}"))
    console.print()
    rows = [
        [visible(m.model), f"{100 * m.done / m.whole:.0f} %", f"{m.tasks:,}", f"{m.failed:,}", f"{m.seconds:,.1f}"]
        for m in found.models
    ]
    console.print(_table(["model", "done", "tasks", "failed forecasts", "seconds"], rows, left=("model",)))
    if not (found.finished or found.worker):
        console.print()
        console.print(Text(f"To go on: {found.again}"))


def show_datasets(found: Sequence[DatasetInfo]) -> None:
    """One line per data set."""
    head = ["name", "content", "series", "rows", "frequency", "licence"]
    rows = [[d.name, d.title, str(d.series), f"{d.rows:,}", d.frequency, d.licence] for d in found]
    _console().print(_table(head, rows, left=("name", "content", "frequency", "licence")))


@contextmanager
def progress_bar(silent: bool) -> Iterator[Callable[[float, str], None] | None]:
    """A bar with the time left on stderr, where that is a terminal; it leaves nothing behind."""
    if silent or not sys.stderr.isatty():
        yield None
        return
    from tsforecast.reporting.words import visible

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda share, name: bar.update(task, completed=share, description=visible(name, 24))


def _console() -> Console:
    """As wide as the terminal; where there is none, lines are not broken."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=400)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str]) -> Table:
    """Plain aligned columns; no cell is read as markup."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in head:
        table.add_column(Text(title), justify="left" if title in left else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
