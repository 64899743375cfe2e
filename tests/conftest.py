"""What holds for all tests: plugins that the process which prints the summary needs as well."""

pytest_plugins = ["tests.s390x.reporting"]
