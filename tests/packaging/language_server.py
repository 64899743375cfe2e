"""A client of yaml-language-server: what an editor asks while a profile is written."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.packaging import npm

SERVER = "yaml-language-server/bin/yaml-language-server"
TIMEOUT = 60
"""Seconds after which a server that says nothing is killed."""


class LanguageServer:
    """A running server that knows one schema, for the files of one directory."""

    def __init__(self, node: str, schema: Path, directory: Path, yaml_version: str) -> None:
        self._directory = directory
        self._last = 0
        self._process = subprocess.Popen(
            ["timeout", str(TIMEOUT), node, str(npm.modules() / SERVER), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._settings = {
            "schemas": {schema.as_uri(): "*.yaml"},
            "schemaStore": {"enable": False},
            "yamlVersion": yaml_version,
        }

    def __enter__(self) -> Self:
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True}},
            },
        }
        root = self._directory.as_uri()
        self._ask("initialize", processId=None, rootUri=root, capabilities=capabilities)
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings={"yaml": self._settings})
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._process.kill()
        self._process.communicate()

    def problems(self, name: str, text: str) -> list[tuple[int, int, str]]:
        """Open a file, and return line, column and message of all that the server finds."""
        document = {"uri": self._uri(name), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=document)
        while True:
            said = self._receive()
            if said.get("method") == "textDocument/publishDiagnostics":
                break
        found = said["params"]["diagnostics"]
        starts = [each["range"]["start"] for each in found]
        return sorted(
            (start["line"] + 1, start["character"] + 1, each["message"])
            for start, each in zip(starts, found, strict=True)
        )

    def completions(self, name: str, line: int, column: int) -> list[str]:
        """What can be written at a place of an open file."""
        answer = self._ask("textDocument/completion", **self._place(name, line, column))
        items = answer if isinstance(answer, list) else answer["items"]
        return sorted(each["label"] for each in items)

    def hover(self, name: str, line: int, column: int) -> str:
        """What is shown of the word at a place of an open file."""
        answer = self._ask("textDocument/hover", **self._place(name, line, column))
        return str(answer["contents"]["value"])

    def _uri(self, name: str) -> str:
        return (self._directory / name).as_uri()

    def _place(self, name: str, line: int, column: int) -> dict[str, Any]:
        position = {"line": line - 1, "character": column - 1}
        return {"textDocument": {"uri": self._uri(name)}, "position": position}

    def _tell(self, method: str, **parameters: object) -> None:
        self._send({"method": method, "params": parameters})

    def _ask(self, method: str, **parameters: object) -> Any:  # noqa: ANN401 - the answer is JSON
        self._last += 1
        self._send({"id": self._last, "method": method, "params": parameters})
        while True:
            said = self._receive()
            if said.get("id") == self._last and "method" not in said:
                assert "error" not in said, said
                return said["result"]

    def _receive(self) -> dict[str, Any]:
        """The next message; what the server asks of an editor is answered on the way."""
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            key, _, value = line.partition(b":")
            if key.lower() == b"content-length":
                length = int(value)
        assert length, "the language server has ended"
        said: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "id" in said and "method" in said:
            result = None
            if said["method"] == "workspace/configuration":
                items = said["params"]["items"]
                result = [self._settings if e.get("section") == "yaml" else {} for e in items]
            self._send({"id": said["id"], "result": result})
        return said

    def _send(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._process.stdin.flush()
