"""The pieces that pages are laid out of; beside the pages, the only ones that draw with Streamlit."""
