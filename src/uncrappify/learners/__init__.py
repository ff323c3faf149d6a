"""For each kind of task the learner and its data: by which loss, from what, and what is watched meanwhile."""
