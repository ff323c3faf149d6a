"""A trained model on a user's own pictures: from a list of inputs to a folder of results."""
