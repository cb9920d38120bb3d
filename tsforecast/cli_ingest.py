"""The command that turns large files into a dataset on disk."""
# Without `from __future__ import annotations`: typer and `settings_from` need the types of the options themselves.

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tsforecast.cli_options import OUTPUT, RUN, settings_from
from tsforecast.errors import ConfigError

if TYPE_CHECKING:
    from tsforecast.config import RunConfig

__all__ = ["ingest"]

_READING = (
    "data", "config", "set_", "time", "target", "id", "freq", "season_length", "missing", "layout", "hist_exog",
    "futr_exog", "date_format", "na_values", "decimal", "sep", "encoding",
)  # fmt: skip
READING: dict[str, Any] = {name: RUN[name] for name in _READING}


@settings_from(READING)
def ingest(
    run: "RunConfig",
    out: Annotated[Path | None, OUTPUT(help="Folder of the dataset; needed.")] = None,
    overwrite: Annotated[bool, OUTPUT("--overwrite", help="Replace the dataset in --out.")] = False,
    quiet: Annotated[bool, OUTPUT("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Turn large CSV or parquet files into a dataset on disk, which backtest reads without holding it."""
    from tsforecast.ingesting.ingest import ingest as ingest_files
    from tsforecast.terminal import progress_bar

    if out is None:
        raise ConfigError("--out is missing: name the folder of the dataset")
    with progress_bar(quiet) as on_progress:
        panel = ingest_files(run.data, out, overwrite=overwrite, on_progress=on_progress, **run.reading)
    if not quiet:
        print(f"{out}: {len(panel):,} series, {int(panel.lengths.sum()):,} steps")
        for note in panel.notes:
            print(f"  {note}")
        print(f"tsforecast backtest {out} now reads it from the disk")
