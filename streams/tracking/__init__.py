"""The counting core of one source partition: its conversations and agents, and the slices into which they are booked."""
