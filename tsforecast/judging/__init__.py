"""From a result to a verdict: scores, tests, and words that claim no more than they show."""
