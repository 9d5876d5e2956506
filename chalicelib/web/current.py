"""The request that this thread is answering; ``web.chalice_api`` says why not Chalice's own."""

from __future__ import annotations

import threading

from chalice.app import Request


class _Current(threading.local):
    request: Request | None = None


current = _Current()
