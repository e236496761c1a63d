"""The mutations of mutation_check.py fit the package and the tests as they are."""

from __future__ import annotations

import pytest
from helpers.paths import ROOT
from mutation_check import MUTATIONS, Mutation

each_mutation = pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=lambda mutation: mutation.safeguard
)


@each_mutation
def test_every_safeguard_can_be_taken_out(mutation: Mutation) -> None:
    """The mutations fit the package as it is: each finds its piece exactly once."""
    assert (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.there) == 1


@each_mutation
def test_mutation_names_test_files_that_exist(mutation: Mutation) -> None:
    """A moved test file is moved in the mutations too."""
    assert [name for name in mutation.tests.split() if not (ROOT / name).is_file()] == []
