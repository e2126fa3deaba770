"""Logins of users and devices: sessions, passwords, links of devices, and throttling of guesses."""
