"""The changes made to a machine, as text or JSON (schema ``secboot/history/2``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.checkpoint.journal import State
from secboot.checkpoint.retention import LIMIT_FILE
from secboot.checkpoint.undo import undone_by
from secboot.report.diff import unified_diff
from secboot.report.style import finding_text
from secboot.system.files import FileChange
from secboot.visible import shell_word, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from secboot.checkpoint.record import Checkpoint, SavedFile
    from secboot.checkpoint.retention import Kept
    from secboot.checkpoint.store import CheckpointStore, Damage, Listing
    from secboot.finding import Finding
    from secboot.report.style import Style

SCHEMA = "secboot/history/2"
_WIDTH = 40
"""Characters of what was done, in the list: ``secboot set`` can have many words."""


def history_text(listing: Listing, kept: Kept, trial: tuple[Finding, ...], style: Style) -> str:
    """Return one line per checkpoint, newest first, then how many are kept.

    `trial` describes the state of a trial, if there is one.
    """
    damaged = {each.id: _damaged_row(each) for each in listing.damaged}
    undone = undone_by(listing.checkpoints)
    rows_by_id = {each.id: _row(each, undone) for each in listing.checkpoints} | damaged
    if not rows_by_id:
        return "Nothing has been applied here.\n"
    ids = sorted(rows_by_id, key=int, reverse=True)
    rows = [("ID", "WHEN (UTC)", "WHAT", "STATE", "FILES", "BY")]
    rows += [rows_by_id[number] for number in ids]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    table = [style.bold(lines[0]).rstrip()]
    why = {each.id: list(_why(each)) for each in listing.checkpoints}
    indent = " " * (widths[0] + 2)
    for number, line in zip(ids, lines[1:], strict=True):
        table.append(line.rstrip())
        for reason in why.get(number, ()):
            table += style.filled(reason, indent, indent)
    lines = [*table, "", *(line for text in _limit(kept) for line in style.filled(text))]
    lines += [finding_text(finding, style) for finding in (*trial, *_warnings(listing, kept))]
    return "\n".join(lines) + "\n"


def _limit(kept: Kept) -> Iterator[str]:
    if kept.limit is not None:
        many = "" if kept.limit == 1 else f" {kept.limit}"
        changes = "change" if kept.limit == 1 else "changes"
        yield (
            f"The newest{many} {changes} not yet rolled back can be undone; {LIMIT_FILE} sets this"
            " number."
        )


def _warnings(listing: Listing, kept: Kept) -> list[Finding]:
    found = [each.finding for each in listing.damaged]
    return found if kept.problem is None else [*found, kept.problem]


def _damaged_row(damage: Damage) -> tuple[str, str, str, str, str, str]:
    return (damage.id, "", "", "unreadable", "", "")


def checkpoint_text(
    checkpoint: Checkpoint, diffs: Sequence[str], style: Style, undone: Mapping[str, str]
) -> str:
    """Return all details of one checkpoint, then what its change did to each file.

    `undone` says which changes were undone, and by which rollback.
    """
    audit = checkpoint.record.audit
    lines = [
        f"{style.bold('Checkpoint')}  {checkpoint.id}, {_state(checkpoint, undone)}",
        *(line for reason in _why(checkpoint) for line in style.filled(reason, " " * 12, " " * 12)),
        f"{style.bold('What')}        {_what(checkpoint)}",
        f"{style.bold('When')}        {audit.started}",
        f"{style.bold('By')}          {_who(checkpoint)} on {visible(audit.who.host)}",
        f"{style.bold('Command')}     {' '.join(map(shell_word, audit.command))}",
        f"{style.bold('Saved in')}    {visible(checkpoint.shown)}",
        style.bold("Journal"),
    ]
    lines += [f"  {entry.at}  {entry.state}{_facts(entry.facts)}" for entry in checkpoint.journal]
    for each in checkpoint.record.settings:
        lines += ["", f"{visible(each.path)}: '{each.before}' -> '{each.after}'"]
    for diff in diffs:
        lines += ["", diff]
    return "\n".join(lines) + "\n"


def history_document(
    listing: Listing,
    kept: Kept,
    trial: tuple[Finding, ...] = (),
    only: Checkpoint | None = None,
) -> dict[str, Any]:
    """Return the checkpoints, oldest first, or one of them, as a JSON document."""
    from secboot.codec import encode

    undone = undone_by(listing.checkpoints)
    checkpoints = listing.checkpoints if only is None else (only,)
    return {
        "schema": SCHEMA,
        "checkpoints": [_document(checkpoint, undone) for checkpoint in checkpoints],
        "limit": kept.limit,
        "trial": encode(trial),
        "warnings": [encode(finding) for finding in _warnings(listing, kept)],
    }


def file_diffs(store: CheckpointStore, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return what a checkpoint's change did to each of its files."""
    return tuple(
        _file_diff(
            file,
            None if file.before is None else _kept(store, checkpoint, file),
            store.after(checkpoint, file),
        )
        for file in checkpoint.record.files
    )


