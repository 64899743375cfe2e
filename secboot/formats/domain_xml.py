"""A libvirt domain as XML: its elements, each with its place in the text.

What is read may come from anybody, so nothing in it is expanded or fetched: the parser is that of
defusedxml, and a document type declaration, which a domain has none of, is an error. The sizes are
bounded as libvirt and libxml2 bound them.
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
"""Bytes. libvirt itself takes no longer text (REMOTE_STRING_MAX in its remote protocol)."""
DEEPEST = 256
"""Elements inside one another; libxml2 reads no more (xmlParserMaxDepth), so libvirt doesn't."""

_MARKS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16le"), (BOM_UTF16_BE, "utf-16be"))
_HOW_TO_GET_ONE = "virsh dumpxml GUEST prints the domain of a guest"


class Element(NamedTuple):
    """An element; `text` is what stands directly in it, without blanks around it.

    A name in a namespace is written ``{namespace}name``.
    """

    name: str
    attributes: Mapping[str, str]
    location: Location
    children: tuple[Element, ...]
    text: str

    def get(self, attribute: str) -> str:
        """Return an attribute's value; empty if there is none."""
        return self.attributes.get(attribute, "")

    def every(self, name: str) -> tuple[Element, ...]:
        """Return the children of a name."""
        return tuple(each for each in self.children if each.name == name)

    def find(self, *names: str) -> Element | None:
        """Return the first child of the first name, its first child of the next name, and so on."""
        found: Element | None = self
        for name in names:
            inside = () if found is None else found.every(name)
            found = inside[0] if inside else None
        return found

    def written(self, **attributes: str) -> str:
        """Return it as XML on one line, with these attributes beside its own, or in their place."""
        both = {**self.attributes, **attributes}
        words = [self.name, *(f"{name}='{_escaped(value)}'" for name, value in both.items())]
        inside = escape(self.text, quote=False) + "".join(each.written() for each in self.children)
        return f"<{' '.join(words)}" + (f">{inside}</{self.name}>" if inside else "/>")


def parse_domain(content: bytes, path: str) -> Element:
    """Return the ``<domain>`` of a text; `path` is what messages call it.

    Raises ParseError, with the place, for what is not one XML document with a domain in it.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            # The parser would count it as a character of the first line.
            content = content.removeprefix(mark)
            return _parse(content, encoding, path)
    return _parse(content, None, path)


def _parse(content: bytes, encoding: str | None, path: str) -> Element:
    if not content.strip():
        raise ParseError("empty: there is no domain in it", location=Location(path))
    if len(content) > LARGEST:
        message = f"this is not a domain: it has more than {LARGEST // 2**20} MiB, the most that libvirt takes"
        raise ParseError(message, location=Location(path))
    target = _Target(path)
    parser = DefusedXMLParser(target=target, encoding=encoding, forbid_dtd=True)
    target.parser = parser.parser
    try:
        parser.feed(content)
        parser.close()
    except DefusedXmlException as error:
        raise ParseError(
            "a document type declaration is refused: no libvirt domain has one, and its entities"
            " could expand without end",
            location=target.here(),
            hint=_HOW_TO_GET_ONE,
        ) from error
    except XmlError as error:
        line, column = error.position
        raise _not_xml(error.code, Location(path, line, column + 1)) from error
    except (ValueError, LookupError) as error:
        # An encoding that Python does not know, or one that expat can't be taught.
        message = f"this is not XML in an encoding that can be read: {error}"
        raise ParseError(message, location=target.here()) from error
    return _domain(target.root)


def _escaped(value: str) -> str:
    """Write an attribute's value so that a parser reads the same: it makes blanks of line ends."""
    return escape(value).translate({code: f"&#{code};" for code in b"\t\n\r"})


class _Target:
    """Makes elements of what the parser reports."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.parser: Any = None
        self._open: list[tuple[str, dict[str, str], Location, list[Element]]] = []
        self._text: list[list[str]] = []
        self.root: Element | None = None

    def here(self) -> Location:
        """Return the place that the parser has reached."""
        column = self.parser.CurrentColumnNumber + 1
        return Location(self._path, self.parser.CurrentLineNumber, column)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == DEEPEST:
            message = f"more than {DEEPEST} elements inside one another: this is not a domain"
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
        """Do nothing: the root is there once its end was."""


def _not_xml(code: int, location: Location) -> ParseError:
    what = ErrorString(code) or "not well-formed"
    hint: str | None = _HOW_TO_GET_ONE
    if what == "junk after document element":
        what = "the document ends before this"
        hint = "check one domain at a time"
    elif what == "no element found":
        what = "the text ends before the document does"
    return ParseError(f"this is not XML: {what}", location=location, hint=hint)


def _domain(root: Element | None) -> Element:
    """Return the domain that a document is; libvirt's own state files have one inside."""
    assert root is not None  # noqa: S101 - the parser has seen the end of the document
    if root.name == "domstatus":
        root = root.find("domain") or root
    if root.name != "domain":
        raise ParseError(
            f"this is not a domain: the document is <{root.name}>",
            location=root.location,
            hint=_HOW_TO_GET_ONE,
        )
    return root
