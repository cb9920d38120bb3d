"""What is imported in a fresh process: nothing heavy before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def imported_by(code: str) -> set[str]:
    """Which heavy packages a fresh Python has imported after `code`."""
    heavy = {"torch", "pytorch_lightning", "pandas", "numpy", "scipy", "statsmodels", "matplotlib"}
    script = f"import sys\n{code}\nprint('\\nloaded', *sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert imported_by("import tsforecast") == set()
    assert "pandas" in imported_by("import tsforecast.panel"), "control"


def test_asking_for_help_imports_nothing_heavy() -> None:
    for command in ([], ["backtest"], ["audit"], ["plan"], ["ingest"], ["forecast"]):
        argv = ["tsforecast", *command, "--help"]
        ask = f"sys.argv = {argv}\nfrom tsforecast.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass"
        assert imported_by(ask) == set()


def test_judging_and_reporting_naive_and_arima_forecasts_needs_no_torch() -> None:
    rooms = (
        "api",
        "backtesting",
        "judging.compare",
        "config",
        "reading.readers",
        "reporting.report",
        "judging.scores",
        "models.naive",
        "models.arima",
    )
    code = "\n".join(f"import tsforecast.{room}" for room in rooms)
    assert "pandas" in (found := imported_by(code)) and not found & {"torch", "pytorch_lightning"}


def imported_by_a_run(tmp_path: Path, walks: Path, models: str) -> set[str]:
    script = (
        "import sys\nfrom tsforecast.cli import main\n"
        f"sys.argv = ['tsforecast', 'backtest', {str(walks)!r}, '--models', {models!r}, '--horizon', '3', "
        f"'--n-windows', '2', '--out', {str(tmp_path / models)!r}, '--quiet']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print(*sorted({'torch', 'pytorch_lightning', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_run_with_naive_and_arima_models_never_imports_torch(tmp_path: Path, walks: Path) -> None:
    assert imported_by_a_run(tmp_path, walks, "naive,seasonal_naive,drift,autoarima") == {"pandas"}


@pytest.mark.slow
def test_a_run_with_a_ridge_imports_torch_but_not_lightning(tmp_path: Path, walks: Path) -> None:
    assert imported_by_a_run(tmp_path, walks, "naive,ridge") == {"pandas", "torch"}
