"""The courier: hands mails and webhooks over, in a process of its own that knows neither labels nor keys."""
