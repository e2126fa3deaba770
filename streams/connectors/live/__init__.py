"""How platforms are followed live: what holds a connection to one, or asks it. What its words mean stands in `platforms`."""
