"""Judging a model: metrics, beside doing nothing, with pictures to look at."""
