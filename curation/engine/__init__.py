"""Plan, tasks and the executor that runs them."""
