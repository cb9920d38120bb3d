"""What a backtest found: facts only, in tidy tables. Scores, comparisons, plots and reports are functions of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from tsforecast.contract import level_quantiles
from tsforecast.errors import ConfigError, DataError, did_you_mean, listing
from tsforecast.pieces import Filed, Held

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tsforecast.judging.compare import Comparison
    from tsforecast.judging.verdict import Verdict

__all__ = ["TABLES", "BacktestResult", "quantile_column", "quantile_columns"]

TABLES = {
    "forecasts": ("model", "fold", "unique_id", "cutoff", "step", "ds", "y", "forecast"),
    "pasts": ("fold", "unique_id", "cutoff", "n_train", "last", "scale_abs", "scale_sq"),
    "tasks": ("model", "fold", "fitted_at", "fit_seconds", "predict_seconds"),
    "failures": ("model", "fold", "unique_id", "reason"),
    "notes": ("model", "fold", "unique_id", "note"),
    "curves": ("model", "fold", "seed", "step", "train_loss", "valid_loss"),
    "members": ("model", "seed", "fold", "unique_id", "step", "forecast"),
    "history": ("unique_id", "ds", "y"),
}
"""The columns every table has; `forecasts` also has one column per quantile level."""
LONG = ("forecasts", "pasts", "members")
"""Those with a row for every series."""
Answer = TypeVar("Answer")


def quantile_column(level: float) -> str:
    """The column of a quantile level: 0.05 -> `q0.05`."""
    return f"q{level:g}"


def quantile_columns(table: pd.DataFrame | Held | Filed) -> dict[float, str]:
    """Level -> column, ascending, of a forecast table."""
    found = {float(c[1:]): c for c in table.columns if c[:1] == "q" and c[1:2].isdigit()}
    return dict(sorted(found.items()))


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """Everything that was forecast and observed.

    forecasts  one row per model, fold, series and step, in that order: `y` the truth (NaN = not observed), `forecast`
               the point forecast and a column per quantile, all in the units of the target; `cutoff` the last time
               the model could know; `step` counts from 1 after the gap
    pasts      per fold and series: training steps, last observed value, and the scales of MASE and RMSSE (mean
               absolute and mean squared seasonal change before the cutoff)
    tasks      per model and fold: the fold it was fitted at, seconds to fit (0 where not refitted) and to predict
    failures   series that a model could not forecast, with the reason; their numbers are NaN
    notes      what models recorded about a series (chosen order, fallback rung), or about all: `unique_id` is ""
    curves     training and validation losses of networks
    members    points of each network of the models that have several, numbered by `seed`, in the order of `forecasts`
    history    the observed stretch before the first cutoff, for plots
    facts      settings, data fingerprint, versions, seeds, device, seconds, remarks

    Of a result that was loaded, a table is read when it is asked for as a whole. Scores, verdict and report never do:
    they go through `table` piece by piece.
    """

    forecasts: pd.DataFrame
    pasts: pd.DataFrame
    tasks: pd.DataFrame
    failures: pd.DataFrame
    notes: pd.DataFrame
    curves: pd.DataFrame
    members: pd.DataFrame
    history: pd.DataFrame
    facts: Mapping[str, Any]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> pd.DataFrame:
            """A table that has not been read yet."""
            folder = self.__dict__.get("_folder")
            if folder is None or name not in TABLES:
                raise AttributeError(f"a BacktestResult has no '{name}'")
            frame = self.__dict__[name] = Filed(folder / f"{name}.parquet").frame()
            return frame

    def table(self, name: str) -> Held | Filed:
        """One of TABLES, to be read piece by piece wherever it is."""
        if name in self.__dict__:
            return Held(self.__dict__[name])
        return self.once(("table", name), lambda: Filed(self.__dict__["_folder"] / f"{name}.parquet"))

    def once(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """What `make` answers, kept under the key. Of tables in memory, which can be changed, nothing is kept."""
        if not self.__dict__.keys().isdisjoint(LONG):
            return make()
        kept: dict[Hashable, Any] = self.__dict__["_kept"]
        if key not in kept:
            kept[key] = make()
        found: Answer = kept[key]
        return found

    def __repr__(self) -> str:
        facts = self.facts
        size = f"{facts['n_series']} series, {facts['n_windows']} origins, {facts['horizon']} steps ahead"
        return f"BacktestResult({', '.join(self.models)}: {size})"

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order they were given."""
        return tuple(self.facts["models"])

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantile levels that were forecast."""
        return tuple(quantile_columns(self.table("forecasts")))

    def cutoffs(self) -> pd.Series[Any]:
        """The latest cutoff of each fold, by its number: with align=end, or on trading bars, series have their own."""
        parts = [p.groupby("fold")["cutoff"].max() for p in self.table("pasts").pieces(["fold", "cutoff"])]
        found: pd.Series[Any] = pd.concat(parts).groupby(level=0).max()
        return found

    def scores(self, by: Sequence[str] = ("model",)) -> pd.DataFrame:
        """Every metric, per group of `by` (model, unique_id, fold, step): see `scores.score` for the averaging."""
        from tsforecast.judging.scores import score

        return score(self, by)

    def undefined(self) -> pd.DataFrame:
        """Scores that have no value, and why: `model, unique_id, fold, metric, reason`."""
        from tsforecast.judging.rowwise import undefined

        return undefined(self)

    def comparisons(self, benchmark: str | None = None) -> list[Comparison]:
        """Each model against the benchmark (default: that of the run, else the best baseline), by origin."""
        from tsforecast.judging.verdict import compare_models

        return compare_models(self, benchmark)

    def verdict(
        self, benchmark: str | None = None, *, margin: float | None = None, conditional: bool | None = None
    ) -> Verdict:
        """Who is better than the benchmark, by how much, and how sure that is: see `verdict.judge`."""
        from tsforecast.judging.verdict import judge

        return judge(self, benchmark, margin=margin, conditional=conditional)

    def plot(self, unique_id: str | None = None, fold: int | None = None) -> Figure:
        """Forecasts and intervals of every model against what was observed: one series (default: the first), one fold
        (default: all of them)."""
        from tsforecast.reporting.plots import plot_forecasts

        return plot_forecasts(self, unique_id, fold)

    def report(self, path: str | Path) -> Path:
        """Write the self-contained HTML report to `path` (and its markdown and JSON twins beside it)."""
        from tsforecast.reporting.report import write_report

        return write_report(self, Path(path))

    def to_frame(self, level: Sequence[int] = (80, 95)) -> pd.DataFrame:
        """Wide exchange form `unique_id, ds, cutoff, y, <model>, <model>-lo-80, <model>-hi-80, ...`."""
        wide: pd.DataFrame | None = None
        for model in self.models:
            part = self._of(model)
            if wide is None:
                wide = part[["unique_id", "ds", "cutoff", "y", "step"]].reset_index(drop=True)
            wide[model] = part["forecast"].to_numpy()
            for percent in level:
                for word, q in zip(("lo", "hi"), level_quantiles(percent), strict=True):
                    if quantile_column(q) not in part.columns:
                        raise ConfigError(
                            f"level {percent}: quantile {q} was not forecast; there are {list(self.levels)}"
                        )
                    wide[f"{model}-{word}-{percent}"] = part[quantile_column(q)].to_numpy()
        assert wide is not None
        return wide.sort_values(["unique_id", "cutoff", "step"], ignore_index=True).drop(columns="step")

    def to_rows(self, model: str, fold: int = -1) -> pd.DataFrame:
        """Point forecasts of one model and fold, one row per series: `id, F1, ..., Fh`, the layout of the M4 files.

        fold   its number, or counted from the last one: -1
        """
        folds = sorted(self.forecasts["fold"].unique())
        if not -len(folds) <= fold < len(folds):
            raise ConfigError(f"there is no fold {fold} in this result; it has {len(folds)}, counted from 0")
        part = self._of(model)
        part = part[part["fold"] == folds[fold]]
        steps = int(part["step"].max())
        table = pd.DataFrame(
            part["forecast"].to_numpy().reshape(-1, steps), columns=[f"F{h}" for h in range(1, steps + 1)]
        )
        table.insert(0, "id", part["unique_id"].to_numpy()[::steps])
        return table

    def _of(self, model: str) -> pd.DataFrame:
        """The forecasts of one model. All models have the same folds, series and steps in the same order."""
        if model not in self.models:
            raise ConfigError(f"there is no model '{model}' in this result{did_you_mean(model, self.models)}")
        return self.forecasts[self.forecasts["model"] == model]

    def save(self, folder: str | Path) -> None:
        """Write the tables as parquet and the facts as JSON into an existing folder."""
        folder = Path(folder)
        for name in TABLES:
            getattr(self, name).to_parquet(folder / f"{name}.parquet", index=False)
        text = json.dumps(self.facts, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "facts.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, **more: Any) -> BacktestResult:
        """What `save` wrote; its tables are read when they are needed. Raises DataError naming what is missing.

        more   facts beside those in the folder
        """
        folder = Path(folder)
        missing = [n for n in ("facts.json", *(f"{t}.parquet" for t in TABLES)) if not (folder / n).is_file()]
        begun = f", or go on with it: tsforecast status {folder} says how" if (folder / "work").is_dir() else ""
        if missing:
            raise DataError(
                f"{folder} is not a finished run: {listing(missing)} missing; give the folder of --out{begun}"
            )
        try:
            facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise DataError(f"{folder}: the run cannot be read ({error}); run the backtest again") from None
        found = object.__new__(cls)
        found.__dict__.update(facts=facts | more, _folder=folder, _kept={})
        for name, columns in TABLES.items():
            there = found.table(name).columns
            if lost := [c for c in columns if c not in there]:
                raise DataError(f"{folder}/{name}.parquet: columns missing: {listing(lost)}; run the backtest again")
        return found

    def moved(self, folder: Path) -> None:
        """The files of this loaded result are in another folder from now on. They are closed until they are needed."""
        self.__dict__["_folder"] = folder
        for name in TABLES:
            table = self.table(name)
            if isinstance(table, Filed):
                table.moved(folder / table.path.name)
