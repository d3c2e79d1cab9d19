"""`make package`: the deployment package and its templates, in build/aws. Needs no AWS account.

paymentserver-HASH.zip   app.py, chalicelib, what they need, and bytecode; the same input gives the same bytes
sam.json                 Chalice's SAM template with ours merged in
stack.json               the same, expanded to plain CloudFormation: what is deployed
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.archive import ZIPPED_BYTES_MAX, archive
from infra.cloudformation import Json
from infra.contents import prepare
from infra.expand import expanded
from infra.names import function_name
from infra.stages import ROOT
from infra.template import merge_template

REGION = "eu-west-1"  # Chalice and SAM want one named; nothing in what they write depends on it


def package(out: Path, stage: str, architecture: str, channels: list[str]) -> Path:
    """The package's path. Raises SystemExit where it is too large, CalledProcessError where Chalice fails."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made = _chalice(_project(out / "project", stage, architecture, channels), stage)
    folder = out / "package"
    shutil.unpack_archive(made / "deployment.zip", folder)
    prepare(folder)
    zipped = out / "package.zip"
    archive(folder, zipped)
    digest = hashlib.sha256(zipped.read_bytes()).hexdigest()[:16]
    zipped = zipped.rename(out / f"paymentserver-{digest}.zip")
    sam = finished(json.loads((made / "sam.json").read_text()))
    _write(out / "sam.json", sam)
    _write(out / "stack.json", expanded(sam))
    shutil.rmtree(out / "project")
    _tell(zipped, folder, architecture)
    return zipped


def _project(folder: Path, stage: str, architecture: str, channels: list[str]) -> Path:
    """A copy of what is deployed, and of nothing else that lies about."""
    folder.mkdir()
    shutil.copy(ROOT / "app.py", folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=ignored)
    shutil.copytree(ROOT / "infra" / "policies", folder / "infra" / "policies")
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    config["lambda_architecture"] = architecture
    (folder / ".chalice").mkdir()
    _write(folder / ".chalice" / "config.json", config)
    _write(folder / "merge.json", merge_template(stage))
    pinned = [ROOT / "requirements.txt", *(ROOT / "requirements" / "channels" / f"{name}.txt" for name in channels)]
    lines = {line for path in pinned for line in path.read_text().splitlines() if line and not line.startswith("#")}
    (folder / "requirements.txt").write_text("\n".join(sorted(lines)) + "\n")
    return folder


def _chalice(project: Path, stage: str) -> Path:
    """The folder with what `chalice package` wrote."""
    chalice = Path(sys.executable).with_name("chalice")
    command = [str(chalice), "package", "--stage", stage, "--merge-template", "merge.json", "out"]
    environment = {**os.environ, "AWS_DEFAULT_REGION": REGION, "PYTHONPATH": ""}
    done = subprocess.run(  # noqa: S603
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"chalice package failed:\n{done.stdout}{done.stderr}")
    return project / "out"


def finished(sam: Json) -> Json:
    """What a merge can not do: API Gateway names its function in words instead of by reference, so that the function's
    settings can name the API (`names.function_name`)."""
    api = sam["Resources"]["RestAPI"]["Properties"]
    arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:" + function_name("api_handler")
    api["DefinitionBody"] = json.loads(json.dumps(api["DefinitionBody"]).replace("${APIHandler.Arn}", arn))
    return sam


def _write(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")


def _tell(zipped: Path, folder: Path, architecture: str) -> None:
    size = zipped.stat().st_size
    unzipped = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{zipped.name}: {size / 1e6:.1f} MB zipped, {unzipped / 1e6:.1f} MB unzipped, for {architecture}")
    if size > ZIPPED_BYTES_MAX:
        sys.exit(f"The package may have {ZIPPED_BYTES_MAX / 1e6:.0f} MB zipped at most.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.package", description="Builds the deployment package.")
    parser.add_argument("--stage", default="prod", choices=("dev", "prod"))
    parser.add_argument("--architecture", default="arm64", choices=("arm64", "x86_64"))
    parser.add_argument("--channel", action="append", default=[], help="a channel whose client library goes along")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "aws")
    options = parser.parse_args()
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    package(options.out, options.stage, options.architecture, options.channel)


if __name__ == "__main__":
    main()