def _kept(store: CheckpointStore, checkpoint: Checkpoint, file: SavedFile) -> bytes | None:
    """The old bytes of a file; None if they were dropped or are damaged."""
    from secboot.errors import SecbootError

    try:
        return store.before(checkpoint, file)
    except SecbootError:
        return None


def _file_diff(file: SavedFile, before: bytes | None, after: bytes | None) -> str:
    """The diff of one file, or a line that says why it has none."""
    if file.before is None:
        return f"{visible(file.named)}: created by this change"
    if before is None or (after is None and file.after is not None):
        return f"{visible(file.named)}: content not kept"
    change = FileChange(file.named, file.path, before, after)
    return "\n".join(unified_diff(change, ("before", "after")))


def _state(checkpoint: Checkpoint, undone: Mapping[str, str]) -> str:
    """Return how a change ended, in words."""
    state = checkpoint.state
    if state is State.DONE:
        by = undone.get(checkpoint.id)
        return "done" if by is None else f"undone by {by}"
    return {State.ROLLED_BACK: "failed, rolled back", State.STUCK: "ROLLBACK FAILED"}.get(
        state, f"unfinished ({state})"
    )


def _why(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield why a change failed, and why its rollback failed, one line each."""
    if checkpoint.failure is not None:
        yield f"failed: {visible(' '.join(checkpoint.failure.split()))}"
    if checkpoint.rollback_failure is not None:
        yield f"ROLLBACK FAILED: {visible(' '.join(checkpoint.rollback_failure.split()))}"


def _row(checkpoint: Checkpoint, undone: Mapping[str, str]) -> tuple[str, str, str, str, str, str]:
    when = checkpoint.record.audit.started.replace("T", " ").removesuffix("Z")
    return (
        checkpoint.id,
        when,
        _shortened(_what(checkpoint)),
        _state(checkpoint, undone),
        str(len(checkpoint.record.files)),
        _who(checkpoint),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _what(checkpoint: Checkpoint) -> str:
    return visible(checkpoint.record.audit.what)


def _who(checkpoint: Checkpoint) -> str:
    actor = checkpoint.record.audit.who
    user = actor.user or f"uid {actor.uid}"
    return visible(f"{actor.sudo_user} (sudo)" if actor.sudo_user else user)


def _facts(facts: Mapping[str, object]) -> str:
    import json

    return "".join(f"  {name}: {visible(json.dumps(value))}" for name, value in facts.items())


def _document(checkpoint: Checkpoint, undone: Mapping[str, str]) -> dict[str, Any]:
    from secboot.codec import encode

    audit = checkpoint.record.audit
    return {
        "id": checkpoint.id,
        "state": checkpoint.state.value,
        "undone_by": undone.get(checkpoint.id),
        "failure": checkpoint.failure,
        "rollback_failure": checkpoint.rollback_failure,
        "action": audit.action.value,
        "started": audit.started,
        "command": encode(audit.command),
        "actor": encode(audit.who),
        "secboot": audit.version,
        "profile": audit.profile,
        "profile_digest": audit.profile_digest,
        "zipl": audit.zipl,
        "undoes": audit.undoes,
        "confirms": audit.confirms,
        "trial": encode(audit.trial),
        "settings": encode(checkpoint.record.settings),
        "path": checkpoint.shown,
        "files": [
            {
                "path": file.named,
                "real_path": file.path,
                "digest_before": None if file.before is None else file.before.digest,
                "digest_after": None if file.after is None else file.after.digest,
            }
            for file in checkpoint.record.files
        ],
        "journal": [encode(entry) for entry in checkpoint.journal],
    }
