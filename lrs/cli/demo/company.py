"""The demo's company: its processes, credentials, people, courses and targets."""
from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from lrs.auth import credentials
from lrs.cli.demo.processes import Processes, free_port
from lrs.config import Settings
from lrs.directory import csv
from lrs.management import connections
from lrs.services import Services
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.work import TargetRow

LRS = "from lrs.cli.main import main; main()"
PROVIDERS = ("forklift-sim", "moodle", "cmi5-lms", "storyline", "adapt", "scorm-player", "h5p", "simulator-lab", "acme-lms")
HRIS_KEY, CRM_TOKEN, ZOOM_SECRET = "demo-hris-key", "demo-crm-token", "demo-zoom-secret-token"
BAD_DAY = {"hris": ("status:503x2",), "crm": ("throttle:1x1", "reset-afterx1")}
"""What goes wrong at first at each target: it costs nobody a completion."""
GRACE = "employee_id,email,name,identifiers\n00106,grace.ito@partner.example,Grace Ito,https://partner.example|grace\n"


@dataclass(frozen=True, slots=True)
class Company:
    """Where everything is: base URLs, the open store, and a (key, secret) for each provider and for the reader."""

    folder: Path
    data: Path
    url: str
    hris_url: str
    crm_url: str
    zoom_url: str
    store: Store
    reader: tuple[str, str]
    providers: dict[str, tuple[str, str]] = field(default_factory=dict)


def found(folder: Path, processes: Processes, place: str, port: int, broken: Set[str]) -> Company:
    """Start the sandboxes and the LRS, and fill the directory. `place`: the database, '' for files in `folder`; `broken` names the
    legs to break."""
    data, urls = folder / "data", {}
    for name, module, key in (("hris", "bamboohr", HRIS_KEY), ("crm", "hubspot", CRM_TOKEN), ("zoom", "zoom", ZOOM_SECRET)):
        twin = free_port()
        urls[name] = f"http://127.0.0.1:{twin}"
        faults = [part for one in BAD_DAY.get(name, ()) for part in ("--fault", one)]
        options = ["--port", str(twin), "--data", str(folder / f"{name}.db"), "--key", key, *faults]
        processes.start(name, ["-m", f"lrs.sandbox.{module}", *options], f"{urls[name]}/health")
    hris_url, crm_url, zoom_url = urls["hris"], urls["crm"], urls["zoom"]
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    processes.start("lrs", ["-c", LRS, "--data", str(data), "serve", "--port", str(port)], f"{url}/health/ready",
                    {"LRS_PUBLIC_URL": url})
    store = open_store(place or data)
    for target in (
        TargetRow("hris", "bamboohr", {"url": hris_url, "api_key": "wrong" if "hris" in broken else HRIS_KEY,
                                    "training_type": 18, "allow_private": True}),
        TargetRow("crm", "hubspot", {"url": crm_url, "token": "wrong" if "crm" in broken else CRM_TOKEN, "allow_private": True}),
    ):
        store.work.add_target(target)
    for name, read, put in (
        ("courses.csv", csv.courses, store.directory.put_courses), ("people.csv", csv.people, store.directory.put_people),
    ):
        text = files("lrs.cli.demo").joinpath(name).read_text().replace("{public_url}", url)
        put([row for _, row in read(text.splitlines(keepends=True))[0]])  # type: ignore[operator]
    made = {name: credentials.create(store.credentials, name=name, public_url=url, key=f"demo-{name}") for name in PROVIDERS}
    scopes = ["statements/read"] if "feed" in broken else ["feeds/read", "all/read"]
    reader = credentials.create(store.credentials, name="Analyst", public_url=url, scopes=scopes, key="demo-analyst")
    connections.add(Services(Settings(data=data, public_url=url), store), who="cli:demo", name="zoom-acme", source="zoom", settings={
        "secret_token": "another" if "zoom" in broken else ZOOM_SECRET, "account_id": "ACC-1", "client_id": "demo", "client_secret": "demo",
        "url": zoom_url, "auth_url": zoom_url, "allow_private": True})
    return Company(folder, data, url, hris_url, crm_url, zoom_url, store, ("demo-analyst", reader.secret),
                   {name: (one.credential.key, one.secret) for name, one in made.items()})


def learn_grace(acme: Company) -> None:
    """The directory learns who the unknown account is."""
    acme.store.directory.put_people([row for _, row in csv.people(GRACE.splitlines(keepends=True))[0]])

