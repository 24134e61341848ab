"""What an entry means, drawn."""

from __future__ import annotations

import time

import streamlit as st

from avcache.core.peek import Peek
from avcache.formats import format_day, format_money, format_percent, price_digits
from avcache.market.price import Price
from avcache.market.provider import PriceHistory
from avcache.market.scoring import Score
from avcache.ops.portfolios import holdings_of
from avcache.ui import PAGES
from avcache.ui.charts.momentum import contribution_chart, price_chart
from avcache.ui.components.access import is_unlocked
from avcache.ui.components.score import parts_table
from avcache.ui.components.tables import state_column
from avcache.ui.lens import comparison, holdings_table, input_table, inputs_of, lens_of
from avcache.ui.momentum.prices import price_view
from avcache.ui.momentum.recompute import NotComparable, recomputed
from avcache.ui.momentum.score import breakdown, strength
from avcache.ui.resources import get_runtime
from avcache.ui.words import literal

__all__ = ["show_comparison", "show_holdings", "show_lens"]


def show_lens(found: Score | Price | PriceHistory) -> None:
    """Draw it."""
    if isinstance(found, Score):
        _score(found)
    elif isinstance(found, Price):
        _price(found)
    else:
        _history(found)


def show_holdings(entry: Peek) -> None:
    """Draw what a portfolio holds, which its key does not say."""
    holdings = holdings_of(get_runtime().cache, entry.key)
    if holdings is None:
        st.caption("What it holds cannot be read.")
        return
    st.dataframe(
        holdings_table(holdings),
        hide_index=True,
        placeholder="no price",
        width="content",
        column_config={"Shares": st.column_config.NumberColumn(format="%,.6g", width=120)},
        alt="Holdings of this portfolio",
    )


def show_comparison(cached: Score) -> None:
    """Compute a score once more on request, and tell what differs."""
    st.caption("Computes this one score from the cached prices, and stores nothing. The prices are read: that counts.")
    if st.button("Compute it once more", icon=":material/calculate:", key="open_recompute", disabled=not is_unlocked()):
        if not is_unlocked():
            return
        try:
            found = comparison(cached, recomputed(get_runtime(), cached))
        except NotComparable as exc:
            st.warning(literal(str(exc)), title="It cannot be compared", icon=":material/warning:")
            return
        st.write(literal(found.text))
        if not found.table.empty:
            st.dataframe(found.table, hide_index=True, alt="Fields that differ between the cached score and now")


def _score(score: Score) -> None:
    st.markdown(f"Score **{literal(strength(score))}**")
    parts = breakdown(score)
    made, rests = st.columns([5, 3], gap="medium")
    with made:
        if score.score is not None:
            st.plotly_chart(contribution_chart(parts), key="open_parts", alt=f"What makes the score of {score.ticker}")
        else:
            parts_table(parts, score.ticker)
    with rests:
        st.caption("It rests on")
        keys = list(inputs_of(score).values())
        entries = dict(zip(keys, get_runtime().cache.peek_many(keys), strict=True))
        st.dataframe(
            input_table(score, entries, time.time()),
            hide_index=True,
            column_config={
                "Age": st.column_config.TextColumn(help="Since it was fetched for this score"),
                "Now": state_column(),
            },
            alt=f"Inputs of the score of {score.ticker}",
        )
        st.page_link(
            PAGES / "momentum.py",
            label="All of this score",
            icon=":material/trending_up:",
            query_params={"momentum_ticker": score.ticker},
        )


def _price(price: Price) -> None:
    change = None if price.change_1d is None else f"{100 * price.change_1d:+.2f} %"
    with st.container(horizontal=True):
        st.metric(
            "Close" if price.is_complete else "Price of the running session",
            literal(format_money(price.price, price.currency, price_digits(price.price))),
            change,
            delta_color="off",
            border=True,
            width=240,
            help=f"Of {format_day(price.as_of)}; the change is over one session.",
        )
    if price.is_provisional:
        st.caption("Provisional: from prices past their time, as newer ones could not be had.")
    history = lens_of("history", get_runtime().cache.peek_value(f"history:{price.ticker}"))
    if isinstance(history, PriceHistory):
        _history(history)
    else:
        st.caption("The prices that it was cut from are not cached any more, so there is no chart.")


def _history(history: PriceHistory) -> None:
    view = price_view(history, "1Y")
    st.plotly_chart(price_chart(view), key="open_prices", alt=f"Prices of {history.ticker} over a year")
    prices = history.prices
    share = prices["adj_close"].notna().mean()
    st.caption(f"{len(prices):,} sessions, {format_percent(share, 0)} with an adjusted close. {view.note}")
