"""A slot's connection to the container engine: made when it is needed, and anew after a fault."""

import threading

from sandbox.engine import Engine


class EngineConnection:
    """One connection for all threads of a slot."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._connecting = threading.Lock()

    def engine(self) -> Engine:
        """The engine, connected.

        Raises:
            EngineFault: it does not answer.
        """
        with self._connecting:
            if self._engine is None:
                self._engine = Engine.connect()
            return self._engine

    def close(self) -> None:
        """Ends the connection; the next use makes another."""
        with self._connecting:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
