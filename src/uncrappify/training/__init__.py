"""Training: Lightning modules, and the one ``fit`` that every pipeline calls."""
