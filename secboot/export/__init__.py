"""Export a profile to the formats of other tools: image builders, installers, configuration managers."""
