"""What running a case took, as columns of its row: they are averaged and bounded in SQL."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from contract.leases import Measured


class MeasuredColumns:
    """Mixin: a column for each field of `Measured`, all of them null while nothing is known."""

    seconds: Mapped[float | None] = mapped_column(default=None)
    cpu_seconds: Mapped[float | None] = mapped_column(default=None)
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    gpu_memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    wait_seconds: Mapped[float | None] = mapped_column(default=None)

    @property
    def measured(self) -> Measured | None:
        """All of it."""
        return None if self.seconds is None else Measured.model_validate(self, from_attributes=True)

    @measured.setter
    def measured(self, measured: Measured | None) -> None:
        for name in Measured.model_fields:
            setattr(self, name, None if measured is None else getattr(measured, name))
