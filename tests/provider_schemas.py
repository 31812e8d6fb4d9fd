"""Compare Terraform files with the schemas of their providers.

Providers are in no registry of packages, but the npm packages of CDK for Terraform have their
schemas, as types: `@cdktf/provider-aws` and others.
"""

import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2

META = {"count", "for_each", "depends_on", "lifecycle", "provider"}
Fields = dict[str, tuple[bool, str]]
"""Whether each argument of a block is required, and its type."""


def unpack(archive: Path, folder: Path) -> None:
    """Write the types of a package, a file for each resource and data source."""
    with tarfile.open(archive) as package:
        for member in package:
            if match := re.fullmatch(r"package/lib/([\w-]+)/index\.d\.ts", member.name):
                file = package.extractfile(member)
                assert file
                (folder / match[1]).write_bytes(file.read())


def read_types(path: Path) -> dict[str, Fields]:
    """Return the arguments of a resource or data source, and of its blocks; empty if unknown."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"export interface (\w+)[^{]*\{(.*?)\n\}", text, re.DOTALL)
    argument = re.compile(r"readonly (\w+)(\??): ([^;]+);")
    return {
        name: {key: (not mark, kind) for key, mark, kind in argument.findall(body)}
        for name, body in found
    }


def camel(name: str) -> str:
    """Return the name of an argument as the types write it."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def wrong_arguments(
    body: Mapping[str, Any], types: Mapping[str, Fields], name: str, where: str
) -> Iterator[str]:
    """Yield an error for each argument of a block that is unknown, or missing."""
    fields = types[name]
    arguments = {key.strip('"'): value for key, value in body.items() if key[:2] != "__"}
    given = {camel(key) for key in arguments}
    required = {key for key, (is_required, _) in fields.items() if is_required}
    yield from (f"{where}: {key} is missing" for key in sorted(required - given))
    for key, value in arguments.items():
        if key in META:
            continue
        if camel(key) not in fields:
            yield f"{where}: {key} is unknown"
            continue
        blocks = [word for word in re.findall(r"\w+", fields[camel(key)][1]) if word in types]
        for block in value if isinstance(value, list) else [value]:
            if blocks and isinstance(block, dict):
                yield from wrong_arguments(block, types, blocks[0], f"{where}.{key}")


def compare(folder: Path, schemas: Path, provider: str) -> list[str]:
    """Return what is wrong with the resources and data sources of a provider in a folder."""
    errors = []
    for path in sorted(folder.glob("*.tf")):
        tree = hcl2.loads(path.read_text(encoding="utf-8"))
        for category, prefix in (("resource", ""), ("data", f"data-{provider}-")):
            for block in tree.get(category, ()):
                kind, named = only(block)
                name, body = only(named)
                if not kind.startswith(f"{provider}_"):
                    continue
                short = kind.removeprefix(f"{provider}_").replace("_", "-")
                types = read_types(schemas / f"{prefix}{short}")
                top = next((one for one in types if one.endswith("Config")), "")
                found = wrong_arguments(body, types, top, kind) if top else [f"{kind} is unknown"]
                errors += [f"{name}: {error}" for error in found]
    return errors


def only(block: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the only key of a block, without its quotes, and the value."""
    ((key, value),) = ((key, value) for key, value in block.items() if key[:2] != "__")
    return key.strip('"'), value
