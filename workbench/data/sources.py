"""Where the public data comes from: addresses, licences, checksums. One entry a set.

Every address names a commit, so what it gives never changes; what arrives is checked against the
`sha256` here before anybody reads it. The data itself is never part of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

__all__ = ["SOURCES", "File", "Source"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a set: its place in the set's folder, its address, its size and SHA-256.

    `sha256` is None where only the table made of the files has a known checksum.
    """

    path: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A public data set. `made` is the one file that is made of its files, and kept instead."""

    name: str
    title: str
    licence: str
    homepage: str
    folder: str
    files: tuple[File, ...]
    made: str | None = None
    table_sha256: str | None = None  # of what `made` says, see `workbench.data.digest`


def _at(repository: str, commit: str, path: str) -> str:
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


def _online_retail() -> Source:
    commit = "d35cfe0df1fffcae26c588762715f6b6467c7d45"
    file = File(
        "online_retail.parquet",
        _at("viniciusfrantz/cohort_project", commit, "data/online_retail.parquet"),
        3_669_327,
        "e92bcbbce1b7a1041ad79462879d4774bf050c7b8fee9f4eef89f09fb6330664",
    )
    return Source(
        name="online-retail",
        title="Online Retail II, first year: invoice lines of a British gift shop",
        licence="CC BY 4.0 (D. Chen, UCI Machine Learning Repository)",
        homepage="https://archive.ics.uci.edu/dataset/502/online+retail+ii",
        folder="recs_online-retail-ii-2009",
        files=(file,),
    )


def _cards() -> Source:
    repository = "Fraud-Detection-Handbook/simulated-data-raw"
    commit = "6e67dbd0a3bfe0d7ec33abc4bce5f37cd4ff0d6a"
    days = [date(2018, 4, 1) + timedelta(days=n) for n in range(91)]  # April to June
    return Source(
        name="cards",
        title="Simulated card transactions of the Fraud Detection Handbook, April to June 2018",
        licence="unclear: no licence with the data; the Handbook's code is GPL-3.0, its text "
        "CC BY-SA 4.0. For measuring only, never to be passed on",
        homepage="https://fraud-detection-handbook.github.io/fraud-detection-handbook/",
        folder="fraud_handbook-simulated",
        files=tuple(File(f"{day}.pkl", _at(repository, commit, f"data/{day}.pkl")) for day in days),
        made="transactions.parquet",
        table_sha256="cd074bfcd89e688c48b9a04e7a655fd75b3796f3fa2827700defff00448f1843",
    )


def _open_bandit() -> Source:
    commit = "8cbd5fa4558b7ad2ba4781546d6604e4cc3e07c4"
    lines = [line.split() for line in _OPEN_BANDIT.split("\n") if line]
    return Source(
        name="open-bandit",
        title="Open Bandit Dataset, small: fashion recommendations under two logged policies",
        licence="CC BY 4.0 (ZOZO Research; Saito et al. 2021, arXiv:2008.07146)",
        homepage="https://research.zozo.com/data.html",
        folder="ab_open-bandit-small",
        files=tuple(
            File(path, _at("st-tech/zr-obp", commit, f"obd/{path}"), int(size), sha256)
            for path, size, sha256 in lines
        ),
    )


_OPEN_BANDIT = """
random/men/men.csv 3336811 ede6d08c6877f99cd3770f7d09e26c738e6aa6de4445ccccfb1356ba5d06b1eb
random/men/item_context.csv 4287 6d855c2b7e917d0448d71bbe62c023147495882c0fdc8c41e86fef86abf9fe09
random/women/women.csv 3817771 e65f3bd3beb17664fa69cc129bf7bf852a775f8ffa630506e505fc905315bb34
random/women/item_context.csv 5792 b1ca4905f97703d196004f2ad4552c1e90c2afad8b50688d333b0d2dc0b33147
bts/men/men.csv 3240432 db6d1f7ed2d591ba521533e45286d4c1fba7fe57a8ad2e80342210335f43c527
bts/men/item_context.csv 4287 3b411ed6b0471316321a6b93f4f756bb25888eac6218cd71d0b603d41d85732d
bts/women/women.csv 3722697 e5d1b49a39b608585a2f3014a3f54970430cd37a495c1b73fceb85cdf428a5b8
bts/women/item_context.csv 5792 a56295bad066a558eb783055afd9279f5f4e209a4776eafc22151c53f0ac89d4
"""


def _asos() -> Source:
    commit = "4acdec7ab075d39087888635a155ea01fce046a2"
    name = "asos_digital_experiments_dataset.parquet"
    file = File(
        name,
        _at("sivagugan30/asos-experimentation", commit, f"data/{name}"),
        1_003_239,
        "bdf88b27185d3f7e65912cbb421129a32ae347c2fb0d9442fe54d74266551524",
    )
    return Source(
        name="asos",
        title="ASOS Digital Experiments: running counts, means and variances of 78 experiments",
        licence="CC BY 4.0 (Liu, Cardoso, Couturier & McCoy 2021, arXiv:2111.10198)",
        homepage="https://osf.io/64jsb/",
        folder="ab_asos",
        files=(file,),
    )


SOURCES: Mapping[str, Source] = MappingProxyType(
    {source.name: source for source in (_online_retail(), _cards(), _open_bandit(), _asos())}
)
