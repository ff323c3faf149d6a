"""What may be said in YAML and after ``--params``: checked as a whole, completed, and explained where it is wrong."""
