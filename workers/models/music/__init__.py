"""The starter music model: tunes out of copyright, a network that writes lead sheets, an arranger, a band, a mixer."""
