"""Run one unit of work: tasks, transactions, connections, retries."""
