"""Manual pages, reference pages and completions, made from what secboot itself goes by."""
