"""Paths that are only right below the target directory (scan_update_bls_path)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_line import Keyword
from secboot.zipl.scanf import split_address
from secboot.zipl.tokens import Token, TokenList

if TYPE_CHECKING:
    from secboot.zipl.files import FileLookup

_PATHS = (Keyword.IMAGE, Keyword.RAMDISK)


def resolve_paths(tokens: TokenList, files: FileLookup) -> TokenList:
    """Return the tokens with images and ramdisks as zipl will open them.

    A path that can't be read as it stands gets the value of the first `target` of all
    before it, if that makes it readable. In spite of its name the function does so for
    sections of zipl.conf too.
    """
    target = next((token.text for token in tokens if token.keyword is Keyword.TARGET), None)
    if target is None:
        return tokens
    return TokenList(
        _resolved(token, target, files) if token.keyword in _PATHS else token for token in tokens
    )


def _resolved(token: Token, target: str, files: FileLookup) -> Token:
    path, _ = split_address(token.text)
    if files.look(path).readable or not files.look(target + path).readable:
        return token
    return token._replace(text=target + token.text)
