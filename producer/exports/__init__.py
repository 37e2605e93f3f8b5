"""The formats of an export, one module for each taker: spreadsheets, programs, folders, the editors of ad platforms."""
