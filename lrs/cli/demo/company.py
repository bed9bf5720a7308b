"""The demo's company: its processes, credentials, people, courses and targets."""
from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from lrs.auth import credentials
from lrs.cli.demo.processes import Processes, free_port
from lrs.directory import csv
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.work import TargetRow

LRS = "from lrs.cli.main import main; main()"
PROVIDERS = ("forklift-sim", "moodle", "cmi5-lms", "storyline", "adapt", "scorm-player", "h5p", "simulator-lab", "acme-lms")
HRIS_KEY, CRM_TOKEN = "demo-hris-key", "demo-crm-token"
GRACE = "employee_id,email,name,identifiers\n00106,grace.ito@partner.example,Grace Ito,https://partner.example|grace\n"


@dataclass(frozen=True, slots=True)
class Company:
    """Where everything is: base URLs, the open store, and a (key, secret) for each provider and for the reader."""

    folder: Path
    data: Path
    url: str
    hris_url: str
    crm_url: str
    store: Store
    reader: tuple[str, str]
    providers: dict[str, tuple[str, str]] = field(default_factory=dict)


def found(folder: Path, processes: Processes, port: int, broken: str) -> Company:
    """Start both sandboxes and the LRS, and fill the directory. `broken` names the leg to break."""
    data, ports = folder / "data", [free_port() for _ in range(2)]
    port = port or free_port()
    url, hris_url, crm_url = (f"http://127.0.0.1:{number}" for number in (port, *ports))
    processes.start("hris", ["-m", "lrs.sandbox.bamboohr", "--port", str(ports[0]), "--data", str(folder / "hris.db"), "--key", HRIS_KEY],
                    hris_url)
    processes.start("crm", ["-m", "lrs.sandbox.hubspot", "--port", str(ports[1]), "--data", str(folder / "crm.db"), "--key", CRM_TOKEN],
                    crm_url)
    processes.start("lrs", ["-c", LRS, "--data", str(data), "serve", "--port", str(port)], f"{url}/health/ready",
                    {"LRS_PUBLIC_URL": url})
    store = open_store(data)
    for target in (
        TargetRow("hris", "bamboohr", {"url": hris_url, "api_key": "wrong" if broken == "hris" else HRIS_KEY,
                                    "training_type": 18, "allow_private": True}),
        TargetRow("crm", "hubspot", {"url": crm_url, "token": "wrong" if broken == "crm" else CRM_TOKEN, "allow_private": True}),
    ):
        store.work.add_target(target)
    for name, read, put in (
        ("courses.csv", csv.courses, store.directory.put_courses), ("people.csv", csv.people, store.directory.put_people),
    ):
        text = files("lrs.cli.demo").joinpath(name).read_text().replace("{public_url}", url)
        put([row for _, row in read(text.splitlines(keepends=True))[0]])  # type: ignore[operator]
    made = {name: credentials.create(store.credentials, name=name, public_url=url, key=f"demo-{name}") for name in PROVIDERS}
    scopes = ["statements/read"] if broken == "feed" else ["feeds/read", "all/read"]
    reader = credentials.create(store.credentials, name="Analyst", public_url=url, scopes=scopes, key="demo-analyst")
    return Company(folder, data, url, hris_url, crm_url, store, ("demo-analyst", reader.secret),
                   {name: (one.credential.key, one.secret) for name, one in made.items()})


def learn_grace(acme: Company) -> None:
    """The directory learns who the unknown account is."""
    acme.store.directory.put_people([row for _, row in csv.people(GRACE.splitlines(keepends=True))[0]])

