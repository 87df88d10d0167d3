"""The production shape: what can be known of docker-compose.yml without a container engine.

podman-compose interpolates and merges the file; compose-spec checks the result strictly against the Compose specification.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from yuyan import secrets, settings
from yuyan_demo.runtime import environment, services

FILE = settings.PROJECT / "docker-compose.yml"
EXAMPLE = settings.PROJECT / ".env.example"
SECRETS = [
    line.partition("=")[0]
    for line in EXAMPLE.read_text().splitlines()
    if "=" in line and not line.startswith("#")
]
ONE_SHOT = {"init", "city"}


@pytest.fixture(scope="module")
def compose(tmp_path_factory):
    """`podman-compose config` on the project's file: (values of the secrets, *profiles) -> completed process."""
    tmp_path = tmp_path_factory.mktemp("compose")
    engine = (
        tmp_path / "bin" / "podman"
    )  # podman-compose asks the engine for its version before anything else
    engine.parent.mkdir()
    engine.write_text("#!/bin/sh\necho 'podman version 5.4.0'\n")
    engine.chmod(0o755)

    def config(values: dict[str, str], *profiles: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "values.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        chosen = [part for profile in profiles for part in ("--profile", profile)]
        return subprocess.run(
            [sys.executable, "-m", "podman_compose", "-f", str(FILE), "--env-file", str(file), *chosen, "config"],
            env={"PATH": f"{engine.parent}{os.pathsep}{os.defpath}", "HOME": str(tmp_path)},
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip

    return config


@pytest.fixture(scope="module")
def demo(compose) -> dict:
    """The whole file with the demo profile, secrets filled in."""
    done = compose({name: f"value-of-{name.lower()}" for name in SECRETS}, "demo")
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def test_it_is_compose(demo):
    parsed = PyCompose.from_yaml(yaml.safe_dump(demo))
    parsed.validate()
    parsed.to_spec()
    assert set(parsed.service_names()) == {
        "postgres", "redis", "init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "monitor", "city",
        "platforms",
    }  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_a_missing_secret_is_refused_by_name(compose, secret):
    done = compose({name: "x" for name in SECRETS if name != secret})
    assert done.returncode != 0
    assert secret in done.stderr


def test_the_example_gives_no_secret_away():
    assert SECRETS
    for line in EXAMPLE.read_text().splitlines():
        assert line.startswith("#") or not line or line.endswith("="), line
    assert set(secrets.ENVIRONMENT.values()) <= set(SECRETS)


def test_every_secret_reaches_a_service(demo):
    text = yaml.safe_dump(demo)
    for name in SECRETS:
        assert f"value-of-{name.lower()}" in text


def test_no_secret_is_an_argument(demo):
    """What starts a process can be read in the list of processes by whoever is on the machine."""
    for name, service in demo["services"].items():
        started = [
            service.get("command"),
            service.get("entrypoint"),
            service.get("healthcheck", {}).get("test"),
        ]
        started += [
            v for k, v in service.get("environment", {}).items() if k.endswith(("_ARGS", "_OPTS", "_OPTIONS"))
        ]
        assert "value-of-" not in yaml.safe_dump(started), name


def test_the_platforms_belong_to_the_demo_only(compose):
    done = compose(dict.fromkeys(SECRETS, "x"))
    assert not {"city", "platforms"} & set(yaml.safe_load(done.stdout)["services"])


def test_what_a_service_refers_to_exists(demo):
    for name, service in demo["services"].items():
        for other, wish in service.get("depends_on", {}).items():
            assert other in demo["services"], (name, other)
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in demo["services"][other], (name, other)
            if wish["condition"] == "service_completed_successfully":
                assert other in ONE_SHOT, (name, other)
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            if source in demo["volumes"]:
                continue
            assert (settings.PROJECT / source).exists(), (name, source)
            assert volume.endswith(":ro"), (name, source)
        mode = service.get("network_mode", "")
        assert not mode.startswith("service:") or mode.removeprefix("service:") in demo["services"], name


def test_every_lasting_service_is_watched_and_comes_back(demo):
    for name, service in demo["services"].items():
        if name in ONE_SHOT:
            assert service["restart"] == "no", name
        else:
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
            assert service["restart"] == "unless-stopped", name


IMAGE = re.compile(r"docker\.io/library/\w+@sha256:[0-9a-f]{64}")


def test_every_image_of_others_is_named_by_its_digest(demo):
    lines = (settings.PROJECT / "Dockerfile").read_text().splitlines()
    bases = {line.split()[1] for line in lines if line.startswith("FROM")}
    stages = {line.split()[-1] for line in lines if line.startswith("FROM")}
    assert bases - stages == {"${BASE}"}
    used = [line.partition("=")[2] for line in lines if line.startswith("ARG BASE=")]
    used += [service["image"] for service in demo["services"].values() if "build" not in service]
    assert len(used) == 3
    assert [image for image in used if not IMAGE.fullmatch(image)] == []
    page = (settings.PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [image for image in used if image.partition("@")[2] not in page] == []


def test_every_stage_installs_as_root_and_ends_as_somebody_else():
    stages = (settings.PROJECT / "Dockerfile").read_text().split("\nFROM ")[1:]
    assert len(stages) == 2
    for number, stage in enumerate(stages):
        steps = [line.split()[:2] for line in stage.splitlines() if line.startswith(("USER", "RUN"))]
        assert steps[-1] == ["USER", "yuyan"]
        assert number == 0 or steps[0] == ["USER", "root"]  # the stage before has left it


OWN = {
    "YUYAN_INSTITUTIONS": "include/institutions",
    "YUYAN_PLATFORMS": "include/platforms",
    "YUYAN_STEWARDS": "include/stewards.yml",
    "YUYAN_ROLES": "include/roles.yml",
    "YUYAN_SCHEMES": "include/schemes",
}


def test_a_deployments_own_files_reach_every_process_of_the_line(compose):
    given = {name.replace("YUYAN_", "YUYAN_HOST_"): f"/srv/{name.lower()}" for name in OWN}
    done = compose(dict.fromkeys(SECRETS, "x") | given)
    line = [s for s in yaml.safe_load(done.stdout)["services"].values() if s.get("build")]
    assert len(line) > 5
    for service in line:
        mounts = dict(volume.split(":")[:2] for volume in service["volumes"])
        for name in OWN:
            assert mounts[f"/srv/{name.lower()}"] == service["environment"][name]


def test_the_projects_own_files_are_those_that_it_mounts_unless_told_otherwise(demo):
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in demo["services"]["worker"]["volumes"]}
    for name, source in OWN.items():
        assert mounts[demo["services"]["worker"]["environment"][name]] == f"./{source}"


def test_no_service_may_use_up_the_machine_or_its_disk(demo):
    for name, service in demo["services"].items():
        assert {"memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_ports_are_published_on_loopback_unless_asked_otherwise(demo):
    published = [port for service in demo["services"].values() for port in service.get("ports", [])]
    assert len(published) == 3
    for port in published:
        address = port["host_ip"] if isinstance(port, dict) else port.split(":")[0]
        assert address == "127.0.0.1"


def test_airflow_is_configured_alike_everywhere_and_reports_to_nobody(demo):
    airflow = [s["environment"] for s in demo["services"].values() if s.get("command", [""])[0] == "airflow"]
    assert len(airflow) == 5
    for variables in airflow:
        assert {k: v for k, v in variables.items() if not k.startswith(DSN)} == {
            k: v for k, v in airflow[0].items() if not k.startswith(DSN)
        }
        assert {name: variables[name] for name in environment.NO_TELEMETRY} == environment.NO_TELEMETRY
    assert airflow[0]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


DSN = "YUYAN_WAREHOUSE_DSN"
REACH = {
    "init": {DSN, *(f"{DSN}_{stage.upper()}" for stage in settings.STAGES)},
    "city": {DSN, *(f"{DSN}_{stage.upper()}" for stage in settings.STAGES)},
    "worker": {f"{DSN}_{stage.upper()}" for stage in settings.STAGES},
    "dag-processor": {f"{DSN}_COLLECT"},
    "monitor": {f"{DSN}_COLLECT"},
}
"""By which logins a service reaches the warehouse; the others have none."""


def test_a_service_has_the_logins_that_it_needs(demo):
    for name, service in demo["services"].items():
        found = {
            key: value
            for key, value in service.get("environment", {}).items()
            if "@postgres:5432/warehouse" in str(value)
        }
        assert set(found) == REACH.get(name, set()), name
        for stage in settings.STAGES:
            if (variable := f"{DSN}_{stage.upper()}") in found:
                assert found[variable].startswith(f"postgresql://yuyan_{stage}:"), (name, stage)


def test_commands_are_those_that_run_without_a_container(demo):
    """tests/runtime starts Airflow's processes, the worker, `yuyan init`, `yuyan simulate` and the platforms for real."""
    commands = {
        name: service["command"] for name, service in demo["services"].items() if service.get("build")
    }
    for name, command in services.AIRFLOW.items():
        assert commands[name] == ["airflow", command[0]]
    assert commands["worker"] == ["airflow", "celery", "worker"]
    assert commands["init"] == ["yuyan", "init"]
    assert commands["monitor"][:2] == ["yuyan", "monitor"]
    assert commands["city"] == ["yuyan", "simulate", "--port", "8100"]
    assert commands["platforms"][:4] == ["python", "-m", "yuyan_demo.simulator", "serve"]


def test_the_image_holds_what_the_project_reads(demo):
    lines = (settings.PROJECT / "Dockerfile").read_text().splitlines()
    copied = {Path(word).parts[0] for line in lines if line.startswith("COPY") for word in line.split()[2:-1]}
    kept = (settings.PROJECT / ".dockerignore").read_text().splitlines()
    for folder in ("include", "dags", "dbt_project", "expectations", "requirements", "pyproject.toml"):
        assert folder in copied
        assert f"!{folder}" in kept
