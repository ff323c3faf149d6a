"""What benchmarks/attack.py tries, a kind a module; each has one function ``attack``."""
