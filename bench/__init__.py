"""Every number this project publishes can be made again from here: `make bench`."""
