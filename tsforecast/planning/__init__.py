"""What a backtest could find and would cost, before it is run."""
