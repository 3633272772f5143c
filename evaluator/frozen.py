"""What every model of a file shares."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen part of a file, in which an unknown field, an infinity or NaN is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
