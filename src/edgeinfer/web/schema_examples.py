"""JSON schemas of an OpenAPI document in words and as examples, as far as our own documents use them."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_MAX_DEPTH = 8
_BY_TYPE: dict[str, Any] = {"string": "…", "number": 0.0, "integer": 0, "boolean": False, "null": None}


def example_of(schema: Json, schemas: Json, depth: int = 0) -> Any:
    """A value that fits a schema: its own example or default, else the simplest one.

    Args:
        schema: of the value.
        schemas: the components that it may refer to.
        depth: of the value within the one that was asked for; what refers to itself ends somewhere.
    """
    schema = _resolved(schema, schemas)
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if "prefixItems" in schema:
        return [example_of(item, schemas, depth + 1) for item in schema["prefixItems"]]
    kind = _type_of(schema)
    if kind == "object":
        properties = {} if depth > _MAX_DEPTH else schema.get("properties", {})
        wanted = schema.get("required", list(properties))
        return {name: example_of(properties[name], schemas, depth + 1) for name in properties if name in wanted}
    if kind == "array":
        items = schema.get("items") or {}
        return [] if depth > _MAX_DEPTH else [example_of(items, schemas, depth + 1)] * (schema.get("minItems") or 1)
    return _BY_TYPE.get(kind)


def fields_of(schema: Json, schemas: Json) -> Iterator[tuple[str, str]]:
    """Name and meaning of each field of an object; of another value one line without a name."""
    schema = _resolved(schema, schemas)
    properties = schema.get("properties")
    if not properties:
        yield "", _words(schema, schemas)
        return
    required = schema.get("required", ())
    for name, value in properties.items():
        words = [_words(value, schemas)] if name in required else [_words(value, schemas), "optional"]
        about = _resolved(value, schemas).get("description", "")
        yield name, ". ".join(part for part in (", ".join(words), about) if part)


def _words(schema: Json, schemas: Json) -> str:
    """The type of a value, such as "array of object"."""
    schema = _resolved(schema, schemas)
    if schema.get("enum"):
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = _type_of(schema)
    if kind == "array" and schema.get("items"):
        return f"array of {_words(schema['items'], schemas)}"
    return kind or "any value"


def _type_of(schema: Json) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "")
    return str(next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind)


def _resolved(schema: Json, schemas: Json) -> Json:
    """The schema that a reference means; of alternatives the first that is more than null."""
    for _ in range(_MAX_DEPTH):
        if "$ref" in schema:
            schema = schemas.get(schema["$ref"].rpartition("/")[2], {})
        elif options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            chosen: Json = next((option for option in options if option.get("type") != "null"), {})
            schema = {**chosen, **{key: schema[key] for key in ("description", "default") if key in schema}}
        else:
            break
    return schema
