"""What people do about alerts, and how they are notified of them."""
