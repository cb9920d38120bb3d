"""May the answer be trusted: the look-ahead audit, and the placebo."""
