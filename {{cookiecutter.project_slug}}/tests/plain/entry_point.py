"""The entry point of the plain use case, for tests that start its server."""

from project_package.cli import EntryPoint

ENTRY = EntryPoint("plain", task="use_case", training="use_case")
create_app = ENTRY.create_app

if __name__ == "__main__":
    ENTRY.main()
