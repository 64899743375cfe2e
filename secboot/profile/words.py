"""A profile from the words of ``secboot set``: ``nosmt console+=hvc0 quiet-``.

A word is read as on the kernel command line, including double quotes. The words are turned into the
text of a profile, which is read like any other. So words and profiles mean the same, and errors are
found in one place.
"""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.errors import Location, UsageError
from secboot.formats.kernel_cmdline import CommandLine, parameter_text
from secboot.formats.zipl_parameters import variables_of
from secboot.kernel.command_line import canonical, is_multi_valued, last_wins, wants_value
from secboot.named_tuple import NamedTuple
from secboot.profile.fields import NAME_PATTERN
from secboot.profile.generic import VALUE_HINT, value_fault
from secboot.profile.load import parse_profile
from secboot.profile.nodes import ProfileError, Scalar, is_boolean, is_null
from secboot.profile.parameters import KNOWN, rules_for
from secboot.profile.profile import ProfileText
from secboot.profile.spelling import likely_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.finding import Finding
    from secboot.profile.profile import Profile
    from secboot.profile.search import ProfileFiles

NAME = "set"
"""The name of such a profile; it has no file."""
PATH = "<command line>"
"""Shown in place of its path in messages."""
_PLAIN = r"[A-Za-z_][A-Za-z0-9_.-]*"


class Operation(StrEnum):
    """What a word does with its parameter."""

    SET = "="
    ADD = "+="
    REMOVE = "-="
    REMOVE_ALL = "-"
    BARE = ""


class Word(NamedTuple):
    """One word: what was typed, and what it means. `value` is empty without ``=``."""

    text: str
    name: str
    operation: Operation
    value: str = ""


class Options(NamedTuple):
    """The options in addition to the words.

    `entries` are the boot entries: ``all``, ``default``, or name patterns. `rescue` tells whether
    rescue entries are included. `as_spelled` accepts names that look misspelled.
    """

    entries: tuple[str, ...] = ("all",)
    rescue: bool = True
    as_spelled: bool = False

    @property
    def typed(self) -> tuple[str, ...]:
        """The options of ``secboot set`` with the same meaning."""
        entries = () if self.entries == ("all",) else self.entries
        words = [word for each in entries for word in ("--entries", each)]
        words += [] if self.rescue else ["--no-rescue"]
        return (*words, *(["--as-spelled"] if self.as_spelled else []))


def read_word(text: str) -> Word:
    """Read one word. Raises UsageError for text that is not one word of a kernel command line."""
    line = CommandLine.parse(text)
    if line.unterminated_quote:
        raise _error(text, "a double quote is opened but never closed", "close the quote")
    if line.dashdash is not None:
        raise _error(text, "words after -- are for init, not kernel parameters", _FORMS)
    if len(line.parameters) != 1 or line.parameters[0].text != text:
        raise _error(text, "this is not one word of the kernel command line", _several(text))
    name, value = line.parameters[0].name, line.parameters[0].value
    operation = Operation.BARE if value is None else Operation.SET
    if value is None and name.endswith("-"):
        operation = Operation.REMOVE_ALL
    elif value is not None and name[-1:] in {"+", "-"}:
        operation = Operation(f"{name[-1]}=")
    if operation not in {Operation.BARE, Operation.SET}:
        name = name[:-1]
    if not re.fullmatch(NAME_PATTERN, name):
        raise _error(text, f"{name!r} is not the name of a kernel parameter", _FORMS)
    fault = value_fault(value or "")
    if fault is not None:
        raise _error(text, f"the value of {name} {fault}", VALUE_HINT)
    if variables := variables_of(value or ""):
        raise _error(
            text,
            f"zipl replaces ${{{variables[0]}}} with a value from /etc/ziplenv, so the kernel cannot"
            " receive it literally",
            "write the value itself",
        )
    return Word(text, name, operation, value or "")


_FORMS = (
    "write NAME=VALUE, NAME, NAME+=VALUE (add a value), NAME-=VALUE (remove a value) or NAME-"
    " (remove the parameter)"
)


def _several(text: str) -> str:
    """Say what spaces between words may have meant: the shell has removed its quotes."""
    hint = f"for several parameters: {shlex.join(['secboot', 'set', *text.split()])}"
    name, equals, value = text.strip().partition("=")
    if not equals or value_fault(value) is not None:
        return hint
    quoted = shlex.quote(f'{name}="{value}"')
    return f"{hint}\nfor one value with spaces, also quote it for the kernel: secboot set {quoted}"


def _error(text: str, message: str, hint: str) -> UsageError:
    return UsageError(message, location=Location(text), hint=hint)


ALL = Options()


def text_of_words(texts: Sequence[str], options: Options = ALL) -> str:
    """Return the YAML with the meaning of the words. Raises UsageError for words that make no sense."""
    groups = tuple(_grouped(texts).values())
    asked = [f"  {_key(group[0].name)}: {_requirement(group[0].name, group)}\n" for group in groups]
    typed = shlex.join(["secboot", "set", *texts, *options.typed])
    head = f"version: 1\ndescription: {_scalar(typed)}\nparameters:\n"
    return "".join([head, *asked, _as_spelled(groups, options), _entries(options)])


_FIRST_LINE = 4
"""The line of the first parameter in that text."""


