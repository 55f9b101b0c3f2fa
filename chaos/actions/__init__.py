"""What can be done to a running stack: each action carries how it is applied and how it is undone."""
