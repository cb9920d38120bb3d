"""How a backtest is run: its tasks, where they run, what is kept of them, and how it goes on after a crash."""
