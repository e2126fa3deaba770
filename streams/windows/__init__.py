"""From slices to figures: calendars, sums and KPIs; no clock, no network."""
