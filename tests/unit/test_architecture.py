"""The architecture: imports, public names, and the version."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.paths import ROOT

import bytes_squads
from bytes_squads.domain import errors

PACKAGE = Path(bytes_squads.__file__).parent


def module(path: Path) -> str:
    """The name of a module as it is imported from the package: ``cli.members``."""
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


def source(name: str) -> str:
    """The text of a module."""
    path = PACKAGE.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8")


MODULES = sorted(module(path) for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)

ALLOWED_IMPORTS: dict[str, set[str]] = {
    "domain": set(),
    "models": {"domain"},
    "schemas": {"domain", "models"},
    "sql": {"domain"},
    "engine": {"domain", "sql"},
    "operations": {"domain", "sql", "engine", "models", "schemas"},
    "archive": {"domain", "sql", "engine", "models", "schemas", "operations"},
    "database": {"domain", "engine"},
    "_interrupt": set(),
    "__init__": {"_interrupt", "domain", "engine", "models", "schemas", "operations", "database"},
    "testing": {"domain", "engine", "database"},
    "charts": {"schemas"},
    "cli": {
        "__init__",
        "_interrupt",
        "domain",
        "engine",
        "archive",
        "operations",
        "database",
        "charts",
    },
    "__main__": {"cli"},
}
"""What each layer, a folder or a file of the package, may import from the others."""

PUBLIC_NAMES = {
    "models": {"BytesBalance", "BytesConfig", "BytesTransaction", "Squad", "SquadMembership"},
    "operations": {"BytesOperations", "GuildOperations", "SquadOperations"},
    "inputs and results": {
        "BytesConfigUpdate",
        "BytesTransactionCreate",
        "DailyClaim",
        "EconomyStatistics",
        "LeaderboardEntry",
        "LedgerReport",
        "MemberExport",
        "RoleChanges",
        "SquadCreate",
        "SquadStanding",
        "SquadSummary",
        "SquadUpdate",
    },
    "errors": {
        "AlreadyInSquadError",
        "AlreadyReversedError",
        "BalanceOverflowError",
        "BytesSquadsError",
        "DailyAlreadyClaimedError",
        "IdempotencyConflictError",
        "InsufficientBalanceError",
        "InvalidAmountError",
        "InvalidInputError",
        "InvalidPageError",
        "InvalidSnowflakeError",
        "InvalidTextError",
        "NotInSquadError",
        "NotReversibleError",
        "OutcomeUnknownError",
        "RefusedError",
        "SquadFullError",
        "SquadInactiveError",
        "SquadNotFoundError",
        "SquadRoleTakenError",
        "StorageError",
        "StorageUnavailableError",
        "TransactionNotFoundError",
        "TransferCooldownError",
        "TransferLimitError",
    },
    "the rest": {
        "SYSTEM_ID",
        "TORTOISE_ORM",
        "close",
        "distribute",
        "in_transaction",
        "init",
        "upgrade",
    },
}


def imports(name: str) -> tuple[set[str], set[str]]:
    """What a module of the package imports, anywhere in it: its own package's, others' modules."""
    own: set[str] = set()
    others: set[str] = set()
    # The names above the module, of which `from ..x import y` leaves some out.
    package = (
        name.split(".") if (PACKAGE / name.replace(".", "/")).is_dir() else name.split(".")[:-1]
    )
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            # `from ..domain import rules` names a module, `from .rules import X` a name in one.
            above = ".".join(["bytes_squads", *package[: len(package) - node.level + 1]])
            source_name = f"{above}.{node.module}" if node.module else above
            named = [f"{source_name}.{alias.name}" for alias in node.names]
            found = [name if name.partition(".")[2] in MODULES else source_name for name in named]
        elif isinstance(node, ast.ImportFrom):
            found = [str(node.module)]
        else:
            continue
        for module in found:
            top, _, rest = module.partition(".")
            if top != "bytes_squads":
                others.add(top)
            else:
                own.add(rest if rest in MODULES else "__init__")
    return own, others


def layer(name: str) -> str:
    """Return the layer of a module."""
    return name.partition(".")[0]


def test_every_module_is_in_a_layer() -> None:
    """Every folder or file of the package is in the table of imports."""
    assert {layer(name) for name in MODULES} == set(ALLOWED_IMPORTS)


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_what_the_table_allows(name: str) -> None:
    """A module imports from its own layer and from those that the table allows."""
    own, _ = imports(name)

    assert {layer(other) for other in own} - {layer(name)} <= ALLOWED_IMPORTS[layer(name)]


def levels(imported: dict[str, set[str]]) -> list[list[str]]:
    """Return the names by level: each imports from lower levels only. Fail if there is a circle."""
    left = {name: others - {name} for name, others in imported.items()}
    found: list[list[str]] = []
    while left:
        free = sorted(name for name, others in left.items() if not others & left.keys())
        assert free, f"a circle among {sorted(left)}"
        found.append(free)
        for name in free:
            del left[name]
    for height, names in enumerate(found, 1):
        print(height, ", ".join(names))
    return found


def test_imports_have_no_circle() -> None:
    """There is no circle, also not by deferred imports."""
    assert levels({name: imports(name)[0] for name in MODULES})


def test_layers_have_at_most_eight_levels() -> None:
    """The layers have at most eight levels."""
    layers: dict[str, set[str]] = {}
    for name in MODULES:
        layers.setdefault(layer(name), set()).update(map(layer, imports(name)[0]))

    assert len(levels(layers)) <= 8


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) == "domain"])
def test_domain_imports_the_standard_library_only(name: str) -> None:
    """Rules and errors can be read, tested and reused without a database or a model."""
    _, others = imports(name)

    assert sorted(others - sys.stdlib_module_names) == []


@pytest.mark.parametrize(
    "folder", ["bytes_squads", "migrations", "tests", "benchmarks", "examples", "docs"]
)
def test_private_attributes_are_in_one_module(folder: str) -> None:
    """Only `engine._tortoise`, and the test that checks it, use others' private attributes."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {attribute}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name not in {"_tortoise.py", "test_library_contract.py"}
        for line, attribute in private_attributes(path)
    ]

    assert found == []


