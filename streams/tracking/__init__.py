"""What one source partition contributes: its conversations and people, and the slices they are booked into."""
