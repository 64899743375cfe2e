"""Hypothesis strategies: kernel command lines, as people write them and as they should not."""

from __future__ import annotations

from hypothesis import strategies as st

BLANKS = st.sampled_from((" ", " ", " ", "  ", "\t", "\n", " \v", "\r\n"))
OTHER_WORDS = st.sampled_from(
    (
        "root=/dev/dasda1", "quiet", "rd.znet=qeth,0.0.8000", "rd.dasd=0.0.0120", "console=ttyS0",
        "console=tty0", 'dyndbg="file a +p"', '"rd.x=a b"', "acpi_osi=!Windows", "x='a b'", "=",
        "foo=bar=baz", 'a"b c"d', 'foo=""', "prot_virt_x=1", "xswiotlb=3", "consoleblank=0",
        "PROT_VIRT=1", "--x", "---", "console=ttysclp0", "console=", "mem=4G", "mem=2G",
    )
)  # fmt: skip
PROT_VIRT_WORDS = st.sampled_from(
    (
        "prot_virt=1", "prot_virt=0", "prot_virt", "prot_virt=", "prot_virt=true", "prot_virt=yes",
        "prot_virt=on", "prot_virt=oN!", "prot_virt=off", 'prot_virt="1"', '"prot_virt=y"',
        "prot-virt=1",
    )
)  # fmt: skip
SWIOTLB_WORDS = st.sampled_from(
    (
        "swiotlb=262144", "swiotlb=65536", "swiotlb=512M", "swiotlb=0x40000", "swiotlb=0400000",
        "swiotlb=08", "swiotlb=,4", "swiotlb=65536,4,force", "swiotlb=force", "swiotlb=noforce",
        "swiotlb=300000,3", "swiotlb=524288,8,noforce", "swiotlb=2000000", "swiotlb", "swiotlb=",
        "swiotlb=0", "swiotlb=abc", 'swiotlb="262144,force"', "swiotlb=99999999999999999999",
    )
)  # fmt: skip
GENERIC_WORDS = st.sampled_from(
    ("k.a_b=1", "k.a-b=1", "k.a_b=2", "k.a-b", "k.a_b=", 'k.a_b="1"', "k.a_b.c=1", "k.a_b=x=y")
)
WORDS = st.one_of(OTHER_WORDS, PROT_VIRT_WORDS, SWIOTLB_WORDS, GENERIC_WORDS, st.just("--"))


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Lines that can be edited: words and blanks, with every quote closed."""
    words = draw(st.lists(WORDS, max_size=7))
    parts = [draw(st.one_of(st.just(""), BLANKS))]
    for number, word in enumerate(words):
        parts += [draw(BLANKS)] if number else []
        parts.append(word)
    parts.append(draw(st.one_of(st.just(""), BLANKS)))
    return "".join(parts)


ANY_TEXT = st.one_of(
    lines(),
    st.text(alphabet='ab=" \t\n-1\0é\udca0', max_size=24),
    st.text(max_size=24),
)
