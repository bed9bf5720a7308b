"""An independent witness, run as a process of its own: posts statements and keeps, fsynced, what was acknowledged.

Usage: recorder.py URL KEY SECRET FILE THREADS. Ends when standard input closes. A statement that got no answer is sent
again under the same id until it gets one, as a careful client would; only a 2xx is written down.
"""
import json
import os
import sys
import threading
import time
import uuid

import httpx

COURSE = "http://adlnet.gov/expapi/activities/course"


def statement(number: int) -> dict:
    name = uuid.uuid4()
    return {"id": str(name), "actor": {"mbox": f"mailto:person{number % 50}@acme.example"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": f"https://courses.acme.example/{name}", "definition": {"type": COURSE}}}


def main() -> None:
    url, key, secret, path, threads = sys.argv[1:]
    stop, lock = threading.Event(), threading.Lock()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def post(worker: int) -> None:
        number = worker
        client = httpx.Client(timeout=10, auth=(key, secret), headers={"X-Experience-API-Version": "1.0.3"})
        while not stop.is_set():
            size = 1 if number % 3 else 4
            batch = [statement(number + i) for i in range(size)]
            body = json.dumps(batch[0] if size == 1 else batch)
            number += 7
            while True:
                try:
                    answer = client.post(url + "/xapi/statements", content=body, headers={"Content-Type": "application/json"})
                except httpx.TransportError:
                    if stop.is_set():
                        return
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    with lock:
                        os.write(file, "".join(one["id"] + "\n" for one in batch).encode())
                        os.fsync(file)
                elif answer.status_code != 503:
                    print(answer.status_code, answer.text[:500], file=sys.stderr, flush=True)
                    os._exit(3)
                else:
                    time.sleep(0.05)
                    continue
                break
            time.sleep(0.01)

    workers = [threading.Thread(target=post, args=(n,)) for n in range(int(threads))]
    for thread in workers:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in workers:
        thread.join()


if __name__ == "__main__":
    main()
