"""Training: the one ``fit`` that every pipeline calls, and what it takes and leaves behind."""
