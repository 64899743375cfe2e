# Completion of secboot for fish: in a file named secboot.fish where fish looks for completions.
complete --command secboot --no-files --arguments "(env _SECBOOT_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) secboot 2>/dev/null)"
