"""The index under kill -9, damage, a full disk and two writers: `make torture`; in short, in `make test`."""
