"""A reader of the metric topics that serves what it reads: exporter, API and page."""
