"""DynamoDB clients that go wrong in one way each, around one that works."""

from __future__ import annotations

from collections import Counter
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

_OPERATIONS = {"get_item", "batch_get_item", "put_item", "update_item", "query"}
_WRITES = {"put_item", "update_item"}


class Around:
    """Passes every operation on to ``call``, which does with it what it likes."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return lambda **asked: self.call(name, asked)

    def call(self, name: str, asked: dict[str, Any]) -> Any:
        return getattr(self.client, name)(**asked)


class Recording(Around):
    """Remembers what it was asked, and how many items came back."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.items = 0

    def call(self, name: str, asked: dict[str, Any]) -> Any:
        self.asked.append((name, asked))
        answer = super().call(name, asked)
        self.items += len(answer.get("Items", ()))
        return answer

    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.asked)


class Repeating(Around):
    """Loses the first answer to every write, and sends it again as the SDK does."""

    def call(self, name: str, asked: dict[str, Any]) -> Any:
        if name in _WRITES:
            super().call(name, asked)
        return super().call(name, asked)


class Deaf(Around):
    """Loses every answer to a write, after its effect."""

    def call(self, name: str, asked: dict[str, Any]) -> Any:
        answer = super().call(name, asked)
        if name in _WRITES:
            raise ReadTimeoutError(endpoint_url="http://dynamodb")
        return answer


class Throttled(Around):
    """Turns everything away."""

    def call(self, name: str, asked: dict[str, Any]) -> Any:
        error = {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, name)


class Busy(Around):
    """Gets to a few keys of a batch at a time only; to none once its patience is at an end."""

    def __init__(self, client: Any, at_a_time: int = 3, patience: int = 1_000) -> None:
        super().__init__(client)
        self.at_a_time = at_a_time
        self.patience = patience

    def call(self, name: str, asked: dict[str, Any]) -> Any:
        if name != "batch_get_item":
            return super().call(name, asked)
        ((table, wanted),) = asked["RequestItems"].items()
        keys = wanted["Keys"]
        self.patience -= 1
        some, rest = keys[: self.at_a_time], keys[self.at_a_time :]
        if self.patience < 0:
            some, rest = [], keys
        answer: dict[str, Any] = {"Responses": {table: []}}
        if some:
            answer = super().call(name, {"RequestItems": {table: {**wanted, "Keys": some}}})
        answer["UnprocessedKeys"] = {table: {**wanted, "Keys": rest}} if rest else {}
        return answer
