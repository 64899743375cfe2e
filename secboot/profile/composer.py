"""Build a profile's nodes from the events of the YAML parser.

The events are read one by one and the YAML library never builds objects from them, so an alias
cannot multiply and nesting that is too deep is stopped. Only `secboot.profile.document` imports
this module, and only when a profile is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from secboot.errors import Location
from secboot.profile.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.profile.nodes import Problems

DEPTH_LIMIT = 8
"""Levels of nesting; a valid profile has at most 3."""


_YAML_TAG = "tag:yaml.org,2002:"


class _TooDeepError(Exception):
    """The nesting is deeper than in any valid profile."""


class Composer:
    """Builds nodes from parser events and reports what is not allowed."""

    def __init__(self, path: str, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._aliases: set[str] = set()

    def compose(self, text: str) -> Node | None:
        """Read the text's only document; return None if nothing usable is left."""
        try:
            return self._document(YAML(typ="safe", pure=True).parse(text))
        except YAMLError as error:
            self._syntax_error(error)
        except _TooDeepError:
            pass
        return None

    def _document(self, events: Iterator[Event]) -> Node | None:
        node: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._problems.error(
                        "second-document",
                        "a second YAML document starts here; a profile is a single document",
                        self._location(event),
                        "put it in a separate file",
                    )
                    return None
                self._check_directives(event)
            elif isinstance(event, NodeEvent):
                node = self._node(event, events, 1)
        if not documents:
            self._problems.error(
                "empty-file",
                "the file is empty",
                Location(self._path, 1, 1),
                "a profile starts with `version: 1`",
            )
        return node

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node | None:
        location = self._location(event)
        if depth > DEPTH_LIMIT:
            self._problems.error("nesting", "this is nested too deeply for a profile", location)
            raise _TooDeepError
        if isinstance(event, AliasEvent):
            self._refuse_alias(event.anchor, location)
            return None
        if isinstance(event, ScalarEvent):
            self._check_properties(event.anchor, event.tag, location)
            return Scalar(event.value, event.style is None, location)
        if isinstance(event, CollectionStartEvent):
            self._check_properties(event.anchor, event.tag, location)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, location, depth)
        return self._mapping(events, location, depth)

    def _sequence(self, events: Iterator[Event], location: Location, depth: int) -> Sequence:
        items = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            node = self._node(event, events, depth + 1)
            if node is not None:
                items.append(node)
        return Sequence(tuple(items), location)

    def _mapping(self, events: Iterator[Event], location: Location, depth: int) -> Mapping:
        items: dict[str, tuple[Scalar, Node]] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if isinstance(value, Scalar) and value.plain and not value.text and key is not None:
                # The parser places a missing value after the next line break.
                value = Scalar("", plain=True, location=key.location)
            checked = self._key(key, items)
            if checked is not None and value is not None:
                items[checked.text] = (checked, value)
        return Mapping(tuple(items.values()), location)

    def _key(self, key: Node | None, items: dict[str, tuple[Scalar, Node]]) -> Scalar | None:
        if key is None:
            return None
        if not isinstance(key, Scalar):
            self._problems.error("key-not-text", "a key must be a string", key.location)
            return None
        if key.text == "<<" and key.plain:
            self._problems.error(
                "merge-key",
                "the merge key << is not allowed in a profile",
                key.location,
                "write the keys themselves, or use `extends` to build on another profile",
            )
            return None
        if key.text in items:
            first = items[key.text][0].location
            self._problems.error(
                "key-twice",
                f"{key.text!r} is set twice, first on line {first.line}",
                key.location,
                "keep one of them",
            )
            return None
        return key

    def _refuse_alias(self, name: str, location: Location) -> None:
        """Report each name once: a malicious file has thousands of aliases."""
        if name not in self._aliases:
            self._problems.error(
                "alias",
                f"the alias *{name} is not allowed in a profile",
                location,
                "write the value itself",
            )
        self._aliases.add(name)

    def _check_properties(self, anchor: str | None, tag: str | None, location: Location) -> None:
        if anchor is not None:
            self._problems.error(
                "anchor", f"the anchor &{anchor} is not allowed in a profile", location, "remove it"
            )
        if tag is not None:
            self._problems.error(
                "tag",
                f"the tag {tag.replace(_YAML_TAG, '!!')} is not allowed in a profile",
                location,
                "remove it: every value is a string",
            )

    def _check_directives(self, event: DocumentStartEvent) -> None:
        if event.version is not None or event.tags:
            self._problems.error(
                "directive",
                "a % directive is not allowed in a profile",
                self._location(event),
                "remove the line",
            )

    def _syntax_error(self, error: YAMLError) -> None:
        location, problem, hint = Location(self._path), str(error), None
        if isinstance(error, MarkedYAMLError):
            problem = str(error.problem or error.context)
            # The place where a quote opens is more useful than the end of the file.
            unfinished = "end of stream" in problem and error.context_mark is not None
            mark = error.context_mark if unfinished else error.problem_mark
            location = Location(self._path, mark.line + 1, mark.column + 1)
        if "end of stream" in problem:
            problem = "a quote or bracket is opened but never closed"
            hint = "close the quote or bracket opened here"
        elif "'\\t'" in problem:
            problem, hint = "unexpected tab", "indent with spaces, not tabs"
        elif "mapping values are not allowed" in problem:
            problem = "unexpected ':'"
            hint = "put the value in quotes if the colon belongs to it, or check the indentation"
        self._problems.error("yaml", f"not valid YAML: {problem}", location, hint)

    def _location(self, event: Event) -> Location:
        return Location(self._path, event.start_mark.line + 1, event.start_mark.column + 1)
