"""The kit: what a connector says of its platform (`model`), how fields are read (`fields`), and what runs any of them (`translating`)."""
