"""What the accuracy benchmarks share: which models run, with which settings and seeds, and how scores are printed."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import loky
import numpy as np
import numpy.typing as npt

from tsforecast.config import build_models, model_settings, set_value
from tsforecast.contract import QUANTILES, Forecaster
from tsforecast.ensemble import members_of
from tsforecast.errors import ConfigError, DataError, TsforecastError
from tsforecast.yaml_files import parse_scalar

P = ParamSpec("P")
T = TypeVar("T")
Floats = npt.NDArray[np.float64]
Entries = dict[str, list[Forecaster]]
"""Model -> its recipe, once per seed; once where it has no seed."""

DATA = Path(__file__).parents[3] / "shared" / "data"


class Row(NamedTuple):
    """A line of a table: whose scores, the scores (NaN: unknown), seconds of all fits and forecasts, and a remark."""

    label: str
    scores: tuple[float, ...]
    seconds: float = np.nan
    remark: str = ""


def new_parser(doc: str | None, models: str) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=models, help=f"comma-separated (default: {models})")
    parser.add_argument("--seeds", default="0", help="for models that have one, comma-separated (default: 0)")
    parser.add_argument("--with", dest="settings", action="append", default=[], metavar="MODEL.KEY=VALUE")
    parser.add_argument("--jobs", type=int, default=1, help="networks at a time (default: 1)")
    parser.add_argument("--validate", action="store_true", help="for choices: score a part before the test span")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data collection")
    return parser


def entries(options: argparse.Namespace, quantiles: Sequence[float] = QUANTILES) -> Entries:
    """The models asked for. Raises ConfigError for a name, a setting or a seed that does not exist."""
    settings: dict[str, Any] = {"models": model_settings(options.models)}
    for text in options.settings:
        key, equals, value = text.partition("=")
        if not equals or "." not in key:
            raise ConfigError(f"--with {text}: write for example --with lstm.hidden_size=64")
        settings = set_value(settings, key, parse_scalar(value))
    seeds = [seed.strip() for seed in options.seeds.split(",")]
    if not all(seed.isdigit() for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds {options.seeds}: give different whole numbers, for example 0,1,2")
    return {
        name: _seeded(recipe, seeds) for name, recipe in build_models(settings["models"], quantiles=quantiles).items()
    }


def _seeded(recipe: Any, seeds: list[str]) -> list[Forecaster]:
    if not any(field.name == "seed" for field in dataclasses.fields(recipe)):
        return [recipe]
    return [dataclasses.replace(recipe, seed=int(seed)) for seed in seeds]


def rows_of(
    name: str, recipes: Sequence[Forecaster], each: Sequence[tuple[float, ...]], together: tuple[float, ...],
    seconds: float, remark: str = "",
) -> list[Row]:  # fmt: skip
    """A model's line; with several seeds one for each, their mean score, and the score of their mean forecast."""
    if len(recipes) == 1:
        seed = getattr(recipes[0], "seed", None)
        return [Row(name if seed is None else f"{name}, seed {seed}", each[0], seconds, remark)]
    n = len(recipes)
    found = [Row(f"{name}, seed {getattr(r, 'seed', '')}", s) for r, s in zip(recipes, each, strict=True)]
    found.append(Row(f"{name}, mean score of {n} seeds", tuple(np.mean(each, axis=0).tolist())))
    return [*found, Row(f"{name}, mean forecast of {n} seeds", together, seconds, remark)]


def print_table(title: str, columns: Sequence[str], ours: Sequence[Row], published: Sequence[Row], digits: int) -> None:
    """Our rows, and the published ones below them. The seconds of several seeds are those of all of them."""
    width = max((len(row.label) for row in [*ours, *published]), default=0) + 2
    clocks = "" if all(np.isnan(row.seconds) for row in ours) else "    seconds"
    print(f"\n{title}\n{'':{width}}" + "".join(f"{column:>11}" for column in columns) + clocks)
    for row in ours:
        clock = "" if np.isnan(row.seconds) else f"{row.seconds:.1f}"
        print(f"{row.label:{width}}{_cells(row.scores, digits)}{clock:>{len(clocks)}}  {row.remark}".rstrip())
    if published:
        print("published")
    for row in published:
        print(f"{row.label:{width}}{_cells(row.scores, digits)}  {row.remark}".rstrip(), flush=True)


def _cells(scores: Sequence[float], digits: int) -> str:
    return "".join(f"{'-' if np.isnan(score) else f'{score:.{digits}f}':>11}" for score in scores)


def for_each(recipes: Sequence[Forecaster], work: Callable[[Forecaster], T], jobs: int) -> list[dict[str, T]]:
    """What `work` makes of each member of each recipe, by name: one after the other, or so many at a time in processes
    of one thread each."""
    members = [members_of(recipe) for recipe in recipes]
    every = [member for own in members for member in own.values()]
    if jobs == 1 or len(every) == 1:
        found = iter([work(member) for member in every])
    else:
        with loky.ProcessPoolExecutor(jobs, env={"OMP_NUM_THREADS": "1"}) as workers:
            found = iter(list(workers.map(work, every)))
    return [{name: next(found) for name in own} for own in members]


def timed(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> tuple[T, float]:
    """What a call returned, and the seconds it took."""
    begun = time.perf_counter()
    return work(*arguments, **options), time.perf_counter() - begun


def need(path: Path) -> Path:
    """The path of a file of the collection, or DataError where it is not there."""
    if not path.is_file():
        raise DataError(f"there is no file '{path}'; name the folder of the data collection with --data")
    return path


def published_rows(figures: Mapping[str, str], columns: int) -> list[Row]:
    """`{"Theta": "16.90 8.96"}` as rows; `-` is unknown, and missing columns are too."""
    numbers = {name: [np.nan if n == "-" else float(n) for n in text.split()] for name, text in figures.items()}
    return [Row(name, tuple(found + [np.nan] * (columns - len(found)))) for name, found in numbers.items()]


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; what the user got wrong is one line and exit status 2."""
    try:
        main()
    except TsforecastError as fault:
        print(fault, file=sys.stderr)
        raise SystemExit(2) from None
