# fish completion for secboot: install it as "secboot.fish" in a completion directory of fish.
complete --command secboot --no-files --arguments "(env _SECBOOT_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) secboot 2>/dev/null)"