def profile_of_words(texts: Sequence[str], options: Options, files: ProfileFiles) -> Profile:
    """Return the profile with the meaning of the words. Raises UsageError for words that are wrong."""
    groups = _grouped(texts)
    said = [" ".join(word.text for word in group) for group in groups.values()]
    source = ProfileText(NAME, PATH, text_of_words(texts, options))
    try:
        profile = parse_profile(source, files)
    except ProfileError as error:
        problem = error.problems[0]
        hint = problem.hint
        if problem.code == "profile.misspelt-name" and hint is not None and "as_spelled" in hint:
            hint = hint.partition(",")[0] + ", or use --as-spelled if the name is correct"
        raise UsageError(problem.message, location=_word_at(problem, said), hint=hint) from error
    for requirement, words in zip(profile.requirements, said, strict=True):
        requirement.location = Location(words)
    warnings = tuple(each._replace(location=_word_at(each, said)) for each in profile.warnings)
    return profile._replace(warnings=warnings, words=(*texts, *options.typed))


def _word_at(problem: Finding, said: Sequence[str]) -> Location:
    line = problem.location.line if problem.location is not None else None
    number = (line or 0) - _FIRST_LINE
    return Location(said[number]) if 0 <= number < len(said) else Location(PATH)


def _as_spelled(groups: Sequence[Sequence[Word]], options: Options) -> str:
    """Return the line that accepts names that look misspelled; any name may be removed."""
    removing = {Operation.REMOVE, Operation.REMOVE_ALL}
    names = [
        group[0].name
        for group in groups
        if likely_name(group[0].name, KNOWN)
        and (options.as_spelled or {word.operation for word in group} <= removing)
    ]
    return f"as_spelled: {_list(names)}\n" if names else ""


def _grouped(texts: Sequence[str]) -> dict[str, list[Word]]:
    """Return the words by parameter, in the order in which the parameters first occur."""
    groups: dict[str, list[Word]] = {}
    for text in texts:
        word = read_word(text)
        groups.setdefault(canonical(word.name), []).append(word)
    return groups


def _requirement(name: str, group: Sequence[Word]) -> str:
    """Return what is required of one parameter, as YAML."""
    if name in KNOWN:
        return _known(name, group)
    said = " ".join(word.text for word in group)
    values = {each: [w.value for w in group if w.operation is each] for each in Operation}
    bare, cleared = (bool(values[each]) for each in (Operation.BARE, Operation.REMOVE_ALL))
    wanted = [w.value for w in group if w.operation in {Operation.SET, Operation.ADD}]
    removed = values[Operation.REMOVE]
    several = is_multi_valued(name)
    if bare and wants_value(name):
        raise _error(
            said,
            f"{name} has no effect without a value",
            f"write {name}=VALUE, or {name}- to remove it",
        )
    if (bare and (wanted or cleared)) or (cleared and removed) or {*wanted} & {*removed}:
        raise _error(said, "these words contradict one another", _FORMS)
    if bare:
        return "{bare: true}"
    once = last_wins(name)
    if once and (len(wanted) > 1 or values[Operation.ADD]):
        raise _error(
            said,
            f"only the last {name}= has an effect, so it cannot have several values",
            f"write {shlex.quote(parameter_text(name, wanted[-1]))}",
        )
    if cleared and not (wanted and once):
        return f"{{exactly: {_list(wanted)}}}" if wanted else "{absent: true}"
    if not several and values[Operation.SET]:
        if len(wanted) > 1:
            raise _error(
                said,
                f"{name}= replaces all other values, so it can be used only once",
                f"to set exactly these values, put {name}- before them; to add a value, write"
                f" {name}+=VALUE",
            )
        return _scalar(wanted[0])
    lists = {"includes": wanted, "excludes": removed}
    return f"{{{', '.join(f'{key}: {_list(held)}' for key, held in lists.items() if held)}}}"


def _known(name: str, group: Sequence[Word]) -> str:
    """Return what is required of a parameter with its own rules: one value, or absence."""
    word, *more = group
    if more or word.operation not in {Operation.SET, Operation.REMOVE_ALL}:
        bare = not more and word.operation is Operation.BARE
        what = "has no effect without a value" if bare else "must be set with a single word"
        raise _error(
            " ".join(each.text for each in group),
            f"{name} {what}",
            f"write {name}=VALUE, or {name}- to remove it",
        )
    if word.operation is Operation.REMOVE_ALL:
        return "{absent: true}"
    try:
        return _scalar(rules_for(name).of_kernel_value(word.value))
    except UsageError as error:
        raise _error(word.text, error.message, error.hint or "") from None


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(text: str) -> str:
    """Return a text as a scalar that every YAML version reads as this string."""
    return "'" + text.replace("'", "''") + "'"


def _key(name: str) -> str:
    plain = Scalar(name, plain=True, location=Location(PATH))
    is_word = re.fullmatch(_PLAIN, name) and not is_null(plain) and not is_boolean(plain)
    return name if is_word else _scalar(name)


def _entries(options: Options) -> str:
    """Return the lines of the profile that choose the boot entries."""
    if not "".join(options.entries).isprintable():
        raise UsageError(
            "the name of a boot entry must be one line of printable characters",
            location=Location("--entries"),
            hint="? matches any character",
        )
    scopes = [each for each in options.entries if each in {"all", "default"}]
    if scopes and len(options.entries) > 1:
        raise UsageError(
            f"--entries {scopes[0]} cannot be combined with another --entries",
            hint="remove one of them",
        )
    if options.entries == ("default",):
        if not options.rescue:
            raise UsageError(
                "--no-rescue and --entries default cannot be combined", hint="remove one of them"
            )
        return "entries: default\n"
    include = "" if scopes else f"  include: {_list(options.entries)}\n"
    rescue = "" if options.rescue else "  rescue: false\n"
    return f"entries:\n{include}{rescue}" if include or rescue else ""
