"""Turn the copied template into the project: keep one use case, name the package, start git."""

import json
import re
import shutil
import subprocess
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
CHOSEN, PACKAGE, ROWS = (ANSWERS[key] for key in ("use_case", "package_name", "_use_cases"))
OTHERS = set(ROWS) - {CHOSEN}
UNUSED = {name for other in OTHERS for name in ROWS[other]["modules"]} - {*ROWS[CHOSEN]["modules"]}
CACHES = ("__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints")
KEEP = {".git", ".venv"}  # present when a project is generated over an existing one


def project_paths() -> list[Path]:
    """Return every path of the project, the contents of a folder before the folder."""
    paths = sorted(Path().rglob("*"), reverse=True)
    return [path for path in paths if not KEEP & {*path.parts}]


# Remove caches, other use cases, and the modules that only they need, with the tests of these.
for path in project_paths():
    module = re.sub(r"^(src/project_package|tests)/|\btest_|\.py$", "", path.as_posix())
    is_cache = any(path.match(cache) for cache in CACHES)
    if is_cache or module in UNUSED or OTHERS & {*path.name.split(".")}:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

# Rename `params.fraud.toml` to `params.toml`.
for path in project_paths():
    if CHOSEN in path.name.split(".")[1:-1]:
        path.replace(path.with_name(path.name.replace(f".{CHOSEN}.", ".")))

# Name the package, in its folder and in every text.
shutil.copytree("src/project_package", f"src/{PACKAGE}", dirs_exist_ok=True)
shutil.rmtree("src/project_package")
for path in filter(Path.is_file, project_paths()):
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        continue  # an image, for example
    named = re.sub(r"\bproject_package\b", PACKAGE, text)
    if named != text:
        path.write_text(named, encoding="utf-8")

Path("licenses", ANSWERS["license"]).replace("LICENSE")
shutil.rmtree("licenses")

# No commit: it needs a name and an address, and `cruft update` compares two fresh projects.
if shutil.which("git"):
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], check=False)

print(f"Your project is in {Path.cwd().name}. Next:")
print(f"  cd {Path.cwd().name} && make install")
print("  make pipeline   # data, train, evaluate, promote")
print("  make serve      # then open http://127.0.0.1:8000/docs")
