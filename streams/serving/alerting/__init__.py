"""What people do about alerts, and how they are told of them."""
