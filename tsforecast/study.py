"""What a backtest, an audit and a plan begin with: the data read, the models made, the folds settled."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from tsforecast.backtesting import Progress, make_job, run_backtest
from tsforecast.config import build_models, model_settings
from tsforecast.contract import QUANTILES, Forecaster
from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.fields import plain_value
from tsforecast.folds import Plan
from tsforecast.judging.compare import MARGIN
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel
from tsforecast.results import BacktestResult
from tsforecast.running.how import How
from tsforecast.running.numerics import versions

if TYPE_CHECKING:
    from tsforecast.auditing.audit import Audit
    from tsforecast.planning.prospect import Prospect
    from tsforecast.store import Place

__all__ = [
    "Maker",
    "Models",
    "Prepare",
    "Study",
    "audit_study",
    "check_benchmark",
    "open_study",
    "plan_study",
    "run_study",
]

Prepare = Callable[[Panel], Panel]
Maker = Forecaster | Callable[[Panel], Forecaster]
"""A model, or a function that makes one from the panel."""
Once = Callable[[str, Callable[[], Any]], Any]
"""What a function answers, under a name, so that it need not be asked again."""
Models = str | Maker | Sequence[str | Maker] | Mapping[str, Maker | str | Mapping[str, Any] | None]

TABLE = ("unique_id", "ds", "cutoff", "y", "step")
"""Columns of a table of forecasts beside those of the models, which have their names."""
AUDIT_SHARE = 3.0  # an audit takes as long as about so many fits: networks are trained briefly in it


@dataclass(frozen=True, eq=False)
class Study:
    """One question, ready to be worked on.

    name     what a report calls the data
    raw      the data as read
    prepare  what makes of them what the models see; None where nothing is done to them
    panel    what the models see
    makers   name -> model, or a function that makes it from the panel
    recipes  name -> model
    plan     settled for the panel
    """

    name: str
    raw: Panel
    prepare: Prepare | None
    panel: Panel
    makers: Mapping[str, Maker]
    recipes: Mapping[str, Forecaster]
    plan: Plan

    def cheap_models(self) -> dict[str, Forecaster]:
        """What `tsforecast plan` runs before any training: baselines and ridges, as the run has them set."""
        names = ["naive", *(["seasonal_naive"] if self.panel.season_length > 1 else []), "drift", "ridge"]
        own = {recipe.name: recipe for recipe in self.recipes.values()}
        free = build_models({"free_ridge": {"model": "ridge", "penalties": [1.0]}})
        return {name: own.get(name) or build_models({name: {}})[name] for name in names} | free


def open_study(
    data: Any,
    models: Models,
    plan: Plan,
    *,
    reading: Mapping[str, Any],
    calendar: Sequence[str] = (),
    prepare: Prepare | None = None,
    quantiles: Sequence[float] = QUANTILES,
    seed: int = 0,
    device: str = "auto",
) -> Study:
    """Read the data, make the models, settle the plan. Raises DataError and ConfigError with one clear sentence."""
    makers = makers_of(models, quantiles=quantiles, seed=seed, device=device)
    raw = read_panel(data, **reading)
    if prepare is None:
        panel = raw = raw.with_calendar(calendar)
        whole = None
    else:
        own = prepare

        def whole(raw: Panel) -> Panel:
            prepared = own(raw)
            if not isinstance(prepared, Panel):
                raise ConfigError(f"prepare answered with {type(prepared).__name__}; it must return a Panel")
            return prepared.with_calendar(calendar)

        panel = whole(raw)
    recipes = {name: _made(name, maker, panel) for name, maker in makers.items()}
    return Study(data_name(data), raw, whole, panel, makers, recipes, plan.settle(panel))


def run_study(
    study: Study,
    *,
    audit: bool = False,
    placebo: int = 0,
    benchmark: str | None = None,
    margin: float = MARGIN,
    seed: int = 0,
    threads: int = 1,
    how: How | None = None,
    place: Place | None = None,
    on_progress: Progress | None = None,
) -> BacktestResult:
    """The backtest; before it the audit and the placebo, where asked for, so that a leak is known early.

    place  where the run is kept, so that it goes on after a crash; None: nowhere
    """
    check_benchmark(benchmark, study.recipes)
    margin = plain_value("margin", margin, float)
    if not 0 < margin < 100:
        raise ConfigError(f"margin={margin}: give a percentage above 0 and below 100")
    if placebo:
        from tsforecast.auditing.placebo import check_placebo, run_placebo

        check_placebo(study.recipes, placebo)
    facts = run_facts(study.name, study.recipes) | {"benchmark": benchmark, "margin": float(margin)}
    fits = float(sum(study.plan.fits_at(k) for k in range(study.plan.n_windows or 1)))
    stretches = {"audit": AUDIT_SHARE if audit else 0.0, "placebo": fits * (placebo + 1 if placebo else 0), "": fits}
    listeners = _stretches(on_progress, stretches)
    verdict = {"benchmark": benchmark, "margin": float(margin), "audit": audit, "placebo": [placebo, seed]}

    def before(once: Once) -> dict[str, Any]:
        found = {}
        if audit:
            found["audit"] = once("audit", lambda: audit_study(study, on_progress=listeners["audit"]).to_dict())
        if placebo:
            ask = (study.panel, study.recipes, study.plan, placebo)
            found["placebo"] = once(
                f"placebo {placebo} {seed}",
                lambda: run_placebo(*ask, seed=seed, how=how, on_progress=listeners["placebo"]).to_dict(),
            )
        return found

    if place is None:
        facts |= before(lambda _, work: work())
        return run_backtest(
            study.panel, study.recipes, study.plan, facts=facts, on_progress=listeners[""], threads=threads, how=how
        )
    from tsforecast.store import run_kept

    job = make_job(study.panel, study.recipes, study.plan, threads)
    return run_kept(job, place, how or How(), facts, verdict, before, listeners[""])


def audit_study(study: Study, *, n_folds: int = 3, full: bool = False, on_progress: Progress | None = None) -> Audit:
    """Only the look-ahead audit: see `auditing.run_audit`."""
    from tsforecast.auditing.audit import run_audit

    return run_audit(
        study.raw,
        study.makers,
        study.plan,
        prepare=study.prepare,
        n_folds=n_folds,
        full=full,
        on_progress=on_progress,
    )


def plan_study(study: Study, *, threads: int = 1, on_progress: Progress | None = None) -> Prospect:
    """What the backtest could find and would cost: see `planning.ahead.plan_ahead`."""
    from tsforecast.planning.ahead import plan_ahead

    cheap = study.cheap_models()
    return plan_ahead(study.panel, study.recipes, study.plan, cheap=cheap, threads=threads, on_progress=on_progress)


def check_benchmark(benchmark: str | None, models: Mapping[str, Any]) -> None:
    """Raise ConfigError where the run has no model of that name."""
    benchmark = plain_value("benchmark", benchmark, str | None)
    if benchmark is not None and benchmark not in models:
        raise ConfigError(f"benchmark={benchmark}: the run has no such model{did_you_mean(benchmark, models)}")


def makers_of(models: Models, *, quantiles: Sequence[float], seed: int, device: str) -> dict[str, Maker]:
    """Name -> model or function, whatever way the models were given."""
    seed, device = plain_value("seed", seed, int), plain_value("device", device, str)

    def build(settings: Any) -> Mapping[str, Maker]:
        return build_models(model_settings(settings), quantiles=quantiles, seed=seed, device=device)

    if isinstance(models, str):
        return dict(build(models))
    found: dict[str, Maker] = {}
    given: Any = [models] if isinstance(models, Forecaster) or callable(models) else models
    if not isinstance(given, Iterable):
        raise ConfigError(f"models: {given!r} is no list of models; write for example ['lstm', 'naive']")
    pairs = given.items() if isinstance(given, Mapping) else ((None, model) for model in given)
    for name, model in pairs:
        new: Mapping[str, Maker]
        if isinstance(model, str):
            new = build([model] if name is None else {name: {"model": model}})
        elif name is not None and (model is None or isinstance(model, Mapping)):
            new = build({name: model})
        elif isinstance(model, type):
            raise ConfigError(f"{model.__name__} is a class of models: give one model, such as {model.__name__}()")
        elif isinstance(model, Forecaster):
            new = {model.name if name is None else str(name): model}
        elif callable(model):
            new = {_function_name(model) if name is None else str(name): model}
        else:
            raise ConfigError(f"{model!r} is no model: give a name such as 'lstm', or an object with name and fit()")
        for key in new:
            if key in found:
                raise ConfigError(f"two models are called '{key}'; give them names: {{'a': ..., 'b': ...}}")
        found |= new
    for name in found:
        _check_name(name, found)
    return found


def _check_name(name: str, others: Iterable[str]) -> None:
    """ConfigError for a name that a table of forecasts has for something else."""
    if name in TABLE or any(name.startswith(f"{other}-{side}-") for other in others for side in ("lo", "hi")):
        raise ConfigError(f"a model cannot be called '{name}': tables of forecasts have a column of that name already")


def _function_name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise ConfigError("a function that makes a model has no name of its own here; give it one: {'mine': function}")
    return str(name)


def _made(name: str, maker: Maker, panel: Panel) -> Forecaster:
    made: Any = maker if isinstance(maker, Forecaster) else maker(panel)
    if isinstance(made, type) or not isinstance(made, Forecaster):
        raise ConfigError(f"model '{name}': the function answered with {type(made).__name__}, which is no model")
    return made


def _stretches(on_progress: Progress | None, sizes: Mapping[str, float]) -> dict[str, Progress | None]:
    """One listener per piece of work; each tells its own stretch of the whole, from 0 to 1 over all of them."""
    if on_progress is None:
        return dict.fromkeys(sizes)
    heard, total, before, found = on_progress, sum(sizes.values()), 0.0, dict[str, Progress | None]()
    for work, size in sizes.items():

        def tell(share: float, name: str, work: str = work, begin: float = before, size: float = size) -> None:
            heard((begin + min(share, 1.0) * size) / total, f"{work} {name}".strip())

        found[work] = tell
        before += size
    return found


def data_name(data: Any) -> str:
    """What a report calls the data: names of files without their folders, of a bundled data set, or of a type."""
    files = [data] if isinstance(data, str | os.PathLike) else data if isinstance(data, list | tuple) else []
    return ", ".join(PurePath(file).name for file in files) or type(data).__name__


def run_facts(data_name: str, recipes: Mapping[str, Forecaster]) -> dict[str, Any]:
    """Where and with what a run was made."""
    packages = ["tsforecast-toolkit", "numpy", "pandas", "statsmodels", "arch", "torch", "pytorch-lightning"]
    wanted = {recipe.training.device for recipe in recipes.values() if hasattr(recipe, "training")}
    return {
        "data": data_name,
        "kinds": {name: recipe.name for name, recipe in recipes.items()},
        "versions": {"python": platform.python_version()} | versions(packages),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "device": ", ".join(sorted(_device(name) for name in wanted)) or "cpu",
        "seeds": {name: recipe.seed for name, recipe in recipes.items() if hasattr(recipe, "seed")},
    }


def _device(name: str) -> str:
    """What "auto" became: asked only when a network is in the run, so torch is there already."""
    assert "torch" in sys.modules
    from tsforecast.models.training import pick_device

    return str(pick_device(name))
