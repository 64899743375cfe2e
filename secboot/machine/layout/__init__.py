"""Which way a machine's distribution configures the boot: one module for each, and a registry."""

from secboot.machine.layout.detect import detect_layout
from secboot.machine.layout.model import Inheritance, Layout, Program

__all__ = ["Inheritance", "Layout", "Program", "detect_layout"]
