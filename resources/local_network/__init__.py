"""The local network: the outside of the competition, as processes and files on this machine."""
