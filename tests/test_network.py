"""No network and no port: the guard in conftest.py watches every test; here is the proof that it sees."""

from __future__ import annotations

import socket
import subprocess
import sys

import conftest
import pytest


def test_the_guard_sees_a_port_that_is_opened() -> None:
    before = len(conftest._used)  # of tests that may
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
    assert len(conftest._used) == before + 1 and "socket.bind" in conftest._used.pop()


def test_files_that_are_called_sockets_are_no_network() -> None:
    before = len(conftest._used)
    one, other = socket.socketpair()
    one.close()
    other.close()
    assert len(conftest._used) == before


@pytest.mark.slow
def test_worker_processes_open_no_port() -> None:
    script = (
        "import sys\nseen = []\n"
        "sys.addaudithook(lambda e, a: seen.append(a) if e in ('socket.bind', 'socket.connect') "
        "and not isinstance(a[-1], (str, bytes)) else None)\n"
        "import sys; sys.path.insert(0, 'tests')\n"
        "from kept_runs import MODELS, PLAN, twelve\n"
        "from tsforecast.backtesting import run_backtest\n"
        "from tsforecast.running.how import How\n"
        "if __name__ == '__main__':\n"
        "    run_backtest(twelve(), MODELS, PLAN, how=How(executor='processes', jobs=1))\n"
        "    print('used', len(seen))\n"
    )
    root = conftest.__file__.rpartition("/tests/")[0]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "used 0", done.stderr
