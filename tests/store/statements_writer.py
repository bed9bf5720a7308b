"""A process that writes statements: argv are place (folder or URL), threads, statements a thread, and a seed for ids."""
import json
import sys
import threading
import uuid

from store_openers import opened

from lrs.errors import Conflict
from lrs.statements.record import Prepared


def main(place: str, threads: int, each: int, seed: str) -> None:
    """Prints the ids that were acknowledged as new, and how many were refused. A seed makes ids that another
    process with that seed makes too, under a body of its own."""
    store, _ = opened(place)
    own = uuid.uuid4().bytes
    accepted: list[str] = []
    refused: list[str] = []

    def write(thread: int) -> None:
        for n in range(each):
            name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}/{thread}/{n}") if seed else uuid.uuid4())
            try:
                store.add([Prepared(name, (b"", own), own, (n % 5,), b"{}", "key", "acme")], lambda stored, new: stored.endswith(new))
                accepted.append(name)
            except Conflict:
                refused.append(name)

    running = [threading.Thread(target=write, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(json.dumps({"accepted": accepted, "refused": refused}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
