"""The entry point of the use case: `ml`, and the application that uvicorn serves."""

from ..cli import EntryPoint

ENTRY = EntryPoint(__package__)
create_app = ENTRY.create_app
main = ENTRY.main

if __name__ == "__main__":
    main()
