"""A profile in the formats of other tools: image builders, installers, configuration managers."""
