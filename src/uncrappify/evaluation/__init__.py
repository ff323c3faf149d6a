"""Evaluation of models: metrics, baselines, and sheets of pictures."""
