"""The request that this thread is answering; see ``web.api`` for why Chalice's own will not do."""

from __future__ import annotations

import threading

from chalice.app import Request


class _Current(threading.local):
    request: Request | None = None


current = _Current()
