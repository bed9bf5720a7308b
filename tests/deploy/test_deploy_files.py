"""Each file of deployment is accepted by a tool of its kind, and names only settings and commands that there are."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from real_parts import CACHE, program
from ruamel.yaml import YAML

from lrs.config import load

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "concord-lrs"
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
LINTER = {"dockerfilelint": "1.8.0"}


def run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(text: str) -> list[Any]:
    return [one for one in YAML(typ="safe").load_all(text) if one]


COMPOSE = documents((ROOT / "compose.yaml").read_text())[0]
OURS = ("web", "worker", "beat")


def test_compose_fits_its_schema() -> None:
    run(Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_runs_without_rights_and_writes_to_its_volumes_alone(name: str) -> None:
    service = COMPOSE["services"][name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["user"] not in ("0", "root")
    assert "healthcheck" in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert {one.split(":")[0] for one in service.get("volumes", ())} <= COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_compose_are_settings_and_name_services_that_there_are(name: str) -> None:
    environment = COMPOSE["services"][name]["environment"]
    found = load({key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for key, value in environment.items()})
    servers = {urlsplit(found.store).hostname, urlsplit(found.broker_url).hostname}
    assert servers == COMPOSE["services"][name]["depends_on"].keys() == COMPOSE["services"].keys() - {*OURS}


def test_the_settings_of_the_units_are_settings() -> None:
    lines = (ROOT / "deploy" / "systemd" / "environment").read_text().splitlines()
    load(dict(line.split("=", 1) for line in lines if line and not line.startswith("#")))


def test_the_dockerfile_has_no_finding() -> None:
    place = CACHE.parent / "dockerfilelint"
    npm = program("npm", "apt-get install nodejs npm")
    wanted = json.dumps({"private": True, "dependencies": LINTER})
    if not (place / "node_modules").is_dir() or (place / "package.json").read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (place / "package.json").write_text(wanted)
        run(npm, "install", "--prefix", place, "--no-audit", "--no-fund", "--ignore-scripts")
    found = json.loads(run(place / "node_modules" / ".bin" / "dockerfilelint", "-o", "json", ROOT / "Dockerfile"))
    assert found["totalIssues"] == 0, found


def test_the_image_has_all_that_the_wheel_is_made_of_and_runs_as_nobody() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]}
    packages = {one.split(".")[0] for one in copied if (ROOT / one).is_dir()}
    assert packages == {"lrs", "workers", "verbs", "analytics"}
    assert all((ROOT / one).exists() for one in copied)
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == copied
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]


def here(unit: Path) -> str:
    """The unit with the programs of this machine."""
    return unit.read_text().replace("/opt/lrs/bin", str(Path(sys.executable).parent))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "apt-get install systemd")
    copy = tmp_path / unit.name
    copy.write_text(here(unit))
    done = subprocess.run([analyze, "verify", "--recursive-errors=no", str(copy)], capture_output=True, text=True, check=False)
    # what it says of other units of this machine is not ours
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.stem in line]) == (0, [])


def test_what_systemd_does_not_know_is_seen(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "apt-get install systemd")
    bad = tmp_path / "lrs-bad.service"
    bad.write_text(here(UNITS[0]).replace("NoNewPrivileges=", "NoPrivileges="))
    told = subprocess.run([analyze, "verify", "--recursive-errors=no", str(bad)], capture_output=True, text=True, check=False).stderr
    assert [line for line in told.splitlines() if "lrs-bad" in line]


def test_web_worker_and_beat_start_alike_everywhere() -> None:
    compose = {name: COMPOSE["services"][name]["command"] for name in OURS}
    units = {unit.stem.removeprefix("lrs-"): re.findall(r"^ExecStart=/opt/lrs/bin/(.*)$", unit.read_text(), re.M)[0].split()
             for unit in UNITS}
    chart = {one["name"]: one["command"] for one in pod(templated())["containers"]}
    assert compose == units == chart


def templated(*more: str) -> list[Any]:
    helm = program("helm", "go install helm.sh/helm/v3/cmd/helm@v3.19.5")
    return documents(run(helm, "template", "some", CHART, *more))


def pod(found: list[Any]) -> Any:
    return next(one["spec"]["template"]["spec"] for one in found if one["kind"] == "StatefulSet")


def test_helm_takes_the_chart() -> None:
    run(program("helm", "go install helm.sh/helm/v3/cmd/helm@v3.19.5"), "lint", "--strict", CHART)


@pytest.mark.parametrize("more", [(), ("--set", "ingress.enabled=true,ingress.className=nginx,ingress.tlsSecret=lrs"),
                                  ("--set", "brokerUrl=redis://there:6379/0"),
                                  ("--set", "secretNames={lrs-broker},settings.LRS_PAGE_MAX=200")])
def test_the_chart_makes_settings_that_are_settings_and_pods_without_rights(more: tuple[str, ...]) -> None:
    found = templated(*more)
    settings: dict[str, str] = next(one["data"] for one in found if one["kind"] == "ConfigMap")
    load(settings)
    for one in found:
        if one["kind"] in ("StatefulSet", "Deployment"):
            spec = one["spec"]["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"]
            for container in spec["containers"]:
                assert container["securityContext"]["readOnlyRootFilesystem"]
                assert "limits" in container["resources"]
    # a service named lrs-… would put variables LRS_…_PORT into the environment, which are no settings
    assert pod(found)["enableServiceLinks"] is False
    kinds = [one["kind"] for one in found]
    assert ("Ingress" in kinds, "Deployment" in kinds) == ("ingress.enabled=true" in str(more), not more or "ingress" in str(more))
