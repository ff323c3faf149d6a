"""``python -m uncrappify.parameters`` writes the JSON schemas of conf/schema."""

from uncrappify.parameters.tree import SCHEMAS, write_schemas

write_schemas(SCHEMAS)
