"""Files of the state directory with the checksums that they would have if secboot had written them."""

from __future__ import annotations

from secboot.checkpoint.checksum import with_checksum
from secboot.checkpoint.journal import _WHOLE, _check_sum
from secboot.checkpoint.record import _END, _MARK


def sealed_record(data: bytes, checkpoint: str) -> bytes:
    """Return the record with a matching checksum."""
    inner = data.rpartition(_MARK)[0] or data
    return with_checksum(inner, checkpoint, _MARK, _END)


def sealed_journal(texts: bytes, checkpoint: str) -> bytes:
    """Return the journal with these texts, one per line."""
    lines = [
        f"{_check_sum(text, checkpoint)} {text}\n".encode("ascii", "replace")
        for text in texts.decode("ascii", "replace").splitlines()
    ]
    return with_checksum(b"".join(lines), checkpoint, _WHOLE, b"\n")


def journal_texts(journal: bytes) -> bytes:
    """Return the texts of a journal's lines, without the checksums, for `sealed_journal`."""
    lines = [line.partition(b" ")[2] for line in journal.splitlines()]
    return b"".join(line + b"\n" for line in lines if line.startswith(b"{"))
