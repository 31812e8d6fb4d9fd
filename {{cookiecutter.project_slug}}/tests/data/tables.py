"""Write files of rows; return their paths."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def csv_file(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def parquet_file(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)
