"""Pictures that the project draws itself, with the class of every pixel."""
