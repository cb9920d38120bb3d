"""Published errors at long horizons, MSE/MAE in scaled units: what the tables of `longterm.py` are printed beside.

DLinear, PatchTST, GRU and SegRNN are as SegRNN's authors ran them, all with 720 steps of context and one seed;
CycleNet is its authors' mean of five seeds with its best context. "linear map" is the closed form without frills: one
map for all channels from the window minus its last value, without an intercept, its penalty chosen on the validation
rows; recomputed for these tables with the context that each row names. The rows of the last value and of the season
before are recomputed as well, over all windows; that of exchange rates takes a season of 24.
"""

from __future__ import annotations

_TABLES = {
    "ETTh1": """
        model                | 96        | 192         | 336         | 720
        last value           | 1.294/.713 | 1.325/.733 | 1.330/.746  | 1.335/.755
        season before        | .512/.433 | .581/.469   | .650/.501   | .655/.514
        linear map, 336      | .370/.391 | .403/.411   | .425/.426   | .421/.444
        linear map, 720      | .367/.395 | .402/.422   | .424/.437   | .426/.456
        DLinear              | .381/.407 | .419/.430   | .454/.456   | .499/.512
        PatchTST             | .375/.404 | .418/.430   | .462/.460   | .495/.497
        GRU                  | 1.135/.844 | 1.123/.814 | 1.080/.807  | 1.089/.822
        SegRNN               | .351/.392 | .392/.414   | .423/.433   | .466/.472
        CycleNet             | .374/.396 | .407/.415   | .431/.431   | .451/.464""",
    "ETTm1": """
        model                | 96        | 192         | 336         | 720
        last value           | 1.214/.665 | 1.261/.690 | 1.287/.707  | 1.322/.730
        season before        | .423/.387 | .463/.406   | .496/.426   | .574/.465
        linear map, 336      | .302/.345 | .337/.365   | .371/.385   | .427/.417
        linear map, 720      | .307/.350 | .338/.369   | .365/.385   | .414/.412
        DLinear              | .307/.351 | .337/.370   | .371/.392   | .416/.416
        PatchTST             | .300/.354 | .339/.377   | .368/.400   | .420/.424
        GRU                  | .953/.740 | 1.124/.847  | 1.200/.881  | 1.173/.858
        SegRNN               | .293/.354 | .328/.378   | .357/.399   | .410/.430
        CycleNet             | .300/.348 | .335/.368   | .365/.387   | .410/.412""",
    "exchange": """
        model                | 96        | 192         | 336         | 720
        last value           | .081/.196 | .167/.289   | .306/.398   | .810/.676
        season before        | .101/.225 | .189/.312   | .330/.417   | .846/.695
        linear map, 96       | .081/.196 | .168/.289   | .308/.400   | .813/.678""",
    "ILI": """
        model                | 24          | 36          | 48          | 60
        last value           | 6.213/1.622 | 7.714/1.906 | 7.851/1.952 | 6.885/1.788
        season before        | 2.564/1.004 | 2.266/.957  | 2.143/.941  | 1.917/.939
        linear map, 36       | 2.580/1.030 | 2.414/1.006 | 2.362/1.004 | 2.405/1.020
        linear map, 104      | 2.178/.963  | 2.001/.940  | 1.993/.949  | 2.257/.993""",
}

MEANS: dict[str, dict[str, tuple[float, float]]] = {
    "ETTh1": {
        "LSTM, as TimesNet ran it": (1.198, 0.821),
        "TimeMixer": (0.411, 0.423),
        "ModernTCN": (0.404, 0.420),
        "xLSTM-Mixer": (0.397, 0.420),
    },
    "ETTm1": {
        "LSTM, as TimesNet ran it": (1.142, 0.782),
        "ModernTCN": (0.351, 0.381),
        "xLSTM-Mixer": (0.339, 0.366),
    },
    "exchange": {"DLinear": (0.354, 0.414), "TimesNet": (0.416, 0.443), "TimeMixer++": (0.357, 0.391)},
    "ILI": {},
}
"""Means over the four horizons that were published without the single ones."""


def _parsed(text: str) -> dict[int, dict[str, tuple[float, float]]]:
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    cells = {name: [tuple(map(float, cell.split("/"))) for cell in found] for name, *found in lines}
    return {
        int(h): {name: (found[i][0], found[i][1]) for name, found in cells.items()} for i, h in enumerate(header[1:])
    }


PUBLISHED = {name: _parsed(text) for name, text in _TABLES.items()}
"""Set -> horizon -> model -> (MSE, MAE)."""
