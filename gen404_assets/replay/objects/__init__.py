"""What the files name in the competition's store, fetched and checked."""
