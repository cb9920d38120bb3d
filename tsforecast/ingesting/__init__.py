"""From files of any size to a dataset on disk, in bounded memory."""
