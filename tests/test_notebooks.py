"""The notebooks: stored without outputs, and run from top to bottom in a fresh kernel without a network."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = ("lstm_from_its_equations", "price_series", "sensor_panel")

OFFLINE = """
import sys

def offline(event, args):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and args[1][0] not in ("127.0.0.1", "::1")):
        raise OSError(f"a notebook needs no network, but asked for {args}")

sys.addaudithook(offline)
"""

pytestmark = [
    # of the tools that run notebooks, not of ours: ours are warnings inside the kernel, see below
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def stored(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


async def execute(name: str, folder: Path) -> nbformat.NotebookNode | CellExecutionError:
    """The notebook with its outputs, or the error that stopped it. `folder` is where it may write."""
    notebook = stored(name)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(OFFLINE))
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    try:
        await client.async_execute()
    except CellExecutionError as error:
        return error
    del notebook.cells[0]
    return notebook


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, nbformat.NotebookNode | CellExecutionError]:
    """All of them, at the same time."""
    folder = tmp_path_factory.mktemp("notebooks")

    async def every() -> list[nbformat.NotebookNode | CellExecutionError]:
        return await asyncio.gather(*(execute(name, folder) for name in NAMES))

    found = dict(zip(NAMES, asyncio.run(every()), strict=True))
    assert not list(folder.iterdir()), "a notebook leaves no files behind"
    return found


def test_these_are_all_notebooks() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_without_outputs_or_traces_of_a_machine(name: str) -> None:
    notebook = stored(name)
    nbformat.validate(notebook)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(notebook))
    assert all(cell.metadata == {} for cell in notebook.cells) and set(notebook.metadata) <= {
        "kernelspec",
        "language_info",
    }
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_offline_without_a_warning_and_shows_its_figures(name: str, ran: dict) -> None:
    notebook = ran[name]
    if isinstance(notebook, CellExecutionError):
        pytest.fail(str(notebook))
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert said == ""
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == {"lstm_from_its_equations": 1, "price_series": 4, "sensor_panel": 5}[name]


def test_a_notebook_that_calls_out_or_fails_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    cell = nbformat.v4.new_code_cell("import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=5)")
    monkeypatch.setattr("test_notebooks.stored", lambda name: nbformat.v4.new_notebook(cells=[cell]))
    error = asyncio.run(execute("calls out", tmp_path))
    assert isinstance(error, CellExecutionError) and "needs no network" in str(error)
