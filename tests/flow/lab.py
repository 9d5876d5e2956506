"""The embedded home of a group: one real run with files, a work in the queue, and its tokens."""

from __future__ import annotations

import json
from datetime import timedelta

from chalicelib import bootstrap, tokens
from chalicelib.core.grants import Wanted
from chalicelib.core.principals import LOCAL, Caller, Scope
from chalicelib.core.site import Site
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from tests.flow.doors import falsework, shell_demand

MARK = "only-for-the-lab"
"""Stands in what the lab has, and in no request."""
SCHEMA = {"file": "out/m.json", "schema": [{"name": "auc", "label": "AUC", "dtype": "float"}]}
WORKFLOW = {"template": shell_demand("x", "true"), "result_schema": SCHEMA}
SITE = {
    "works_group": "lab",
    "result_schemas": {"lab": SCHEMA},
    "workflows": {"align": WORKFLOW},
    "group_workflows": {"lab": "align"},
}
BODIES = {
    "/runs/{run_id}/rollback": {"stage": "execute"},
    "/flowserv/runs/{run_id}": {"reason": "why not"},
    "/demand-executions": shell_demand("r1", "true"),
}
"""Of routes that refuse an empty object before they look whose it is."""
DAY = timedelta(days=1)


class Lab:
    """The embedded home with the lab's run in it, and a door where everybody needs a token."""

    def __init__(self, root):
        demand = shell_demand(
            "r1",
            f"mkdir ${{OUT}} && printf {MARK} > ${{OUT}}/{MARK}.txt"
            ' && printf "{\\"auc\\": 0.5}" > ${OUT}/m.json'
            f" && echo {MARK}",
            params={"out": MARK},
            outputs=["out"],
            output_s3_prefix=f"s3://bkt/{MARK}",
        )
        demand["options"] = {"group": "lab"}
        done = falsework("run", "-", "--wait", "--root", root, stdin=demand, cwd=root.parent)
        assert done.returncode == 0, done.stdout + done.stderr
        bootstrap.use(Settings(root=root, site=Site.model_validate(SITE)))
        self.ports = bootstrap.home().ports._replace(caller=Caller(LOCAL, "here"))
        self.gateway = Gateway()
        self.owner = self.token(Scope.READ, Scope.SUBMIT, groups={"lab"})
        work = {"pipeline": "sample", "site": "local", "user": MARK}
        assert self.ask("POST", "/buckets/work", [work], self.owner).status == 200
        files = json.loads(self.ask("GET", "/runs/r1/files", None, self.owner).body)["files"]
        self.parts = {
            "run_id": "r1", "group": "lab", "file_id": files[0]["id"], "pipeline": "sample",
            "days": "1", "workflow_id": "align", "operation": "stats",
            "token_id": self.owner[3:23],
        }  # fmt: skip

    def token(self, *scopes, groups=frozenset({"other"}), lifetime=DAY):
        wanted = Wanted("somebody", frozenset(scopes), groups and frozenset(groups), lifetime)
        return tokens.create(wanted, self.ports).text

    def expired(self):
        """A token that was good until a second ago."""
        then = self.ports.clock() - DAY - timedelta(seconds=1)
        ports = self.ports._replace(clock=lambda: then)
        return tokens.create(Wanted("x", frozenset(Scope), None, DAY), ports).text

    def revoked(self):
        text = self.token(*Scope, groups=None)
        tokens.revoke(text[3:23], self.ports)
        return text

    def ask(self, method, target, document, token, header="Authorization"):
        value = f"Bearer {token}" if header == "Authorization" else token
        shown = {} if token is None else {header: value}
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json", **shown}
        return self.gateway.request(method, target, headers, body)

    def walk(self, route, token, header="Authorization"):
        """Ask the route for what the lab has."""
        parts = dict.fromkeys(_names(route.path), "x") | self.parts
        document = BODIES.get(route.path, {}) if route.method in {"POST", "PUT"} else None
        return self.ask(route.method, route.path.format(**parts), document, token, header=header)

    def state(self):
        """Everything that a stranger might have changed."""
        objects = sorted(info.uri for info in self.ports.objects.list("s3://bkt"))
        works = self.ask("POST", "/buckets/view", {"query": {}}, self.owner).body
        ids = [token.id for token in tokens.list_tokens(self.ports.documents)]
        return self.ports.runs.load("r1"), objects, works, ids


def _names(path):
    return [part.partition("}")[0] for part in path.split("{")[1:]]
