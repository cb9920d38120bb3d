"""Every room of the package keeps the rules of rooms.py; each rule has a planted violation to find."""

from __future__ import annotations

import pytest
from rooms import (
    RULES,
    away_from_home,
    heavy_at_import,
    knows_too_much,
    looks_ahead,
    prints,
    reached,
    runs_code,
    sources,
    top,
)

from tsforecast.running.numerics import OURS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_room_keeps_the_rule(rule) -> None:
    rooms = sources()
    assert {"", "panel", "transforms", "models", "models.naive"} <= set(rooms)
    broken = list(rule(rooms))
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


PLANTED = [
    (heavy_at_import, "panel", "import torch"),
    (heavy_at_import, "report", "from torch import Tensor"),
    (heavy_at_import, "models.naive", "try:\n    import pytorch_lightning as pl\nexcept ImportError:\n    pl = None"),
    (heavy_at_import, "judging.metrics", "class A:\n    import torch"),
    (heavy_at_import, "config", "from importlib import import_module\ntorch = import_module('torch')"),
    (heavy_at_import, "reading.readers", "from tsforecast import transforms"),
    (heavy_at_import, "folds", "from tsforecast.windows import Windows"),
    (heavy_at_import, "cli", "from tsforecast.panel import Panel"),
    (heavy_at_import, "", "import numpy"),
    (away_from_home, "models.recurrent", "def f():\n    import pytorch_lightning as pl"),
    (away_from_home, "report", "from matplotlib.figure import Figure"),
    (away_from_home, "models.naive", "import statsmodels.api as sm"),
    (away_from_home, "models.training", "import lightning.pytorch as pl"),
    (knows_too_much, "transforms", "import pandas as pd"),
    (knows_too_much, "models.nets", "from tsforecast.panel import Panel"),
    (knows_too_much, "models.losses", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas as pd"),
    (knows_too_much, "maps", "def f():\n    from tsforecast import windows"),
    (knows_too_much, "backtesting", "from tsforecast.models.naive import Naive"),
    (knows_too_much, "backtesting", "def f():\n    from tsforecast.models import model_class"),
    (knows_too_much, "judging.metrics", "def f():\n    import torch"),
    (knows_too_much, "ingesting.sorting", "def f():\n    from tsforecast.windows import Windows\n    import torch"),
    (heavy_at_import, "cli_ingest", "from tsforecast.ingesting.ingest import ingest"),
    (runs_code, "ingesting.dataset", "import numpy as np\nx = np.load('a.npy', allow_pickle=True)"),
    (knows_too_much, "running.answering", "def f():\n    from tsforecast.models import model_class"),
    (away_from_home, "running.schedule", "def f():\n    import loky"),
    (away_from_home, "store", "import sqlite3"),
    (prints, "panel", "print('hello')"),
    (runs_code, "store", "import pickle"),
    (runs_code, "running.worker", "import cloudpickle"),
    (runs_code, "config", "x = eval('1')"),
    (runs_code, "config", "import yaml\nx = yaml.load('1', Loader=yaml.Loader)"),
    (runs_code, "config", "from yaml import load"),
    (runs_code, "models.recurrent", "import torch\nx = torch.load('w.pt')"),
    (runs_code, "reading.readers", "import numpy as np\nx = np.load('a.npy', allow_pickle=True)"),
    (runs_code, "reading.readers", "import pandas as pd\nx = pd.read_pickle('a')"),
    (looks_ahead, "frames", "x = y.bfill()"),
    (looks_ahead, "frames", "x = y.fillna(method='bfill')"),
    (looks_ahead, "frames", "x = y.shift(-1)"),
    (looks_ahead, "frames", "x = y.groupby('a').shift(periods=-horizon)"),
    (looks_ahead, "frames", "x = y.rolling(3, center=True).mean()"),
    (looks_ahead, "frames", "x = y.interpolate('linear')"),
]
ALLOWED = {
    "reading.readers": "def f():\n    import torch\n    return torch",
    "results": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from matplotlib.figure import Figure",
    "frames": "x = y.shift(1).ffill().rolling(3).mean()",
    "models.recurrent": "import torch\nimport pandas\nnet.eval()",
    "models.arima_order": "import statsmodels.tsa.stattools",
    "store": "import yaml\nx = yaml.safe_load('1')",
    "models.nets": "from tsforecast.errors import ConfigError\nfrom tsforecast.transforms import Map",
    "cli": "print('hello')",
}


@pytest.mark.parametrize(("rule", "room", "planted"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_violation_is_found(rule, room: str, planted: str) -> None:
    broken = list(rule({**sources(), room: planted}))
    assert any(line.startswith(f"{room}:") for line in broken)


def test_what_is_allowed_is_not_reported() -> None:
    assert [
        line for rule in RULES for line in rule({**sources(), **ALLOWED}) if top(line.split(":")[0]) in ALLOWED
    ] == []


def test_a_change_to_any_room_that_models_import_makes_the_tasks_of_a_run_other_tasks() -> None:
    words = {"", "errors", "names", "progress"}  # they say and name things, and give no number
    passed = reached("models*", sources())
    assert {"floor", "spans"} <= passed, "every forecast passes through the floor, which reads the past by spans"
    assert {room for room in passed if not room.startswith("models")} - words <= set(OURS)
