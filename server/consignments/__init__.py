"""Files that organizers send for versions of the cases: kept until a score worker, which sees labels, has made them."""
