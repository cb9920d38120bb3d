"""What a run is of: data, folds, models and numerics. A folder goes on only with what it was begun with, or more."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tsforecast.panel import Panel
from tsforecast.running.job import Job
from tsforecast.running.keys import model_settings
from tsforecast.running.numerics import numerics

__all__ = ["changes", "made_of"]

Manifest = dict[str, Any]


def made_of(job: Job, facts: Mapping[str, Any], verdict: Mapping[str, Any]) -> Manifest:
    """The manifest of a job.

    facts    remarks of the result: the name of the data and the device are taken from them
    verdict  what is asked beside forecasts; it may change, since no forecast depends on it
    """
    panel = job.panel
    whole = {
        "data": {
            "name": facts.get("data"),
            "hash": panel.fingerprint(),
            "series": len(panel),
            "last": int(panel.last_times.max().astype("int64")),
        },
        "plan": dataclasses.asdict(job.plan),
        "models": {name: model_settings(recipe) for name, recipe in job.recipes.items()},
        "members": {name: len(members) for name, members in job.members.items()},
        "numerics": numerics(job.threads) | {"device": facts.get("device", "cpu")},
        "verdict": verdict,
    }
    found: Manifest = json.loads(json.dumps(whole, default=str))
    return found


def changes(old: Manifest, new: Manifest, panel: Panel) -> list[str]:
    """What of a run differs so that its finished tasks are not those of the new run, in words.

    More models, more windows, other questions to the verdict and data that only go on further are no such change.
    """
    was, now = _flat(old), _flat(new)
    allowed = {"data.name", "data.last", "plan.n_windows", *(key for key in was | now if key.startswith("verdict."))}
    gone = [name for name in old["models"] if name not in new["models"]]
    both = [f"models.{name}." for name in old["models"] if name in new["models"]]
    allowed |= {key for key in was | now if key.startswith("members.")}  # the models' settings say as much
    allowed |= {key for key in was | now if key.startswith("models.") and not key.startswith(tuple(both))}
    if _goes_on(old, new, panel):
        allowed |= {"data.hash"}
    found = [
        f"{_spoken(key)} was {_short(was.get(key))}, is {_short(now.get(key))}"
        for key in dict.fromkeys([*was, *now])
        if was.get(key) != now.get(key) and key not in allowed
    ]
    if (fewer := now["plan.n_windows"]) < (before := was["plan.n_windows"]):
        found.append(f"n_windows was {before}, is {fewer}")
    return found + [f"the model {name} was in it" for name in gone]


def _goes_on(old: Manifest, new: Manifest, panel: Panel) -> bool:
    """Whether the panel, cut where the old data ended, is the old data."""
    if old["data"]["hash"] == new["data"]["hash"]:
        return True
    if old["data"]["last"] > new["data"]["last"]:
        return False
    last = np.int64(old["data"]["last"])
    ends = panel.ends_at(last if panel.times.dtype.kind == "i" else last.astype("datetime64[us]"))
    return bool((ends > panel.starts).all()) and panel.cut(ends).fingerprint() == old["data"]["hash"]


def _flat(found: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested settings as dotted ones."""
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat


def _spoken(key: str) -> str:
    """A dotted key as its user spells it."""
    if key == "data.hash":
        return "the hash of the data"
    return key.removeprefix("plan.").removeprefix("models.").removeprefix("numerics.").replace("data.", "data: ")


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 24 else f"{text[:20]}..."
