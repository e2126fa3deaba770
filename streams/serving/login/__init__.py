"""How people and devices log in to the page: sessions, passwords, links of devices, and what slows guessing down."""
