"""Who is strong, how sure are we, how fresh is it?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.scoring import DEFAULT_PROFILE
from avcache.market.tickers import parse_tickers
from avcache.ui.components.compare import comparison
from avcache.ui.components.missing import offer_scores
from avcache.ui.components.ranking import choose_from_ranking
from avcache.ui.components.score import score_details
from avcache.ui.components.screen import choose_compared, choose_scores
from avcache.ui.momentum.prices import SPANS
from avcache.ui.momentum.reading import read_cached
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal, sentence

asked, profile = choose_scores()
if not asked:
    st.caption("Name some tickers, separated by commas or spaces, to see their scores.")
    st.stop()
try:
    tickers = parse_tickers(asked)
except InvalidInput as exc:
    st.error(literal(sentence(exc.allowed)), title="Not all of these are tickers")
    st.stop()

cached = read_cached(get_runtime(), tickers, profile)
chosen: str | None = None
if cached.scores:
    chosen, compared = choose_from_ranking(cached)
else:
    or_so = ", or by a warm-up" if profile == DEFAULT_PROFILE else ""
    st.write(f"None of the {len(cached.missing)} scores is in the cache yet. Load them here{or_so}.")
    compared = choose_compared(list(cached.missing))
if cached.missing:
    offer_scores(cached.missing, profile, tickers)
if compared or chosen is not None:
    span = st.segmented_control("Range", SPANS, default="1Y", required=True, key="momentum_range", bind="query-params")
    if compared:
        comparison(cached, compared, profile, span)
    if chosen is not None and chosen in cached.scores:
        score_details(cached, chosen, span)
    elif chosen is not None:
        st.caption(f"The score of {literal(chosen)} is not cached: load it above.")
st.caption("Scores describe past prices; they are not advice.")
