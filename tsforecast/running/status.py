"""How far a run is, from its folder alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.running.keys import digest_of
from tsforecast.running.ledger import Stretch
from tsforecast.running.parts import Receipt
from tsforecast.running.run_folder import WORK, command_to_go_on, holder, ledger_of

__all__ = ["ModelStatus", "Status", "status_of"]


@dataclass(frozen=True)
class ModelStatus:
    """How far one model is.

    done, whole  series times fits, times members of a model of several
    tasks        finished ones
    failed       forecasts that it could not make; of several members, those of the one that failed most
    seconds      that its finished tasks took, over all of them
    """

    model: str
    done: int
    whole: int
    tasks: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class Status:
    """How far a run is.

    finished  whether its tables and reports are there
    worker    the process that works on it now, or None
    again     the command that goes on with it
    """

    run: str
    data: str
    finished: bool
    worker: str | None
    models: tuple[ModelStatus, ...]
    again: str

    @property
    def share(self) -> float:
        """Of the work that is done, 0 to 1, every model counting alike."""
        return sum(model.done / model.whole for model in self.models) / len(self.models)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"share": self.share}


def status_of(run: Path) -> Status:
    """Read the ledger of a run. Raises ConfigError where there is none, DataError where it cannot be read."""
    with ledger_of(run) as ledger:
        manifest, entries, sealed = ledger.remark("manifest"), ledger.entries(), ledger.remark("finished")
    if manifest is None:
        raise ConfigError(f"{run}: nothing was begun there yet")
    plan = Plan(**manifest["plan"])
    each = manifest["data"]["series"] * sum(plan.fits_at(k) for k in range(plan.n_windows or 1))
    models = []
    for name in manifest["models"]:
        own = [(e.task, e.receipt) for e in entries if e.task.model == name and e.receipt]
        models.append(
            ModelStatus(
                name,
                sum(task.last - task.first for task, _ in own),
                each * manifest["members"][name],
                len(own),
                _most_failed(own),
                sum(receipt.fit_seconds + receipt.predict_seconds for _, receipt in own),
            )
        )
    config = run / WORK / "config.yaml"
    again = command_to_go_on(config, run) if config.exists() else "the same call again"
    finished = sealed == digest_of(manifest) and (run / "facts.json").exists()
    return Status(str(run), str(manifest["data"]["name"]), finished, holder(run), tuple(models), again)


def _most_failed(tasks: Sequence[tuple[Stretch, Receipt]]) -> int:
    """Over the fits, the failures of the member that has most of them there: where one fails, the model does."""
    failed: dict[int, Counter[int]] = {}
    for task, receipt in tasks:
        failed.setdefault(task.fold, Counter())[task.member] += receipt.failed
    return sum(max(each.values()) for each in failed.values())
