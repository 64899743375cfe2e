"""Declarative boot configuration for IBM Secure Execution on IBM Z and LinuxONE."""

__version__ = "0.1.0"
