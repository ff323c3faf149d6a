"""The pipelines: one package a template, each with its wiring, nodes and parameters."""
