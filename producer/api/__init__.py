"""The HTTP API: the rules and words of the command line, for programs and pages. The only room that knows FastAPI."""
