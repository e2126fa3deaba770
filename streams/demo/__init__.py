"""The demo: an embedded broker and a simulated contact center, for one machine and one minute."""
