"""The kit: the definition of a connector (`model`), readers of fields (`fields`), and the translation of records (`translating`)."""
