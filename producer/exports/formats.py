"""The formats of an export by name; the command line offers them without loading what writes them."""

from enum import StrEnum


class Format(StrEnum):
    """What an export looks like."""

    FILES = "files"
    CSV = "csv"
    JSONL = "jsonl"
    ZIP = "zip"
    GOOGLE_ADS_EDITOR = "google-ads-editor"
    META_BULK = "meta-bulk"
