"""Tasks: what a network learns from, by which loss, and what is watched meanwhile."""
