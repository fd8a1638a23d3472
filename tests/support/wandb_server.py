"""A server that speaks as much of W&B's protocol as a run needs, and keeps what it is sent."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = "team"


@dataclass
class Received:
    """What runs have sent.

    Args:
        url: of the server.
        runs: id -> what was said of a run: group, configuration, tags, …
        stream: id -> file -> its lines.
        files: path below the server -> content, of media and artifacts.
        artifacts: name -> type.
        unknown: operations that the server has no answer to.
    """

    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stream: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def answer(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what W&B's GraphQL would answer."""
        make = getattr(self, f"_{operation}", None)
        if make is None:
            self.unknown.append(operation)
            return {}
        return make(variables)

    def _UpsertBucket(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        known = {key: value for key, value in v.items() if value is not None}
        run = self.runs.setdefault(v.get("name") or v["id"], {})
        run |= known
        project = {"id": "p", "name": run.get("project"), "entity": {"id": "e", "name": run.get("entity") or ENTITY}}
        bucket = {
            "id": v.get("name") or v["id"],
            "name": v.get("name") or v["id"],
            "displayName": run.get("displayName"),
        }
        return {"upsertBucket": {"bucket": {**bucket, "config": "{}", "project": project}, "inserted": True}}

    def _Viewer(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        viewer = {"id": "u", "entity": ENTITY, "username": "u", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer, "serverInfo": {"cliVersionInfo": {"max_cli_version": "999"}}}

    def _ArtifactType(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"project": {"artifact": None}}

    def _RunResumeStatus(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"model": {"id": "p", "name": v["project"], "entity": {"id": "e", "name": ENTITY}, "bucket": None}}

    def _CreateRunFiles(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        files = [{"name": name, "uploadUrl": f"{self.url}/run/{v['run']}/{name}"} for name in v["files"]]
        return {"createRunFiles": {"runID": v["run"], "uploadHeaders": [], "files": files}}

    def _CreateArtifact(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = v["input"]["artifactCollectionName"] if "input" in v else v["artifactCollectionNames"][0]
        self.artifacts[name] = (v.get("input") or v)["artifactTypeName"]
        artifact = {"id": name, "state": "PENDING", "artifactSequence": {"id": "s", "latestArtifact": None}}
        return {"createArtifact": {"artifact": artifact}}

    def _CreateArtifactManifest(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        file = {"id": "f", "uploadUrl": f"{self.url}/manifest/{v['artifactID']}.json", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}

    _UpdateArtifactManifest = _CreateArtifactManifest

    def _CreateArtifactFiles(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        nodes = [self._file_of_artifact(spec) for spec in v["input"]["artifactFiles"]]
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _file_of_artifact(self, spec: dict[str, Any]) -> dict[str, Any]:
        path = f"artifact/{spec['artifactID']}/{spec['name']}"
        return {
            "id": path,
            "name": spec["name"],
            "displayName": spec["name"],
            "uploadUrl": f"{self.url}/{path}",
            "uploadHeaders": [],
            "storagePath": path,
            "uploadMultipartUrls": None,
            "artifact": {"id": spec["artifactID"]},
        }

    def _CommitArtifact(self, v: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"commitArtifact": {"artifact": {"id": v["artifactID"], "digest": "d"}}}


@contextmanager
def wandb_server() -> Iterator[Received]:
    """Serve on a free port of this machine while the block runs."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Print nothing."""

        def do_POST(self) -> None:
            body = self._body()
            self._send(self._posted(body))

        def do_PUT(self) -> None:
            received.files[self.path.lstrip("/")] = self._body()
            self._send({})

        def do_GET(self) -> None:
            self._send({})

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _posted(self, body: bytes) -> dict[str, Any]:
            if self.path == "/graphql":
                call = json.loads(body)
                name = call.get("operationName") or re.split(r"\W+", call["query"].strip())[1]
                return {"data": received.answer(name, call.get("variables") or {})}
            if stream := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                files = received.stream.setdefault(stream[1], {})
                for name, part in (json.loads(body).get("files") or {}).items():
                    lines = files.setdefault(name, [])
                    lines[part["offset"] :] = part["content"]
            return {}

        def _send(self, data: dict[str, Any]) -> None:
            body = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
