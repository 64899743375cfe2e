"""Generates files from secboot itself: manual pages, reference pages, schemas, a module."""
