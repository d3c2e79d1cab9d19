"""The deployment package: all that functions need, for their processor, with bytecode, and the same bytes each time."""

from __future__ import annotations

import importlib.util
import re
import struct
import zipfile

import pytest

from infra.archive import ZIPPED_BYTES_MAX
from infra.contents import LAMBDA_ROOT, SERVICES
from tests.aws.packages import ROOT, Package

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(600)]
UNCHECKED_HASH = 1  # PEP 552: a hash-based file whose source is not looked at
ELF_MACHINE = {"arm64": 183, "x86_64": 62}


def test_it_is_small_enough(package: Package) -> None:
    assert package.zipped.stat().st_size <= ZIPPED_BYTES_MAX


def test_the_same_sources_make_the_same_bytes_for_every_stage(machine_package: Package, other_package: Package) -> None:
    assert other_package.zipped.name == machine_package.zipped.name
    assert other_package.zipped.read_bytes() == machine_package.zipped.read_bytes()


def test_every_module_has_its_source_and_bytecode_that_is_never_compared_with_it(package: Package) -> None:
    with zipfile.ZipFile(package.zipped) as zipped:
        names = set(zipped.namelist())
        for name in sorted(name for name in names if name.endswith(".py")):
            compiled = importlib.util.cache_from_source(name)
            assert compiled in names, f"{name} is compiled at every cold start"
            head = zipped.open(compiled).read(8)
            assert head[:4] == importlib.util.MAGIC_NUMBER
            assert struct.unpack("<I", head[4:])[0] == UNCHECKED_HASH


def test_tracebacks_name_files_as_they_lie_on_lambda(package: Package) -> None:
    with zipfile.ZipFile(package.zipped) as zipped:
        compiled = zipped.read(importlib.util.cache_from_source("chalicelib/wiring.py"))
    assert f"{LAMBDA_ROOT}/chalicelib/wiring.py".encode() in compiled
    assert str(ROOT).encode() not in compiled


def test_its_libraries_are_made_for_its_processor(package: Package) -> None:
    with zipfile.ZipFile(package.zipped) as zipped:
        libraries = {name: zipped.open(name).read(20) for name in zipped.namelist() if name.endswith(".so")}
    assert libraries
    assert {struct.unpack("<H", head[18:])[0] for head in libraries.values()} == {ELF_MACHINE["arm64"]}


def test_it_has_the_pinned_requirements_and_nothing_else(package: Package) -> None:
    pinned = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().split())
    found = {}
    for record in package.folder.glob("*.dist-info"):
        name, version = record.name.removesuffix(".dist-info").rsplit("-", 1)
        found[name.replace("_", "-").lower()] = version
    assert found == pinned


def test_it_has_no_part_of_chalice_but_its_runtime_and_no_service_of_aws_that_nobody_calls(package: Package) -> None:
    assert {path.name for path in (package.folder / "chalice").glob("*.py")} == {"__init__.py", "app.py"}
    services = {path.name for path in (package.folder / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == SERVICES


def test_it_holds_nothing_that_lay_about(package: Package) -> None:
    with zipfile.ZipFile(package.zipped) as zipped:
        ours = [name for name in zipped.namelist() if name.startswith("chalicelib/") and "__pycache__" not in name]
    odd = [name for name in ours if not re.search(r"\.(py|md|html|css|js|json|typed|txt)$", name)]
    assert odd == []
    assert not [name for name in ours if not (ROOT / name).exists()]
