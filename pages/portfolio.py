import streamlit as st

st.caption("being written")
