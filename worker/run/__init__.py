"""Run workers: lease a case over HTTP, run it in the sandbox, upload its canonical output, finish.

They hold no keys: no database address, no references. All they know of a case is what its lease says.

One process is one slot. Its parts are put together in `runner`; each imports only parts below it:

    __main__                            the command line
    pilot                               in a Slurm job: a process for each slot of its allocation
    tasks | alone                       wake-ups in, signals to stop: by Celery, or without a broker
    runner                              the parts put together, and the slot's life
    loop                                batch after batch
    serve                               cases that one container answers in turn
    fresh                               cases each in a container of its own
    prefetch | input_prefetch | settle  what comes next; inputs of what is served; what has ended
    answers                             every lease ends: by a verdict, handed back, or by a fault of ours
    executor                            inputs, image, container of one case
    polling, left                       wake-ups asked of the server; what a killed process had leased
    readiness, host_check, heartbeat    whether the slot may lease; whether its host holds; leases renewed
    lease_client, host, image_cache …   the server; what slots of a host share; what stays on it

Its threads, and what each one alone changes:

    thread      how many                   owns
    main        1                          Celery's consumer, or a look at signals; it tells the slot to stop
    polling     1, without a broker        the mark of the last wake-up
    slot        1                          SlotLoop, Serving with its container, FreshRuns
    case        one less than the batch    a case that runs beside others, until it is given to settle
    prefetch    1 per batch                the batch that comes next, until the slot takes it
    inputs      1 per served batch         the inputs of the cases whose turn comes
    repeats     1 or 2, as one ends        a case that runs once more to be compared
    settle      2 per case at once, and 2  a case whose container has ended, until it is forgotten
    heartbeat   1                          when leases are renewed; it sets a handle's `stop`
    reaper      1, every minute            what no living slot wants on this host
    (timers)    up to 2                    the end of a drain; the end of a worker that was refused

A case belongs to one thread at a time, which is responsible for its lease (`Answers.responsible`). Shared between
them are: the set of leases (Heartbeat), the connection to the engine, the names of wanted containers (Executor), the
pause after a fault (Readiness); and between slots of a host the files in its folder, under locks (Host).
"""
