"""A libvirt domain as XML: its elements, each with its location in the text.

The input is untrusted, so nothing in it is expanded or fetched: the parser is defusedxml, and a
document type declaration, which no domain has, is an error. The size limits are those of libvirt
and libxml2.
"""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from html import escape
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ErrorString

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from defusedxml.ElementTree import ParseError as XmlError

from secboot.errors import Location, ParseError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 4 * 2**20
"""In bytes. libvirt does not accept a longer text (REMOTE_STRING_MAX in its remote protocol)."""
DEEPEST = 256
"""Nesting levels. libxml2, and so libvirt, does not read more (xmlParserMaxDepth)."""

_MARKS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16le"), (BOM_UTF16_BE, "utf-16be"))
_HOW_TO_GET_ONE = "virsh dumpxml GUEST prints the domain of a guest"


class Element(NamedTuple):
    """An element; `text` is the text directly inside it, without surrounding blanks.

    A name in a namespace is written ``{namespace}name``.
    """

    name: str
    attributes: Mapping[str, str]
    location: Location
    children: tuple[Element, ...]
    text: str

    def get(self, attribute: str) -> str:
        """Return the value of an attribute; "" if it is not set."""
        return self.attributes.get(attribute, "")

    def every(self, name: str) -> tuple[Element, ...]:
        """Return the children with this name."""
        return tuple(each for each in self.children if each.name == name)

    def find(self, *names: str) -> Element | None:
        """Follow a path: the first child with the first name, its first child with the next, ..."""
        found: Element | None = self
        for name in names:
            inside = () if found is None else found.every(name)
            found = inside[0] if inside else None
        return found

    def written(self, **attributes: str) -> str:
        """Return the element as XML on one line, with these attributes added or replaced."""
        both = {**self.attributes, **attributes}
        words = [self.name, *(f"{name}='{_escaped(value)}'" for name, value in both.items())]
        inside = escape(self.text, quote=False) + "".join(each.written() for each in self.children)
        return f"<{' '.join(words)}" + (f">{inside}</{self.name}>" if inside else "/>")


def parse_domain(content: bytes, path: str) -> Element:
    """Return the ``<domain>`` in a text; `path` is its name in messages.

    Raises ParseError, with the location, unless the text is one XML document with a domain.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            # The parser would count the mark as a character of the first line.
            content = content.removeprefix(mark)
            return _parse(content, encoding, path)
    return _parse(content, None, path)


def _parse(content: bytes, encoding: str | None, path: str) -> Element:
    if not content.strip():
        raise ParseError("empty: no domain found", location=Location(path))
    if len(content) > LARGEST:
        limit = f"{LARGEST // 2**20} MiB"
        message = f"not a domain: larger than {limit}, the most that libvirt accepts"
        raise ParseError(message, location=Location(path))
    target = _Target(path)
    parser = DefusedXMLParser(target=target, encoding=encoding, forbid_dtd=True)
    target.parser = parser.parser
    try:
        parser.feed(content)
        parser.close()
    except DefusedXmlException as error:
        raise ParseError(
            "document type declarations are not allowed: no libvirt domain has one, and their"
            " entities could expand without limit",
            location=target.here(),
            hint=_HOW_TO_GET_ONE,
        ) from error
    except XmlError as error:
        line, column = error.position
        raise _not_xml(error.code, Location(path, line, column + 1)) from error
    except (ValueError, LookupError) as error:
        # An encoding that Python does not know, or that expat does not support.
        message = f"not XML in a supported encoding: {error}"
        raise ParseError(message, location=target.here()) from error
    return _domain(target.root)


def _escaped(value: str) -> str:
    """Escape the value of an attribute; a parser would turn unescaped line ends into blanks."""
    return escape(value).translate({code: f"&#{code};" for code in b"\t\n\r"})


class _Target:
    """Builds elements from what the parser reports."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.parser: Any = None
        self._open: list[tuple[str, dict[str, str], Location, list[Element]]] = []
        self._text: list[list[str]] = []
        self.root: Element | None = None

    def here(self) -> Location:
        """Return the location that the parser has reached."""
        column = self.parser.CurrentColumnNumber + 1
        return Location(self._path, self.parser.CurrentLineNumber, column)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == DEEPEST:
            message = f"not a domain: elements are nested more than {DEEPEST} deep"
            raise ParseError(message, location=self.here())
        self._open.append((tag, attributes, self.here(), []))
        self._text.append([])

    def data(self, text: str) -> None:
        if self._text:
            self._text[-1].append(text)

    def end(self, _tag: str) -> None:
        name, attributes, location, children = self._open.pop()
        text = "".join(self._text.pop()).strip()
        element = Element(name, attributes, location, tuple(children), text)
        if self._open:
            self._open[-1][3].append(element)
        else:
            self.root = element

    def close(self) -> None:
        """Do nothing: the root is set when its end tag is reached."""


def _not_xml(code: int, location: Location) -> ParseError:
    what = ErrorString(code) or "not well-formed"
    hint: str | None = _HOW_TO_GET_ONE
    if what == "junk after document element":
        what = "the document ends before this point"
        hint = "check one domain at a time"
    elif what == "no element found":
        what = "the text ends before the document is complete"
    return ParseError(f"not XML: {what}", location=location, hint=hint)


def _domain(root: Element | None) -> Element:
    """Return the domain of a document; libvirt's own state files have it inside ``<domstatus>``."""
    assert root is not None  # noqa: S101 - the parser has seen the end of the document
    if root.name == "domstatus":
        root = root.find("domain") or root
    if root.name != "domain":
        raise ParseError(
            f"not a domain: the document is <{root.name}>",
            location=root.location,
            hint=_HOW_TO_GET_ONE,
        )
    return root
