"""What a text is to a language model: words, their numbers, and which part of it is for what."""
