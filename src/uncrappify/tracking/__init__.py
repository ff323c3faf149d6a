"""Runs in MLflow: what the store gets, which run goes on, and the copy on a server."""
