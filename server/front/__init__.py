"""What every request passes before it costs anything: a bound on its body, and a place in a lane.

protocol    the connection: time for headers, bytes of headers, readers that do not read, how many connections
table       which lane and which body a route has
callers     whom a request is counted for: a person, a run worker, or an address
body        the body, read whole within bytes and seconds, or streamed at a least rate
budgets     how many requests a token or an address may send a minute
lanes       permits, and who waits for them: in turns, for a while, up to a number
middleware  the order of these
threads     how many threads and database connections that makes
"""