def private_attributes(path: Path) -> list[tuple[int, str]]:
    """Return the private attributes that a file uses of what is neither `self` nor `cls`."""
    text = path.read_text(encoding="utf-8")
    if not re.search(r"(?<!\bself)(?<!\bcls)\._[a-z]", text):
        return []  # parsing takes longer
    tree = ast.parse(text)
    tables = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "db_table"
    }
    return [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
        and not (node.attr == "_meta" and id(node) in tables)
        and node.attr not in {"_exit", "_replace"}  # public, of os and of named tuples
    ]


def test_package_init_has_no_logic() -> None:
    """`__init__` has a docstring, imports and the list of names, nothing else."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    kinds = [type(node).__name__ for node in tree.body]

    assert ast.get_docstring(tree)
    assert set(kinds[1:-1]) == {"ImportFrom"}
    assert (kinds[0], kinds[-1]) == ("Expr", "Assign")


def test_public_names_are_those_of_the_contract() -> None:
    """The public names are exactly those of the contract."""
    promised = set().union(*PUBLIC_NAMES.values())

    assert set(bytes_squads.__all__) == promised
    assert {name for name in bytes_squads.__all__ if not hasattr(bytes_squads, name)} == set()


def test_nothing_else_is_public() -> None:
    """Apart from its submodules, the package has no public attribute outside `__all__`."""
    public = {name for name in vars(bytes_squads) if not name.startswith("_")}

    assert public - set(bytes_squads.__all__) - set(MODULES) == set()


def test_public_names_are_sorted() -> None:
    """As the linter sorts them: CONSTANTS, then Classes, then functions, each alphabetically."""

    def place(name: str) -> tuple[int, str]:
        if name.isupper():
            return 0, name
        return (1, name) if name[0].isupper() else (2, name)

    assert bytes_squads.__all__ == sorted(bytes_squads.__all__, key=place)
    assert len(set(bytes_squads.__all__)) == len(bytes_squads.__all__)


def test_every_error_is_public() -> None:
    """Every error has a public name."""
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and not name.startswith("_")
    }

    assert defined == PUBLIC_NAMES["errors"]


def test_package_is_typed() -> None:
    """The package has the marker that type checkers need."""
    assert (PACKAGE / "py.typed").is_file()


def test_version_is_in_one_place() -> None:
    """pyproject.toml has the version; no module repeats it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    repeated = [
        name
        for name in MODULES
        if re.search(
            rf"__version__\s*=|[\"']{re.escape(version)}[\"']",
            source(name),
        )
    ]

    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert repeated == []


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_docstring(name: str) -> None:
    """Each file begins with a docstring."""
    assert ast.get_docstring(ast.parse(source(name)))
