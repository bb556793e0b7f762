"""What looks at the library from outside: command line, server, page."""
