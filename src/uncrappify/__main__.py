"""``python -m uncrappify`` is the command ``uncrappify``."""

from uncrappify.commands import main

main(prog_name="uncrappify")
