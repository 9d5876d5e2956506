"""A client of DynamoDB whose answers get lost, or under which the process dies."""

from __future__ import annotations

from typing import Any


class Crash(BaseException):
    """The process is gone."""


class Faulty:
    """A client whose call of that name is made once more, or after which the process dies."""

    def __init__(self, client: Any, name: str, *, is_repeated: bool) -> None:
        self._client = client
        self._name = name
        self._is_repeated = is_repeated

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name != self._name:
            return real

        def call(**asked: Any) -> Any:
            answer = real(**asked)
            if self._is_repeated:  # as the SDK does when the answer is lost
                return real(**asked)
            raise Crash(answer)

        return call
