"""Who is strong, how sure are we, how fresh is it?"""

from __future__ import annotations

import streamlit as st

from avcache.errors import InvalidInput
from avcache.market.tickers import parse_tickers
from avcache.ui.components.missing import offer_to_load
from avcache.ui.components.ranking import choose_from_ranking
from avcache.ui.components.score import score_details
from avcache.ui.components.universe import choose_universe
from avcache.ui.momentum.reading import MOST_TICKERS, read_cached
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal, sentence

tickers: str | tuple[str, ...] | None = choose_universe("momentum_universe")
if tickers is None:
    tickers = st.text_input("Tickers", placeholder="AAPL, NVDA", key="momentum_tickers", bind="query-params")
    if not tickers.strip():
        st.caption("Name some tickers, separated by commas or spaces, to see their scores.")
        st.stop()
try:
    cached = read_cached(get_runtime(), parse_tickers(tickers, limit=MOST_TICKERS))
except InvalidInput as exc:
    st.error(literal(sentence(exc.allowed)), title="Not all of these are tickers")
    st.stop()

if cached.scores:
    chosen = choose_from_ranking(cached)
else:
    st.write(f"None of the {len(cached.missing)} scores is in the cache yet. Load them here, or by a warm-up.")
if cached.missing:
    offer_to_load(cached.missing)
if cached.scores and chosen in cached.scores:
    score_details(cached.scores[chosen], cached.entries[chosen])
elif cached.scores:
    st.caption(f"The score of {literal(chosen)} is not cached: load it above.")
st.caption("Scores describe past prices; they are not advice.")
