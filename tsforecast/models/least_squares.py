"""The closed-form linear map from what is seen of a window to its horizon.

It is all of `Ridge`, and where the networks start: least squares finds in a second what gradient steps find slowly, so
that a network spends its steps on what is not linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tsforecast import progress
from tsforecast.models.encoding import Encoding
from tsforecast.models.nets import LinearMap, linear_features
from tsforecast.models.sampling import every_origin
from tsforecast.panel import Panel
from tsforecast.windows import Windows, split_by_time

__all__ = ["PENALTIES", "fit_map", "least_context"]

PENALTIES = (1e-3, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
CHUNK = 4_096  # windows whose features are held at once
ENOUGH = 30  # validation windows to take quantiles of errors from
MOST_WINDOWS = 50_000  # more add time and hardly any accuracy to so few coefficients
JUDGED = 4_096  # validation windows, at most, that choose the penalty
AS_GOOD = 1.005  # of the smallest error: of penalties this close the strongest is taken
OUTSIZED = 5.0  # standard deviations of the context


def fit_map(
    past: Panel,
    windows: Windows,
    encoding: Encoding,
    *,
    levels: tuple[float, ...],
    penalties: tuple[float, ...] = PENALTIES,
    val_share: float = 0.2,
) -> LinearMap | None:
    """Solve for the map on every window of `past` (thinned evenly above 50,000); None where there is no window.

    The penalty with the smallest absolute error on the last `val_share` of the time is taken (the strongest of those
    within 0.5 %), and the map is solved once more on all windows. Its spread is that of the errors on that last part;
    where it has fewer than 30 windows, that of leaving each window out in turn.

    windows, encoding   of `past`, or of a panel that goes on after it: nothing after `past` is looked at
    """
    horizon, gaps = windows.horizon, has_gaps(past, windows)
    valid_steps = max(int(val_share * float(np.median(past.lengths))), horizon)
    split = split_by_time(past, horizon, valid_steps, least_context(past, windows))
    if split.n_train == 0:
        return None
    held_out = split.valid_high > split.valid_low
    last = np.where(held_out, split.valid_high, split.train_high)
    device = windows.values.device
    early, late, every = (
        tuple(part.to(device) for part in every_origin(low, high, split.floors, most))
        for low, high, most in (
            (split.train_low, split.train_high, MOST_WINDOWS),
            (split.valid_low, split.valid_high, JUDGED),
            (split.train_low, last, MOST_WINDOWS),
        )
    )
    sight = _Sight(windows, encoding, gaps)
    maps = _Sums.over(sight, *early).solve(penalties)
    errors = [sight.errors(found, *(late if len(late[0]) else early)) for found in maps]
    sizes = [float(e.abs().nan_to_num(nan=0.0).mean()) for e in errors]
    best = max(range(len(maps)), key=lambda i: (sizes[i] <= AS_GOOD * min(sizes), penalties[i]))
    whole = _Sums.over(sight, *every)
    final = whole.solve((penalties[best],))[0]
    if len(late[0]) < ENOUGH:
        rest = sight.errors(final, *every, inverse=whole.inverse(penalties[best]), clipped=False)
    else:
        rest = sight.errors(maps[best], *late, clipped=False)
    spread = torch.nanquantile(rest, torch.tensor(levels, dtype=rest.dtype, device=device), dim=0).T.contiguous()
    return LinearMap(windows.hist.shape[1], gaps, final, torch.nan_to_num(spread, nan=0.0))


def has_gaps(past: Panel, windows: Windows) -> bool:
    """Whether a window of `past` may lack a value: without gaps there is nothing to learn from them."""
    short = int(past.lengths.min()) < windows.input_size + windows.horizon
    return short or bool(np.isnan(past.values[past.inside]).any())


def least_context(past: Panel, windows: Windows) -> int:
    """Steps of context that a training window has at least: all of them, or two horizons where there are gaps."""
    size = windows.input_size
    return min(size, 2 * windows.horizon) if has_gaps(past, windows) else size


@dataclass(frozen=True, eq=False)
class _Sight:
    """What the map sees of windows, and what it has to explain."""

    windows: Windows
    encoding: Encoding
    gaps: bool

    def look(self, origins: Tensor, floors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features `[B, F]`; what is left to explain `[B, H]`, NaN where not observed; and a weight `[B, 1]` that keeps
        a context which hardly moves from outweighing all others."""
        batch = self.windows.gather(origins, floors)
        seen = self.encoding.encode(batch)
        rest = (seen.target(batch.target) - seen.base).squeeze(2).double()
        size = torch.nan_to_num(rest, nan=0.0).abs().amax(1, keepdim=True)
        features = linear_features(seen.x, seen.known, batch.hist.shape[2], self.gaps).double()
        return features, rest, OUTSIZED / size.clamp_min(OUTSIZED)

    def errors(
        self, weights: Tensor, origins: Tensor, floors: Tensor, *, inverse: Tensor | None = None, clipped: bool = True
    ) -> Tensor:
        """Errors of a map `[windows, H]` in scaled units, NaN where the target was not observed.

        inverse   given where the map was solved on these windows: the errors are then those of the maps solved without
                  each of them, which one division tells (Allen 1974)
        clipped   weighed as in the solution
        """
        found = []
        for o, f in zip(torch.split(origins, CHUNK), torch.split(floors, CHUNK), strict=True):
            features, rest, weight = self.look(o, f)
            errors = rest - features @ weights
            if inverse is not None:
                x = features * weight
                errors = errors / (1 - ((x @ inverse) * x).sum(1, keepdim=True)).clamp_min(1e-6)
            found.append(errors * weight if clipped else errors)
        return torch.cat(found)


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums that least squares needs, X'X and X'Y of weighted windows."""

    xx: Tensor
    xy: Tensor

    @classmethod
    def over(cls, sight: _Sight, origins: Tensor, floors: Tensor) -> _Sums:
        xx = xy = torch.zeros((), dtype=torch.float64, device=origins.device)
        for number, (o, f) in enumerate(zip(torch.split(origins, CHUNK), torch.split(floors, CHUNK), strict=True)):
            features, rest, weight = sight.look(o, f)
            x, y = features * weight, torch.nan_to_num(rest, nan=0.0) * weight
            xx, xy = xx + x.T @ x, xy + x.T @ y
            progress.report(number * CHUNK / len(origins))
        return cls(xx, xy)

    def inverse(self, penalty: float) -> Tensor:
        """(X'X + penalty I)^-1."""
        one = torch.eye(len(self.xx), dtype=self.xx.dtype, device=self.xx.device)
        inverse: Tensor = torch.linalg.inv(self.xx + penalty * one)
        return inverse

    def solve(self, penalties: tuple[float, ...]) -> list[Tensor]:
        """(X'X + penalty I)^-1 X'Y for each penalty, from one eigendecomposition."""
        values, vectors = torch.linalg.eigh(self.xx)
        turned = vectors.T @ self.xy
        return [vectors @ (turned / (values.clamp_min(0.0) + p)[:, None]) for p in penalties]
