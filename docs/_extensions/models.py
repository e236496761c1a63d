"""Models in the reference: Tortoise's with their fields, pydantic's with the types one gives."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.util.typing import stringify_annotation
from tortoise.fields.base import Field
from tortoise.fields.data import JSONField
from tortoise.models import Model

from bytes_squads.engine._tortoise import field_of


def column_type(field: Field[Any]) -> str:
    """Return the type of a field's values as source code."""
    if isinstance(field, JSONField):
        # Written as JSONField[…](…), or as a subclass of JSONField[…].
        generic = getattr(field, "__orig_class__", None) or type(field).__orig_bases__[0]
        name = str(get_args(generic)[0]).replace("typing.", "")
    else:
        target = getattr(field, "model_name", field.field_type)
        name = target if isinstance(target, str) else target.__name__
    return f"{name} | None" if field.null else name


def add_fields(
    app: Sphinx, what: str, name: str, model: Any, options: Any, lines: list[str]
) -> None:
    """Append a section "Attributes" with type and description of each field of a table."""
    if isinstance(model, type) and issubclass(model, Model):
        lines += ["", f"Table ``{model._meta.db_table}``.", "", "Attributes:"]
        described = model.describe()
        for each in (described["pk_field"], *described["data_fields"], *described["fk_fields"]):
            field = field_of(model, each["name"])
            lines.append(f"    {each['name']} ({column_type(field)}): {field.description}.")
        lines.append("")


def plain_signature(
    app: Sphinx, what: str, name: str, model: Any, options: Any, signature: str, returned: str
) -> tuple[str, None] | None:
    """Return an input's fields as keyword arguments, with the types that a caller passes."""
    if not (isinstance(model, type) and issubclass(model, (BaseModel, Model))):
        return None
    if issubclass(model, Model):
        return "", None
    types = get_type_hints(model)
    parts = ["*"]
    for field_name, field in model.model_fields.items():
        kind = stringify_annotation(types[field_name], "smart").replace("~", "")
        if field.is_required():
            default = ""
        elif field.default is None and "None" not in kind:
            default = " = ..."  # not given, and so not changed
        else:
            default = f" = {field.default!r}"
        parts.append(f"{field_name}: {kind}{default}")
    return f"({', '.join(parts)})", None


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before the docstrings are read as Google's style."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # "Variables", by itself
    app.connect("autodoc-process-docstring", add_fields, priority=400)
    app.connect("autodoc-process-signature", plain_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
