"""Runs a GRUB script without side effects, and tracks what is unknown.

It follows variables, functions, conditions and loops as grub2-mkconfig's scripts write them
(00_header, 10_linux, 41_custom and SUSE's), and the commands that build the menu. After a branch
whose condition is unknown, the variables that it would set are unknown, and the entries that it
would add to the menu are in doubt. After a command that could do anything, everything is unknown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from secboot.errors import ParseError
from secboot.formats.grub_conditions import evaluate, path_of
from secboot.formats.grub_script import For, Function, If, Loop, SimpleCommand, parse_script
from secboot.formats.grub_variables import Files, Unknown, Value, Variables
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from secboot.formats.grub_script import Statement

_COULD_DO_ANYTHING = frozenset(
    {
        *("configfile", "normal", "eval", "blscfg", "lua", "shift", "setparams", "time"),
        *("legacy_configfile", "legacy_source", "syslinux_configfile", "syslinux_source"),
        *("extract_entries_configfile", "extract_entries_source"),
        *("extract_legacy_entries_configfile", "extract_legacy_entries_source"),
        *("extract_syslinux_entries_configfile", "extract_syslinux_entries_source"),
    }
)
"""Commands that continue with another script; all others only change variables that they name."""
_MENU = frozenset({"menuentry", "submenu", "hiddenentry"})
_KERNEL = frozenset({"linux", "linux16", "linuxefi"})
_RAMDISK = frozenset({"initrd", "initrd16", "initrdefi"})
_LEAVING = frozenset({"break", "continue", "return"})
_SETS = re.compile(r"--set(?:=(\w+))?|-s(?:(?:\d+:)?(\w+))?", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MOST_ROUNDS = 200_000
"""Loop iterations and function calls in total; ten thousand entries need a few of them each."""
_DEEPEST = 40


class Item(NamedTuple):
    """A line of a menu, defined on line `number` of a file; `doubt` says why it may be missing."""

    path: str
    number: int
    arguments: tuple[Value, ...]
    body: tuple[Statement, ...]
    is_submenu: bool
    doubt: str | None


class Loaded(NamedTuple):
    """A ``linux`` or ``initrd`` command on line `number` of the file: the words after it."""

    number: int
    words: tuple[Value, ...]


class _LeftError(Exception):
    """``break``, ``continue`` or ``return``; `reason` says why it is unknown whether it was run."""

    def __init__(self, word: str, reason: str | None = None) -> None:
        super().__init__(word)
        self.word, self.reason = word, reason


class Run:
    """One script, its variables and the menu that it builds."""

    def __init__(
        self,
        files: Files,
        path: str,
        variables: Variables | None = None,
        functions: dict[str, tuple[Statement, ...]] | None = None,
        rounds: list[int] | None = None,
    ) -> None:
        self.files, self.path = files, path
        self.menu: list[Item] = []
        self.kernel: Loaded | Unknown | None = None
        self.ramdisk: Loaded | Unknown | None = None
        self._variables = Variables() if variables is None else variables
        self._functions = {} if functions is None else functions
        self._rounds = [0] if rounds is None else rounds
        self._depth = 0

    def inside(self, item: Item) -> Run:
        """Run the body of an entry; a submenu sees exported variables only."""
        variables = self._variables.inside(exported_alone=item.is_submenu)
        run = Run(self.files, item.path, variables, dict(self._functions), self._rounds)
        run.run(item.body)
        return run

    def variable(self, name: str) -> Value | None:
        """Return the value of a variable; None if it is not set."""
        return self._variables.get(name)

    def run(self, statements: Iterable[Statement]) -> None:
        """Run a whole script or a body."""
        try:
            self._run(statements)
        except _LeftError as left:
            if left.reason is not None:
                self._lose(left.reason)

    def _run(self, statements: Iterable[Statement]) -> bool | None:
        result: bool | None = True
        for each in statements:
            result = self._statement(each)
        return result

    def _statement(self, each: Statement) -> bool | None:
        match each:
            case SimpleCommand():
                return self._command(each)
            case If():
                return self._if(each)
            case Loop():
                return self._loop(each)
            case For():
                return self._for(each)
            case Function():
                self._functions[each.name] = each.body
        return True

    def _if(self, each: If) -> bool | None:
        for number, (condition, body) in enumerate(each.branches):
            holds = self._run(condition)
            if holds:
                return self._run(body)
            if holds is None:
                reason = f"the result of a condition in {self._place(condition)} is unknown"
                rest = each.branches[number + 1 :]
                self._doubt(body, reason)
                for other in rest:
                    self._doubt((*other[0], *other[1]), reason)
                self._doubt(each.otherwise, reason)
                return None
        return self._run(each.otherwise)

    def _loop(self, each: Loop) -> bool | None:
        try:
            while True:
                holds = self._run(each.condition)
                if holds is None:
                    self._lose_way(
                        f"the result of a condition in {self._place(each.condition)} is unknown"
                    )
                if holds == each.until or not self._round(each.body):
                    return True
        except _LeftError as left:
            if left.reason is None:
                raise
            self._leave(left, (*each.condition, *each.body))
            return None

    def _for(self, each: For) -> bool | None:
        try:
            for value in self._variables.expand(each.words):
                self._variables.set(each.variable, value)
                if not self._round(each.body):
                    break
        except _LeftError as left:
            if left.reason is None:
                raise
            self._leave(left, each.body)
            return None
        return True

    def _round(self, body: tuple[Statement, ...]) -> bool:
        """Run the body of a loop once; return whether the loop continues."""
        self._count()
        try:
            self._run(body)
        except _LeftError as left:
            if left.reason is not None or left.word == "return":
                raise
            return left.word == "continue"
        return True

    def _count(self) -> None:
        self._rounds[0] += 1
        if self._rounds[0] > _MOST_ROUNDS:
            self._lose_way(f"{self.path} does not end")
        if self._depth > _DEEPEST:
            self._lose_way(f"{self.path} calls itself")

    def _lose_way(self, reason: str) -> NoReturn:
        raise _LeftError("return", reason)

    def _leave(self, left: _LeftError, body: tuple[Statement, ...]) -> None:
        """Continue after a body when it is unknown how much of it was run."""
        try:
            self._doubt(body, left.reason or "")
        except _LeftError:
            return

    def _call(self, name: str, arguments: Sequence[Value]) -> bool | None:
        outer, self._variables.arguments = self._variables.arguments, (name, *arguments)
        body = self._functions[name]
        self._depth += 1
        try:
            self._count()
            return self._run(body)
        except _LeftError as left:
            if left.reason is None and left.word != "return":
                raise
            if left.reason is not None:
                self._leave(left, body)
            return None
        finally:
            self._depth -= 1
            self._variables.arguments = outer

    def _command(self, command: SimpleCommand) -> bool | None:
        name, *arguments = self._variables.expand(command.words) or ["true"]
        if name == "!":
            held = self._command(command._replace(words=command.words[1:]))
            return None if held is None else not held
        if isinstance(name, Unknown):
            return self._unknown(command, name)
        if name in {"[", "test"}:
            return evaluate(arguments[:-1] if name == "[" else arguments, self.files)
        if name in self._functions:
            return self._call(name, arguments)
        if name in {"source", "."}:
            return self._source(command, arguments)
        return self._other(command, name, arguments)

    def _other(self, command: SimpleCommand, name: str, arguments: list[Value]) -> bool | None:
        if name in _LEAVING:
            raise _LeftError(name)
        if name in {"set", "export", "unset", "true", "false"}:
            self._variables.change(name, arguments)
            return name != "false"
        if name in _MENU:
            self._add(command, name, tuple(arguments), None)
        elif name in _KERNEL:
            self.kernel = Loaded(command.number, tuple(arguments))
        elif name in _RAMDISK:
            self.ramdisk = Loaded(command.number, tuple(arguments))
        elif name == "load_env":
            self._load_env(arguments)
        elif _is_assignment(name):
            self._variables.change("set", [name])
        else:
            self._foreign(command, name, arguments)
            return None
        return True

    def _unknown(self, command: SimpleCommand, name: Unknown) -> bool | None:
        if _is_assignment(name.head):
            self._variables.change("set", [name])
            return True
        self._lose(f"a command in {self.path}:{command.number} is unknown")
        return None

    def _foreign(self, command: SimpleCommand, name: str, arguments: list[Value]) -> None:
        """Account for a command of which only the variables that it sets are known."""
        if name in _COULD_DO_ANYTHING:
            self._lose(f"secboot does not know what '{name}' in {self.path}:{command.number} does")
            return
        reason = f"'{name}' in {self.path}:{command.number} sets it"
        texts = [each for each in arguments if isinstance(each, str)]
        for number, text in enumerate(texts):
            match = _SETS.fullmatch(text)
            if match is not None:
                following = texts[number + 1].rpartition(":")[2] if texts[number + 1 :] else "root"
                self._variables.set(match[1] or match[2] or following, Unknown(reason))
        for read in texts[1:2] if name == "read_file" else texts if name == "read" else ():
            self._variables.set(read, Unknown(reason))

    def _load_env(self, arguments: list[Value]) -> None:
        path, names = f"{self._variables.known('prefix')}/grubenv", list(arguments)
        if names[:1] in (["-f"], ["--file"]):
            path = names[1] if len(names) > 1 and isinstance(names[1], str) else ""
            del names[:2]
        path = path_of(path)
        if path in self.files:
            wanted = [name for name in names if isinstance(name, str) and name[:1] != "-"]
            self._variables.load(self.files[path] or "", wanted)
        else:
            self._variables.lose_kept(f"{path or 'an environment block'} was not read")

    def _source(self, command: SimpleCommand, arguments: list[Value]) -> bool | None:
        path = path_of(arguments[0]) if arguments and isinstance(arguments[0], str) else ""
        if path not in self.files:
            self._lose(f"{self.path}:{command.number} continues with a file that was not read")
            return None
        outer, self.path = self.path, path
        self._depth += 1
        try:
            self._count()
            return self._run(parse_script(self.files[path] or "", path))
        except ParseError as error:
            self._lose(f"{path}: {error.message}")
            return None
        finally:
            self._depth -= 1
            self.path = outer

    def _add(
        self, command: SimpleCommand, name: str, arguments: tuple[Value, ...], doubt: str | None
    ) -> None:
        if doubt is None and (command.block is None or name == "hiddenentry"):
            doubt = f"secboot does not know what '{name}' in {self.path}:{command.number} adds"
        body = command.block or ()
        self.menu.append(Item(self.path, command.number, arguments, body, name == "submenu", doubt))

    def _lose(self, reason: str) -> None:
        """Treat everything as unknown, because it could have been changed."""
        self._variables.lose(reason)
        self.kernel = Unknown(reason)
        self.menu.append(Item(self.path, 0, (), (), is_submenu=False, doubt=reason))

    def _doubt(self, statements: Iterable[Statement], reason: str) -> None:
        """Account for statements that may have been run: what they set is unknown."""
        for each in statements:
            match each:
                case SimpleCommand():
                    self._doubt_command(each, reason)
                case If():
                    for condition, body in each.branches:
                        self._doubt((*condition, *body), reason)
                    self._doubt(each.otherwise, reason)
                case Loop():
                    self._in_doubtful_loop((*each.condition, *each.body), reason)
                case For():
                    self._variables.set(each.variable, Unknown(reason))
                    self._in_doubtful_loop(each.body, reason)
                case Function():
                    self._functions.pop(each.name, None)

    def _in_doubtful_loop(self, body: tuple[Statement, ...], reason: str) -> None:
        try:
            self._doubt(body, reason)
        except _LeftError:
            return

    def _doubt_command(self, command: SimpleCommand, reason: str) -> None:
        name, *arguments = self._variables.expand(command.words) or [""]
        if name == "!":
            self._doubt_command(command._replace(words=command.words[1:]), reason)
            return
        if isinstance(name, Unknown):
            name = name.head if _is_assignment(name.head) else "eval"
        if name in {"set", "unset", "export"} or _is_assignment(name):
            for each in [name] if _is_assignment(name) else arguments:
                text = each.head if isinstance(each, Unknown) else each
                self._variables.set(text.partition("=")[0], Unknown(reason))
        elif name in {*_KERNEL, *_RAMDISK}:
            self.kernel = Unknown(reason)
        elif name in _LEAVING:
            raise _LeftError(name, reason)
        elif name in {"source", ".", *_COULD_DO_ANYTHING}:
            self._lose(reason)
        else:
            self._doubt_other(command, name, arguments, reason)

    def _doubt_other(
        self, command: SimpleCommand, name: str, arguments: list[Value], reason: str
    ) -> None:
        if name in _MENU:
            self._add(command, name, tuple(arguments), reason)
        elif name in self._functions:
            self._doubt_function(name, reason)
        elif name == "load_env":
            self._variables.lose_kept(reason)
        else:
            self._foreign(command, name, arguments)

    def _doubt_function(self, name: str, reason: str) -> None:
        self._depth += 1
        try:
            self._count()
            self._in_doubtful_loop(self._functions[name], reason)
        finally:
            self._depth -= 1

    def _place(self, statements: tuple[Statement, ...]) -> str:
        first = next((each for each in statements if isinstance(each, SimpleCommand)), None)
        return self.path if first is None else f"{self.path}:{first.number}"


def _is_assignment(text: str) -> bool:
    name, sign, _ = text.partition("=")
    return bool(sign) and _NAME.fullmatch(name) is not None
