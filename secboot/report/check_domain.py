"""The verdict on a guest's libvirt domain, as text or JSON (schema ``secboot/check-domain/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.domain.secure_guest import launch_security
from secboot.finding import Severity
from secboot.report.style import counted, finding_text, where_explained
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.finding import Finding
    from secboot.formats.domain_xml import Element
    from secboot.report.style import Style

SCHEMA = "secboot/check-domain/1"
_NOT_SHOWN = (
    "A domain does not show whether the host runs with prot_virt=1 (on the host: secboot status host)\n"
    "or whether the guest boots a Secure Execution image (in the guest: secboot status guest).\n"
)


def domain_text(domain: Element, found: Sequence[Finding], style: Style) -> str:
    """Return the findings in the order of the XML, a verdict, and what it does not cover."""
    lines = [finding_text(each, style, with_code=True) for each in found]
    errors, warnings = (
        sum(each.severity is severity for each in found)
        for severity in (Severity.ERROR, Severity.WARNING)
    )
    name = visible(_name(domain)) or "the domain"
    counts = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    verdict = "is not fit" if errors else "may not be fit" if warnings else "is fit"
    lines.append(style.bold(f"{name} {verdict} for IBM Secure Execution: {counts}"))
    worst_first = sorted(found, key=lambda each: list(Severity).index(each.severity))
    lines += where_explained((each.code for each in worst_first), style)
    return "\n".join(lines) + "\n" + ("" if errors else _NOT_SHOWN)


def domain_document(file: str, domain: Element, found: Sequence[Finding]) -> dict[str, Any]:
    """Return the same as a JSON document; `fit` is null if a warning says that it is unknown."""
    from secboot.codec import fields

    severities = {each.severity for each in found}
    unknown = None if Severity.WARNING in severities else True
    return {
        "schema": SCHEMA,
        "file": file,
        "domain": _name(domain),
        "launch_security": launch_security(domain) or None,
        "fit": False if Severity.ERROR in severities else unknown,
        "findings": [fields(each) for each in found],
    }


def _name(domain: Element) -> str:
    name = domain.find("name")
    return "" if name is None else name.text
