"""A child of the supervisor: it dies with its parent, leaves Ctrl-C to it, and knows its settings."""
from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time

from lrs import log, services
from lrs.config import Settings, inherited
from lrs.errors import StoreUnavailable, WrongState
from lrs.serve import heap
from lrs.store.open_store import Store

_PR_SET_PDEATHSIG = 1


def begin(parent: int) -> Settings:
    """Tie this process to `parent` (a process id), set up its log, keep its heap small, and read the settings from the environment."""
    die_with(parent)
    # Ctrl-C reaches the whole process group; the supervisor alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = inherited(os.environ)
    log.set_up(settings.log_level, settings.log_json)
    heap.keep_small()
    return settings


def store_of(settings: Settings) -> Store:
    """The store that the settings name. Where it cannot be had, this process ends with a sentence in the log (exit code 75); the
    supervisor starts it again."""
    try:
        return services.store_of(settings)
    except (StoreUnavailable, WrongState) as fault:
        logging.getLogger("lrs.serve").error("%s", fault)
        sys.exit(75)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the process that started it ends, however it ends.

    Where there is no such call (not Linux) a thread looks twice a second.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    # The parent may have died before the call.
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
